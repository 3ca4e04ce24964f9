"""Which work item is being worked on here: set once per attempt, followed by everything.

The current context lives in a `contextvars.ContextVar`. asyncio tasks and `asyncio.to_thread`
inherit it by themselves; plain threads do not, so take `ContextExecutor` for those.
"""
from __future__ import annotations

import contextvars
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Callable, Optional

if TYPE_CHECKING:
    from .context import Context
    from .spans import ActiveSpan

_context: contextvars.ContextVar[Optional["Context"]] = contextvars.ContextVar(
    "mainstay_context", default=None)
_span: contextvars.ContextVar[Optional["ActiveSpan"]] = contextvars.ContextVar(
    "mainstay_span", default=None)


def current() -> Optional["Context"]:
    """The context of the work item whose handler is running here, or None outside of one."""
    return _context.get()


class ContextExecutor(ThreadPoolExecutor):
    """A thread pool whose tasks keep the log context of whoever submitted them."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        return super().submit(contextvars.copy_context().run, fn, *args, **kwargs)
