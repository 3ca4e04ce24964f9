"""All that an agent has to say, between the handlers' threads and the link's writer.

Results are kept until the daemon acknowledges them, and come again after a reconnect. Progress is
kept per attempt, newest only. Log lines and spans are bounded; what is lost is counted and said.
Any thread may put; one writer at a time takes. Nothing here waits but `take`.
"""
from __future__ import annotations

import threading
import time
from collections import deque
from typing import Any, Deque, Dict, List, Optional, Tuple

from ._proto import link_pb2 as pb
from .item import AttemptKey, Item
from .logs import LEVELS, Line
from .spans import ActiveSpan, json_object

MAX_LINES = 20_000
MAX_LINE_BYTES = 8 << 20
MAX_SPANS = 10_000
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
        self._ready: Deque[AttemptKey] = deque()
        self._progress: Dict[AttemptKey, Tuple[float, str]] = {}
        self._lines: Deque[Line] = deque()
        self._line_bytes = 0
        self._lost_lines = 0
        self._spans: Deque[Tuple[Item, ActiveSpan]] = deque()
        self._lost_spans = 0
        self._lazy_since: Optional[float] = None
        self._session = 0
        self._greeted = False
        self._goodbye = False

    # -- what handlers say --------------------------------------------------------------------

    def put_result(self, result: pb.AttemptResult) -> None:
        key = AttemptKey(result.work_id, result.epoch)
        with self._wake:
            self._unacked[key] = result
            self._progress.pop(key, None)
            self._ready.append(key)
            if len(self._ready) == 1:
                self._wake.notify_all()

    def put_log(self, line: Line) -> None:
        if LEVELS.get(line.level, 50) < self.log_threshold:
            return
        size = len(line.message) + len(line.fields) + 64
        with self._wake:
            if len(self._lines) >= MAX_LINES or self._line_bytes + size > MAX_LINE_BYTES:
                self._lost_lines += 1
                return
            self._lines.append(line)
            self._line_bytes += size
            self._lazy()

    def put_progress(self, item: Item, fraction: float, message: str) -> None:
        with self._wake:
            self._progress[item.key] = (fraction, message)
            self._lazy()

    def put_span(self, item: Item, span: ActiveSpan) -> None:
        with self._wake:
            if len(self._spans) >= MAX_SPANS:
                self._lost_spans += 1
                return
            self._spans.append((item, span))
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
            self._ready = deque(self._unacked)
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
        size = self._fill_lines(message)
        while self._spans and size < MESSAGE_BYTES:
            size += fill_span(message.spans.add(), *self._spans.popleft())
        for key, (fraction, text) in self._progress.items():
            message.progress.add(work_id=key.work_id, epoch=key.epoch, fraction=fraction,
                                 message=text)
        self._progress.clear()
        while self._ready and size < MESSAGE_BYTES:
            result = self._unacked.get(self._ready.popleft())
            if result is not None:
                message.results.append(result)
                size += len(result.output_json) + 200
        rest = bool(self._lines or self._spans)
        self._lazy_since = time.monotonic() - LINGER_SECONDS if rest else None
        if self._goodbye and not rest and not self._ready:
            message.goodbye = True
            self._session += 1
        return message

    def _fill_lines(self, message: pb.AgentMessage) -> int:
        if self._lost_lines or self._lost_spans:
            text = (f"{self._lost_lines} log lines and {self._lost_spans} spans were lost: "
                    "the queue to the daemon was full")
            message.logs.add(unix_micros=time.time_ns() // 1000, level="WARNING", message=text)
            self._lost_lines = self._lost_spans = 0
        size = 0
        while self._lines and size < MESSAGE_BYTES:
            line = self._lines.popleft()
            used = len(line.message) + len(line.fields) + 64
            self._line_bytes -= used
            size += used
            fill_line(message.logs.add(), line)
        return size


def fill_line(out: pb.LogLine, line: Line) -> None:
    """Writes a log line and the context it was said in."""
    out.unix_micros = line.unix_micros
    out.level = line.level
    out.message = clean(line.message)
    out.fields_json = clean(line.fields)
    out.component = line.component
    if line.context is not None:
        fill_place(out, line.context.item)
        out.trace_id = line.context.trace_id if line.context.item.trace_parent else ""


def fill_span(out: pb.Span, item: Item, span: ActiveSpan) -> int:
    """Writes a finished span; returns about how many bytes it takes."""
    out.trace_id = span.trace_id
    out.span_id = span.span_id
    out.parent_id = span.parent_id
    out.name = clean(span.name)
    out.start_unix_micros = span.start_micros
    out.end_unix_micros = span.end_micros
    out.failed = span.failed
    out.status_message = clean(span.status_message)
    out.attributes_json = clean(json_object(span.attributes))
    if span.events:
        out.events_json = clean(json_object(span.events))
    fill_place(out, item)
    return len(out.attributes_json) + len(out.events_json) + 200


def fill_place(out: Any, item: Item) -> None:
    """The work item, run and step that a line or span belongs to."""
    out.work_id = item.key.work_id
    out.run_id = item.run_id
    out.pipeline = item.pipeline
    out.stage = item.stage
    out.step = item.step


def clean(text: str) -> str:
    """Text that protobuf accepts: lone surrogates (undecodable file names) are shown escaped."""
    try:
        text.encode("utf-8")
        return text
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace").decode("utf-8")
