"""What the demo prints, and the chart: nothing wider than the terminal, nothing that steers it."""
import re

import pytest

from review import chart, hottest, text

EVIL = "src/\x1b[2Jwipe\n‮cod.py"


def spot(path, heat=90.0, churn=10, complexity=10, reasons=("10 lines changed",)):
    return {"path": path, "heat": heat, "churn": churn, "complexity": complexity,
            "reasons": list(reasons)}


def found(*spots, **more):
    return {"hottest": list(spots), "files": 40, "notes": [], "gate_passed": True, "violations": 0,
            "gate_lines": ["Asked for: little"], "opinion_title": "A second opinion",
            "opinion": "Skipped: no key", **more}


@pytest.mark.parametrize("columns", [40, 80, 100])
def test_no_line_is_wider_than_the_terminal(columns):
    printed = hottest.render(found(
        spot("a/" * 80 + "end.py", reasons=["word " * 60, "x" * 300]), spot("日本" * 60 + ".py"),
        spot(EVIL), notes=["note " * 40], opinion="opinion " * 50 + "\nsecond line"), columns)
    assert max(map(text.width, printed.splitlines())) <= columns
    assert "end.py" in printed and "second line" in printed


def test_a_name_cannot_steer_the_terminal():
    plain = hottest.render(found(spot(EVIL, reasons=["\x1b[31mred"]), opinion="\x07bell"))
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f‮]", plain)
    assert "src/\\x1b[2Jwipe\\n\\u202ecod.py" in plain
    coloured = hottest.render(found(spot(EVIL)), colour=True)
    assert re.sub(r"\x1b\[\d+m", "", coloured) == hottest.render(found(spot(EVIL)))


@pytest.mark.parametrize("heat, cells", [
    (0, ""), (100, "█" * 10), (50, "█" * 5), (51.25, "█████▏"), (-3, ""), (700, "█" * 10)])
def test_the_bar_is_as_long_as_the_heat(heat, cells):
    assert hottest.bar(heat).rstrip() == cells and len(hottest.bar(heat)) == 10


def test_the_gate_names_the_first_violations_and_counts_the_rest():
    lines = [f"a.py:{n}: too long" for n in range(9)]
    printed = hottest.render(found(spot("a.py"), gate_passed=False, violations=9,
                                   gate_lines=lines))
    assert "Quality gate: failed" in printed and "a.py:4: too long" in printed
    assert "a.py:5" not in printed and "… and 4 more" in printed


def test_an_empty_repository_prints_no_table():
    assert "nothing is hot" in hottest.render(found())


def circles(svg):
    return [(float(x), float(y), float(r)) for x, y, r in
            re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)" r="([\d.]+)"', svg)]


def test_dots_stand_where_the_figures_say():
    spots = [spot("hot.py", 99, 900, 700), spot("easy.py", 50, 900, 30), spot("cold.py", 9, 3, 30)]
    cold, easy, hot = circles(chart.scatter(spots))  # the hottest is drawn last, on top
    assert cold[0] < easy[0] == hot[0] and hot[1] < easy[1] == cold[1]
    assert hot[2] > easy[2] > cold[2]
    for x, y, _ in (cold, easy, hot):
        assert chart.LEFT <= x <= chart.RIGHT and chart.TOP <= y <= chart.BOTTOM


@pytest.mark.parametrize("values", [(0, 0), (1, 1), (0, 5), (300, 850), (1, 10 ** 8)])
def test_ticks_are_where_they_belong_and_enough_to_read(values):
    axis = chart.Axis(values, 0, 100)
    ticks = axis.ticks()
    places = [axis.position(t) for t in ticks]
    assert places == sorted(places) and all(0 <= p <= 100 for p in places)
    assert len(ticks) <= 19 and (max(values) < 4 or len(ticks) >= 3)


def test_names_in_the_chart_cover_no_dot_and_no_other_name():
    svg = chart.scatter([spot(f"some/folder/file_{n}.py", 90, 100 + n, 100 + n)
                         for n in range(25)])
    boxes = [(float(x), float(y) - 10, float(x) + len(name) * chart.LETTER, float(y) + 3)
             for x, y, name in re.findall(
                 r'<text x="([\d.]+)" y="([\d.]+)" class="label">([^<]*)<', svg)]
    assert boxes
    for n, box in enumerate(boxes):
        assert not any(chart.overlap(box, other) for other in boxes[n + 1:])
        assert not any(box[0] < x < box[2] and box[1] < y < box[3] for x, y, _ in circles(svg))
