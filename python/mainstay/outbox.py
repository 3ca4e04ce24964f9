"""All that an agent has to say, between the handlers' threads and the link's writer.

Results are kept until the daemon acknowledges them, and come again after a reconnect. Progress is
kept per attempt, newest only. Log lines and spans are bounded; what is lost is counted and said.
Any thread may put; one writer at a time takes. Nothing here waits but `take`.

What is put is made fit for the wire at once, and what cannot be is dropped and counted: nothing
that a handler says may stop the writer. In a process that a handler forked there is no writer:
log lines go to stderr there, all else is dropped.
"""
from __future__ import annotations

import json
import os
import threading
import time
import weakref
from collections import deque
from typing import Any, Deque, Dict, List, Optional, Tuple

from ._proto import link_pb2 as pb
from .item import AttemptKey, Item
from .logs import LEVELS, Line, write_to_stderr
from .shown_json import array_text, object_text
from .spans import ActiveSpan
from .text import bounded, byte_size, shown

MAX_LINES = 20_000
MAX_LINE_BYTES = 8 << 20
MAX_SPANS = 10_000
MAX_SPAN_BYTES = 8 << 20
#: Bytes of a line's message, of its fields, of a span's attributes and of its events: what the
#: daemon keeps of each. Longer text loses its middle here, with a mark.
MAX_TEXT = 64 << 10
MAX_NAME = 256
MAX_STATUS = 8 << 10
#: One message carries about this much; the daemon's limit is larger.
MESSAGE_BYTES = 1 << 20
#: Lines, spans and progress wait this long for company; results never wait.
LINGER_SECONDS = 0.02


