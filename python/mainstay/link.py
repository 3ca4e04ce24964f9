"""The agent link's client side: one bidirectional gRPC stream, and a new one when it breaks.

`Link.run` lives in one thread: it connects, reads, and hands messages on until it is closed or the
daemon refuses the agent for good. gRPC's own thread takes what there is to send from the outbox.
Liveness is HTTP/2 keepalive, answered by gRPC below Python: a busy interpreter is no dead agent.
"""
from __future__ import annotations

import enum
import os
import random
import sys
import threading
import time
import traceback
from dataclasses import dataclass
from typing import Callable, Iterator, Optional

# Before grpc is imported: handlers may start processes, and a starved interpreter must not keep
# keepalive unanswered (the native poller then looks every second).
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
os.environ.setdefault("GRPC_CLIENT_CHANNEL_BACKUP_POLL_INTERVAL_MS", "1000")

import grpc  # noqa: E402

from ._proto import link_pb2 as pb  # noqa: E402
from ._proto import link_pb2_grpc  # noqa: E402
from .outbox import Outbox  # noqa: E402

BACKOFF_MIN = 0.05
BACKOFF_MAX = 5.0
#: A connection that was welcomed and lost before this many seconds is waited after as one that
#: failed, up to the backoff of this many failures: a message that the daemon never takes, sent
#: again and again, must not become a storm.
STEADY_SECONDS = 1.0
UNSTEADY_FAILURES = 5
#: Longer than the daemon takes to judge a hello: its verdict is better than our guess.
WELCOME_TIMEOUT = 15.0
MAX_MESSAGE = 64 << 20

_OPTIONS = [
    ("grpc.max_receive_message_length", MAX_MESSAGE),
    ("grpc.max_send_message_length", MAX_MESSAGE),
    ("grpc.enable_http_proxy", 0),
    # Each attempt to connect is new: our own backoff decides when, not a shared subchannel's.
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.enable_retries", 0),
]
# A dead peer on TCP says nothing; on a Unix socket the kernel does.
_TCP_OPTIONS = [("grpc.keepalive_time_ms", 30_000), ("grpc.keepalive_timeout_ms", 10_000)]


class LinkEnd(enum.Enum):
    """Why the link ended for good."""

    CLOSED = "closed"
    UNAUTHENTICATED = "unauthenticated"
    REFUSED = "refused"


@dataclass(frozen=True)
class Ended:
    """The link's last word: why, and what the daemon said about it."""

    why: LinkEnd
    detail: str = ""


_FOR_GOOD = {
    grpc.StatusCode.UNAUTHENTICATED: LinkEnd.UNAUTHENTICATED,
    grpc.StatusCode.PERMISSION_DENIED: LinkEnd.UNAUTHENTICATED,
    grpc.StatusCode.INVALID_ARGUMENT: LinkEnd.REFUSED,
    grpc.StatusCode.UNIMPLEMENTED: LinkEnd.REFUSED,
}


def backoff(failures: int, chance: Callable[[], float] = random.random) -> float:
    """Seconds before try `failures` + 1: full jitter under an exponential cap."""
    return chance() * min(BACKOFF_MAX, BACKOFF_MIN * 2.0 ** min(failures, 10))


def failures_after(failures: int, welcomed: float, now: float) -> int:
    """How many failures count once a connection ended that was welcomed then; 0: never."""
    if not welcomed:
        return failures + 1
    return 0 if now - welcomed >= STEADY_SECONDS else min(failures + 1, UNSTEADY_FAILURES)


class Link:
    """Keeps an agent connected. `run` in one thread; the rest from any."""

    def __init__(self, target: str, token: str, outbox: Outbox,
                 make_hello: Callable[[], pb.Hello],
                 on_message: Callable[[pb.DaemonMessage], None]) -> None:
        self._target = target
        self._token = token
        self._outbox = outbox
        self._make_hello = make_hello
        self._on_message = on_message
        self._closing = threading.Event()
        self._call: Optional[grpc.Call] = None
        self._welcomed = 0.0
        self.last_error = ""

    def run(self) -> Ended:
        """Connects and reads until `close`, a goodbye, or a refusal that no retry can change."""
        failures = 0
        while not self._closing.is_set():
            self._welcomed = 0.0
            try:
                ended = self._one_connection()
            except Exception as error:  # a defect of ours: the link must not die of it
                self.last_error = f"{type(error).__name__}: {error}"
                traceback.print_exc(file=sys.stderr)
                ended = None
            if ended is not None:
                return ended
            failures = failures_after(failures, self._welcomed, time.monotonic())
            self._closing.wait(backoff(failures))
        return Ended(LinkEnd.CLOSED)

    def close(self) -> None:
        """Ends the link now, whatever is under way."""
        self._closing.set()
        call = self._call
        if call is not None:
            call.cancel()

    def finish(self) -> None:
        """No reconnect after the present connection; used after goodbye."""
        self._closing.set()

    def _one_connection(self) -> Optional[Ended]:
        session = self._outbox.open_session()
        options = list(_OPTIONS)
        if not self._target.startswith("unix:"):
            options += _TCP_OPTIONS
        channel = grpc.insecure_channel(self._target, options)
        try:
            return self._converse(channel, session)
        finally:
            self._call = None
            self._outbox.close_session()
            channel.close()

    def _converse(self, channel: grpc.Channel, session: int) -> Optional[Ended]:
        call = link_pb2_grpc.AgentLinkStub(channel).Connect(
            self._outgoing(session), metadata=[("authorization", f"Bearer {self._token}")])
        self._call = call
        if self._closing.is_set():
            call.cancel()
        watchdog = threading.Timer(WELCOME_TIMEOUT, call.cancel)
        watchdog.daemon = True
        watchdog.start()
        try:
            for message in call:
                if message.HasField("welcome"):
                    watchdog.cancel()
                    self._welcomed = time.monotonic()
                    self._on_message(message)
                    self._outbox.greeted()
                else:
                    self._on_message(message)
        except grpc.RpcError as error:
            return self._judge(error)
        finally:
            watchdog.cancel()
        return Ended(LinkEnd.CLOSED) if self._closing.is_set() else None

    def _judge(self, error: grpc.RpcError) -> Optional[Ended]:
        code = error.code() if isinstance(error, grpc.Call) else None
        detail = error.details() or "" if isinstance(error, grpc.Call) else str(error)
        self.last_error = f"{code.name if code else 'UNKNOWN'}: {detail}"
        if code in _FOR_GOOD:
            return Ended(_FOR_GOOD[code], detail)
        return Ended(LinkEnd.CLOSED) if self._closing.is_set() else None

    def _outgoing(self, session: int) -> Iterator[pb.AgentMessage]:
        yield pb.AgentMessage(hello=self._make_hello())
        while True:
            message = self._outbox.take(session)
            if message is None:
                return
            yield message
