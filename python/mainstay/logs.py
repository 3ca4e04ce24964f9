"""Structured log lines that carry the work item they belong to.

A line goes to a sink. While an agent runs, that is the agent link: the daemon files the line
under the run and step of the work item. With no agent, lines are JSON on stderr.
`LogHandler` brings the lines of Python's `logging` here, `StructlogProcessor` those of structlog.
"""
from __future__ import annotations

import json
import logging
import sys
import time
import traceback
from typing import Any, Callable, Dict, MutableMapping, NamedTuple, Optional

from . import scope
from .context_view import ContextView
from .shown_json import object_text
from .text import shown

LEVELS = {"DEBUG": 10, "INFO": 20, "WARNING": 30, "ERROR": 40, "CRITICAL": 50}
#: Most that the daemon takes of one line's fields, in bytes.
MAX_FIELDS_BYTES = 64 << 10
_encode = json.JSONEncoder(default=str, ensure_ascii=False, allow_nan=False,
                           separators=(",", ":")).encode


class Line(NamedTuple):
    """One log line; `fields` is JSON object text or empty."""

    unix_micros: int
    level: str
    message: str
    fields: str
    component: str
    context: Optional[ContextView]


Sink = Callable[[Line], None]


def write_to_stderr(line: Line) -> None:
    """The sink for when no agent runs: one JSON object a line."""
    record: Dict[str, Any] = {"unix_micros": line.unix_micros, "level": line.level,
                              "message": line.message}
    if line.component:
        record["component"] = line.component
    if line.fields:
        record["fields"] = json.loads(line.fields)
    print(_encode(record), file=sys.stderr, flush=True)


class Sinks:
    """Where lines go that name no agent: the agents running in this process, newest last."""

    def __init__(self) -> None:
        self._running: list[Sink] = []

    def add(self, sink: Sink) -> None:
        self._running = [*self._running, sink]

    def remove(self, sink: Sink) -> None:
        self._running = [s for s in self._running if s is not sink]

    def __call__(self, line: Line) -> None:
        running = self._running
        (running[-1] if running else write_to_stderr)(line)


process_sinks = Sinks()


def emit(sink: Sink, level: str, message: str, fields: Dict[str, Any], component: str = "",
         context: Optional[ContextView] = None, unix_micros: int = 0) -> None:
    """Sends one line. Never raises for what is in `fields`: they are shown as they can be."""
    text = ""
    if fields:
        try:
            text = _encode(fields)
        except (Exception, SystemExit):  # NaN, a key that is no word, a loop, a `str` that raises
            text = object_text(fields, MAX_FIELDS_BYTES)
    sink(Line(unix_micros or time.time_ns() // 1000, level, message, text, component, context))


class Logger:
    """`log.info("reading", path=p)`: a message and fields. Any thread or task may call it."""

    __slots__ = ("_component", "_context", "_sink", "_threshold")

    def __init__(self, sink: Sink, component: str = "",
                 context: Optional[ContextView] = None, threshold: int = 10) -> None:
        self._sink = sink
        self._component = component
        self._context = context
        self._threshold = threshold

    def _log(self, level: str, message: str, fields: Dict[str, Any]) -> None:
        if LEVELS[level] < self._threshold:
            return
        context = self._context
        if context is None:
            context = scope.current()
        emit(self._sink, level, shown(message), fields, self._component, context)

    def debug(self, message: str, /, **fields: Any) -> None:
        self._log("DEBUG", message, fields)

    def info(self, message: str, /, **fields: Any) -> None:
        self._log("INFO", message, fields)

    def warning(self, message: str, /, **fields: Any) -> None:
        self._log("WARNING", message, fields)

    def error(self, message: str, /, **fields: Any) -> None:
        self._log("ERROR", message, fields)

    def critical(self, message: str, /, **fields: Any) -> None:
        self._log("CRITICAL", message, fields)

    def exception(self, message: str, /, **fields: Any) -> None:
        """An error line with the traceback of the exception being handled."""
        self._log("ERROR", message, {**fields, "traceback": traceback.format_exc()})

    def component(self, name: str) -> "Logger":
        """The same, filed under another name of the step's log folder."""
        return Logger(self._sink, name, self._context, self._threshold)


def level_name(number: int) -> str:
    """The level of ours that a level number of Python's `logging` falls into."""
    for name in ("CRITICAL", "ERROR", "WARNING", "INFO"):
        if number >= LEVELS[name]:
            return name
    return "DEBUG"


# Attributes that every LogRecord has; what else is there came from `extra=`.
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class LogHandler(logging.Handler):
    """Brings the lines of Python's `logging` into the work item's log, with `extra=` as fields."""

    def __init__(self, level: int = logging.NOTSET, sink: Sink = process_sinks,
                 component: str = "") -> None:
        super().__init__(level)
        self._target = sink
        self._component = component

    def emit(self, record: logging.LogRecord) -> None:
        try:
            fields = {k: v for k, v in vars(record).items() if k not in _STANDARD}
            fields["logger"] = record.name
            if record.exc_info and record.exc_info[0] is not None:
                fields["traceback"] = "".join(traceback.format_exception(*record.exc_info))
            context = scope.current()
            sink = context.sink if context is not None else self._target
            emit(sink, level_name(record.levelno), record.getMessage(), fields,
                 self._component, context, int(record.created * 1e6))
        except Exception:  # logging's own rule: a handler reports, it never raises
            self.handleError(record)


class StructlogProcessor:
    """A structlog processor: adds the work item's context and sends the line to the daemon.

    Put it last. With `drop` (the default) the line ends here; without, it goes on to the next
    processor too, which would print it a second time if its output is captured.
    """

    def __init__(self, drop: bool = True, sink: Sink = process_sinks) -> None:
        self._target = sink
        self._drop = drop

    def __call__(self, logger: Any, method: str,
                 event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        context = scope.current()
        level = str(event.get("level", method)).upper()
        level = {"WARN": "WARNING", "EXCEPTION": "ERROR", "FATAL": "CRITICAL"}.get(level, level)
        fields = {k: v for k, v in event.items() if k not in ("event", "level", "timestamp")}
        if fields.get("exc_info"):
            fields["traceback"] = _formatted(fields.pop("exc_info"))
        sink = context.sink if context is not None else self._target
        emit(sink, level if level in LEVELS else "INFO", str(event.get("event", "")), fields,
             context=context)
        if self._drop:
            from structlog import DropEvent
            raise DropEvent
        if context is not None:
            for name, value in context.log_fields().items():
                event.setdefault(name, value)
        return event


def _formatted(exc_info: Any) -> str:
    if isinstance(exc_info, BaseException):
        exc_info = (type(exc_info), exc_info, exc_info.__traceback__)
    if isinstance(exc_info, tuple) and exc_info[0] is not None:
        return "".join(traceback.format_exception(*exc_info))
    return traceback.format_exc()
