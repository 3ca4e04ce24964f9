"""What a log line needs to know of the work item it was said in."""
from __future__ import annotations

from typing import TYPE_CHECKING, Callable, Dict, Protocol

if TYPE_CHECKING:
    from .item import Item
    from .logs import Line


class ContextView(Protocol):
    """The part of a handler's context that loggers read."""

    @property
    def item(self) -> "Item": ...

    @property
    def trace_id(self) -> str: ...

    @property
    def sink(self) -> Callable[["Line"], None]: ...

    def log_fields(self) -> Dict[str, str]: ...
