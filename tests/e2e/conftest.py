"""End-to-end tests drive the real binary: real processes, real sockets, real SQLite.

MAINSTAY_BINARY names the binary (default: build/release/mainstay). Each test has a project folder
of its own, ports given by the system, and ends every process that it started.
"""
from __future__ import annotations

import os
import pathlib

import pytest

from fleet_project import FleetProject

ROOT = pathlib.Path(__file__).resolve().parents[2]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "slow: takes more than ten seconds")


@pytest.fixture(scope="session")
def binary() -> str:
    path = pathlib.Path(os.environ.get("MAINSTAY_BINARY", ROOT / "build" / "release" / "mainstay"))
    if not path.exists():
        pytest.fail(f"{path} is not built; run `make build` or set MAINSTAY_BINARY")
    return str(path)


@pytest.fixture
def project(binary: str, tmp_path: pathlib.Path):
    made = FleetProject(binary, tmp_path)
    yield made
    made.clean_up()
