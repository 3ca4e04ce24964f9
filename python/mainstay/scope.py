"""Which work item is being worked on here: set once per attempt, followed by everything.

The current context lives in a `contextvars.ContextVar`. asyncio tasks and `asyncio.to_thread`
inherit it by themselves; plain threads and thread pools do while an agent runs (`threads`).
What goes on after its handler ended has no context any more: a thread that a library started
during one item and keeps is not that item's for ever.
"""
from __future__ import annotations

import contextlib
import contextvars
import functools
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Callable, Iterator, Optional

if TYPE_CHECKING:
    from .context import Context
    from .spans import ActiveSpan

_context: contextvars.ContextVar[Optional["Context"]] = contextvars.ContextVar(
    "mainstay_context", default=None)
_span: contextvars.ContextVar[Optional["ActiveSpan"]] = contextvars.ContextVar(
    "mainstay_span", default=None)


def current() -> Optional["Context"]:
    """The context of the work item whose handler is running here, or None outside of one."""
    context = _context.get()
    return None if context is None or context.ended else context


def carried(fn: Callable[..., Any]) -> Callable[..., Any]:
    """`fn` as it is to be called elsewhere: with the work item and the span of here."""
    context, span = current(), _span.get()

    @functools.wraps(fn, updated=())
    def run(*args: Any, **kwargs: Any) -> Any:
        tokens = _context.set(context), _span.set(span)
        try:
            return fn(*args, **kwargs)
        finally:
            _span.reset(tokens[1])
            _context.reset(tokens[0])
    return run


@contextlib.contextmanager
def nothing() -> Iterator[None]:
    """No work item and no span inside."""
    tokens = _context.set(None), _span.set(None)
    try:
        yield
    finally:
        _span.reset(tokens[1])
        _context.reset(tokens[0])


class ContextExecutor(ThreadPoolExecutor):
    """A thread pool whose tasks get all context variables of whoever submitted them.

    Any pool keeps the work item while an agent runs; this one also the variables of others, and
    where no agent runs.
    """

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        return super().submit(contextvars.copy_context().run, fn, *args, **kwargs)
