"""The second argument of a handler: everything it may say and ask while it works."""
from __future__ import annotations

import operator
import threading
import time
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional, Protocol

from . import errors
from .item import Item
from .logs import Line, Logger
from .settings import Settings
from .spans import ActiveSpan, new_id, split_trace_parent
from .text import bounded, clean

if TYPE_CHECKING:
    from .agent import Agent


#: Bytes of a progress message, a model or a provider, and rows of usage; the daemon keeps no more.
MAX_PROGRESS_TEXT = 8 * 1024
MAX_NAME = 256
MAX_USAGES = 256
#: Counts are 64 bits on the wire.
MAX_COUNT = 2**63 - 1


class Outlet(Protocol):
    """Where a context sends what the handler says: the agent link, or a test."""

    def put_log(self, line: Line) -> None: ...

    def put_progress(self, item: Item, fraction: float, message: str) -> None: ...

    def put_span(self, item: Item, span: ActiveSpan) -> None: ...


class Usage:
    """What an attempt consumed of one model of one provider."""

    __slots__ = ("api_calls", "cached_tokens", "completion_tokens", "llm_requests", "model",
                 "prompt_tokens", "provider", "reasoning_tokens")

    def __init__(self, provider: str, model: str) -> None:
        self.provider = provider
        self.model = model
        self.prompt_tokens = 0
        self.completion_tokens = 0
        self.cached_tokens = 0
        self.reasoning_tokens = 0
        self.llm_requests = 0
        self.api_calls = 0


