"""End-to-end tests drive the real binary: real processes, real sockets, real SQLite.

MAINSTAY_BINARY names the binary (default: build/release/mainstay). Each test has a project folder
of its own, ports given by the system, and ends every process that it started.
"""
from __future__ import annotations

import contextlib
import os
import pathlib

import pytest

import faulty_disk
import fleet_project
from faulty_disk import FaultyDisk
from fleet_project import FleetProject

ROOT = pathlib.Path(__file__).resolve().parents[2]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "slow: takes more than ten seconds")
    # Nothing that tests talk to is behind a proxy; gRPC would ask one even for this machine.
    for name in ("http_proxy", "https_proxy", "grpc_proxy", "all_proxy"):
        os.environ.pop(name, None)
        os.environ.pop(name.upper(), None)


@pytest.fixture(scope="session")
def binary() -> str:
    path = pathlib.Path(os.environ.get("MAINSTAY_BINARY", ROOT / "build" / "release" / "mainstay"))
    if not path.exists():
        pytest.fail(f"{path} is not built; run `make build` or set MAINSTAY_BINARY")
    fleet_project.patience = slowness(path.read_bytes())
    return str(path)


def slowness(program: bytes) -> float:
    """How many times longer than a release build it may take."""
    if b"__tsan_init" in program:
        return 4.0
    return 2.0 if b"__asan_init" in program else 1.0


@pytest.fixture
def project(binary: str, tmp_path: pathlib.Path):
    made = FleetProject(binary, tmp_path)
    yield made
    made.clean_up()


@pytest.fixture(scope="session")
def fault_shim(binary: str, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    program = pathlib.Path(binary).read_bytes()
    if b"__asan_init" in program or b"__tsan_init" in program:
        pytest.skip("skipped: the runtime of a sanitizer must come before anything preloaded")
    return faulty_disk.build(tmp_path_factory.mktemp("shim"))


@pytest.fixture
def disk(fault_shim: pathlib.Path, tmp_path_factory: pytest.TempPathFactory):
    """A disk that does as the test says, for a daemon that is given `disk.env`."""
    made = FaultyDisk(fault_shim, tmp_path_factory.mktemp("control") / "page")
    yield made
    made.mend()


@pytest.fixture(autouse=True)
def give_back_the_reserve(tmp_path: pathlib.Path):
    """What a daemon keeps back for a full disk, 64 MiB, would fill a small /tmp over all tests."""
    yield
    for folder, _, files in os.walk(tmp_path):  # says nothing of what goes away meanwhile
        if folder.endswith("/.mainstay") and "reserve" in files:
            with contextlib.suppress(OSError):
                os.unlink(os.path.join(folder, "reserve"))
