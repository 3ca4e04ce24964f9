"""A daemon that MAINSTAY_URL names is not that of the folder one stands in."""
from __future__ import annotations

import pathlib

import pytest

from fleet_project import FleetProject, wait_until

PIPELINE = """
pipelines:
  hello:
    version: 1
    stages:
      only: {capability: echo}
"""


@pytest.fixture
def two(binary: str, tmp_path: pathlib.Path):
    """The project of the folder, and another one that its CLI is pointed at."""
    made = []
    try:
        for name in ("here", "there"):
            folder = tmp_path / name
            folder.mkdir()
            made.append(FleetProject(binary, folder))
            made[-1].python_fleet(pipelines=PIPELINE)
            made[-1].up()
        here, there = made
        here.env["MAINSTAY_URL"] = "http://" + there.daemon_info()["http_address"]
        here.env["MAINSTAY_TOKEN"] = there.token()
        yield here, there
    finally:
        for project in made:
            project.clean_up()


def test_down_waits_for_the_daemon_that_it_stopped(two):
    here, there = two
    said = here.cli("down")
    assert said.returncode == 0 and said.stdout == "stopped\n", said.stderr
    wait_until(lambda: there.daemon.poll() is not None, what="the other daemon has ended")
    assert here.daemon.poll() is None
    gone = here.cli("runs", "list")
    assert gone.returncode == 3, "the files of this folder say nothing of another daemon"
    assert "MAINSTAY_URL names it" in gone.stderr


def test_down_needs_no_project_of_its_own(two, tmp_path: pathlib.Path):
    here, there = two
    here.folder = tmp_path
    assert here.cli("down").returncode == 0
    wait_until(lambda: there.daemon.poll() is not None, what="the other daemon has ended")


def test_a_run_elsewhere_has_no_folder_here(two):
    here, there = two
    ran = here.cli("run", "hello", "--plain")
    assert ran.returncode == 0, ran.stderr
    run = there.api("GET", "/v1/runs")["runs"][0]["id"]
    assert ran.stdout == run + "\n"
    assert "archive" not in ran.stderr


def test_a_url_of_the_own_daemon_is_the_own_daemon(two):
    _, there = two
    there.env["MAINSTAY_URL"] = "http://" + there.daemon_info()["http_address"]
    there.env["MAINSTAY_TOKEN"] = there.token()
    ran = there.cli("run", "hello", "--plain")
    assert ran.stdout.startswith(str(there.folder / "runs" / "hello")), ran.stderr
    assert there.cli("down").returncode == 0
    assert there.daemon.wait(1) is not None, "its process is waited for"
