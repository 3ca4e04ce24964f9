"""Requests that come while the daemon starts: its sockets are open before its fleet is loaded."""
from __future__ import annotations

import http.client
import sys
import threading

import grpc

from fleet_project import ROOT, FleetProject, Problem, wait_until

sys.path.insert(0, str(ROOT / "python"))
from mainstay._proto import link_pb2 as wire  # noqa: E402
from mainstay._proto import link_pb2_grpc as services  # noqa: E402

RESTARTS = 6


class Heard:
    """What the senders were answered, by the way that they came."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        self._lock = threading.Lock()
        self.accepted = {"http": 0, "grpc": 0}
        self.final: list[tuple[str, str]] = []

    def accept(self, way: str) -> None:
        with self._lock:
            self.accepted[way] += 1

    def refuse(self, way: str, code: str, retryable: bool) -> None:
        if not retryable:
            with self._lock:
                self.final.append((way, code))


def submit_by_http(project: FleetProject, heard: Heard) -> None:
    while not heard.stop.is_set():
        try:
            project.submit("echo", {"by": "http"})
            heard.accept("http")
        except Problem as problem:
            heard.refuse("http", problem.body["code"], problem.body["retryable"])
        except (OSError, ValueError, http.client.HTTPException):
            heard.stop.wait(0.001)  # it is down


def submit_by_grpc(project: FleetProject, heard: Heard) -> None:
    request = wire.SubmitRequest(request_id=1, capability="echo", description="test of echo",
                                 input_json=b"{}")
    metadata = [("authorization", f"Bearer {project.token()}")]
    while not heard.stop.is_set():
        # A channel of its own, also beneath: a used one waits longer and longer between attempts.
        with grpc.insecure_channel(f"unix:{project.folder}/.mainstay/link.sock",
                                   [("grpc.use_local_subchannel_pool", 1)]) as channel:
            try:
                stub = services.WorkStub(channel)
                while not heard.stop.is_set():
                    for reply in stub.Submit(iter([request]), metadata=metadata, timeout=20):
                        if reply.HasField("problem"):
                            heard.refuse("grpc", reply.problem.code, reply.problem.retryable)
                        else:
                            heard.accept("grpc")
            except grpc.RpcError:
                heard.stop.wait(0.001)


def test_b1_no_request_is_refused_for_good_because_the_daemon_starts(project: FleetProject):
    project.python_fleet()
    project.up()
    # The same address in every life, so that requests come as early as they can.
    address = project.daemon_info()["http_address"]
    project.write("mainstay.yaml", f'http: {{listen: "{address}"}}\nlink: {{listen: ""}}\n')
    heard = Heard()
    senders = [threading.Thread(target=send, args=(project, heard))
               for send in (submit_by_http, submit_by_http, submit_by_grpc, submit_by_grpc)]
    for sender in senders:
        sender.start()
    try:
        for _ in range(RESTARTS):
            before = dict(heard.accepted)
            wait_until(lambda: all(heard.accepted[way] > before[way] for way in before), 90,
                       "both ways are served")
            project.kill()
            project.up()
    finally:
        heard.stop.set()
        for sender in senders:
            sender.join(40)
    assert heard.final == []
