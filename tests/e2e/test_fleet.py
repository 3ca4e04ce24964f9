"""Supervision on real processes: rows A1 to A5, A13, A14, B4, B7 of the fault catalogue."""
from __future__ import annotations

import json
import os
import pathlib
import signal
import time

import pytest

from fleet_project import FleetProject, wait_until

STUBBORN = '''
import os, signal, subprocess, sys
import mainstay
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
    if os.fork() > 0:
        os._exit(0)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    open("grandchild.pid", "w").write(str(os.getpid()))
    while True:
        signal.pause()
agent = mainstay.Agent()
agent.run()
'''


def is_alive(pid: int) -> bool:
    """A zombie runs nothing and holds nothing; reaping it is its parent's affair."""
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def test_fleet_starts_serves_and_leaves_nothing_behind(project: FleetProject):
    project.python_fleet(replicas=2)
    project.up()
    agents = project.wait_agents()
    assert sorted(agents) == ["worker-1", "worker-2"]
    result = project.wait_work(project.submit("echo", {"x": 1}))
    assert result["state"] == "succeeded"
    assert result["output"]["echo"] == {"x": 1}
    assert project.down() == 0
    assert project.agent_pids() == []


def test_agents_start_in_dependency_order_by_readiness(project: FleetProject):
    project.fleet("""
fleet: order
agents:
  second:
    command: [/usr/bin/python3, agent.py]
    capabilities: [echo]
    depends_on: [first]
  first:
    command: [/usr/bin/python3, agent.py]
    capabilities: [hold]
""")
    project.up()
    agents = project.wait_agents()
    assert agents["first"]["started_at"] < agents["second"]["started_at"]


@pytest.mark.parametrize("end, said", [
    ("os._exit(3)", "3"),
    ("os.kill(os.getpid(), signal.SIGSEGV)", "11"),
    ("os.kill(os.getpid(), signal.SIGTERM)", "15"),
])
def test_a1_an_exit_is_recorded_with_its_cause(project: FleetProject, end: str, said: str):
    project.write("ends.py", f"import os, signal\n{end}\n")
    project.fleet("""
fleet: a1
agents:
  ends:
    command: [/usr/bin/python3, ends.py]
    capabilities: [x]
    restart: {policy: never}
""")
    project.up()
    agent = wait_until(lambda: (a := project.agents()["ends"])["state"] == "failed" and a, 20,
                       "the agent failed")
    assert said in json.dumps(agent)
    assert agent["last_error"]


def test_a2_a_crash_loop_ends_in_failed(project: FleetProject):
    project.write("crash.py", "import os\nopen('starts', 'a').write('x')\nos._exit(1)\n")
    project.fleet("""
fleet: a2
agents:
  looping:
    command: [/usr/bin/python3, crash.py]
    capabilities: [x]
    restart: {policy: always, backoff_min: 10ms, backoff_max: 50ms, max_restarts: 3, window: 1m}
""")
    project.up()
    agent = project.wait_agent("looping", "failed")
    assert "3" in agent["reason"]
    # Three restarts are allowed, so the program ran four times and never again.
    starts = (project.folder / "starts").read_text()
    assert len(starts) == 4
    status = project.cli("status")
    assert "looping" in status.stdout and "failed" in status.stdout


def test_a4_a5_a_stubborn_tree_is_gone_after_down(project: FleetProject):
    project.write("stubborn.py", STUBBORN)
    project.fleet("""
fleet: a5
agents:
  stubborn:
    command: [/usr/bin/python3, stubborn.py]
    capabilities: [x]
    stop_grace: 500ms
""")
    project.up()
    project.wait_agents()
    pid = int(wait_until(lambda: (project.folder / "grandchild.pid").exists()
                         and (project.folder / "grandchild.pid").read_text(), 10, "grandchild"))
    assert is_alive(pid)
    began = time.monotonic()
    assert project.cli("down").returncode == 0
    assert time.monotonic() - began < 20
    project.daemon.wait(20)
    assert not is_alive(pid)
    assert project.agent_pids() == []