class Outbox:
    """The queue behind the agent link."""

    def __init__(self) -> None:
        #: Lines below this level are not sent.
        self.log_threshold = 0
        self._wake = threading.Condition()
        self._unacked: Dict[AttemptKey, pb.AttemptResult] = {}
        #: With how many lines and spans had been put before each: those go first.
        self._ready: Deque[Tuple[AttemptKey, int, int]] = deque()
        self._progress: Dict[AttemptKey, Tuple[float, str]] = {}
        self._lines: Deque[Tuple[Line, int]] = deque()
        self._line_bytes = 0
        self._lost_lines = 0
        self._spans: Deque[Tuple[pb.Span, int]] = deque()
        self._span_bytes = 0
        self._lost_spans = 0
        self._lines_put = self._lines_sent = self._spans_put = self._spans_sent = 0
        self._unfit = 0
        self._unfit_why = ""
        self._lazy_since: Optional[float] = None
        self._session = 0
        self._greeted = False
        self._goodbye = False
        self._forked = False
        _outboxes.add(self)

    # -- what handlers say --------------------------------------------------------------------

    def put_result(self, result: pb.AttemptResult) -> None:
        key = AttemptKey(result.work_id, result.epoch)
        with self._wake:
            self._unacked[key] = result
            self._progress.pop(key, None)
            self._ready.append((key, self._lines_put, self._spans_put))
            if len(self._ready) == 1:
                self._wake.notify_all()

    def put_log(self, line: Line) -> None:
        if LEVELS.get(line.level, 50) < self.log_threshold:
            return
        if self._forked:
            write_to_stderr(line)
            return
        try:
            line, size = fitted_line(line)
        except Exception as error:
            self._drop(error)
            return
        with self._wake:
            if len(self._lines) >= MAX_LINES or self._line_bytes + size > MAX_LINE_BYTES:
                self._lost_lines += 1
                return
            self._lines.append((line, size))
            self._lines_put += 1
            self._line_bytes += size
            self._lazy()

    def put_progress(self, item: Item, fraction: float, message: str) -> None:
        if self._forked:
            return
        with self._wake:
            self._progress[item.key] = (fraction, message)
            self._lazy()

    def put_span(self, item: Item, span: ActiveSpan) -> None:
        if self._forked:
            return
        try:  # at once: its attributes may change later
            made = pb.Span()
            size = fill_span(made, item, span)
        except Exception as error:
            self._drop(error)
            return
        with self._wake:
            if len(self._spans) >= MAX_SPANS or self._span_bytes + size > MAX_SPAN_BYTES:
                self._lost_spans += 1
                return
            self._spans.append((made, size))
            self._spans_put += 1
            self._span_bytes += size
            self._lazy()

    def _drop(self, error: Exception) -> None:
        with self._wake:
            self._unfit += 1
            self._unfit_why = bounded(f"{type(error).__name__}: {shown(error)}", MAX_NAME)
            self._lazy()

    def _lazy(self) -> None:
        if self._lazy_since is None:
            self._lazy_since = time.monotonic()
            self._wake.notify_all()

    # -- what the link asks -------------------------------------------------------------------

    def open_session(self) -> int:
        """A new connection: what was sent but not acknowledged is due again once greeted."""
        with self._wake:
            self._session += 1
            self._greeted = False
            self._wake.notify_all()
            return self._session

    def greeted(self) -> None:
        """The daemon said Welcome: sending may begin."""
        with self._wake:
            self._greeted = True
            self._ready = deque((key, 0, 0) for key in self._unacked)
            self._wake.notify_all()

    def close_session(self) -> None:
        """The connection is gone; its writer ends."""
        self.open_session()

    def acknowledge(self, key: AttemptKey) -> bool:
        """False when there is no such result."""
        with self._wake:
            known = self._unacked.pop(key, None) is not None
            if not self._unacked:
                self._wake.notify_all()
            return known

    def unacknowledged(self) -> List[AttemptKey]:
        with self._wake:
            return list(self._unacked)

    def holds(self, key: AttemptKey) -> bool:
        with self._wake:
            return key in self._unacked

    def wait_acknowledged(self, seconds: float) -> bool:
        """Waits until no result is held; False when that took longer than `seconds`."""
        with self._wake:
            return self._wake.wait_for(lambda: not self._unacked, max(0.0, seconds))

    def say_goodbye(self) -> None:
        """After everything queued, one last message says goodbye and the writer ends."""
        with self._wake:
            self._goodbye = True
            self._wake.notify_all()

    def take(self, session: int) -> Optional[pb.AgentMessage]:
        """The next message of this session, waiting for one; None when the session is over."""
        with self._wake:
            while session == self._session:
                wait = self._wait_time()
                if wait is not None and wait <= 0:
                    return self._message()
                self._wake.wait(wait)
            return None

    def _wait_time(self) -> Optional[float]:
        if not self._greeted:
            return None
        if self._ready or self._goodbye:
            return 0.0
        if self._lazy_since is None:
            return None
        return self._lazy_since + LINGER_SECONDS - time.monotonic()

    def _message(self) -> pb.AgentMessage:
        message = pb.AgentMessage()
        self._say_what_was_lost(message)
        self._fill_progress(message)
        self._fill_lines(message)
        self._fill_spans(message)
        self._fill_results(message)
        rest = bool(self._lines or self._spans or self._progress or self._unfit)
        self._lazy_since = time.monotonic() - LINGER_SECONDS if rest else None
        if self._goodbye and not rest and not self._ready:
            message.goodbye = True
            self._session += 1
        return message

    # Each kind has room of its own: a flood of lines delays no progress, and results only by what
    # was said before them.

    def _fill_lines(self, message: pb.AgentMessage) -> None:
        size = 0
        while self._lines and size < MESSAGE_BYTES:
            line, used = self._lines.popleft()
            self._lines_sent += 1
            self._line_bytes -= used
            size += used
            try:
                fill_line(message.logs.add(), line)
            except Exception as error:  # a time that is no time
                del message.logs[-1]
                self._drop(error)

    def _fill_spans(self, message: pb.AgentMessage) -> None:
        size = 0
        while self._spans and size < MESSAGE_BYTES:
            span, used = self._spans.popleft()
            self._spans_sent += 1
            self._span_bytes -= used
            size += used
            message.spans.append(span)

    def _fill_progress(self, message: pb.AgentMessage) -> None:
        size = 0
        while self._progress and size < MESSAGE_BYTES:
            key, (fraction, text) = self._progress.popitem()
            try:
                message.progress.append(pb.Progress(work_id=key.work_id, epoch=key.epoch,
                                                    fraction=fraction, message=text))
                size += len(text) + 64
            except Exception as error:  # put there past ctx.progress()
                self._drop(error)

    def _fill_results(self, message: pb.AgentMessage) -> None:
        size = 0
        while self._ready and size < MESSAGE_BYTES:
            key, lines, spans = self._ready[0]
            if lines > self._lines_sent or spans > self._spans_sent:
                return
            self._ready.popleft()
            result = self._unacked.get(key)
            if result is not None:
                message.results.append(result)
                size += result.ByteSize()

    def _say_what_was_lost(self, message: pb.AgentMessage) -> None:
        texts = []
        if self._lost_lines or self._lost_spans:
            texts.append(f"{self._lost_lines} log lines and {self._lost_spans} spans were lost: "
                         "the queue to the daemon was full")
        if self._unfit:
            texts.append(f"{self._unfit} log lines, spans or reports of progress were lost: they "
                         f"could not be encoded ({self._unfit_why})")
        for text in texts:
            message.logs.add(unix_micros=time.time_ns() // 1000, level="WARNING", message=text)
        self._lost_lines = self._lost_spans = self._unfit = 0

    def _after_fork(self) -> None:
        # The lock may have been held by a thread that is not here.
        self._wake = threading.Condition()
        self._forked = True


_outboxes: "weakref.WeakSet[Outbox]" = weakref.WeakSet()


def _after_fork() -> None:
    for outbox in list(_outboxes):
        outbox._after_fork()


os.register_at_fork(after_in_child=_after_fork)


def fitted_line(line: Line) -> Tuple[Line, int]:
    """(the line as the wire and the daemon take it, about how many bytes it takes)."""
    message, fields, component = line.message, line.fields, line.component
    if (type(component) is str and component.isascii() and message.isascii()
            and fields.isascii() and len(message) <= MAX_TEXT and len(fields) <= MAX_TEXT
            and len(component) <= MAX_NAME):
        return line, len(message) + len(fields) + 64  # nearly all are so
    message = bounded(shown(message), MAX_TEXT)
    fields = shown(fields)
    if byte_size(fields) > MAX_TEXT:
        fields = object_text(json.loads(fields), MAX_TEXT)
    component = bounded(shown(component), MAX_NAME)
    size = byte_size(message) + byte_size(fields) + 64
    return line._replace(message=message, fields=fields, component=component), size


def fill_line(out: pb.LogLine, line: Line) -> None:
    """Writes a log line and the context it was said in."""
    out.unix_micros = line.unix_micros
    out.level = line.level
    out.message = line.message
    out.fields_json = line.fields
    out.component = line.component
    if line.context is not None:
        fill_place(out, line.context.item)
        out.trace_id = line.context.trace_id if line.context.item.trace_parent else ""


def fill_span(out: pb.Span, item: Item, span: ActiveSpan) -> int:
    """Writes a finished span; returns about how many bytes it takes."""
    out.trace_id = span.trace_id
    out.span_id = span.span_id
    out.parent_id = span.parent_id
    out.name = bounded(shown(span.name), MAX_NAME)
    out.start_unix_micros = span.start_micros
    out.end_unix_micros = span.end_micros
    out.failed = span.failed
    out.status_message = bounded(shown(span.status_message), MAX_STATUS)
    if span.attributes:
        out.attributes_json = object_text(span.attributes, MAX_TEXT)
    if span.events:
        out.events_json = array_text(span.events, MAX_TEXT)
    fill_place(out, item)
    return out.ByteSize()


def fill_place(out: Any, item: Item) -> None:
    """The work item, run and step that a line or span belongs to."""
    out.work_id = item.key.work_id
    out.run_id = item.run_id
    out.pipeline = item.pipeline
    out.stage = item.stage
    out.step = item.step

