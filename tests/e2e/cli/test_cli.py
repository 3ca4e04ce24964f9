"""The command line as a person uses it."""
from __future__ import annotations

import datetime
import json
import re

import pytest

from fleet_project import FleetProject, wait_until


def test_version_names_the_commit(project: FleetProject):
    said = project.cli("--version")
    assert said.returncode == 0
    assert re.search(r"mainstay \d+\.\d+\.\d+ \((commit )?[0-9a-f]{7,}", said.stdout)


def test_a_typo_gets_a_suggestion(project: FleetProject):
    said = project.cli("agnets", "list")
    assert said.returncode == 2
    assert "agents" in said.stderr


def test_without_a_daemon_commands_say_so(project: FleetProject):
    project.python_fleet()
    for words in (("status",), ("work", "list"), ("run", "x"), ("down",)):
        said = project.cli(*words)
        assert said.returncode == 3, (words, said)
        assert "mainstay up" in said.stderr


def test_all_configuration_errors_at_once_and_nothing_is_started(project: FleetProject):
    project.write("mainstay.yaml", "work:\n  timeout: ten\n  tiemout: 3s\n")
    project.fleet("""
fleet: bad
agents:
  a:
    command: [./missing]
    capabilities: [x]
    depends_on: [b]
  b:
    command: [/bin/cat]
    capabilities: [y]
    depends_on: [a]
    colour: red
pipelines:
  p:
    version: 1
    stages:
      s: {capability: z}
""")
    said = project.cli("up")
    assert said.returncode == 2
    errors = said.stderr
    for part in ("mainstay.yaml:2:", "mainstay.yaml:3:", "missing", "colour", "a -> b -> a", '"z"'):
        assert part in errors, (part, errors)
    assert not (project.folder / ".mainstay" / "daemon.json").exists()
    checked = project.cli("config", "check")
    assert checked.returncode == 2


def test_settings_are_explained(project: FleetProject):
    project.python_fleet()
    project.write("mainstay.yaml", "work: {timeout: 42s}\n")
    assert project.cli("config", "get", "work.timeout").stdout.strip() == "42s"
    why = project.cli("config", "why", "work.timeout").stdout
    assert "mainstay.yaml:1" in why and "42s" in why
    project.env["MAINSTAY_WORK_TIMEOUT"] = "43s"
    assert project.cli("config", "get", "work.timeout").stdout.strip() == "43s"
    flag = project.cli("--set", "work.timeout=44s", "config", "show", "--origin")
    assert re.search(r"work\.timeout.*44s", flag.stdout)


def test_the_verbs_speak_table_json_and_yaml(project: FleetProject):
    project.python_fleet(pipelines="""
pipelines:
  one:
    version: 1
    stages:
      only: {capability: echo}
""")
    project.up()
    project.wait_agents()
    submitted = project.cli("work", "submit", "echo", "-m", "say it", "-i", "x=1", "--wait",
                            "-o", "json")
    assert submitted.returncode == 0, submitted.stderr
    item = json.loads(submitted.stdout)
    assert item["output"]["echo"] == {"x": 1}
    assert item["id"] in project.cli("work", "list").stdout
    assert json.loads(project.cli("agents", "list", "-o", "json").stdout)
    assert "state: healthy" in project.cli("agents", "show", "worker", "-o", "yaml").stdout
    ran = project.cli("run", "one", "--input", "a=b")
    assert ran.returncode == 0, ran.stderr
    runs = json.loads(project.cli("runs", "list", "-o", "json").stdout)
    run_id = (runs["runs"] if isinstance(runs, dict) else runs)[0]["id"]
    shown = project.cli("runs", "show", run_id)
    assert "only" in shown.stdout
    assert "run" in project.cli("logs", "tail", "--run", run_id).stdout
    assert project.cli("work", "show", "0192f3c8-7b1a-7cc3-98c4-dc0c0c07398f").returncode == 4
    failed = project.cli("work", "submit", "fail", "-m", "x", "--wait")
    assert failed.returncode == 1


