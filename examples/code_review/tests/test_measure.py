"""Duplicates, complexity, ranking and the reports."""
import html.parser

import pytest

from review import chart, duplicates, measure, ranking, report, source


def block(word, count=12):
    return "".join(f"{word}_{n} = compute({n})\n" for n in range(count))


def test_a_block_twice_in_a_file():
    text = block("a") + "x = 1\n" + block("b", 8) + "# comment\n\n" + block("a", 6)
    assert duplicates.inside(duplicates.blocks(text)) == 12  # six lines, in two places


def test_a_table_of_equal_lines_is_not_a_copy_of_itself():
    assert duplicates.inside(duplicates.blocks("    {0, 0, 0},\n" * 8)) == 0


def test_copies_between_files_whatever_their_white_space():
    a = block("own", 20) + block("shared", 15)
    b = "\n\n" + block("shared", 15).replace("shared", "    shared") + block("other", 20)
    files = {name: duplicates.fingerprints(duplicates.blocks(text))
             for name, text in (("a.py", a), ("b.py", b), ("c.py", block("third", 30)))}
    (copy,) = duplicates.between(files)
    assert (copy["a"], copy["b"]) == ("a.py", "b.py")
    assert 21 <= copy["a_lines"][0] <= 24 and 32 <= copy["a_lines"][1] <= 35
    assert copy["a_lines"][0] - copy["b_lines"][0] == 18


@pytest.mark.parametrize("offset", range(12))
def test_every_copy_of_nine_lines_is_found(offset):
    files = {name: duplicates.fingerprints(duplicates.blocks(
        block(name, 5 + offset) + block("shared", 9) + block(name + "x", 7)))
        for name in ("a", "b")}
    assert duplicates.between(files)


def test_complexity_is_indentation():
    assert measure.complexity("a\n  b\n    c\n\nd\n") == 1 + 2 + 3 + 1
    assert measure.complexity("a\n\tb\n\t\tc\n") == 1 + 2 + 3
    assert measure.complexity("") == 0


def test_what_cannot_be_measured_says_why():
    assert measure.measure(b"\0\1", "a.c", "c")["note"] == "binary"
    assert "long" in measure.measure(b"x" * 3000, "a.js", "javascript")["note"]
    assert "larger" in measure.measure(b"x\n" * (1 << 20), "a.js", "javascript")["note"]
    latin = measure.measure("int f() { return 'é'; }\n".encode("latin-1"), "a.c", "c")
    assert latin["functions"] == 1 and latin["lines"] == 1


def test_a_header_is_c_until_it_says_otherwise():
    assert measure.measure(b"int f(int);\n", "a.h", "c")["language"] == "c"
    assert measure.measure(b"namespace x {\n}\n", "a.h", "c")["language"] == "cpp"


@pytest.mark.parametrize("path, language", [
    ("a/b.cc", "cpp"), ("x.PY", "python"), ("README.md", None), (".c", None), ("a.tar.gz", None),
    ("a.min.js", "javascript"), ("Makefile", None), ("x.java", "java")])
def test_languages_by_name(path, language):
    assert source.language_of(path) == language


def file(path, churn, complexity, **more):
    return {"path": path, "language": "python", "churn": churn, "commits": 3, "authors": 2,
            "cut_off_lines": 0, "lines": 100, "complexity": complexity, "note": "",
            "top_authors": [], "named": [], **more}


ABOUT = {"root": "/x/repo", "branch": "main", "commit": "ab" * 20, "commits": 9, "authors": 2,
         "first": 1_600_000_000, "last": 1_700_000_000, "note": "", "cut": "", "files_known": 3}


def test_hot_is_hard_and_often_changed():
    ranked = ranking.rank(ABOUT, [file("calm", 2, 900), file("hot", 800, 800),
                                  file("easy", 900, 3)], [])
    assert [s["path"] for s in ranked["hotspots"]] == ["hot", "easy", "calm"]
    assert 0 <= ranked["hotspots"][-1]["heat"] < ranked["hotspots"][0]["heat"] <= 100


def test_the_gate_names_each_violation():
    named = [{"name": "f", "line": 7, "lines": 150, "nesting": 6}]
    ranked = ranking.rank(ABOUT, [file("a.py", 1, 1, named=named)], [], {"max_nesting": 9})
    assert not ranked["gate"]["passed"] and ranked["gate"]["count"] == 1
    assert ranked["gate"]["violations"][0]["text"] == "f has 150 lines, the limit is 100"
    assert ranking.rank(ABOUT, [file("a.py", 1, 1)], [])["gate"]["passed"]


def test_failed_items_and_an_absent_linter_are_told():
    failed = {"_stage_error": True, "stage": "lint", "error": {"message": "not installed"}}
    ranked = ranking.rank(ABOUT, [file("a.py", 1, 1), {**failed, "stage": "analyse"}],
                          [failed, failed])
    assert ranked["not_analysed"] == 1 and ranked["lint"]["failed"] == 2
    assert report.lint_text(ranked["lint"]) == "Skipped: not installed"


def test_a_shallow_clone_of_depth_one_is_ranked_by_complexity():
    ranked = ranking.rank({**ABOUT, "cut": "the clone is shallow"},
                          [file("a", 50, 10, cut_off_lines=50),
                           file("b", 9, 90, cut_off_lines=9)], [])
    assert [s["path"] for s in ranked["hotspots"]] == ["b", "a"]
    assert any("complexity alone" in note for note in ranked["notes"])


class Checker(html.parser.HTMLParser):
    """Notes tags, and whether anything is fetched or run."""

    def __init__(self):
        super().__init__()
        self.tags, self.bad, self.text = [], [], []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        if tag in ("script", "link", "img", "iframe", "b") or any(
                name in ("src", "href", "onload", "onclick") for name, _ in attributes):
            self.bad.append(tag)

    def handle_data(self, data):
        self.text.append(data)


def test_the_page_needs_nothing_and_runs_nothing():
    evil = '<b onclick="x()">|`*.py'
    ranked = ranking.rank(ABOUT, [file(evil, 80, 80), file("b.py", 9, 9)], [])
    checker = Checker()
    checker.feed(report.page(ranked, {"text": "<script>alert(1)</script> & more"}))
    assert checker.bad == [] and "svg" in checker.tags
    text = "".join(checker.text)
    assert evil in text and "<script>alert(1)</script> & more" in text


def test_markdown_keeps_its_tables():
    ranked = ranking.rank(ABOUT, [file("a|b`*<i>.py", 80, 80)], [])
    text = report.markdown(ranked, {"skipped": True, "reason": "MODEL_API_KEY is not set"})
    (row,) = [line for line in text.split("\n") if line.startswith("| 1 |")]
    assert row.replace("\\|", "").count("|") == 9 and "<i>" not in row.replace("\\<", "")
    assert "> Skipped: MODEL_API_KEY is not set" in text


def test_an_empty_ranking_makes_a_report():
    ranked = ranking.rank({**ABOUT, "commits": 0, "note": "the repository has no commits"}, [], [])
    assert "the repository has no commits" in report.markdown(ranked, {})
    assert "no commits" in report.page(ranked, {}) and chart.scatter([])
