"""Work over gRPC, by the stubs that any language can make of the proto: WRK-1, WRK-2, row B1."""
from __future__ import annotations

import os
import queue
import random
import sqlite3
import sys
import threading
import time
import uuid

import grpc
import pytest

from fleet_project import ROOT, FleetProject, wait_until

sys.path.insert(0, str(ROOT / "python"))
from mainstay._proto import link_pb2 as wire  # noqa: E402
from mainstay._proto import link_pb2_grpc as services  # noqa: E402

SECONDS = 60
KILLS = int(os.environ.get("TEST_DAEMON_KILLS", "30")) // 3


class Work:
    """One Submit stream: sends requests, reads the answers in their order."""

    def __init__(self, project: FleetProject) -> None:
        self._channel = grpc.insecure_channel(f"unix:{project.folder}/.mainstay/link.sock")
        self._requests: queue.Queue = queue.Queue()
        self._answers = services.WorkStub(self._channel).Submit(
            iter(self._requests.get, None), timeout=SECONDS,
            metadata=[("authorization", f"Bearer {project.token()}")])

    def submit(self, capability: str, value: int, key: str = "") -> wire.SubmitReply:
        self._requests.put(wire.SubmitRequest(
            request_id=value, capability=capability, description="from a test",
            input_json=b'{"n": %d}' % value, idempotency_key=key))
        return next(self._answers)

    def close(self) -> None:
        self._requests.put(None)
        self._channel.close()


def ids_by_key(project: FleetProject) -> list[tuple]:
    database = sqlite3.connect(f"file:{project.folder}/.mainstay/mainstay.db?mode=ro", uri=True)
    try:
        return database.execute("SELECT idempotency_key, hex(id) FROM work_items").fetchall()
    finally:
        database.close()


@pytest.fixture
def connect(project: FleetProject):
    made: list[Work] = []

    def connect() -> Work:
        made.append(Work(project))
        return made[-1]

    yield connect
    for work in made:
        work.close()


def test_a_key_is_known_after_a_restart(project: FleetProject, connect):
    project.python_fleet()
    project.up()
    project.wait_agents()
    first = connect().submit("echo", 1, "K1").accepted
    assert not first.duplicate
    project.wait_work(str(uuid.UUID(bytes=first.work_id)))
    project.kill()
    project.up()
    work = connect()
    again = work.submit("echo", 1, "K1").accepted
    assert (again.work_id, again.duplicate) == (first.work_id, True)
    assert work.submit("echo", 2, "K1").problem.code == "idempotency_conflict"
    assert work.submit("echo", 1, "K2").accepted.work_id != first.work_id
    assert sorted(key for key, _ in ids_by_key(project)) == ["K1", "K2"]


def submit_until(project: FleetProject, acknowledged: dict[str, set], refused: list,
                 stop: threading.Event, worker: int) -> None:
    """Submits as fast as it goes; after a lost connection the same key is sent again."""
    n = 0
    key = ""
    while not stop.is_set():
        work = Work(project)
        try:
            while not stop.is_set():
                if not key:
                    n += 1
                    key = f"w{worker}-{n}"
                answer = work.submit("echo", n, key)
                if answer.HasField("accepted"):
                    acknowledged.setdefault(key, set()).add(answer.accepted.work_id)
                    key = ""
                else:
                    if not answer.problem.retryable:
                        refused.append(answer.problem)
                        return
                    stop.wait(0.02)
        except (grpc.RpcError, StopIteration):
            stop.wait(0.02)
        finally:
            work.close()


@pytest.mark.slow
def test_b1_keyed_work_over_grpc_is_accepted_once_across_kills(project: FleetProject):
    chance = random.Random(int(os.environ.get("TEST_SEED", "7")))
    project.python_fleet(replicas=2)
    project.up()
    project.wait_agents()
    acknowledged: dict[str, set] = {}
    refused: list = []
    stop = threading.Event()
    threads = [threading.Thread(target=submit_until, args=(project, acknowledged, refused, stop, i),
                                daemon=True) for i in range(2)]
    for thread in threads:
        thread.start()
    for _ in range(KILLS):
        time.sleep(chance.uniform(0.05, 0.6))
        project.kill()
        project.up()
    wait_until(lambda: len(acknowledged) > KILLS, 60, "some work accepted")
    stop.set()
    for thread in threads:
        thread.join(2 * SECONDS)
    project.wait_agents()
    wait_until(lambda: project.api("GET", "/v1/work?state=queued,delayed,running"
                                          "&limit=1")["work"] == [], 180, "all work ended")
    assert refused == []
    stored = ids_by_key(project)
    # Nothing without its key, which is what an item that was accepted twice has; nothing lost.
    assert [work_id for key, work_id in stored if key is None] == []
    by_key = {key: work_id for key, work_id in stored}
    assert len(by_key) == len(stored)
    for key, ids in acknowledged.items():
        assert {work_id.hex().upper() for work_id in ids} == {by_key[key]}, key
    for key in acknowledged:
        assert project.api("GET", f"/v1/work/{uuid.UUID(by_key[key])}")[
            "state"] == "succeeded"
