"""A disk that answers with errors, in pieces, or not at all: rows C4, C6, C7 on the real daemon."""
from __future__ import annotations

import concurrent.futures
import json
import socket
import sqlite3
import time

import pytest

from faulty_disk import FaultyDisk, READ, SYNC, WRITE
from fleet_project import FleetProject, Problem, wait_until


@pytest.fixture
def fleet(project: FleetProject, disk: FaultyDisk):
    project.python_fleet()
    project.up(env=disk.env)
    project.wait_agents()
    yield project
    disk.mend()


def submit_many(project: FleetProject, acknowledged: dict, refused: list, count: int) -> None:
    for n in range(count):
        try:
            acknowledged[project.submit("echo", {"n": n})] = n
        except Problem as problem:
            refused.append(problem)


def is_ready(project: FleetProject) -> bool:
    return project.raw("GET", "/readyz")[0] == 200


def assert_kept(project: FleetProject, acknowledged: dict) -> None:
    """After a kill and a new start: all that was acknowledged is there and right."""
    project.kill()
    project.up()
    project.wait_agents()
    for work_id, n in acknowledged.items():
        item = project.wait_work(work_id)
        assert item["state"] == "succeeded" and item["output"]["echo"] == {"n": n}
    database = sqlite3.connect(f"file:{project.folder}/.mainstay/mainstay.db?mode=ro", uri=True)
    try:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    finally:
        database.close()


@pytest.mark.parametrize("operation, path", [
    (SYNC, "mainstay.db-wal"), (WRITE, "mainstay.db-wal"), (SYNC | WRITE, "mainstay.db"),
], ids=["fsync-of-the-log", "write-of-the-log", "all-writes-of-the-database"])
def test_c4_an_error_of_the_disk_stops_acknowledgements_until_it_is_mended(
        fleet: FleetProject, disk: FaultyDisk, operation: int, path: str):
    acknowledged: dict[str, int] = {}
    refused: list[Problem] = []
    submit_many(fleet, acknowledged, refused, 20)
    assert refused == []
    pid = fleet.agents()["worker"]["pid"]

    disk.fail(operation, path)
    before = len(acknowledged)
    submit_many(fleet, acknowledged, refused, 5)
    assert len(acknowledged) == before, "nothing is acknowledged that could not be made durable"
    assert [p.status for p in refused] == [503] * 5
    assert {p.body["code"] for p in refused} == {"storage_failed"}
    assert all(p.body["retryable"] for p in refused)
    wait_until(lambda: not is_ready(fleet), 20, "health tells of it")
    assert disk.count("failed") > 0

    disk.mend()
    wait_until(lambda: is_ready(fleet), 30, "full service after the disk came back")
    submit_many(fleet, acknowledged, refused, 20)
    assert len(refused) == 5
    assert disk.count("retried_syncs") == 0, "a failed sync is never just tried again"
    assert fleet.metric("mainstay_store_failed_commits_total") > 0
    assert fleet.agents()["worker"]["pid"] == pid, "agents run on"
    assert_kept(fleet, acknowledged)


def test_c4_a_single_failed_sync_reopens_the_database(fleet: FleetProject, disk: FaultyDisk):
    acknowledged: dict[str, int] = {}
    refused: list[Problem] = []
    for n in range(10):
        disk.fail(SYNC, "mainstay.db", times=1)
        submit_many(fleet, acknowledged, refused, 3)
        wait_until(lambda: fleet.metric("mainstay_store_reopens_total") > n, 30, "reopened")
        wait_until(lambda: is_ready(fleet), 30, "mended by itself")
    assert disk.count("failed") == 10
    assert disk.count("retried_syncs") == 0
    assert_kept(fleet, acknowledged)


def test_c4_a_daemon_told_to_end_while_nothing_can_be_written_leaves_no_agent(
        fleet: FleetProject, disk: FaultyDisk):
    held = fleet.submit("hold", {"until": str(fleet.folder / "go"), "seconds": 120})
    wait_until(lambda: fleet.api("GET", f"/v1/work/{held}")["state"] == "running", 20, "running")
    disk.fail(SYNC | WRITE, "mainstay.db")
    submit_many(fleet, {}, [], 1)
    assert not is_ready(fleet)
    assert fleet.agent_pids()
    assert fleet.down(60) != 0, "an end that was not in order"
    wait_until(lambda: not fleet.agent_pids(), 30, "no agent is left")
    assert "its agents are killed" in fleet.log_text()
    disk.mend()
    fleet.up()
    fleet.wait_agents()
    (fleet.folder / "go").write_text("")
    assert fleet.wait_work(held)["state"] == "succeeded", "its work is done after all"


def test_c4_a_read_that_fails_is_an_error_of_that_request_alone(
        fleet: FleetProject, disk: FaultyDisk):
    value = {"text": "x" * 200_000}
    item = fleet.submit("echo", value)
    assert fleet.wait_work(item)["state"] == "succeeded"
    disk.fail(READ, ".mainstay/blobs")
    with pytest.raises(Problem) as failed:
        fleet.api("GET", f"/v1/work/{item}")
    assert failed.value.status >= 500
    assert failed.value.body["code"] in ("io_failed", "storage_failed")
    assert fleet.wait_work(fleet.submit("echo", {"n": 1}))["state"] == "succeeded"
    disk.mend()
    assert fleet.api("GET", f"/v1/work/{item}")["output"]["echo"] == value


SHELL_AGENT = """
  chatty:
    kind: exec
    command: [/bin/sh, -c, "cat; seq 1 2000 | sed 's/^/line number /' >&2"]
    capabilities: [copy]
"""