def test_a13_an_agent_sees_only_its_own_descriptors_and_environment(project: FleetProject):
    project.write("show.py", """
import json, os
import mainstay
agent = mainstay.Agent()
fds = sorted(int(n) for n in os.listdir("/proc/self/fd"))
seen = {"fds": [n for n in fds if os.path.exists(f"/proc/self/fd/{n}")],
        "env": sorted(os.environ)}

@agent.capability("show")
def show(item, ctx):
    return seen
agent.run()
""")
    project.fleet("""
fleet: a13
agents:
  show:
    command: [/usr/bin/python3, show.py]
    capabilities: [show]
    env: {OWN: "1"}
""")
    project.up(env={"DAEMON_SECRET": "never"})
    project.wait_agents()
    seen = project.wait_work(project.submit("show"))["output"]
    assert "DAEMON_SECRET" not in seen["env"]
    assert "OWN" in seen["env"]
    # 0 to 2, and what the interpreter itself opened before the look (at most the directory).
    assert [n for n in seen["fds"] if n > 3] == []


@pytest.mark.parametrize("command, said", [
    ("[./absent]", "absent"),
    ("[./plain.txt]", "plain.txt"),
])
def test_a14_a_command_that_cannot_start_is_told_before_anything_starts(
        project: FleetProject, command: str, said: str):
    project.write("plain.txt", "not a program\n")
    project.fleet(f"""
fleet: a14
agents:
  broken:
    command: {command}
    capabilities: [x]
""")
    checked = project.cli("config", "check")
    assert checked.returncode == 2
    assert said in checked.stdout + checked.stderr
    assert "fleet.yaml:" in checked.stdout + checked.stderr


def test_b4_agents_outlive_a_killed_daemon_and_are_adopted(project: FleetProject):
    project.python_fleet(replicas=2)
    project.up()
    before = {name: a["pid"] for name, a in project.wait_agents().items()}
    project.kill()
    for pid in before.values():
        os.kill(pid, 0)
    project.up()
    after = {name: a["pid"] for name, a in project.wait_agents().items()}
    assert after == before
    assert project.wait_work(project.submit("echo"))["state"] == "succeeded"
    assert len(project.agent_pids()) == 2


def test_b4_an_agent_that_died_with_the_daemon_is_started_once(project: FleetProject):
    project.python_fleet(replicas=1)
    project.up()
    pid = project.wait_agents()["worker"]["pid"]
    project.kill()
    os.kill(pid, signal.SIGKILL)
    project.up()
    assert project.wait_agents()["worker"]["pid"] != pid
    assert len(project.agent_pids()) == 1


def test_b7_a_second_daemon_refuses_and_touches_nothing(project: FleetProject):
    project.python_fleet()
    project.up()
    before = project.daemon_info()
    second = project.cli("up")
    assert second.returncode == 1
    assert str(before["pid"]) in second.stderr
    assert project.daemon_info() == before
    assert project.wait_work(project.submit("echo"))["state"] == "succeeded"


def test_a_killed_agent_is_restarted_and_its_item_tried_again(project: FleetProject):
    project.python_fleet()
    project.up()
    pid = project.wait_agents()["worker"]["pid"]
    flag = project.folder / "go"
    item = project.submit("hold", {"until": str(flag)})
    wait_until(lambda: project.api("GET", f"/v1/work/{item}")["state"] == "running", 20, "running")
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: project.agents()["worker"].get("pid") not in (None, 0, pid), 20, "restart")
    flag.write_text("")
    result = project.wait_work(item)
    assert result["state"] == "succeeded"
    assert result["output"]["attempt"] == 2


def test_fleet_without_python_says_what_is_missing_and_serves_commands(project: FleetProject):
    project.write("upper.sh", "#!/bin/sh\ntr a-z A-Z\n").chmod(0o755)
    project.write("nosdk.py", "raise SystemExit('No module named grpc')\n")
    project.fleet("""
fleet: degraded
agents:
  upper:
    kind: exec
    command: [./upper.sh]
    capabilities: [upper]
  nosdk:
    command: [/usr/bin/python3, nosdk.py]
    capabilities: [x]
    restart: {policy: never}
""")
    project.up()
    project.wait_agent("nosdk", "failed")
    result = project.wait_work(project.submit("upper", "hello"))
    assert result["output"] == "HELLO"
    assert "nosdk" in project.cli("status").stdout
