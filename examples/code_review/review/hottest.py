"""What the demo prints: hotspots.json for a terminal, or for a file of 80 columns."""
from __future__ import annotations

import textwrap
from typing import Any, List, Mapping

from . import text

COLUMNS = 80
MOST_COLUMNS = 110
BAR = 10
EIGHTHS = " ▏▎▍▌▋▊▉"
VIOLATIONS = 5
BOLD, RED, YELLOW, GREEN, DIM, PLAIN = (f"\x1b[{n}m" for n in (1, 31, 33, 32, 2, 0))


class Printer:
    """Lines of at most `columns`, with or without colour."""

    def __init__(self, columns: int = COLUMNS, colour: bool = False) -> None:
        self.columns = min(max(columns, 40), MOST_COLUMNS)
        self._colour = colour
        self.lines: List[str] = []

    def paint(self, style: str, words: str) -> str:
        return f"{style}{words}{PLAIN}" if self._colour and words else words

    def heading(self, words: str) -> None:
        if text.width(words) > self.columns:
            words = words[:self.columns - 1] + "…"
        self.lines += ["", self.paint(BOLD, words), self.paint(DIM, "─" * text.width(words))]

    def wrapped(self, words: str, indent: int = 0, style: str = "") -> None:
        for line in textwrap.wrap(words, self.columns - indent, break_on_hyphens=False) or [""]:
            self.lines.append((" " * indent + self.paint(style, line)).rstrip())

    def spot(self, place: int, spot: Mapping[str, Any]) -> None:
        """Heat, a bar of it, the path; below it why."""
        heat = float(spot["heat"])
        style = RED if heat >= 80 else YELLOW if heat >= 50 else GREEN
        lead = f"{place:>3}  {heat:5.1f} "
        indent = len(lead) + BAR + 2
        path = text.fit(text.shown(spot["path"]), self.columns - indent)
        self.lines.append(lead + self.paint(style, bar(heat)) + "  " + self.paint(BOLD, path))
        self.wrapped(text.shown("; ".join(spot["reasons"])), indent, DIM)


def bar(share: float) -> str:
    """`BAR` cells for 100, in eighths."""
    eighths = round(max(0.0, min(100.0, share)) / 100 * BAR * 8)
    return ("█" * (eighths // 8) + EIGHTHS[eighths % 8]).strip().ljust(BAR)


def render(found: Mapping[str, Any], columns: int = COLUMNS, colour: bool = False) -> str:
    """The hottest files, the quality gate and the second opinion."""
    out = Printer(columns, colour)
    if found["hottest"]:
        out.heading(f"The {len(found['hottest'])} hottest of {found['files']} source files: hard "
                    "and often changed")
        for place, spot in enumerate(found["hottest"], 1):
            out.spot(place, spot)
    else:
        out.heading("No source files, so nothing is hot")
    out.lines += [""] * bool(found["notes"])
    for note in found["notes"]:
        out.wrapped("Note: " + text.shown(note))
    gate(out, found)
    out.heading(found["opinion_title"])
    for line in str(found["opinion"]).split("\n"):
        out.wrapped(text.shown(line))
    return "\n".join(out.lines) + "\n"


def gate(out: Printer, found: Mapping[str, Any]) -> None:
    """The verdict, and the first of what is against it."""
    out.heading("Quality gate: " + ("passed" if found["gate_passed"] else "failed"))
    for line in found["gate_lines"][:VIOLATIONS]:
        out.wrapped(text.shown(line))
    left = found["violations"] - VIOLATIONS
    if left > 0:
        out.wrapped(f"… and {left} more")
