"""The chart of the report: churn against complexity, one dot a file, as inline SVG."""
from __future__ import annotations

import html
import math
from typing import Any, List, Mapping, Sequence, Tuple

from .text import shown

WIDTH, HEIGHT = 760, 380
LEFT, RIGHT, TOP, BOTTOM = 64, 740, 14, 326
LABELLED = 12
#: Of a label: its height, and the width of a letter, in the chart's units.
LINE, LETTER = 13, 6.2
NAME_LENGTH = 32

Box = Tuple[float, float, float, float]


class Axis:
    """A logarithmic axis over the values that there are, a little wider than they."""

    def __init__(self, values: Sequence[float], low: float, high: float) -> None:
        self._low, self._high = low, high
        least, most = min(values, default=1), max(values, default=1)
        self.least = max(0.0, least / 1.25 - 0.5)
        self.most = most * 1.15 + 0.5

    def position(self, value: float) -> float:
        span = math.log1p(self.most) - math.log1p(self.least)
        share = (math.log1p(value) - math.log1p(self.least)) / span
        return self._low + (self._high - self._low) * share

    def ticks(self) -> List[int]:
        """Round numbers within: at least four where there are as many, at most nine or so."""
        within: List[int] = []
        for leads in ((1,), (1, 2, 5), (1, 2, 3, 4, 5, 6, 8), range(10, 100, 5)):
            steps = {m * 10 ** n for n in range(0, 9) for m in leads}
            within = sorted(s for s in steps if self.least <= s <= self.most)
            if len(within) >= 4:
                break
        return within


def scatter(spots: Sequence[Mapping[str, Any]]) -> str:
    """SVG text; both axes are logarithmic, the hotter a dot the redder and larger."""
    across = Axis([s["churn"] for s in spots], LEFT, RIGHT)
    up = Axis([s["complexity"] for s in spots], BOTTOM, TOP)
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
             'aria-label="churn against complexity">', *axes(across, up)]
    places = [(spot, across.position(spot["churn"]), up.position(spot["complexity"]))
              for spot in spots]
    parts += [dot(*place) for place in reversed(places)]
    parts += labels(places)
    return "".join(parts) + "</svg>"


def axes(across: Axis, up: Axis) -> List[str]:
    parts = []
    for value in across.ticks():
        x = across.position(value)
        parts.append(f'<path d="M{x:.1f} {TOP}V{BOTTOM}" class="grid"/>'
                     f'<text x="{x:.1f}" y="{BOTTOM + 18}" class="tick">{value}</text>')
    for value in up.ticks():
        y = up.position(value)
        parts.append(f'<path d="M{LEFT} {y:.1f}H{RIGHT}" class="grid"/>'
                     f'<text x="{LEFT - 6}" y="{y + 4:.1f}" class="tick end">{value}</text>')
    parts.append(f'<path d="M{LEFT} {TOP}V{BOTTOM}H{RIGHT}" class="axis"/>')
    parts.append(f'<text x="{(LEFT + RIGHT) / 2}" y="{HEIGHT - 12}" class="name">'
                 'churn (lines added and deleted)</text>')
    parts.append(f'<text x="14" y="{(TOP + BOTTOM) / 2}" class="name" '
                 f'transform="rotate(-90 14 {(TOP + BOTTOM) / 2})">'
                 'complexity (levels of indentation)</text>')
    return parts


def radius(spot: Mapping[str, Any]) -> float:
    return 3 + 6 * float(spot["heat"]) / 100


def dot(spot: Mapping[str, Any], x: float, y: float) -> str:
    share = float(spot["heat"]) / 100
    red, blue = int(60 + 170 * share), int(200 - 160 * share)
    return (f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius(spot):.1f}" '
            f'fill="rgb({red},70,{blue})"><title>{html.escape(shown(spot["path"]))}: heat '
            f'{spot["heat"]}</title></circle>')


def labels(places: Sequence[Tuple[Mapping[str, Any], float, float]]) -> List[str]:
    """Names of the hottest, each where it covers no other name and no dot; else none."""
    taken: List[Box] = [(x - radius(s), y - radius(s), x + radius(s), y + radius(s))
                        for s, x, y in places]
    parts = []
    for spot, x, y in places[:LABELLED]:
        name = shown(spot["path"].rsplit("/", 1)[-1])
        name = name if len(name) <= NAME_LENGTH else name[:NAME_LENGTH - 1] + "…"
        wide, gap = len(name) * LETTER, radius(spot) + 4
        for left, base in ((x + gap, y + 4), (x - gap - wide, y + 4),
                           (x - wide / 2, y - gap), (x - wide / 2, y + gap + LINE - 3)):
            box = (left, base - LINE + 3, left + wide, base + 3)
            if left >= LEFT and box[2] <= WIDTH and TOP <= box[1] and base <= BOTTOM and \
                    not any(overlap(box, other) for other in taken):
                taken.append(box)
                parts.append(f'<text x="{left:.1f}" y="{base:.1f}" class="label">'
                             f'{html.escape(name)}</text>')
                break
    return parts


def overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
