"""Supervision on real processes; what goes wrong there is in test_faults_*.py."""
from __future__ import annotations

import os
import signal

from fleet_project import FleetProject, wait_until


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


def test_a_killed_agent_is_restarted_and_its_item_tried_again(project: FleetProject):
    project.python_fleet()
    project.up()
    pid = project.wait_agents()["worker"]["pid"]
    flag = project.folder / "go"
    item = project.submit("hold", {"until": str(flag)})
    project.wait_state(item, "running")
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: project.agents()["worker"].get("pid") not in (None, 0, pid), 60, "restart")
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
