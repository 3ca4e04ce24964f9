"""Disks that are full, out of inodes, read-only or over quota: rows C1, C3, C8, each on a small
file system of the test's own."""
from __future__ import annotations

import contextlib
import errno
import http.client
import os
import pathlib
import sqlite3
import subprocess

import pytest

from faulty_disk import ALLOCATE, FaultyDisk, WRITE
from fleet_project import FleetProject, Problem, wait_until


def mounted(where: pathlib.Path, *command: str) -> pathlib.Path:
    where.mkdir(exist_ok=True)
    made = subprocess.run(["mount", *command, str(where)], capture_output=True, text=True,
                          check=False)
    if made.returncode != 0:
        pytest.skip(f"skipped: cannot mount a small disk here: {made.stderr.strip()}")
    return where


@pytest.fixture
def small_disk(tmp_path: pathlib.Path):
    """A tmpfs of 160 MiB; the reserve needs 64 of them."""
    where = mounted(tmp_path / "small", "-t", "tmpfs", "-o", "size=160m,mode=0700", "tmpfs")
    yield where
    subprocess.run(["umount", "-l", where], check=False)


@pytest.fixture
def few_inodes(tmp_path: pathlib.Path):
    where = mounted(tmp_path / "few", "-t", "tmpfs", "-o", "size=256m,nr_inodes=400,mode=0700",
                    "tmpfs")
    yield where
    subprocess.run(["umount", "-l", where], check=False)


@pytest.fixture
def ext4_disk(tmp_path: pathlib.Path):
    if not os.path.exists("/sbin/mkfs.ext4"):
        pytest.skip("skipped: there is no mkfs.ext4 (e2fsprogs)")
    image = tmp_path / "image"
    with open(image, "wb") as file:
        file.truncate(256 << 20)
    made = subprocess.run(["/sbin/mkfs.ext4", "-q", "-F", image], capture_output=True, text=True,
                          check=False)
    if made.returncode != 0:
        pytest.skip(f"skipped: no mkfs.ext4: {made.stderr.strip()}")
    where = mounted(tmp_path / "ext4", "-o", "loop", str(image))
    yield where
    subprocess.run(["umount", "-l", where], check=False)  # a test that failed may have done it


def fill(folder: pathlib.Path) -> pathlib.Path:
    ballast = folder / "ballast"
    with open(ballast, "ab", buffering=0) as f:
        block = b"\0" * 65536
        try:
            while True:
                f.write(block)
        except OSError:
            pass
    return ballast


def fill_to_the_last(folder: pathlib.Path) -> pathlib.Path:
    """Also what is left between the blocks of fill()."""
    ballast = fill(folder)
    with open(ballast, "ab", buffering=0) as f:
        try:
            while True:
                f.write(b"\0" * 512)
        except OSError:
            pass
    return ballast


def fill_inodes(folder: pathlib.Path) -> list[pathlib.Path]:
    files = []
    try:
        while True:
            file = folder / f"inode-{len(files)}"
            file.touch()
            files.append(file)
    except OSError as error:
        assert error.errno == errno.ENOSPC
    return files


class HeldItem:
    """An item that runs while the disk is in trouble, and ends when told."""

    def __init__(self, project: FleetProject, folder: pathlib.Path) -> None:
        self.project = project
        self.flag = folder / "go"
        self.id = project.submit("hold", {"until": str(self.flag), "seconds": 600})
        wait_until(lambda: project.api("GET", f"/v1/work/{self.id}")["state"] == "running", 60,
                   "running")

    def finish(self) -> None:
        self.flag.write_text("")

    def assert_succeeded(self) -> None:
        assert self.project.wait_work(self.id)["state"] == "succeeded"


def refusal(project: FleetProject, size: int = 60_000) -> Problem:
    """Submits until one is refused; what was taken before was taken rightly."""
    def refused():
        try:
            project.submit("echo", {"x": "y" * size})
            return None
        except Problem as problem:
            return problem
    problem = wait_until(refused, 60, "a submit is refused")
    assert problem.status == 503
    assert problem.body["retryable"] is True
    return problem


