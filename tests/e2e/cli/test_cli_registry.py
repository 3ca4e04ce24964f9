"""FLT-2 on the command line and in the Python client: agents that Mainstay does not start."""
from __future__ import annotations

import json
import sys

import pytest

from fleet_project import ROOT, FleetProject, wait_until

sys.path.insert(0, str(ROOT / "python"))
import mainstay  # noqa: E402
from mainstay import errors  # noqa: E402


@pytest.fixture
def fleet(project: FleetProject) -> FleetProject:
    project.python_fleet()
    project.up()
    return project


def found(fleet: FleetProject, *words: str) -> list[dict]:
    said = fleet.cli("agents", "find", *words, "-o", "json")
    assert said.returncode == (0 if json.loads(said.stdout)["agents"] else 4), said.stderr
    return json.loads(said.stdout)["agents"]


def test_the_registry_by_hand(fleet: FleetProject):
    made = fleet.cli("agents", "register", "far", "--endpoint", "http://10.0.0.1:80",
                     "--capability", "see", "--capability", "hear", "-l", "zone=a",
                     "--lease", "1h")
    assert made.returncode == 0, made.stderr
    assert made.stdout.startswith("registered far until 20")
    for words in (["far"], ["--capability", "hear"], ["--health", "healthy", "-l", "zone=a"]):
        assert [a["endpoint"] for a in found(fleet, *words)] == ["http://10.0.0.1:80"], words
    for words in (["near"], ["--capability", "echo", "-l", "zone=a"],
                  ["far", "--health", "unhealthy"], ["-l", "zone=b"]):
        assert found(fleet, *words) == [], words
    # Again: all that was known is replaced.
    again = fleet.cli("agents", "register", "far", "--endpoint", "http://10.0.0.2:80",
                      "--capability", "see", "--lease", "1h")
    assert again.returncode == 0, again.stderr
    [agent] = found(fleet, "far")
    assert (agent["endpoint"], agent["capabilities"], agent["labels"]) == (
        "http://10.0.0.2:80", ["see"], {})
    renewed = fleet.cli("agents", "renew", "far", "--lease", "2h", "-o", "json")
    assert json.loads(renewed.stdout)["lease_until"] > agent["lease_until"]
    assert fleet.cli("agents", "deregister", "far").stdout == "deregistered far\n"
    assert found(fleet, "far") == []


def test_a_lease_that_is_not_renewed_ends(fleet: FleetProject):
    assert fleet.cli("agents", "register", "brief", "--endpoint", "http://x:1",
                     "--lease", "1s").returncode == 0
    wait_until(lambda: found(fleet, "brief") == [], what="the lease is over")
    gone = fleet.cli("agents", "renew", "brief")
    assert gone.returncode == 4 and "register it again" in gone.stderr


@pytest.mark.parametrize("words, code, said", [
    (["renew", "nobody"], 4, "no agent nobody is registered"),
    (["deregister", "nobody"], 4, "no agent nobody is registered"),
    (["deregister", "worker"], 1, "the fleet file owns the name worker"),
    (["register", "worker", "--endpoint", "http://x:1"], 1, "the fleet file owns the name worker"),
    (["register", "a", "--endpoint", "http://x:1", "--lease", "3"], 2, 'got "3"'),
    (["register", "a", "--endpoint", "http://x:1", "--lease", "3ms"], 2, "expected 1s to 1d"),
    (["register", "A b", "--endpoint", "http://x:1"], 2, 'got "A b"'),
    (["find", "--health", "sick"], 2, "healthy, degraded"),
    (["find", "-l", "zone"], 2, "key=value"),
])
def test_mistakes_are_told(fleet: FleetProject, words, code, said):
    answer = fleet.cli("agents", *words)
    assert answer.returncode == code, answer.stderr
    assert said in answer.stderr


def test_the_registry_from_python(fleet: FleetProject):
    with mainstay.Client(f"http://{fleet.daemon_info()['http_address']}", fleet.token()) as client:
        made = client.register("far", "http://10.0.0.1:80", ["see"], labels={"zone": "a"},
                               lease=3600)
        assert made["state"] == "healthy"
        assert client.find("far")["endpoint"] == "http://10.0.0.1:80"
        assert [a["name"] for a in client.agents(capability="see", health="healthy",
                                                 labels={"zone": "a"})] == ["far"]
        assert client.agents(capability="see", health=["failed", "degraded"]) == []
        assert client.agents(labels={"zone": "b"}) == []
        client.register("far", "http://10.0.0.2:80", ["hear"], lease=3600)
        assert client.find("far")["endpoint"] == "http://10.0.0.2:80"
        assert client.agents(capability="see") == []
        assert client.renew("far", lease=7200)["lease_until"] > made["lease_until"]
        client.deregister("far")
        with pytest.raises(errors.NotFound):
            client.find("far")
        with pytest.raises(errors.NotFound):
            client.renew("far")
        with pytest.raises(errors.Conflict):
            client.register("worker", "http://10.0.0.1:80", ["echo"])
        assert "worker" in [a["name"] for a in client.agents()]