def test_work_submit_says_all_that_an_item_may_have(project: FleetProject):
    now = datetime.datetime.now(datetime.timezone.utc)
    tomorrow = (now + datetime.timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    project.write("mainstay.yaml", 'http: {listen: "127.0.0.1:0"}\nlink: {listen: ""}\n'
                                   "work: {phases: [early, late]}\n")
    project.python_fleet()
    project.up()
    made = project.cli("work", "submit", "echo", "--phase", "late", "--max-attempts", "7",
                       "--timeout", "20s", "--idle-timeout", "5s", "--deadline", "2h",
                       "--start-after", tomorrow)
    assert made.returncode == 2 and "before the deadline" in made.stderr
    made = project.cli("work", "submit", "echo", "--phase", "late", "--max-attempts", "7",
                       "--timeout", "20s", "--idle-timeout", "5s", "--start-after", "1h",
                       "--deadline", tomorrow)
    assert made.returncode == 0, made.stderr
    item = project.api("GET", f"/v1/work/{made.stdout.strip()}")
    assert (item["phase"], item["max_attempts"]) == ("late", 7)
    assert (item["timeout"], item["idle_timeout"]) == ("20s", "5s")
    assert item["deadline"][:19] == tomorrow[:19]
    assert item["state"] == "delayed" and item["start_after"] > item["created_at"]


def test_up_detached_returns_when_ready_and_down_ends_it(project: FleetProject):
    project.python_fleet()
    up = project.cli("up", "--detach")
    assert up.returncode == 0, up.stderr
    assert project.cli("status").returncode == 0
    assert project.cli("down").returncode == 0
    assert project.agent_pids() == []
    assert project.cli("status").returncode == 3


def test_doctor_names_each_check(project: FleetProject):
    project.python_fleet()
    said = project.cli("doctor")
    for word in ("python", "disk", "grpc"):
        assert word in said.stdout.lower(), said.stdout


@pytest.mark.parametrize("text", ["gpu:\n  enabled: true\n", "nats:\n  url: x\n"])
def test_what_is_not_served_yet_is_refused_by_name(project: FleetProject, text: str):
    project.python_fleet()
    project.write("mainstay.yaml", text)
    said = project.cli("config", "check")
    assert said.returncode == 2
    assert text.split(":")[0] in said.stdout + said.stderr


def test_ids_may_be_given_by_their_first_digits(project: FleetProject):
    project.python_fleet(pipelines="""
pipelines:
  one:
    version: 1
    stages:
      only: {capability: echo}
""")
    project.up()
    project.wait_agents()
    run_id = project.cli("run", "one", "--detach").stdout.strip()
    project.wait_run(run_id)
    short = run_id[:8]
    assert run_id in project.cli("runs", "show", short).stdout
    # Its folder is written after its events.
    wait_until(lambda: "run started" in project.cli("logs", "tail", "--run", short).stdout,
               what="its first line")
    again = project.cli("runs", "cancel", short)
    assert again.returncode == 1 and "ended" in again.stderr

    item = project.submit("echo", {"x": 1})
    other = project.submit("echo", {"x": 2})
    assert project.cli("work", "wait", item).returncode == 0
    assert item in project.cli("work", "show", item[:-1]).stdout
    common = next(item[:n] for n in range(len(item), 0, -1) if other.startswith(item[:n]))
    several = project.cli("work", "show", common)
    assert several.returncode == 2
    # The item of the run may begin like these two: an id begins with its time.
    listed = json.loads(project.cli("work", "list", "--output", "json").stdout)["work"]
    alike = {i["id"] for i in listed if i["id"].startswith(common)}
    assert alike >= {item, other}
    assert len([i for i in alike if i in several.stderr]) == 2
    ends_in_f = next(i for i in (project.submit("echo", {"x": n}) for n in range(1000))
                     if i.endswith("f"))
    assert ends_in_f in project.cli("work", "show", ends_in_f[:-1]).stdout
    missing = project.cli("work", "show", "0192f3c8")
    assert missing.returncode == 4

    wait_until(lambda: project.cli("runs", "verify", short).returncode == 0, what="its archive")
    assert project.down() == 0
    assert run_id in project.cli("runs", "show", short).stdout
    assert "agree" in project.cli("runs", "verify", short).stdout


def test_down_says_when_a_killed_daemon_left_its_agents_and_what_to_do(project: FleetProject):
    project.python_fleet(replicas=2)
    project.up()
    project.wait_agents()
    project.kill()
    said = project.cli("down")
    assert said.returncode == 3
    assert "2 of its agents' processes do" in said.stderr
    assert "mainstay up --detach" in said.stderr
    project.up()
    project.wait_agents()
    assert project.cli("down").returncode == 0
    assert project.agent_pids() == []
    assert "agents' processes" not in project.cli("down").stderr
