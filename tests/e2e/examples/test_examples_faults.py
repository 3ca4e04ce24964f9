"""examples/code_review: kill -9 of the daemon and of analysts in the middle of a review."""
from __future__ import annotations

import contextlib
import os
import signal

import pytest

from example_project import ExampleProject
from fleet_project import wait_until
from repos import Repo

FILES = 300
FUNCTIONS = 240


@pytest.fixture
def project(binary, tmp_path):
    made = ExampleProject(binary, tmp_path / "project", "code_review")
    yield made
    made.clean_up()


@pytest.fixture
def repo(tmp_path):
    """Some hundred files, each long enough that a review of all takes seconds."""
    def content(n: int) -> str:
        return "".join(f"def f{k}(x):\n    if x > {n}:\n        for y in range(x):\n"
                       f"            print(y, {k})\n    return x\n\n" for k in range(FUNCTIONS))
    made = Repo(tmp_path / "repo")
    made.commit("one", {f"d{n % 7}/f{n}.py": content(n) for n in range(FILES)})
    return made


def begin(project: ExampleProject, repo: Repo) -> str:
    project.up()
    project.wait_agents()
    return project.api("POST", "/v1/runs", {"pipeline": "review",
                                            "input": {"path": str(repo.folder)}})["id"]


def check_each_file_once(project: ExampleProject, run_id: str) -> None:
    analysed = project.analysed(run_id)
    names = [f["path"] for f in analysed]
    assert sorted(names) == sorted(f"d{n % 7}/f{n}.py" for n in range(FILES))
    assert {f["functions"] for f in analysed} == {FUNCTIONS}
    report = project.item(run_id, "report")["output"]
    assert report["files"] == FILES
    events = project.folder / "runs" / "review" / run_id / "logs" / "step_002"
    lines = (events / "orchestrator.log").read_text().splitlines()
    assert sum('"event":"work.succeeded"' in line for line in lines) == FILES


def test_kill_of_the_daemon_in_the_middle_of_a_review(project, repo):
    run_id = begin(project, repo)
    before = project.wait_items_done(run_id, "analyse", 40)
    project.kill()
    assert before["items_done"] < FILES
    done = project.cli("up", "--detach")
    assert done.returncode == 0, done.stderr
    try:
        run = project.wait_run(run_id, 300)
        assert run["state"] == "succeeded", run
        step = project.step(run_id, "analyse")
        assert step["items_done"] == step["items_total"] == FILES
        wait_until(lambda: project.cli("runs", "verify", run_id).returncode == 0, 90, "archive")
        check_each_file_once(project, run_id)
    finally:
        down = project.cli("down")
    assert down.returncode == 0, down.stderr
    assert project.agent_pids() == []


def test_kill_of_analysts_during_a_run(project, repo):
    run_id = begin(project, repo)
    first = project.agents()
    for count in (20, 60):
        project.wait_items_done(run_id, "analyse", count)
        for name in ("analyst-1", "analyst-3"):
            pid = project.agents()[name]["pid"]
            with contextlib.suppress(ProcessLookupError):  # the first kill's end, not told yet
                if pid:
                    os.kill(pid, signal.SIGKILL)
    run = project.wait_run(run_id, 300)
    assert run["state"] == "succeeded", run
    wait_until(lambda: project.cli("runs", "verify", run_id).returncode == 0, 90, "archive")
    check_each_file_once(project, run_id)
    project.wait_agents()
    after = project.agents()
    for name in ("analyst-1", "analyst-3"):
        assert after[name]["restarts"] >= 1 and after[name]["pid"] != first[name]["pid"]
    assert after["analyst-2"]["pid"] == first["analyst-2"]["pid"]
    assert project.down() == 0
    assert project.agent_pids() == []
