"""What a handler returns and a client submits, as JSON that the daemon takes.

`encode` refuses what the daemon could not take, or would read otherwise than it was meant, and
says where it stands. For what is only shown, and must not fail, there is `shown_json`.
"""
from __future__ import annotations

import inspect
import json
import math
from typing import Any, Dict, Iterable, List, Mapping, Optional, Tuple

from .text import bounded, shown

#: Arrays and objects inside each other; the daemon takes no more.
MAX_DEPTH = 64

_strict = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
_LEAVES = frozenset({str, int, float, bool, type(None)})
_TEXT_ONLY = frozenset({str})
#: More containers than fit into any output: lists that stand in each other many times over.
_MAX_LOOKED_AT = 10_000_000


class Unfit(ValueError):
    """A value that JSON cannot carry as it is; the message says where and why."""


class TooLarge(Unfit):
    """A value whose JSON is over the size limit."""


def encode(value: Any, limit: int) -> bytes:
    """Compact JSON as UTF-8 of at most `limit` bytes, or Unfit. Keys that are numbers, bool or None
    become their JSON text, as with `json.dumps`; two that become the same text are refused."""
    try:
        raw = _strict(value).encode("utf-8")
    except MemoryError:
        raise
    except Exception as error:  # TypeError, ValueError, RecursionError; or what the value raises
        raise Unfit(_explained(value) or f"{type(error).__name__}: {shown(error)}") from None
    if len(raw) > limit:
        raise TooLarge(f"it has {len(raw)} bytes as JSON, the limit is {limit}")
    wrong = "" if _surely_fits(value, 1) else _first_unfit(value, leaves_too=False)
    if wrong:
        raise Unfit(wrong)
    return raw


def _surely_fits(value: Any, depth: int) -> bool:
    """True for encoded values with text keys only, not nested too deep: nearly all there are, so
    this is the fast way past `_first_unfit`."""
    kind = type(value)
    if kind in _LEAVES:
        return True
    if depth > MAX_DEPTH:
        return False
    if kind is dict:
        for key, child in value.items():
            if type(key) is not str or (
                    type(child) not in _LEAVES and not _surely_fits(child, depth + 1)):
                return False
        return True
    if kind is not list and kind is not tuple:
        return False
    for child in value:
        if type(child) not in _LEAVES and not _surely_fits(child, depth + 1):
            return False
    return True


def _explained(value: Any) -> str:
    try:
        return _first_unfit(value, leaves_too=True)
    except Exception:  # it does not let itself be looked at; the encoder's words must do
        return ""


class _Node:
    """A value inside another, with its way back to the root."""

    __slots__ = ("depth", "key", "parent", "value")

    def __init__(self, parent: Optional["_Node"], key: str, value: Any) -> None:
        self.parent = parent
        self.key = key
        self.value = value
        self.depth: int = parent.depth + 1 if parent is not None else 1

    def place(self) -> str:
        """A JSON pointer, shortened when it is very long."""
        keys: List[str] = []
        node: Optional[_Node] = self
        while node is not None and node.parent is not None:
            keys.append("/" + node.key.replace("~", "~0").replace("/", "~1"))
            node = node.parent
        return f"at {bounded(shown(''.join(reversed(keys))), 400)}: " if keys else ""

    def stands_in_itself(self) -> bool:
        node = self.parent
        while node is not None:
            if node.value is self.value:
                return True
            node = node.parent
        return False


def _first_unfit(root: Any, leaves_too: bool) -> str:
    """What is wrong with the first value that cannot be carried, or "". Containers full of plain
    values are passed over at C speed unless `leaves_too`."""
    pending = [_Node(None, "", root)]
    seen = 0
    while pending and seen < _MAX_LOOKED_AT:
        node = pending.pop()
        seen += 1
        value = node.value
        if isinstance(value, dict):
            wrong = _wrong_nesting(node) or _wrong_keys(value, leaves_too)
            children: Iterable[Tuple[Any, Any]] = value.items()
            kinds = set(map(type, value.values()))
        elif isinstance(value, (list, tuple)):
            wrong = _wrong_nesting(node)
            children, kinds = enumerate(value), set(map(type, value))
        else:
            wrong, children, kinds = (_wrong_leaf(value) if leaves_too else ""), (), set()
        if wrong:
            return node.place() + wrong
        if leaves_too or not kinds <= _LEAVES:
            inside = [_Node(node, _key_text(key) or "", child) for key, child in children
                      if leaves_too or type(child) not in _LEAVES]
            pending.extend(reversed(inside))
    return ""


def _wrong_nesting(node: _Node) -> str:
    if node.stands_in_itself():
        return "it contains itself"
    if node.depth > MAX_DEPTH:
        return f"it is nested more than {MAX_DEPTH} levels deep"
    return ""


def _wrong_keys(value: Mapping[Any, Any], leaves_too: bool) -> str:
    if not leaves_too and set(map(type, value)) <= _TEXT_ONLY:
        return ""
    seen: Dict[str, Any] = {}
    for key in value:
        text = _key_text(key)
        if text is None:
            return (f"the key {bounded(shown(repr(key)), 80)} is of type {type(key).__name__}; "
                    "JSON has only text for keys")
        if text in seen:
            return (f"the keys {bounded(shown(repr(seen[text])), 80)} and "
                    f"{bounded(shown(repr(key)), 80)} are the same in JSON")
        if not _is_text(text):
            return f"the key {bounded(shown(text), 80)} is not valid Unicode"
        seen[text] = key
    return ""


def _key_text(key: Any) -> Optional[str]:
    """A key as `json.dumps` writes it; None when it does not."""
    if isinstance(key, str):
        return key
    if isinstance(key, float):
        return float.__repr__(key) if math.isfinite(key) else None
    if key is True or key is False or key is None:
        return json.dumps(key)
    return int.__repr__(key) if isinstance(key, int) else None


def _is_text(text: str) -> bool:
    try:
        text.encode("utf-8")
        return True
    except UnicodeEncodeError:
        return False


def _wrong_leaf(value: Any) -> str:
    if value is None or isinstance(value, int):
        return ""
    if isinstance(value, str):
        return "" if _is_text(value) else (
            f"{bounded(shown(repr(value)), 80)} is not valid Unicode (a lone surrogate, as in an "
            "undecodable file name)")
    if isinstance(value, float):
        return "" if math.isfinite(value) else f"{value} is no number of JSON"
    if isinstance(value, (bytes, bytearray, memoryview)):
        return (f"{type(value).__name__} is binary; decode it, or write it to a file and return "
                "its path")
    if inspect.iscoroutine(value):
        value.close()  # no warning that nobody awaited it: the failure says more
        return "it is a coroutine that nobody awaited; declare the handler `async def`"
    if inspect.isgenerator(value) or inspect.isasyncgen(value):
        return "it is a generator; return list(...) of it"
    return f"{type(value).__name__} is no type of JSON"
