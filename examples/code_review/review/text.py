"""Text from outside as people may be shown it: names of files can hold anything but NUL."""
from __future__ import annotations

import unicodedata


def shown(text: object) -> str:
    """The text with what cannot be printed (line breaks, escapes, bidi marks) as \\n, \\x1b, …"""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode()
                   for c in str(text).encode("utf-8", "backslashreplace").decode())


def width(text: str) -> int:
    """How many columns of a terminal the text takes."""
    return sum(0 if unicodedata.combining(c) else
               2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def fit(text: str, columns: int) -> str:
    """The end of a text that is too wide, for in a path the end says most."""
    if width(text) <= columns:
        return text
    while text and width(text) > columns - 1:
        text = text[1:]
    return "…" + text
