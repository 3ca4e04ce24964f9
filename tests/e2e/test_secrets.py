"""I9: a secret that an agent was given is in no log, error, summary or archive."""
from __future__ import annotations

import pathlib
import subprocess

from fleet_project import FleetProject, wait_until

CANARY = "canary-5f1c9be2-never-to-be-seen"

LEAKY = '''
import os
import sys

import mainstay

agent = mainstay.Agent()
print("starting with", os.environ["STORE_API_KEY"], flush=True)

@agent.capability("leak")
def leak(item, ctx):
    key = os.environ["STORE_API_KEY"]
    ctx.log.info("the key is " + key, key=key)
    print("printed", key, os.environ["MAINSTAY_TOKEN"], file=sys.stderr, flush=True)
    with ctx.span("call", header="Bearer " + key):
        raise ValueError("refused: " + key)

agent.run()
'''


def files_with(folder: pathlib.Path, words: str) -> list[str]:
    found = []
    for path in folder.rglob("*"):
        if path.is_file() and words.encode() in path.read_bytes():
            found.append(str(path.relative_to(folder)))
    return found


def test_i9_a_secret_of_an_agent_is_in_no_log_error_summary_or_archive(project: FleetProject):
    project.write("leaky.py", LEAKY)
    project.fleet("""
fleet: test
agents:
  leaky:
    command: [/usr/bin/python3, leaky.py]
    capabilities: [leak]
    pass_env: [STORE_API_KEY]
  told:
    kind: exec
    command: [sh, -c, 'echo "with $STORE_API_KEY" >&2; echo "bad key $STORE_API_KEY" >&2; exit 1']
    capabilities: [tell]
    pass_env: [STORE_API_KEY]
pipelines:
  spill:
    version: 1
    stages:
      leak: {capability: leak, retries: 0, critical: false}
      tell: {capability: tell, retries: 0, critical: false}
""")
    project.up(env={"STORE_API_KEY": CANARY})
    project.wait_agents()
    run = project.api("POST", "/v1/runs", {"pipeline": "spill", "input": {}})["id"]
    assert project.wait_run(run)["state"] == "degraded"
    shown = project.cli("runs", "show", run).stdout
    assert "refused: [redacted]" in shown
    assert CANARY not in shown
    folder = project.folder / "runs" / "spill" / run
    archive = folder / "run.tar.gz"
    wait_until(archive.exists, 60, "the archive")
    assert project.down() == 0
    unpacked = project.folder / "unpacked"
    unpacked.mkdir()
    subprocess.run(["tar", "-xf", archive, "-C", unpacked], check=True)
    assert files_with(project.folder, CANARY) == []
    logs = "".join(path.read_text() for path in folder.rglob("*.log"))
    assert "the key is [redacted]" in logs
    fleet_log = (project.folder / ".mainstay" / "logs" / "fleet.log").read_text()
    # A line that is read after the archive was made has no place in the run's folder any more.
    assert "printed [redacted] [redacted]" in logs + fleet_log, "the link token is a secret too"
    assert "starting with [redacted]" in fleet_log
