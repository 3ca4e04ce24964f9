"""A repeat under its idempotency key is one by what it asks: over HTTP or gRPC, early or late."""
from __future__ import annotations

import datetime
import sys
import time

import grpc
import pytest

from fleet_project import ROOT, FleetProject, Problem

sys.path.insert(0, str(ROOT / "python"))
from mainstay._proto import link_pb2 as wire  # noqa: E402
from mainstay._proto import link_pb2_grpc as services  # noqa: E402


def submit_over_grpc(project: FleetProject, **fields) -> wire.SubmitReply:
    target = f"unix:{project.folder}/.mainstay/link.sock"
    with grpc.insecure_channel(target) as channel:
        replies = services.WorkStub(channel).Submit(
            iter([wire.SubmitRequest(request_id=1, **fields)]), timeout=60,
            metadata=[("authorization", f"Bearer {project.token()}")])
        return next(iter(replies))


def soon(seconds: float) -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)


def test_a_repeat_after_the_deadline_gives_the_first_answer(project: FleetProject) -> None:
    project.python_fleet()
    project.up()
    project.wait_agents()
    deadline = soon(5)  # it must be handed in before, however slow this machine is
    body = {"capability": "echo", "description": "in time", "idempotency_key": "k",
            "deadline": deadline.isoformat()}
    first = project.api("POST", "/v1/work", body)
    project.wait_work(first["id"])
    while soon(0) <= deadline:
        time.sleep(0.05)
    again = project.api("POST", "/v1/work", body)
    assert again["id"] == first["id"] and again["duplicate"]
    micros = round(deadline.timestamp() * 1_000_000)
    reply = submit_over_grpc(project, capability="echo", description="in time",
                             idempotency_key="k", deadline_unix_micros=micros)
    assert reply.accepted.duplicate, reply
    with pytest.raises(Problem) as late:
        project.api("POST", "/v1/work", {**body, "idempotency_key": "other"})
    assert late.value.status == 422 and "deadline" in late.value.args[0]


def test_the_same_over_http_and_grpc_is_the_same_and_a_restart_forgets_nothing(
        project: FleetProject) -> None:
    project.python_fleet()
    project.up()
    project.wait_agents()
    first = project.api("POST", "/v1/work", {
        "capability": "echo", "description": "d", "input": {"a": 1, "b": [2]}},
        headers={"Idempotency-Key": "k"})
    project.wait_work(first["id"])
    asked = dict(capability="echo", description="d", input_json=b'{ "b": [2], "a": 1 }',
                 idempotency_key="k")
    for _ in range(2):
        reply = submit_over_grpc(project, **asked)
        assert reply.accepted.duplicate, reply
        assert reply.accepted.work_id.hex() == first["id"].replace("-", "")
        other = submit_over_grpc(project, **{**asked, "description": "e"})
        assert other.problem.code == "idempotency_conflict"
        # The next daemon's loop does not know of what has ended; the database does.
        project.down()
        project.up()
