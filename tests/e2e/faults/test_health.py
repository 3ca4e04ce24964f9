"""What an agent's state says about it (FLT-4): by its link, its process and its outcomes."""
from __future__ import annotations

import os
import pathlib
import signal

from fleet_project import FleetProject


def test_an_agent_without_progress_is_told_and_spared_until_it_moves(
        project: FleetProject, tmp_path: pathlib.Path):
    project.python_fleet(replicas=1, options="concurrency: 2\n    health: {stall_after: 1s}")
    project.up()
    project.wait_agents()
    flag = tmp_path / "go"
    held = project.submit("hold", {"until": str(flag)})
    agent = project.wait_agent("worker", "unhealthy")
    assert agent["reason"] == "no progress for 1s from the item it holds"
    waiting = project.submit("echo", {"x": 1})
    assert project.api("GET", f"/v1/work/{waiting}")["state"] == "queued"
    flag.write_text("")
    assert project.wait_work(held)["state"] == "succeeded"
    assert project.wait_work(waiting)["state"] == "succeeded"
    project.wait_agent("worker", "healthy")


def test_failures_in_a_row_degrade_an_agent_and_a_success_ends_that(project: FleetProject):
    project.python_fleet(replicas=1)
    project.up()
    project.wait_agents()
    for _ in range(3):
        item = project.submit("fail", {}, retry={"max_attempts": 1})
        assert project.wait_work(item)["state"] == "failed"
    agent = project.wait_agent("worker", "degraded")
    assert agent["error_count"] == 3
    assert "asked to fail" in agent["last_error"]
    assert project.wait_work(project.submit("echo"))["state"] == "succeeded"
    agent = project.wait_agent("worker", "healthy")
    assert agent["error_count"] == 3, "what happened stays known"


def test_a_stopped_process_loses_its_link_is_killed_and_its_item_done_by_a_new_one(
        project: FleetProject, tmp_path: pathlib.Path):
    """SIGSTOP: it lives, its sockets are open, and it answers nothing any more."""
    project.python_fleet(replicas=1, options="health: {link_grace: 1s}")
    project.up()
    before = project.wait_agents()["worker"]
    flag = tmp_path / "go"
    held = project.submit("hold", {"until": str(flag)})
    pid = before["pid"]
    os.kill(pid, signal.SIGSTOP)
    flag.write_text("")
    done = project.wait_work(held, seconds=90)
    assert done["state"] == "succeeded"
    assert done["output"]["attempt"] == 2
    after = project.wait_agent("worker", "healthy")
    assert after["pid"] != pid
    assert after["restarts"] == 1