def assert_served_again(project: FleetProject, seconds: float = 10) -> None:
    def accepted():
        try:
            return project.submit("echo", {"x": 1})
        except Problem:
            return None
    item = wait_until(accepted, seconds, "full service without a restart")
    assert project.wait_work(item)["state"] == "succeeded"


def readiness(project: FleetProject) -> bytes:
    status, body, _ = project.raw("GET", "/readyz")
    return b"" if status == 200 else body


def test_c1_c3_full_disk_refuses_new_work_keeps_results_and_recovers(
        binary: str, small_disk: pathlib.Path, tmp_path: pathlib.Path):
    project = FleetProject(binary, small_disk)
    try:
        project.python_fleet(replicas=1)
        project.up()
        pid = project.wait_agents()["worker"]["pid"]
        held = HeldItem(project, tmp_path)
        ballast = fill(small_disk)
        problem = refusal(project)
        assert problem.body["code"] in ("storage_full", "storage_failed")
        assert b"no space" in readiness(project)
        held.finish()
        held.assert_succeeded()
        assert project.agents()["worker"]["pid"] == pid
        ballast.unlink()
        assert_served_again(project)
        assert readiness(project) == b""
    finally:
        project.clean_up()


def descriptions_kept(project: FleetProject) -> set:
    path = project.folder / ".mainstay" / "mainstay.db"
    database = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=60)
    try:
        return {row[0] for row in database.execute("SELECT description FROM work_items")}
    finally:
        database.close()


def test_c1_what_a_full_disk_refuses_is_not_kept(binary: str, small_disk: pathlib.Path):
    project = FleetProject(binary, small_disk)
    try:
        project.python_fleet()
        project.up()
        project.wait_agents()
        fill_to_the_last(small_disk)
        refused = set()
        for n in range(2000):
            try:
                project.submit("echo", {"pad": "y" * 3000}, description=f"item {n}")
            except Problem as problem:
                assert problem.body["code"] == "storage_full", problem.body
                refused.add(f"item {n}")
                if len(refused) == 20:
                    break
        assert refused, "the disk is full"
        assert not refused & descriptions_kept(project)
    finally:
        project.clean_up()


def up_on_a_full_disk(project: FleetProject) -> None:
    """Up, and serving: it answers, and says what is wrong."""
    project.up(ready=False)

    def says_why() -> bool:
        assert project.daemon.poll() is None, project.log_text()
        try:
            mine = project.daemon_info()["pid"] == project.daemon.pid
            return mine and b"no space" in readiness(project)
        except (OSError, ValueError, KeyError, http.client.HTTPException):
            return False
    wait_until(says_why, 60, project.with_log("the daemon answers and says why"))


def test_c1_a_daemon_that_was_killed_comes_back_on_a_full_disk(
        binary: str, small_disk: pathlib.Path):
    project = FleetProject(binary, small_disk)
    try:
        project.python_fleet()
        project.up()
        pid = project.wait_agents()["worker"]["pid"]
        project.kill()
        ballast = fill_to_the_last(small_disk)  # the reserve is still there
        up_on_a_full_disk(project)
        assert project.wait_agents()["worker"]["pid"] == pid, "in charge of its agents"
        ballast.unlink()
        assert_served_again(project)
        wait_until(lambda: readiness(project) == b"", 30, "ready")
    finally:
        project.clean_up()


def test_c1_without_reserve_it_comes_back_and_takes_the_fleet_over_when_there_is_space(
        binary: str, small_disk: pathlib.Path):
    project = FleetProject(binary, small_disk)
    try:
        project.python_fleet()
        project.up()
        pid = project.wait_agents()["worker"]["pid"]
        fill_to_the_last(small_disk)
        refusal(project, 3_000)
        project.kill()
        ballast = fill_to_the_last(small_disk)  # what was the reserve
        up_on_a_full_disk(project)
        assert project.agent_pids() == [pid], "it runs on meanwhile"
        ballast.unlink()
        wait_until(lambda: readiness(project) == b"", 60, "ready by itself")
        assert project.wait_agents()["worker"]["pid"] == pid
        assert_served_again(project)
    finally:
        project.clean_up()


