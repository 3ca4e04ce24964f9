"""Measures one file: lines, functions, nesting, complexity, duplicated blocks."""
from __future__ import annotations

from collections import Counter
from typing import Any, Dict, List

from . import duplicates, functions, source

#: A file's longest and deepest functions are named, not all of them.
NAMED = 8


def measure(content: bytes, path: str, language: str) -> Dict[str, Any]:
    """What analysts report of a file's content; `note` says what could not be measured."""
    if source.is_binary(content):
        return {"language": language, "lines": 0, "complexity": 0, "note": "binary"}
    text = source.decode(content)
    if path.endswith(".h"):
        language = source.header_language(text)
    report: Dict[str, Any] = {
        "language": language, "lines": text.count("\n") + (not text.endswith("\n") and text != ""),
        "complexity": complexity(text), "note": source.why_unmeasured(content, text)}
    if report["note"]:
        return report
    blocks = duplicates.blocks(text)
    report["duplicated_lines"] = duplicates.inside(blocks)
    report["fingerprints"] = duplicates.fingerprints(blocks)
    if source.is_measured(language):
        report.update(function_figures(functions.find(text, language)))
    return report


def function_figures(found: List[functions.Function]) -> Dict[str, Any]:
    """Counts and extremes of a file's functions."""
    chosen = sorted(found, key=lambda f: -f.length)[:NAMED]
    chosen += [f for f in sorted(found, key=lambda f: -f.nesting)[:NAMED] if f not in chosen]
    return {
        "functions": len(found),
        "longest": max((f.length for f in found), default=0),
        "deepest": max((f.nesting for f in found), default=0),
        "named": [{"name": f.name, "line": f.first_line, "lines": f.length,
                   "nesting": f.nesting} for f in chosen]}


def complexity(text: str) -> int:
    """The sum over lines of 1 + level of indentation.

    Indentation stands in for complexity in any language (Hindle, Godfrey, Holt: "Reading Beside
    the Lines: Indentation as a Proxy for Complexity Metrics", 2008).
    """
    widths = []
    for line in text.expandtabs(4).split("\n"):
        plain = line.lstrip(" ")
        if plain:
            widths.append(len(line) - len(plain))
    steps = Counter(b - a for a, b in zip(widths, widths[1:]) if b > a)
    unit = steps.most_common(1)[0][0] if steps else 4
    return sum(1 + width // unit for width in widths)
