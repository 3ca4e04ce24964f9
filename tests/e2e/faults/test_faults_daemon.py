"""A daemon that is killed, and two daemons on one folder: rows B4 and B7. (B1 is in
test_durability.py.)"""
from __future__ import annotations

import os
import pathlib
import signal
import subprocess
import threading

import pytest

from fleet_project import FleetProject, wait_until


def is_alive(pid: int) -> bool:
    """A zombie runs nothing and holds nothing; reaping it is its parent's affair."""
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


class MostAtOnce:
    """Counts the processes of the fleet again and again, in the background."""

    def __init__(self, project: FleetProject) -> None:
        self.most = 0
        self._project = project
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._count)

    def __enter__(self) -> "MostAtOnce":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(20)

    def _count(self) -> None:
        while not self._over.wait(0.01):
            self.most = max(self.most, len(self._project.agent_pids()))


def pids_of(project: FleetProject) -> dict[str, int]:
    return {name: agent["pid"] for name, agent in project.wait_agents().items()}


def test_b4_agents_outlive_a_killed_daemon_and_are_adopted(project: FleetProject):
    project.python_fleet(replicas=2)
    project.up()
    before = pids_of(project)
    project.kill()
    for pid in before.values():
        os.kill(pid, 0)
    with MostAtOnce(project) as count:
        project.up()
        assert pids_of(project) == before
    assert count.most == 2
    assert project.wait_work(project.submit("echo"))["state"] == "succeeded"
    assert len(project.agent_pids()) == 2


# Says when it has begun with an item, and goes on until a file appears (bounded).
HOLDER = '''
import os, threading
import mainstay
agent = mainstay.Agent()

@agent.capability("hold")
def hold(item, ctx):
    open(item.input["began"], "w").close()
    nap = threading.Event()
    for _ in range(120 * 50):
        if os.path.exists(item.input["until"]) or ctx.cancelled:
            break
        nap.wait(0.02)
    return {"attempt": item.attempt}
agent.run()
'''


@pytest.fixture
def detached(project: FleetProject):
    """Starts the daemon in the background, as people do; gives its pid."""
    started = []

    def start() -> int:
        done = project.cli("up", "--detach")
        assert done.returncode == 0, done.stderr
        started.append(project.daemon_info()["pid"])
        return started[-1]
    yield start
    project.cli("down")
    for pid in started:
        try:
            wait_until(lambda: not is_alive(pid), 60, f"daemon {pid} ended")
        except AssertionError:
            os.kill(pid, signal.SIGKILL)
            raise


def test_b4_agents_of_a_detached_daemon_outlive_it_and_are_adopted(project: FleetProject,
                                                                   detached):
    project.write("holder.py", HOLDER)
    project.fleet('''
fleet: held
agents:
  worker:
    command: [/usr/bin/python3, holder.py]
    replicas: 2
    capabilities: [hold]
''')
    daemon = detached()
    before = pids_of(project)
    for n in range(3):
        began, flag = project.folder / f"began-{n}", project.folder / f"go-{n}"
        item = project.submit("hold", {"began": str(began), "until": str(flag)})
        # An item is `running` a moment before its agent has it; killed in between, the daemon
        # would have to give it out once more.
        wait_until(began.exists, 60, "the agent is at it")
        os.kill(daemon, signal.SIGKILL)
        wait_until(lambda: not is_alive(daemon), 20, "the daemon is gone")
        assert all(is_alive(pid) for pid in before.values())
        with MostAtOnce(project) as count:
            again = detached()
            assert again != daemon
            assert pids_of(project) == before, "the same processes"
        assert count.most == 2, "never two copies"
        flag.write_text("")
        result = project.wait_work(item)
        assert result["state"] == "succeeded" and result["output"]["attempt"] == 1
        daemon = again
    assert all(a["restarts"] == 0 for a in project.agents().values())
    assert project.cli("down").returncode == 0
    wait_until(lambda: not is_alive(daemon), 60, "the daemon ended")
    assert project.agent_pids() == []


def test_b4_an_agent_that_died_with_the_daemon_is_started_once(project: FleetProject):
    project.python_fleet(replicas=1)
    project.up()
    pid = project.wait_agents()["worker"]["pid"]
    project.kill()
    os.kill(pid, signal.SIGKILL)
    with MostAtOnce(project) as count:
        project.up()
        assert project.wait_agents()["worker"]["pid"] != pid
    assert count.most == 1
    assert len(project.agent_pids()) == 1


