"""Runs of pipelines: folder, summary, archive; fail-soft and critical stages; retries."""
from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tarfile

import pytest

from fleet_project import ROOT, FleetProject, Problem, wait_until

sys.path.insert(0, str(ROOT / "python"))
import mainstay  # noqa: E402

PIPELINES = """
pipelines:
  chain:
    version: 2
    stages:
      first: {capability: echo}
      each:
        capability: flaky
        needs: [first]
        foreach: "run#/input/list"
        input: {succeeds_at: "item#"}
        max_parallel: 2
        retries: 3
        backoff_min: 1ms
        backoff_max: 5ms
      last: {capability: echo, needs: [each], input: {all: "each#", id: "run#/id"}}
  soft:
    version: 1
    stages:
      bad: {capability: fail, critical: false, retries: 0}
      good: {capability: echo, needs: [bad], input: {bad: "bad#"}}
  hard:
    version: 1
    stages:
      bad: {capability: fail, retries: 1, backoff_min: 1ms, backoff_max: 2ms}
      never: {capability: echo, needs: [bad]}
  choice:
    version: 1
    stages:
      maybe: {capability: echo, when: {not_empty: "run#/input/list"}}
      after: {capability: echo, needs: [maybe], input: {maybe: "maybe#"}}
"""


@pytest.fixture
def fleet(project: FleetProject) -> FleetProject:
    project.python_fleet(replicas=2, pipelines=PIPELINES)
    project.up()
    project.wait_agents()
    return project


def start(project: FleetProject, pipeline: str, value: dict) -> str:
    return project.api("POST", "/v1/runs", {"pipeline": pipeline, "input": value})["id"]


def steps_of(run: dict) -> dict[str, dict]:
    return {step["stage"]: step for step in run["steps"]}


def outputs(project: FleetProject, run_id: str, stage: str) -> list:
    items = project.api("GET", f"/v1/work?run={run_id}&limit=100")["work"]
    whole = [project.api("GET", f"/v1/work/{i['id']}") for i in items]
    mine = [w for w in whole if w["step"]["stage"] == stage]
    return [w["output"] for w in sorted(mine, key=lambda w: w["step"]["index"])]


def test_a_run_gives_a_complete_folder_and_a_proven_archive(fleet: FleetProject, tmp_path):
    run_id = start(fleet, "chain", {"list": [1, 2, 3]})
    run = fleet.wait_run(run_id)
    assert run["state"] == "succeeded"
    assert steps_of(run)["each"]["retries"] == 3
    assert outputs(fleet, run_id, "last")[0]["echo"]["id"] == run_id
    assert [o["attempt"] for o in outputs(fleet, run_id, "last")[0]["echo"]["all"]] == [1, 2, 3]

    folder = fleet.folder / "runs" / "chain" / run_id
    wait_until(lambda: fleet.cli("runs", "verify", run_id).returncode == 0, 60, "archive verified")
    for name in ("logs/run.log", "logs/reconciliation.log", "logs/step_001/orchestrator.log",
                 "logs/step_002/adapter.log", "logs/step_003/metrics.log",
                 "logs/step_003/validator.log", "logs_summary.txt", "metadata.json",
                 "metrics.json", "spans.jsonl", "manifest.json", "commit.txt", "run.tar.gz"):
        assert (folder / name).exists(), name
    assert (folder / "workspace").is_dir() and (folder / "artifacts").is_dir()
    stages = {s["stage"]: s["step"] for s in
              json.loads((folder / "metadata.json").read_text())["steps"]}
    assert stages == {"first": 1, "each": 2, "last": 3}

    summary = (folder / "logs_summary.txt").read_text()
    digest = hashlib.sha256((folder / "run.tar.gz").read_bytes()).hexdigest()
    assert digest in summary
    assert "EXPERIMENT RUN SUMMARY" in summary and "STEP EXECUTION SUMMARY" in summary
    assert all(len(line) <= 80 for line in summary.splitlines())
    subprocess.run(["tar", "-xf", folder / "run.tar.gz", "-C", tmp_path], check=True)
    with tarfile.open(folder / "run.tar.gz") as archive:
        for member in archive.getmembers():
            restored = (tmp_path / member.name).read_bytes()
            outside = (folder / member.name).read_bytes()
            if member.name == "logs_summary.txt":
                assert outside.startswith(restored)
            else:
                assert outside == restored, member.name

    with open(folder / "logs" / "run.log", "a", encoding="utf-8") as log:
        log.write("tampered\n")
    tampered = fleet.cli("runs", "verify", run_id)
    assert tampered.returncode == 1
    assert "run.log" in tampered.stdout + tampered.stderr


def test_a_runs_output_is_read_over_the_api_the_cli_and_the_sdk(fleet: FleetProject):
    run_id = start(fleet, "chain", {"list": [1]})
    run = fleet.wait_run(run_id)
    assert list(run["output"]) == ["last"], "of the stages that no other needs"
    assert run["output"]["last"]["echo"]["id"] == run_id
    shown = json.loads(fleet.cli("runs", "show", run_id, "-o", "json").stdout)
    assert shown["output"] == run["output"]
    with mainstay.Client(f"http://{fleet.daemon_info()['http_address']}", fleet.token()) as client:
        result = client.run("chain", {"list": []}, wait=False).result(60)
        assert result["output"]["last"]["echo"]["all"] == []


