"""An orderly stop interrupts work without burning a try: it runs again after the next start."""
from __future__ import annotations

from fleet_project import FleetProject, wait_until

HOLDERS = """
fleet: test
agents:
  worker:
    command: [/usr/bin/python3, agent.py]
    capabilities: [echo, fail, flaky, hold, crash]
    stop_grace: 1s
  shell:
    kind: exec
    command: [/bin/sh, hold.sh]
    capabilities: [shell.hold]
    stop_grace: 1s
pipelines:
  once:
    stages:
      only: {capability: hold, retries: 0}
"""

SHELL = """cat > /dev/null
i=0
while [ ! -e go ] && [ $i -lt 1500 ]; do sleep 0.02; i=$((i + 1)); done
echo '{"held": true}'
"""


def test_what_a_stop_interrupts_runs_again_with_its_only_try(project: FleetProject) -> None:
    project.write("hold.sh", SHELL)
    project.fleet(HOLDERS)
    project.up()
    project.wait_agents()
    held = {"until": str(project.folder / "go")}
    one_try = {"retry": {"max_attempts": 1}}
    items = [project.submit("hold", held, **one_try), project.submit("shell.hold", {}, **one_try)]
    for item in items:
        project.wait_state(item, "running")
    assert project.cli("down").returncode == 0
    project.daemon.wait(20)

    project.up()
    project.wait_agents()
    project.write("go", "")
    for item in items:
        done = project.wait_work(item)
        assert done["state"] == "succeeded", done["error"]
        assert done["attempts_used"] == 1 and done["epoch"] == 2
        again = [line for line in project.journal_of(item) if line["kind"] == "work.retrying"]
        assert [line["counted"] for line in again] == [False]


def test_a_run_without_retries_goes_on_after_a_stop(project: FleetProject) -> None:
    project.write("hold.sh", SHELL)
    project.fleet(HOLDERS)
    project.up()
    project.wait_agents()
    run = project.api("POST", "/v1/runs", {"pipeline": "once", "input": {
        "until": str(project.folder / "go")}})["id"]
    item = wait_until(lambda: project.api("GET", f"/v1/work?run={run}")["work"])[0]["id"]
    project.wait_state(item, "running")
    assert project.down() == 0

    project.write("go", "")
    project.up()
    assert project.wait_run(run)["state"] == "succeeded"
