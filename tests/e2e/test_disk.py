"""Full, read-only and failing disks: rows C1, C3, C8 on a small file system of the test's own."""
from __future__ import annotations

import os
import pathlib
import subprocess

import pytest

from fleet_project import FleetProject, Problem, wait_until


@pytest.fixture
def small_disk(tmp_path: pathlib.Path):
    """A tmpfs of 160 MiB; the reserve needs 64 of them."""
    where = tmp_path / "small"
    where.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=160m,mode=0700", "tmpfs", where],
                          capture_output=True, text=True, check=False)
    if made.returncode != 0:
        pytest.skip(f"skipped: cannot mount a small tmpfs here: {made.stderr.strip()}")
    yield where
    subprocess.run(["umount", "-l", where], check=True)


def fill(folder: pathlib.Path) -> pathlib.Path:
    ballast = folder / "ballast"
    with open(ballast, "wb", buffering=0) as f:
        block = b"\0" * 65536
        try:
            while True:
                f.write(block)
        except OSError:
            pass
    return ballast


def test_c1_c3_full_disk_refuses_new_work_keeps_results_and_recovers(
        binary: str, small_disk: pathlib.Path):
    project = FleetProject(binary, small_disk)
    try:
        project.python_fleet(replicas=1)
        project.up()
        project.wait_agents()
        flag = pathlib.Path(os.environ.get("TMPDIR", "/tmp")) / f"go-{os.getpid()}"
        flag.unlink(missing_ok=True)
        running = project.submit("hold", {"until": str(flag), "seconds": 60})
        wait_until(lambda: project.api("GET", f"/v1/work/{running}")["state"] == "running", 20,
                   "running")
        ballast = fill(small_disk)

        def refused():
            try:
                project.submit("echo", {"x": "y" * 60_000})
                return None
            except Problem as problem:
                return problem
        problem = wait_until(refused, 60, "a submit is refused")
        assert problem.status == 503
        assert problem.body["code"] in ("storage_full", "storage_failed")
        assert problem.body["retryable"] is True

        flag.write_text("")
        assert project.wait_work(running)["state"] == "succeeded"

        ballast.unlink()
        flag.unlink()

        def accepted():
            try:
                return project.submit("echo", {"x": 1})
            except Problem:
                return None
        item = wait_until(accepted, 10, "full service after space came back")
        assert project.wait_work(item)["state"] == "succeeded"
    finally:
        project.clean_up()


def test_a_read_only_project_is_refused_with_the_reason(project: FleetProject,
                                                        small_disk: pathlib.Path):
    inside = FleetProject(project.binary, small_disk)
    inside.python_fleet()
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    refused = inside.cli("up")
    assert refused.returncode != 0
    assert "Read-only" in refused.stderr or "read-only" in refused.stderr