def test_c8_without_inodes_large_work_is_refused_and_the_rest_goes_on(
        binary: str, few_inodes: pathlib.Path, tmp_path: pathlib.Path):
    """Rows go into files that are there already; a blob needs an inode of its own."""
    project = FleetProject(binary, few_inodes)
    try:
        project.python_fleet(replicas=2)
        project.up()
        project.wait_agents()
        held = HeldItem(project, tmp_path)
        files = fill_inodes(few_inodes)
        problem = refusal(project, 100_000)
        assert problem.body["code"] == "storage_full"
        assert "No space left" in problem.body["detail"]
        assert project.wait_work(project.submit("echo", {"x": 1}))["state"] == "succeeded"
        held.finish()
        held.assert_succeeded()
        for file in files:
            file.unlink()
        large = {"x": "y" * 100_000}
        assert project.wait_work(project.submit("echo", large))["output"]["echo"] == large
    finally:
        project.clean_up()


def test_c8_a_disk_that_becomes_read_only_is_told_and_loses_nothing(
        binary: str, ext4_disk: pathlib.Path, tmp_path: pathlib.Path):
    project = FleetProject(binary, ext4_disk)
    try:
        project.python_fleet()
        subprocess.run(["sync", "-f", ext4_disk], check=True)  # the test's own files
        project.up()
        pid = project.wait_agents()["worker"]["pid"]
        items = [project.submit("echo", {"n": n}) for n in range(20)]
        for item in items:
            assert project.wait_work(item)["state"] == "succeeded"
        # What the kernel does by itself when the file system is damaged.
        aborted = subprocess.run(["mount", "-o", "remount,abort", ext4_disk], capture_output=True,
                                 text=True, check=False)
        if not is_read_only(ext4_disk):
            pytest.skip(f"skipped: this kernel has no remount,abort: {aborted.stderr.strip()}")
        problem = refusal(project, 10)
        assert problem.body["code"] == "storage_failed"
        told = wait_until(lambda: readiness(project), 30, "health tells of it")
        assert b"read-only" in told or b"Read-only" in told or b"failed" in told
        assert project.agents()["worker"]["pid"] == pid, "agents run on"
        project.kill()
        for agent in project.agent_pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(agent, 9)
        wait_until(lambda: not project.agent_pids(), what="the agents ended")
        # Threads that are killed let go of their files a moment after they are seen no more.
        wait_until(lambda: subprocess.run(["umount", ext4_disk], check=False).returncode == 0, 60,
                   "nothing holds the disk")
        subprocess.run(["/sbin/e2fsck", "-p", tmp_path / "image"], capture_output=True, check=False)
        mounted(ext4_disk, "-o", "loop", str(tmp_path / "image"))
        project.up()
        project.wait_agents()
        for n, item in enumerate(items):
            kept = project.api("GET", f"/v1/work/{item}")
            assert kept["state"] == "succeeded" and kept["output"]["echo"] == {"n": n}
        assert_served_again(project)
    finally:
        project.clean_up()


def is_read_only(folder: pathlib.Path) -> bool:
    try:
        (folder / "probe").touch()
        (folder / "probe").unlink()
        return False
    except OSError as error:
        return error.errno == errno.EROFS


def test_c8_a_used_up_quota_is_told_by_its_name(project: FleetProject, disk: FaultyDisk,
                                                tmp_path_factory: pytest.TempPathFactory):
    """By the shim: root, who runs the tests, has no quota."""
    project.python_fleet(replicas=2)
    project.up(env=disk.env)
    project.wait_agents()
    held = HeldItem(project, tmp_path_factory.mktemp("flag"))
    disk.fail(WRITE | ALLOCATE, "mainstay.db", error=errno.EDQUOT)
    refusal(project, 10)
    assert b"quota" in wait_until(lambda: readiness(project), 30, "health tells of it")
    disk.mend()
    assert_served_again(project)
    held.finish()
    held.assert_succeeded()


def test_c8_a_read_only_project_is_refused_with_the_reason(project: FleetProject,
                                                           small_disk: pathlib.Path):
    inside = FleetProject(project.binary, small_disk)
    inside.python_fleet()
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    refused = inside.cli("up", seconds=30)
    assert refused.returncode != 0
    assert "Read-only" in refused.stderr or "read-only" in refused.stderr