def test_a2_what_has_ended_stays_so_when_the_daemon_comes_back(project: FleetProject):
    project.write("once.py", """
import mainstay
with open("starts.log", "a") as f:
    f.write("start\\n")
raise SystemExit(3)
""")
    project.fleet("""
fleet: once
agents:
  once:
    command: [/usr/bin/python3, once.py]
    capabilities: [once]
    restart: {policy: never}
""")
    project.up()
    project.wait_agent("once", "failed")
    reason = project.agents()["once"]["reason"]
    for _ in range(2):
        project.kill()
        project.up()
        agent = project.agents()["once"]
        assert (agent["state"], agent["incarnation"]) == ("failed", 1)
        assert agent["reason"] == reason
    assert (project.folder / "starts.log").read_text() == "start\n"
    # Asked for anew, it is started anew.
    assert project.down() == 0
    project.up()
    wait_until(lambda: project.agents()["once"]["incarnation"] == 2, 20, "another start")
    project.wait_agent("once", "failed")


def test_b4_agents_whose_spec_changed_meanwhile_are_replaced_not_doubled(project: FleetProject):
    project.python_fleet(replicas=2)
    project.up()
    before = pids_of(project)
    project.kill()
    project.python_fleet(replicas=2, options="env: {NEW: \"1\"}")
    with MostAtOnce(project) as count:
        project.up()
        after = pids_of(project)
    assert not set(after.values()) & set(before.values())
    assert count.most <= 2, "the old one is gone before the new one starts"


def contents(folder: pathlib.Path) -> dict[str, tuple]:
    found = {}
    for path in sorted(folder.rglob("*")):
        info = path.lstat()
        found[str(path)] = (info.st_ino, info.st_size, info.st_mtime_ns, info.st_ctime_ns)
    return found


def is_stopped(pid: int) -> bool:
    """Whether all of its threads are: one that is in the middle of a write finishes that first."""
    try:
        return all((thread / "stat").read_text().rpartition(")")[2].split()[0] == "T"
                   for thread in pathlib.Path(f"/proc/{pid}/task").iterdir())
    except OSError:  # a thread that ended meanwhile
        return False


@pytest.mark.parametrize("how", [("up",), ("up", "--detach")], ids=["up", "up-detach"])
def test_b7_a_second_daemon_refuses_before_it_touches_anything(project: FleetProject, how: tuple):
    project.python_fleet()
    project.up()
    project.wait_agents()
    # Nobody but the second one can change a file now.
    os.kill(project.daemon.pid, signal.SIGSTOP)
    try:
        wait_until(lambda: is_stopped(project.daemon.pid), 20, "the daemon stands still")
        before = contents(project.folder / ".mainstay")
        second = project.cli(*how)
        assert second.returncode == 1
        assert str(project.daemon.pid) in second.stderr
        assert contents(project.folder / ".mainstay") == before
    finally:
        os.kill(project.daemon.pid, signal.SIGCONT)
    assert project.wait_work(project.submit("echo"))["state"] == "succeeded"


def test_b7_a_stale_lock_does_not_stand_in_the_way(project: FleetProject):
    project.python_fleet()
    project.up()
    project.wait_agents()
    project.kill()
    lock = project.folder / ".mainstay" / "lock"
    assert lock.exists()
    lock.write_text(f"{os.getpid()}\n")  # even one that names a process that lives
    project.up()
    assert project.wait_work(project.submit("echo"))["state"] == "succeeded"


def test_b7_of_many_started_at_once_one_serves(project: FleetProject):
    project.python_fleet()
    several = [subprocess.Popen([project.binary, "up"], cwd=project.folder, env=project.env,
                                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                stderr=subprocess.PIPE, text=True, start_new_session=True)
               for _ in range(5)]
    refused = []
    try:
        wait_until(lambda: sum(p.poll() is not None for p in several) == 4, 90, "four refuse")
        project.daemon = next(p for p in several if p.poll() is None)
        refused = [p for p in several if p is not project.daemon]
        wait_until(project.is_ready, 90, "the one is ready")
        project.wait_agents()
        assert len(project.agent_pids()) == 1
        assert [p.returncode for p in refused] == [1] * 4
        for process in refused:
            assert f"has {project.folder}/.mainstay/lock" in process.stderr.read()
    finally:
        for process in several:
            if process is not project.daemon and process.poll() is None:
                process.kill()
        project.clean_up()
        for process in several:
            process.stderr.close()
            process.wait(20)
