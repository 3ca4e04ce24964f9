"""The chart of the report: churn against complexity, one dot a file, as inline SVG."""
from __future__ import annotations

import html
import math
from typing import Any, List, Mapping, Sequence

WIDTH, HEIGHT, MARGIN = 760, 360, 54
LABELLED = 8


def scatter(spots: Sequence[Mapping[str, Any]]) -> str:
    """SVG text; both axes are logarithmic, the hotter a dot the redder and larger."""
    top_churn = max((s["churn"] for s in spots), default=1) or 1
    top_complexity = max((s["complexity"] for s in spots), default=1) or 1
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
             'aria-label="churn against complexity">']
    parts += axes(top_churn, top_complexity)
    for place, spot in reversed(list(enumerate(spots))):
        x = position(spot["churn"], top_churn, MARGIN, WIDTH - MARGIN)
        y = position(spot["complexity"], top_complexity, HEIGHT - MARGIN, MARGIN / 2)
        parts.append(dot(spot, x, y, labelled=place < LABELLED))
    return "".join(parts) + "</svg>"


def position(value: float, top: float, low: float, high: float) -> float:
    return low + (high - low) * math.log1p(value) / math.log1p(top)


def axes(top_churn: int, top_complexity: int) -> List[str]:
    bottom, right = HEIGHT - MARGIN, WIDTH - MARGIN
    parts = [f'<path d="M{MARGIN} {MARGIN / 2}V{bottom}H{right}" class="axis"/>']
    for value in ticks(top_churn):
        x = position(value, top_churn, MARGIN, right)
        parts.append(f'<text x="{x:.1f}" y="{bottom + 18}" class="tick">{value}</text>')
    for value in ticks(top_complexity):
        y = position(value, top_complexity, bottom, MARGIN / 2)
        parts.append(f'<text x="{MARGIN - 6}" y="{y + 4:.1f}" class="tick end">{value}</text>')
    parts.append(f'<text x="{(MARGIN + right) / 2}" y="{HEIGHT - 12}" class="name">'
                 'churn (lines added and deleted)</text>')
    parts.append(f'<text x="14" y="{bottom / 2}" class="name" '
                 f'transform="rotate(-90 14 {bottom / 2})">complexity</text>')
    return parts


def ticks(top: float) -> List[int]:
    return [10 ** n for n in range(0, 9) if 10 ** n <= top]


def dot(spot: Mapping[str, Any], x: float, y: float, labelled: bool) -> str:
    name = html.escape(spot["path"])
    share = spot["heat"] / 100
    red, blue = int(60 + 180 * share), int(200 - 160 * share)
    text = ""
    if labelled:
        left = x > WIDTH * 0.7
        text = (f'<text x="{x - 10 if left else x + 10:.1f}" y="{y + 4:.1f}" '
                f'class="label{" end" if left else ""}">'
                f'{html.escape(spot["path"].rsplit("/", 1)[-1])}</text>')
    return (f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{3 + 7 * share:.1f}" '
            f'fill="rgb({red},70,{blue})"><title>{name}: heat {spot["heat"]}</title></circle>'
            f'{text}')
