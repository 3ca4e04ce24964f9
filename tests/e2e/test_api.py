"""The API over real sockets: tokens, Host and Origin, validation, OpenAPI, events."""
from __future__ import annotations

import http.client
import json
import os
import stat

import pytest

from fleet_project import FleetProject, Problem


@pytest.fixture
def fleet(project: FleetProject) -> FleetProject:
    project.python_fleet()
    project.up()
    project.wait_agents()
    return project


def auth(project: FleetProject, **more: str) -> dict:
    return {"Authorization": f"Bearer {project.token()}", **more}


def test_everything_but_health_needs_the_token(fleet: FleetProject):
    assert fleet.raw("GET", "/healthz")[0] == 200
    assert fleet.raw("GET", "/readyz")[0] == 200
    routes = json.loads(fleet.raw("GET", "/openapi.json", headers=auth(fleet))[1])["paths"]
    checked = 0
    for path, methods in routes.items():
        if path in ("/healthz", "/readyz"):
            continue
        for method in methods:
            if method not in ("get", "post", "put", "delete", "patch"):
                continue
            concrete = path.replace("{id}", "x").replace("{name}", "x")
            status, body, _ = fleet.raw(method.upper(), concrete)
            assert status == 401, (method, path, body)
            assert json.loads(body)["code"] == "unauthenticated"
            status, _, _ = fleet.raw(method.upper(), concrete,
                                     headers={"Authorization": "Bearer ms_op_wrong"})
            assert status == 401
            checked += 1
    assert checked >= 15


def test_tokens_are_private(fleet: FleetProject):
    data = fleet.folder / ".mainstay"
    assert stat.S_IMODE(os.stat(data).st_mode) == 0o700
    assert stat.S_IMODE(os.stat(data / "operator.token").st_mode) == 0o600


@pytest.mark.parametrize("headers", [
    {"Host": "evil.example"},
    {"Origin": "http://evil.example"},
    {"Host": "evil.example", "Origin": "http://evil.example"},
])
def test_j3_a_web_page_cannot_drive_the_daemon(fleet: FleetProject, headers: dict):
    status, body, answer = fleet.raw("GET", "/v1/agents", headers=auth(fleet, **headers))
    assert status == 403, body
    assert "Access-Control-Allow-Origin" not in answer


@pytest.mark.parametrize("body, field", [
    ({"capability": "echo"}, "description"),
    ({"description": "x"}, "capability"),
    ({"capability": "echo", "description": "x", "priority": 12}, "priority"),
    ({"capability": "echo", "description": "x", "phase": "nonsense"}, "phase"),
    ({"capability": "echo", "description": "x", "unknown": 1}, "unknown"),
    ({"capability": "echo", "description": "x", "timeout": "soon"}, "timeout"),
])
def test_a_bad_item_is_refused_by_field_value_and_remedy(fleet: FleetProject, body, field):
    with pytest.raises(Problem) as refused:
        fleet.api("POST", "/v1/work", body)
    assert 400 <= refused.value.status < 500
    assert field in json.dumps(refused.value.body)


def test_what_nobody_can_ever_serve_is_refused(fleet: FleetProject):
    with pytest.raises(Problem) as refused:
        fleet.submit("ecoh")
    assert refused.value.status == 422
    assert refused.value.body["code"] == "capability_unknown"
    assert "echo" in json.dumps(refused.value.body)


def test_events_are_streamed_and_resumed(fleet: FleetProject):
    host, port = fleet.daemon_info()["http_address"].rsplit(":", 1)
    item = fleet.submit("echo")
    fleet.wait_work(item)

    def read_until(kind: str, after: int) -> list[dict]:
        connection = http.client.HTTPConnection(host, int(port), timeout=60)
        connection.request("GET", "/v1/events",
                           headers=auth(fleet, **{"Last-Event-ID": str(after)}))
        answer = connection.getresponse()
        assert answer.status == 200
        seen = []
        while True:
            text = answer.readline().decode()
            assert text, "the stream stays open"
            line = text.strip()
            if line.startswith("data:"):
                event = json.loads(line[5:])
                seen.append(event)
                if event["kind"] == kind and event["subject"] == item:
                    connection.close()
                    return seen

    events = read_until("work.succeeded", 0)
    sequences = [e["seq"] for e in events]
    assert sequences == list(range(1, len(sequences) + 1))
    again = read_until("work.succeeded", sequences[-2])
    assert [e["seq"] for e in again] == sequences[-1:]


def test_an_external_agent_registers_renews_and_leaves(fleet: FleetProject):
    made = fleet.api("POST", "/v1/agents", {
        "name": "outside", "endpoint": "http://127.0.0.1:9", "capabilities": ["far"],
        "labels": {"zone": "a"}, "lease": "30s"})
    assert made["name"] == "outside"
    found = fleet.api("GET", "/v1/agents?capability=far")["agents"]
    assert [a["name"] for a in found] == ["outside"]
    fleet.api("POST", "/v1/agents/outside:renew", {"lease": "60s"})
    fleet.api("DELETE", "/v1/agents/outside")
    with pytest.raises(Problem) as gone:
        fleet.api("GET", "/v1/agents/outside")
    assert gone.value.status == 404
    with pytest.raises(Problem) as owned:
        fleet.api("POST", "/v1/agents", {"name": "worker", "endpoint": "http://127.0.0.1:9",
                                         "capabilities": ["echo"]})
    assert owned.value.status == 409
