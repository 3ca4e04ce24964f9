"""What is accepted and cannot be served now waits, and says why."""
from __future__ import annotations

import datetime
import json

from fleet_project import FleetProject, wait_until

FLEET = """
fleet: test
agents:
  worker:
    command: [/usr/bin/python3, agent.py]
    capabilities: [echo, hold, later.version]
  broken:
    command: [/usr/bin/python3, broken.py]
    capabilities: [never.done]
    restart: {backoff_min: 1ms, backoff_max: 1ms, max_restarts: 0, window: 1m}
pipelines:
  stuck:
    stages:
      only: {capability: later.version}
"""


def start(project: FleetProject) -> None:
    project.write("broken.py", "raise SystemExit('no such library')\n")
    project.fleet(FLEET)
    project.up()
    project.wait_agent("worker")


def test_a_capability_without_a_handler_is_told_everywhere(project: FleetProject) -> None:
    start(project)
    agent = project.agents()["worker"]
    assert agent["capabilities"] == ["echo", "hold", "later.version"]
    assert agent["serves"] == ["echo", "hold"]
    assert "no handler for later.version" in agent["reason"]
    shown = project.cli("agents", "show", "worker").stdout
    assert "serves" in shown and "later.version" in shown
    told = [line for line in project.journal_of("worker") if line["kind"] == "agent.unserved"]
    assert len(told) == 1 and told[0]["capabilities"] == ["later.version"]
    lines = wait_until(lambda: [
        line for line in project.api("GET", "/v1/logs?level=WARNING&lines=1000")["lines"]
        if "no handler" in json.dumps(line)])
    assert lines

    item = project.submit("later.version")
    waiting = project.api("GET", f"/v1/work/{item}")["waiting"]
    assert waiting["reason"] == "no_agent"
    assert "worker has no handler for it" in waiting["sentence"]
    assert waiting["sentence"] in project.cli("work", "show", item).stdout
    run = project.api("POST", "/v1/runs", {"pipeline": "stuck"})["id"]
    view = wait_until(
        lambda: (seen := project.api("GET", f"/v1/runs/{run}"))["waiting"] and seen)
    assert view["waiting"]["reason"] == "no_agent"
    assert view["steps"][0]["waiting"] == view["waiting"]
    assert "only waits: no agent can take" in project.cli("runs", "show", run).stdout


def test_agents_that_failed_and_agents_that_are_busy_are_named(project: FleetProject) -> None:
    start(project)
    project.wait_agent("broken", "failed")
    item = project.submit("never.done")
    waiting = project.api("GET", f"/v1/work/{item}")["waiting"]
    assert waiting["reason"] == "no_agent" and "broken is failed (" in waiting["sentence"]

    until = project.folder / "go"
    first = project.submit("hold", {"until": str(until)})
    project.wait_state(first, "running")
    assert project.api("GET", f"/v1/work/{first}")["waiting"] is None
    second = project.submit("echo", 1)

    def busy() -> bool:
        waiting = project.api("GET", f"/v1/work/{second}")["waiting"]
        return waiting["sentence"] == 'the one slot for "echo" is busy'
    wait_until(busy)
    tomorrow = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=1)
    later = project.submit("echo", 1, start_after=tomorrow.isoformat())
    waiting = project.api("GET", f"/v1/work/{later}")["waiting"]
    assert waiting["reason"] == "start_after"
    assert tomorrow.strftime("%Y-%m-%dT%H:%M:%S") in waiting["sentence"]
    until.write_text("")
    project.wait_work(second)
