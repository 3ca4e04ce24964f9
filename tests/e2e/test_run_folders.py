"""Folders of runs that could not be written, or were cut off: told, counted, and made good."""
from __future__ import annotations

import json
import shutil
import sqlite3

import pytest

from fleet_project import FleetProject, wait_until

PIPELINES = """
pipelines:
  hello:
    version: 1
    stages:
      one: {capability: echo}
      two: {capability: echo, needs: [one]}
  slow:
    version: 1
    stages:
      hold: {capability: hold, input: {until: "run#/input/until"}}
"""


@pytest.fixture
def fleet(project: FleetProject) -> FleetProject:
    project.python_fleet(pipelines=PIPELINES)
    return project


def start(project: FleetProject, pipeline: str, value: dict) -> str:
    return project.api("POST", "/v1/runs", {"pipeline": pipeline, "input": value})["id"]


def wait_verified(project: FleetProject, run_id: str) -> None:
    wait_until(lambda: project.cli("runs", "verify", run_id).returncode == 0, 40,
               f"archive of {run_id} verified; log:\n{project.log_text()}")


def archives_of(project: FleetProject, run_id: str) -> int:
    return sum(event["kind"] == "run.archived" for event in project.journal_of(run_id))


def test_a_daemon_killed_while_it_archives_archives_after_its_restart(fleet: FleetProject):
    fleet.up()
    fleet.wait_agents()
    go = fleet.folder / "go"
    run_id = start(fleet, "slow", {"until": str(go)})
    folder = fleet.folder / "runs" / "slow" / run_id
    go.touch()
    wait_until((folder / "run.tar.gz").exists, 40, "archive")
    fleet.kill()
    fleet.up()
    wait_verified(fleet, run_id)
    assert archives_of(fleet, run_id) == 1
    assert "SHA-256: " in (folder / "logs_summary.txt").read_text()


def test_an_archive_that_was_not_recorded_is_recorded_once(fleet: FleetProject):
    fleet.up()
    fleet.wait_agents()
    run_id = start(fleet, "hello", {})
    fleet.wait_run(run_id)
    wait_verified(fleet, run_id)
    fleet.down()
    # As if it had been killed after the archive was made and before its row was durable.
    database = sqlite3.connect(fleet.folder / ".mainstay" / "mainstay.db")
    with database:
        database.execute("DELETE FROM run_archives")
    database.close()
    assert fleet.cli("runs", "verify", run_id).returncode == 1
    fleet.up()
    wait_verified(fleet, run_id)
    assert archives_of(fleet, run_id) == 2
    log = (fleet.folder / "runs" / "hello" / run_id / "logs" / "run.log").read_text()
    assert "was not written" not in log, "nothing was missing"
    # What is recorded stays as it is.
    fleet.down()
    fleet.up()
    wait_verified(fleet, run_id)
    assert archives_of(fleet, run_id) == 2


def test_runs_whose_folder_cannot_be_written_are_told_and_written_later(fleet: FleetProject):
    place = fleet.folder / "runs"
    place.write_text("x")
    fleet.up()
    fleet.wait_agents()
    ran = fleet.cli("run", "hello", "--plain")
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == "", "no folder that is not there"
    assert "the folder of the run is not there yet" in ran.stderr
    assert "Not a directory" in ran.stderr
    run_id = fleet.api("GET", "/v1/runs")["runs"][0]["id"]
    assert "run folders: cannot make the folder" in fleet.cli("status").stdout
    assert fleet.api("GET", "/v1/fleet")["recording"]["writable"] is False
    assert fleet.raw("GET", "/readyz")[0] == 200, "work goes on"
    assert fleet.metric("mainstay_recorder_failed_writes_total") > 0
    assert fleet.metric("mainstay_recorder_waiting_runs") == 1
    log = fleet.folder / ".mainstay" / "logs" / "fleet.log"
    assert log.read_text().count("cannot be written") == 1
    assert "runs cannot be recorded" in fleet.log_text()

    place.unlink()
    wait_verified(fleet, run_id)
    wait_until(lambda: fleet.api("GET", "/v1/fleet")["recording"]["writable"], 20, "told as over")
    assert fleet.metric("mainstay_recorder_waiting_runs") == 0
    check_folder(place / "hello" / run_id)


def test_a_run_without_a_folder_gets_it_after_a_restart(fleet: FleetProject):
    place = fleet.folder / "runs"
    place.write_text("x")
    fleet.up()
    fleet.wait_agents()
    run_id = start(fleet, "hello", {})
    fleet.wait_run(run_id)
    fleet.kill()
    place.unlink()
    fleet.up()
    wait_verified(fleet, run_id)
    check_folder(place / "hello" / run_id)


def check_folder(folder) -> None:
    lines = [json.loads(line) for line in (folder / "logs" / "run.log").read_text().splitlines()]
    assert [line["fields"]["event"] for line in lines if "event" in line.get("fields", {})] == [
        "run.started", "run.finished"]
    assert any("written later, from the journal" in line["message"] for line in lines)
    assert "step started" in (folder / "logs" / "step_002" / "orchestrator.log").read_text()
    assert (folder / "manifest.json").exists() and (folder / "commit.txt").exists()


def test_a_folder_removed_under_a_live_run_is_whole_in_the_end(fleet: FleetProject):
    fleet.up()
    fleet.wait_agents()
    go = fleet.folder / "go"
    run_id = start(fleet, "slow", {"until": str(go)})
    folder = fleet.folder / "runs" / "slow" / run_id
    orchestrator = folder / "logs" / "step_001" / "orchestrator.log"
    wait_until(lambda: orchestrator.exists() and "started" in orchestrator.read_text(), 40, "step")
    # At once, as a whole: into a folder that is being emptied the daemon may put another file.
    folder.rename(fleet.folder / "removed")
    shutil.rmtree(fleet.folder / "removed", ignore_errors=True)
    go.touch()
    fleet.wait_run(run_id)
    wait_verified(fleet, run_id)
    assert "step started" in orchestrator.read_text()
    assert (folder / "manifest.json").exists() and (folder / "commit.txt").exists()
    assert "removed or replaced" in (folder / "logs" / "run.log").read_text()