class Context:
    """One attempt's context. Any thread or task of the handler may use it.

    Outside people need only the methods and attributes named here; it is made by the agent.
    """

    def __init__(self, item: Item, outlet: Outlet, agent: Optional["Agent"] = None,
                 log_threshold: int = 10) -> None:
        #: The work item, the same object as the handler's first argument.
        self.item = item
        #: The agent that works on it; None only in tests that have none.
        self.agent = agent
        #: Where log lines of this attempt go.
        self.sink: Callable[[Line], None] = outlet.put_log
        #: `ctx.log.info("reading", path=p)`; also debug, warning, error, critical, exception.
        self.log = Logger(self.sink, "", self, log_threshold)
        self.usages: List[Usage] = []
        #: True once the handler has returned; threads that it left behind are not of this item.
        self.ended = False
        self._outlet = outlet
        self._arrived = time.monotonic()
        self._cancelled = threading.Event()
        self._cancel_reason = ""
        self._trace: Optional[tuple[str, str]] = None
        self._lock = threading.Lock()
        self._when_cancelled: Optional[Callable[[], None]] = None

    @property
    def settings(self) -> Settings:
        """The daemon's settings as they are now: `if ctx.settings.feature("ai_analysis"):`."""
        return self.agent.settings if self.agent is not None else Settings()

    # -- progress, usage, spans -------------------------------------------------------------

    def progress(self, fraction: float, message: str = "") -> None:
        """Says how far the work is, 0 to 1. It also refreshes the idle timeout."""
        value = float(fraction)
        if not 0.0 <= value <= 1.0:
            raise ValueError(f"progress: fraction must be 0 to 1, got {fraction!r}")
        text = _text("progress: message", message)
        self._outlet.put_progress(self.item, value, bounded(text, MAX_PROGRESS_TEXT))

    def usage(self, *, provider: str = "", model: str = "", prompt_tokens: int = 0,
              completion_tokens: int = 0, cached_tokens: int = 0, reasoning_tokens: int = 0,
              llm_requests: Optional[int] = None, api_calls: int = 0) -> None:
        """Adds to what this attempt consumed; sent with its result, whatever that is.

        `llm_requests` is 1 when a model or tokens are named, else 0, unless it is given.
        """
        provider = bounded(_text("usage: provider", provider), MAX_NAME)
        model = bounded(_text("usage: model", model), MAX_NAME)
        counts = {"prompt_tokens": prompt_tokens, "completion_tokens": completion_tokens,
                  "cached_tokens": cached_tokens, "reasoning_tokens": reasoning_tokens,
                  "api_calls": api_calls}
        counts = {name: _count(name, count) for name, count in counts.items()}
        if llm_requests is None:
            tokens = sum(counts.values()) - counts["api_calls"]
            llm_requests = 1 if model or tokens else 0
        counts["llm_requests"] = _count("llm_requests", llm_requests)
        with self._lock:
            row = self._usage_row(provider, model)
            sums = {name: getattr(row, name) + count for name, count in counts.items()}
            for name, total in sums.items():
                _count(name, total)
            for name, total in sums.items():
                setattr(row, name, total)

    def _usage_row(self, provider: str, model: str) -> Usage:
        for row in self.usages:
            if row.provider == provider and row.model == model:
                return row
        if len(self.usages) >= MAX_USAGES:
            raise ValueError(f"usage: an attempt may name at most {MAX_USAGES} models, and "
                             f"{model!r} is one more")
        self.usages.append(Usage(provider, model))
        return self.usages[-1]

    def span(self, name: str, **attributes: Any) -> ActiveSpan:
        """`with ctx.span("parse", path=p):` times a part of the work; spans nest."""
        return ActiveSpan(self, _text("span: name", name), attributes)

    def component(self, name: str) -> Logger:
        """A logger whose lines go to their own file of the step, for example "metrics"."""
        return self.log.component(_text("component: name", name))

    # -- time and cancellation --------------------------------------------------------------

    @property
    def deadline(self) -> Optional[float]:
        """When this attempt's time is over, on `time.monotonic()`; None: no limit."""
        limit = self.item.time_limit
        return None if limit is None else self._arrived + limit

    @property
    def time_left(self) -> Optional[float]:
        """Seconds until the deadline, 0 when it has passed; None: no limit."""
        deadline = self.deadline
        return None if deadline is None else max(0.0, deadline - time.monotonic())

    @property
    def cancelled(self) -> bool:
        """True once the daemon said to stop, or the deadline passed."""
        return self._cancelled.is_set() or self.time_left == 0.0

    def raise_if_cancelled(self) -> None:
        """Raises `mainstay.Cancelled`, or `mainstay.errors.AttemptTimeout`, if it is time."""
        if self._cancelled.is_set():
            raise errors.Cancelled(self._cancel_reason or "the work item was cancelled")
        if self.time_left == 0.0:
            raise errors.AttemptTimeout("the attempt's time is over")

    def wait_cancelled(self, seconds: float) -> bool:
        """Sleeps up to `seconds`, less when it is cancelled meanwhile; says whether it is."""
        left = self.time_left
        self._cancelled.wait(seconds if left is None else min(seconds, left))
        return self.cancelled

    @property
    def told_to_stop(self) -> bool:
        """True once the daemon (not the deadline) said to stop."""
        return self._cancelled.is_set()

    def _cancel(self, reason: str) -> None:
        self._cancel_reason = reason
        self._cancelled.set()
        hook = self._when_cancelled
        if hook is not None:
            hook()

    # -- tracing ----------------------------------------------------------------------------

    @property
    def trace_id(self) -> str:
        """32 hex digits: the trace that this work belongs to."""
        return self._trace_parts()[0]

    @property
    def parent_span_id(self) -> str:
        """16 hex digits: the span of Mainstay's that the handler's own spans stand under."""
        return self._trace_parts()[1]

    def _trace_parts(self) -> tuple[str, str]:
        if self._trace is None:
            trace, span = split_trace_parent(self.item.trace_parent)
            self._trace = (trace, span) if trace else (new_id(16), "")
        return self._trace

    def log_fields(self) -> Dict[str, str]:
        """The context as plain fields, for other loggers."""
        item = self.item
        fields = {"work_id": item.id, "run_id": item.run_id, "pipeline": item.pipeline,
                  "stage": item.stage, "step": f"{item.step:03d}" if item.step else "",
                  "trace_id": self.trace_id}
        return {name: value for name, value in fields.items() if value}

    def _span_ended(self, span: ActiveSpan) -> None:
        self._outlet.put_span(self.item, span)


def _text(what: str, value: object) -> str:
    """Clean text; TypeError when it is none, where the caller is wrong."""
    if not isinstance(value, str):
        raise TypeError(f"{what} must be text, got {type(value).__name__}: {value!r}")
    return clean(str(value))


def _count(name: str, value: Any) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"usage: {name} must be a whole number, got "
                        f"{type(value).__name__}: {value!r}") from None
    if number < 0:
        raise ValueError(f"usage: {name} must not be negative, got {value!r}")
    if number > MAX_COUNT:
        raise ValueError(f"usage: {name} must be below 2**63, got a number of "
                         f"{number.bit_length()} bits")
    return number
