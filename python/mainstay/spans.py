"""Spans: named, timed parts of a handler's work, nested by the context they are opened in."""
from __future__ import annotations

import os
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Type

from . import scope
from .text import shown

if TYPE_CHECKING:
    from .context import Context


def split_trace_parent(text: str) -> tuple[str, str]:
    """(trace id, span id) of a W3C traceparent; two empty strings when it is not one."""
    parts = text.split("-")
    if len(parts) < 4 or len(parts[1]) != 32 or len(parts[2]) != 16:
        return "", ""
    return parts[1], parts[2]


def new_id(size: int) -> str:
    """A random id of `size` bytes as hex digits."""
    return os.urandom(size).hex()


class ActiveSpan:
    """An open span. Made by `ctx.span(...)`; use it as a context manager."""

    def __init__(self, context: "Context", name: str, attributes: Dict[str, Any]) -> None:
        self._context = context
        self.name = name
        self.attributes = attributes
        self.events: List[Dict[str, Any]] = []
        self.trace_id = ""
        self.span_id = new_id(8)
        self.parent_id = ""
        self.failed = False
        self.status_message = ""
        self.start_micros = 0
        self.end_micros = 0
        self._started = 0.0
        self._token: Any = None

    def set(self, **attributes: Any) -> None:
        """Adds or replaces attributes."""
        self.attributes.update(attributes)

    def event(self, name: str, **attributes: Any) -> None:
        """Notes that something happened now, inside the span."""
        self.events.append({"name": name, "unix_micros": time.time_ns() // 1000,
                            "attributes": attributes})

    def fail(self, message: str) -> None:
        """Marks the span as failed without an exception leaving it."""
        self.failed = True
        self.status_message = shown(message)

    def __enter__(self) -> "ActiveSpan":
        outer = scope._span.get()
        inside = outer is not None and outer._context is self._context
        self.trace_id = self._context.trace_id
        self.parent_id = outer.span_id if inside and outer else self._context.parent_span_id
        self.start_micros = time.time_ns() // 1000
        self._started = time.monotonic()
        self._token = scope._span.set(self)
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException],
                 trace: Optional[TracebackType]) -> None:
        try:
            scope._span.reset(self._token)
        except ValueError:  # ended in another task or thread than it began in
            pass
        # The duration is monotonic: a step of the wall clock cannot make it negative.
        self.end_micros = self.start_micros + int((time.monotonic() - self._started) * 1e6)
        if error is not None:
            self.fail(f"{type(error).__name__}: {shown(error)}")
        self._context._span_ended(self)
