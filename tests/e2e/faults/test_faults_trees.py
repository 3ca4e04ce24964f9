"""Whole process trees of agents that do not want to end: rows A4 and A5."""
from __future__ import annotations

import os
import select
import signal
import time

from fleet_project import FleetProject, wait_until

# Ignores SIGTERM (the SDK's own handler is not set outside of the main thread), and has a
# grandchild that left its session, its parent and its process group.
STUBBORN = '''
import os, signal, threading
import mainstay
signal.signal(signal.SIGTERM, lambda *_: open("asked", "w").close())
if os.fork() == 0:
    os.setsid()
    if os.fork() > 0:
        os._exit(0)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    name = "grandchild-" + os.environ["MAINSTAY_INCARNATION"]
    with open(name + ".part", "w") as f:
        f.write(str(os.getpid()))
    os.rename(name + ".part", name)
    while True:
        signal.pause()
threading.Thread(target=mainstay.Agent().run, daemon=True).start()
while True:
    signal.pause()
'''


def stubborn_fleet(project: FleetProject) -> None:
    project.write("stubborn.py", STUBBORN)
    project.fleet('''
fleet: stubborn
agents:
  stubborn:
    command: [/usr/bin/python3, stubborn.py]
    capabilities: [x]
    stop_grace: 3s
    restart: {policy: always, max_restarts: 50}
''')
    project.up()
    project.wait_agents()


def grandchild(project: FleetProject, incarnation: int) -> int:
    path = project.folder / f"grandchild-{incarnation}"
    wait_until(path.exists, 60, f"the grandchild of start {incarnation}")
    return int(path.read_text())


def gone_after(handle: int, began: float) -> float:
    ready, _, _ = select.select([handle], [], [], 30)
    assert ready, "the process still lives"
    return time.monotonic() - began


def test_a4_a5_sigterm_ignored_is_sigkill_when_the_grace_is_over(project: FleetProject):
    stubborn_fleet(project)
    root = os.pidfd_open(project.agents()["stubborn"]["pid"])
    child = os.pidfd_open(grandchild(project, 1))
    try:
        began = time.monotonic()
        project.daemon.send_signal(signal.SIGTERM)
        took = gone_after(root, began)
        # 10 % of the grace, and on the far side room for a busy machine; by default it is 10 s.
        assert 2.7 <= took < 9
        assert (project.folder / "asked").exists(), "it was asked first"
        gone_after(child, began)
        assert project.daemon.wait(20) == 0
        assert project.agent_pids() == []
    finally:
        os.close(root)
        os.close(child)


def open_files(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def test_a5_nothing_of_an_agent_that_died_remains_in_its_next_life(project: FleetProject):
    stubborn_fleet(project)
    pid = project.agents()["stubborn"]["pid"]
    counts = []
    for life in range(1, 6):
        left = os.pidfd_open(grandchild(project, life))
        try:
            os.kill(pid, signal.SIGKILL)
            gone_after(left, time.monotonic())
        finally:
            os.close(left)
        pid = wait_until(lambda: next_pid(project, life + 1), 90, "its next life")
        counts.append(open_files(project.daemon.pid))
    grandchild(project, 6)
    # The process between the two may not have come to its end yet.
    wait_until(lambda: len(project.agent_pids()) == 2, 20, "one agent and its one grandchild")
    wait_until(lambda: open_files(project.daemon.pid) <= counts[0] + 1, 30,
               f"descriptors are given back; seen {counts}")


def next_pid(project: FleetProject, incarnation: int):
    agent = project.agents()["stubborn"]
    ready = agent["state"] == "healthy" and agent["incarnation"] == incarnation
    return agent["pid"] if ready else None


# Its child's first thread ends and another runs on: what /proc calls a zombie, and what the
# kernel's cgroup.kill passes over.
HALF_ENDED = '''
import ctypes, os, threading, time
import mainstay

def run_on():
    while open(f"/proc/{os.getpid()}/stat").read().rpartition(")")[2].split()[0] != "Z":
        time.sleep(0.001)
    with open("half-ended.part", "w") as f:
        f.write(str(os.getpid()))
    os.rename("half-ended.part", "half-ended")
    while True:
        time.sleep(1000)

if os.fork() == 0:
    os.setsid()
    threading.Thread(target=run_on).start()
    exit_thread = {"x86_64": 60, "aarch64": 93}[os.uname().machine]  # exit(2), of one thread
    ctypes.CDLL(None).syscall(exit_thread, 0)
mainstay.Agent().run()
'''


def test_a5_a_process_whose_first_thread_ended_goes_too(project: FleetProject):
    project.write("half.py", HALF_ENDED)
    project.fleet('''
fleet: half-ended
agents:
  half:
    command: [/usr/bin/python3, half.py]
    capabilities: [x]
    stop_grace: 1s
''')
    project.up()
    project.wait_agents()
    path = project.folder / "half-ended"
    wait_until(path.exists, 60, "the child has one thread left")
    left = os.pidfd_open(int(path.read_text()))
    try:
        project.daemon.send_signal(signal.SIGTERM)
        gone_after(left, time.monotonic())
        assert project.daemon.wait(20) == 0
        assert project.agent_pids() == []
    finally:
        os.close(left)
