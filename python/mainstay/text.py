"""Text that the wire takes: valid UTF-8 of a bounded size, whatever it was made from."""
from __future__ import annotations

from typing import Any


def clean(text: str) -> str:
    """Text that protobuf accepts: lone surrogates (undecodable file names) are shown escaped."""
    if text.isascii():
        return text
    try:
        text.encode("utf-8")
        return text
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace").decode("utf-8")


def shown(value: Any) -> str:
    """`str(value)` as clean text; an object whose own text raises is named by its class.

    Never raises, whatever `value` does: a failure must be told even when its words are broken.
    """
    try:
        return clean(value if type(value) is str else str(value))
    except BaseException as error:  # SystemExit from a __str__ included
        return f"<{type(value).__name__} whose text raises {type(error).__name__}>"


def byte_size(text: str) -> int:
    """Bytes of clean text as UTF-8."""
    return len(text) if text.isascii() else len(text.encode("utf-8"))


def bounded(text: str, limit: int) -> str:
    """Clean text of at most `limit` bytes: longer text loses its middle, both ends say most."""
    if len(text) * 4 <= limit:  # no character takes more
        return text
    raw = text.encode("utf-8")
    if len(raw) <= limit:
        return text
    mark = f" … {len(raw) - limit} bytes left out … ".encode("utf-8")
    if len(mark) >= limit:
        return raw[:limit].decode("utf-8", "ignore")
    room = limit - len(mark)
    head, tail = raw[:room - room // 2], raw[len(raw) - room // 2:]
    # A character cut in two is dropped.
    return b"".join((head, mark, tail)).decode("utf-8", "ignore")
