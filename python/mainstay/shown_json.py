"""Any Python values as JSON for people to read: as much as can be shown, within a size.

Nothing here raises for what it is given. What a handler returns goes through `plain_json` instead,
which refuses what it cannot carry.
"""
from __future__ import annotations

import json
import math
from typing import Any, Dict, Iterable, List, Mapping, Tuple

from .text import bounded, byte_size, shown

#: What is shown of one member at most, before the whole is fitted: values and bytes.
_MAX_VALUES = 5_000
_MAX_BYTES = 1024 * 1024
_MAX_TEXT = 64 * 1024
_SHOWN_DEPTH = 16
#: With less room than these bytes a member is left out, not shortened.
_LEAST = 64
_LEFT_OUT = "…"
_dump = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def object_text(members: Mapping[Any, Any], limit: int) -> str:
    """JSON text of an object, of at most `limit` bytes. Never raises for what is in `members`:
    NaN and infinities become their names, what JSON does not know its `str`. Members that are too
    large are shortened, the largest first, and the member "shortened" names them."""
    try:
        body = {shown(key): _Shown().of(value) for key, value in _items(members)}
    except Exception as error:  # no mapping, or one that raises when it is looked at
        body = {"shortened": f"{type(members).__name__}: {type(error).__name__}: {shown(error)}"}
    text = _dump(body)
    if byte_size(text) <= limit:
        return text
    fitted, cut = _fitted(body, limit - 256)
    fitted["shortened"] = bounded(", ".join(cut), 200)
    text = _dump(fitted)
    return text if byte_size(text) <= limit else '{"shortened":"everything"}'


def array_text(elements: Iterable[Any], limit: int) -> str:
    """The same for an array: the last elements are left out when it is over `limit` bytes."""
    parts: List[str] = []
    room = limit - 2
    for element in list(elements):
        part = _dump(_Shown().of(element))
        room -= byte_size(part) + 1
        if room < 0:
            break
        parts.append(part)
    return f"[{','.join(parts)}]"


def _items(members: Mapping[Any, Any]) -> List[Tuple[Any, Any]]:
    # A copy first: another thread may be changing it.
    return list(dict(members).items())


class _Shown:
    """Makes a plain copy of one value, as much of it as the budget allows."""

    def __init__(self) -> None:
        self._values = _MAX_VALUES
        self._bytes = _MAX_BYTES

    def of(self, value: Any, depth: int = 1) -> Any:
        self._values -= 1
        if self._values < 0 or self._bytes <= 0 or depth > _SHOWN_DEPTH:
            return _LEFT_OUT
        try:
            return self._plain(value, depth)
        except BaseException as error:  # a container that raises when it is looked at
            return f"<{type(value).__name__} that raises {type(error).__name__}>"

    def _plain(self, value: Any, depth: int) -> Any:
        if value is None or value is True or value is False:
            return value
        if isinstance(value, int) and value.bit_length() <= 64:
            return int(value)
        if isinstance(value, float):
            return float(value) if math.isfinite(value) else _name_of(value)
        if isinstance(value, Mapping):
            return self._mapping(value, depth)
        if isinstance(value, (list, tuple, set, frozenset)):
            values = list(value)
            kept = [self.of(child, depth + 1) for child in values[:self._room()]]
            return kept if len(kept) == len(values) else [*kept, _more(len(values) - len(kept))]
        return self._text(shown(value))

    def _mapping(self, value: Mapping[Any, Any], depth: int) -> Dict[str, Any]:
        out: Dict[str, Any] = {}
        members = _items(value)
        room = self._room()
        for number, (key, child) in enumerate(members):
            if number >= room or self._bytes <= 0:
                return out | {_LEFT_OUT: _more(len(members) - number)}
            name = self._text(shown(key))
            while name in out:  # 1 and "1": both are shown
                name += "'"
            out[name] = self.of(child, depth + 1)
        return out

    def _room(self) -> int:
        """Elements of one container: half of what is left, so that its fellows are seen."""
        return max(1, self._values // 2)

    def _text(self, text: str) -> str:
        text = bounded(text, _MAX_TEXT)
        self._bytes -= byte_size(text)
        return text


def _name_of(value: float) -> str:
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _size(value: Any) -> int:
    return byte_size(_dump(value))


def _fitted(members: Dict[str, Any], limit: int) -> Tuple[Dict[str, Any], List[str]]:
    """(the members within `limit` bytes, the names of those that were cut). Small ones are kept
    whole; what they leave of their share goes to the larger ones."""
    sizes = {key: _size(value) + _size(key) + 2 for key, value in members.items()}
    kept: Dict[str, Any] = {}
    cut = set()
    left = limit - 2
    order = sorted(members, key=sizes.__getitem__)
    for number, key in enumerate(order):
        share = left // (len(order) - number)
        value = members[key]
        if sizes[key] > share:
            cut.add(key)
            room = share - _size(key) - 2
            if room < _LEAST:
                continue
            value = _shortened(value, room)
        kept[key] = value
        left -= _size(value) + _size(key) + 2
    return ({key: kept[key] for key in members if key in kept},
            [key for key in members if key in cut])


def _shortened(value: Any, limit: int) -> Any:
    """The value within `limit` bytes of JSON, marked where something is left out."""
    if _size(value) <= limit:
        return value
    if isinstance(value, dict):
        return _fitted(value, limit - 32)[0] | {_LEFT_OUT: "shortened"}
    if isinstance(value, list):
        return _first_of(value, limit)
    text = shown(value)
    size = min(limit, byte_size(text))
    while _size(cut := bounded(text, size)) > limit:  # escapes make it longer
        size = size * 3 // 4
    return cut


def _first_of(values: List[Any], limit: int) -> List[Any]:
    """The first elements, and how many more there were."""
    kept: List[Any] = []
    room = limit - 64
    for value in values:
        room -= _size(value) + 1
        if room < 0:
            break
        kept.append(value)
    return [*kept, _more(len(values) - len(kept))]


def _more(count: int) -> str:
    return f"{_LEFT_OUT} {count} more"
