"""Fixtures: a link server on a Unix socket of its own, and the environment of an agent."""
from __future__ import annotations

import pathlib
import shutil
import subprocess
import sys
import tempfile

import pytest

FOLDER = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(FOLDER.parent), str(FOLDER)]

subprocess.run([sys.executable, str(FOLDER.parents[1] / "tools" / "gen_python_stubs")],
               check=True, timeout=120)

import mainstay  # noqa: E402
from link_server import TOKEN, LinkServer  # noqa: E402


@pytest.fixture
def socket_folder():
    """Short, because a Unix socket's path is limited to about 100 characters."""
    folder = tempfile.mkdtemp(prefix="ms-")
    yield pathlib.Path(folder)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def link(socket_folder, monkeypatch):
    server = LinkServer(f"unix:{socket_folder}/link.sock").start()
    monkeypatch.setenv("MAINSTAY_LINK", server.target)
    monkeypatch.setenv("MAINSTAY_TOKEN", TOKEN)
    monkeypatch.setenv("MAINSTAY_AGENT", "tester")
    monkeypatch.setenv("MAINSTAY_INCARNATION", "7")
    yield server
    server.stop()


@pytest.fixture
def agent(link):
    """An agent that a test gives handlers to and then starts; stopped at the end."""
    made = mainstay.Agent("ignored", grace=5.0)
    yield made
    made.stop(grace=0.2)