def test_a_fail_soft_stage_degrades_the_run_and_passes_its_error_on(fleet: FleetProject):
    run_id = start(fleet, "soft", {})
    run = fleet.wait_run(run_id)
    assert run["state"] == "degraded"
    seen = outputs(fleet, run_id, "good")[0]["echo"]["bad"]
    assert seen["_stage_error"] is True
    assert seen["stage"] == "bad"
    assert "asked to fail" in json.dumps(seen["error"])
    spans = fleet.folder / "runs" / "soft" / run_id / "spans.jsonl"
    wait_until(lambda: spans.exists() and "stage_error" in spans.read_text(), 60, "span event")


def test_a_critical_stage_fails_the_run_and_skips_what_follows(fleet: FleetProject):
    run = fleet.wait_run(start(fleet, "hard", {}))
    assert run["state"] == "failed"
    steps = steps_of(run)
    assert steps["bad"]["state"] == "failed"
    assert steps["bad"]["retries"] == 1
    assert steps["never"]["state"] == "skipped"
    command = fleet.cli("run", "hard", "--plain")
    assert command.returncode == 1


def test_when_skips_a_stage_and_its_output_is_null(fleet: FleetProject):
    run_id = start(fleet, "choice", {"list": []})
    run = fleet.wait_run(run_id)
    assert run["state"] == "succeeded"
    assert steps_of(run)["maybe"]["state"] == "skipped"
    assert outputs(fleet, run_id, "after")[0]["echo"]["maybe"] is None


def test_run_goes_on_from_its_last_finished_item_after_a_kill(fleet: FleetProject):
    run_id = start(fleet, "chain", {"list": [1] * 40})
    wait_until(lambda: steps_of(fleet.api("GET", f"/v1/runs/{run_id}"))
               .get("each", {}).get("items_done", 0) >= 3, 60, "some items done")
    fleet.kill()
    fleet.up()
    run = fleet.wait_run(run_id)
    assert run["state"] == "succeeded"
    assert steps_of(run)["each"]["items_done"] == 40
    # Nothing was done twice: forty items, each with one attempt.
    assert [o["attempt"] for o in outputs(fleet, run_id, "each")] == [1] * 40


def test_a_cancelled_run_ends_and_leaves_no_item_running(fleet: FleetProject):
    fleet_stage = fleet.submit("hold", {"until": str(fleet.folder / "never"), "seconds": 30})
    fleet.api("POST", f"/v1/work/{fleet_stage}:cancel", {"reason": "enough"})
    item = fleet.wait_work(fleet_stage)
    assert item["state"] == "cancelled"


def test_an_unknown_pipeline_is_told_with_a_suggestion(fleet: FleetProject):
    with pytest.raises(Problem) as refused:
        start(fleet, "chian", {})
    assert refused.value.status == 404
    assert "chain" in json.dumps(refused.value.body)


def test_a_forged_summary_or_a_pipe_does_not_verify(fleet: FleetProject):
    run_id = start(fleet, "soft", {})
    fleet.wait_run(run_id)
    wait_until(lambda: fleet.cli("runs", "verify", run_id).returncode == 0, 60, "archive verified")
    summary = fleet.folder / "runs" / "soft" / run_id / "logs_summary.txt"
    summary.write_text(summary.read_text() + "forged\n")
    verified = fleet.cli("runs", "verify", run_id)
    assert verified.returncode == 1
    assert "logs_summary.txt: its ARCHIVE section is not what was recorded" in verified.stdout
    archive = summary.with_name("run.tar.gz")
    archive.unlink()
    os.mkfifo(archive)
    verified = fleet.cli("runs", "verify", run_id)
    assert verified.returncode == 1
    assert "run.tar.gz is a pipe, not a regular file" in verified.stderr


def test_a_line_that_is_not_ours_is_shown_as_it_is(fleet: FleetProject):
    with open(fleet.folder / ".mainstay" / "logs" / "fleet.log", "a", encoding="utf-8") as log:
        log.write('garbage {"x\x1b[2J\n')
    lines = fleet.api("GET", "/v1/logs?lines=1000")["lines"]
    assert 'garbage {"x\x1b[2J' in lines
    assert any(isinstance(line, dict) for line in lines)
    shown = fleet.cli("logs", "tail", "-n", "1000")
    assert shown.returncode == 0, shown.stderr
    assert 'garbage {"x\\x1b[2J\n' in shown.stdout
    for line in fleet.cli("logs", "tail", "-n", "1000", "-o", "json").stdout.splitlines():
        json.loads(line)
    follower = subprocess.Popen([fleet.binary, "logs", "tail", "-f", "-n", "1000"], text=True,
                                cwd=fleet.folder, env=fleet.env, stdout=subprocess.PIPE)
    try:
        assert any(line == 'garbage {"x\\x1b[2J\n' for line in follower.stdout)
    finally:
        follower.kill()
        follower.wait(20)
    fleet.down()
    assert 'garbage {"x\\x1b[2J\n' in fleet.cli("logs", "tail", "-n", "1000").stdout
