"""A real gRPC server that speaks the agent link, for tests: the daemon's side, scripted."""
from __future__ import annotations

import contextlib
import os
import queue
import threading
import time
import uuid
from concurrent import futures
from typing import Any, Callable, Dict, List, Optional, Tuple

import grpc

from mainstay._proto import link_pb2 as pb
from mainstay._proto import link_pb2_grpc

TOKEN = "test-token-0123456789"
#: Far more than anything takes: only a test that fails waits so long.
WAIT = 60.0


class Connection:
    """One accepted stream."""

    def __init__(self) -> None:
        self.hello: Optional[pb.Hello] = None
        self.down: "queue.Queue[Optional[pb.DaemonMessage]]" = queue.Queue()
        self.goodbye = False

    def send(self, **parts: Any) -> None:
        self.down.put(pb.DaemonMessage(**parts))


class LinkServer(link_pb2_grpc.AgentLinkServicer):
    """Remembers what agents say; acknowledges results unless told not to."""

    def __init__(self, target: str, slots: int = 1, token: str = TOKEN,
                 options: Tuple[Tuple[str, int], ...] = ()) -> None:
        self.target = target
        self.slots = slots
        self.token = token
        #: What the welcome says; None: nothing, like an older daemon.
        self.settings: Optional[pb.Settings] = None
        self.auto_ack = True
        self.reject: Optional[Tuple[grpc.StatusCode, str]] = None
        self.connections: List[Connection] = []
        self.messages: List[pb.AgentMessage] = []
        self.results: Dict[bytes, List[pb.AttemptResult]] = {}
        self.on_result: Optional[Callable[[pb.AttemptResult], None]] = None
        self._changed = threading.Condition()
        self._stopping = False
        self._options = (("grpc.max_receive_message_length", 64 << 20), *options)
        self._server: Optional[grpc.Server] = None
        self.port = 0

    def start(self) -> "LinkServer":
        with self._changed:
            self._stopping = False
        self._server = grpc.server(futures.ThreadPoolExecutor(8), options=self._options)
        link_pb2_grpc.add_AgentLinkServicer_to_server(self, self._server)
        self.port = self._server.add_insecure_port(self.target)
        self._server.start()
        return self

    def stop(self) -> None:
        """Cuts every connection, as a daemon that dies does.

        An agent may be back before the server is down: nothing that it says then has arrived.
        """
        with self._changed:
            self._stopping = True
            open_now, self.connections = self.connections, []
        for connection in open_now:
            connection.down.put(None)
        if self._server is not None:
            self._server.stop(None).wait(WAIT)
        if self.target.startswith("unix:"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.target[5:])

    # -- the service ----------------------------------------------------------------------------

    def Connect(self, requests: Any, context: grpc.ServicerContext) -> Any:
        metadata = dict(context.invocation_metadata())
        if metadata.get("authorization") != f"Bearer {self.token}":
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "the token is not of this start")
        if self.reject is not None:
            context.abort(*self.reject)
        connection = Connection()
        threading.Thread(target=self._read, args=(requests, connection), daemon=True).start()
        while (message := connection.down.get()) is not None:
            yield message

    def _read(self, requests: Any, connection: Connection) -> None:
        try:
            for message in requests:
                self._take(message, connection)
        except Exception:  # the stream was cut; what was read stays
            pass
        connection.down.put(None)

    def _take(self, message: pb.AgentMessage, connection: Connection) -> None:
        with self._changed:
            if self._stopping:
                return
            self.messages.append(message)
            if message.HasField("hello"):
                connection.hello = message.hello
                connection.send(welcome=pb.Welcome(daemon_version="test", slots=self.slots,
                                                   settings=self.settings))
                self.connections.append(connection)
            for result in message.results:
                self.results.setdefault(result.work_id, []).append(result)
            connection.goodbye = connection.goodbye or message.goodbye
            self._changed.notify_all()
        if message.results and self.auto_ack:
            connection.send(acks=[pb.ResultAck(work_id=r.work_id, epoch=r.epoch, accepted=True)
                                  for r in message.results])
        if self.on_result is not None:
            for result in message.results:
                self.on_result(result)

    # -- what tests ask ---------------------------------------------------------------------------

    def wait_for(self, predicate: Callable[[], Any], seconds: float = WAIT) -> Any:
        with self._changed:
            if not self._changed.wait_for(predicate, seconds):
                raise TimeoutError("the agent did not do what the test waits for")
            return predicate()

    def wait_connection(self) -> Connection:
        return self.wait_for(lambda: self.connections and self.connections[-1])

    def assign(self, capability: str, input_json: bytes = b"null", **fields: Any) -> bytes:
        """Hands out one item and returns its id."""
        return self.assign_many(capability, [input_json], **fields)[0]

    def assign_many(self, capability: str, inputs: List[bytes], **fields: Any) -> List[bytes]:
        fields.setdefault("epoch", 1)
        fields.setdefault("attempt", 1)
        items = [pb.Assignment(work_id=uuid.uuid4().bytes, capability=capability, input_json=i,
                               **fields) for i in inputs]
        self.wait_connection().send(assignments=items)
        return [item.work_id for item in items]

    def wait_result(self, work_id: bytes, seconds: float = WAIT) -> pb.AttemptResult:
        return self.wait_for(lambda: self.results.get(work_id), seconds)[-1]

    def all_of(self, field: str) -> List[Any]:
        with self._changed:
            return [part for m in self.messages for part in getattr(m, field)]


def until(predicate: Callable[[], Any], seconds: float = WAIT) -> Any:
    """Waits for something that signals nobody; bounded."""
    end = time.monotonic() + seconds
    while not (value := predicate()):
        if time.monotonic() > end:
            raise TimeoutError("it did not become true")
        threading.Event().wait(0.005)
    return value