def slow_get(project: FleetProject, path: str) -> bytes:
    """Reads an answer through the smallest buffers, so that the server's sends are short."""
    host, port = project.daemon_info()["http_address"].rsplit(":", 1)
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s.settimeout(40)
        s.connect((host, int(port)))
        request = (f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer "
                   f"{project.token()}\r\nConnection: close\r\n\r\n").encode()
        for at in range(len(request)):
            s.send(request[at:at + 1])
        answer = bytearray()
        while piece := s.recv(2048):
            answer += piece
    return bytes(answer).partition(b"\r\n\r\n")[2]


def test_c6_short_calls_and_interrupts_lose_no_byte(project: FleetProject, disk: FaultyDisk):
    project.python_fleet(more=SHELL_AGENT)
    disk.hiccup(6)
    project.up(env=disk.env)
    project.wait_agents()
    values = [{"n": n, "text": chr(97 + n) * (n * 40_000)} for n in range(12)]

    def echo(value: dict) -> str:
        item = project.submit("echo", value)
        assert project.wait_work(item)["output"]["echo"] == value
        return item

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        items = list(pool.map(echo, values))
    copied = project.submit("copy", values[9])
    assert project.wait_work(copied)["output"] == values[9], "through pipes, in and out"

    whole = project.api("GET", f"/v1/work/{items[-1]}")
    assert json.loads(slow_get(project, f"/v1/work/{items[-1]}")) == whole
    log = project.folder / ".mainstay" / "logs" / "fleet.log"

    def said() -> list[str]:
        whole = log.read_text().rpartition("\n")[0] if log.exists() else ""  # the last is in pieces
        return [json.loads(line)["message"] for line in whole.splitlines()
                if "line number " in line]
    wait_until(lambda: len(said()) == 2000, 40, "every line of the agent")
    assert said() == [f"line number {n}" for n in range(1, 2001)]
    for word in ("interrupted", "shortened", "full_sockets"):
        assert disk.count(word) > 0, word
    disk.mend()
    assert project.down() == 0
    project.up()
    for item, value in zip(items, values):
        assert project.api("GET", f"/v1/work/{item}")["output"]["echo"] == value


READS = ("/healthz", "/v1/agents", "/v1/fleet", "/v1/work/{}", "/metrics", "/v1/work?limit=5")


def timed_refusal(project: FleetProject, value: dict) -> tuple[float, Problem]:
    began = time.monotonic()
    with pytest.raises(Problem) as refused:
        project.submit("echo", value)
    return time.monotonic() - began, refused.value


def test_c7_a_disk_that_does_not_answer_degrades_the_service_and_nothing_else(
        fleet: FleetProject, disk: FaultyDisk):
    agent = fleet.agents()["worker"]
    flag = fleet.folder / "go"
    running = fleet.submit("hold", {"until": str(flag), "seconds": 120})
    wait_until(lambda: fleet.api("GET", f"/v1/work/{running}")["state"] == "running", 20, "running")

    disk.stall(SYNC, ".mainstay")
    # More than there are turns that may be under way, and than there are threads for blobs.
    values = [{"n": n, "text": "x" * size} for n in range(8) for size in (10, 100_000)]
    with concurrent.futures.ThreadPoolExecutor(len(values)) as pool:
        tries = [pool.submit(timed_refusal, fleet, value) for value in values]
        for path in READS:
            # In bounded time: who waits for the disk gets no answer before it is mended.
            status, body, _ = fleet.raw("GET", path.format(running), None,
                                        {"Authorization": f"Bearer {fleet.token()}"}, 20)
            assert status == 200, (path, body)
        for attempt in tries:
            took, problem = attempt.result(timeout=45)
            assert took < 30, "an answer in bounded time"
            assert problem.status == 503 and problem.body["retryable"] is True
    status, body, _ = fleet.raw("GET", "/readyz")
    assert status == 503 and b"does not answer" in body
    assert disk.count("stalled") > 0
    during = fleet.agents()["worker"]
    assert during["linked"] and during["pid"] == agent["pid"], "its link is kept"
    flag.write_text("")

    disk.mend()
    wait_until(lambda: is_ready(fleet), 30, "full service when the disk answers again")
    assert fleet.wait_work(running)["state"] == "succeeded"
    assert fleet.wait_work(fleet.submit("echo", {"n": 2}))["state"] == "succeeded"
    after = fleet.agents()["worker"]
    assert after["pid"] == agent["pid"] and after["restarts"] == 0


RUNS = """
pipelines:
  one:
    version: 1
    stages:
      say: {capability: echo}
"""


def test_c7_who_follows_logs_while_rows_cannot_be_read_holds_up_nobody(
        project: FleetProject, disk: FaultyDisk):
    project.python_fleet(pipelines=RUNS)
    project.up(env=disk.env)
    project.wait_agents()
    run = project.api("POST", "/v1/runs", {"pipeline": "one", "input": {}})["id"]
    project.wait_run(run)
    host, port = project.daemon_info()["http_address"].rsplit(":", 1)
    request = (f"GET /v1/logs?follow=true&run={run} HTTP/1.1\r\nHost: localhost\r\n"
               f"Authorization: Bearer {project.token()}\r\n\r\n").encode()
    disk.stall(READ, "mainstay.db")
    followers = [socket.create_connection((host, int(port)), 30) for _ in range(8)]
    try:
        for follower in followers:
            follower.sendall(request)
        for follower in followers:
            assert follower.recv(15) == b"HTTP/1.1 200 OK", "its stream is open"
        for _ in range(8):
            assert project.raw("GET", "/healthz", seconds=30)[0] == 200
        disk.mend()
        wait_until(lambda: is_ready(project), 30, "full service")
    finally:
        disk.mend()
        for follower in followers:
            follower.close()
