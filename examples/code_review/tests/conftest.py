"""Fixtures: repositories that a test fills, and the folders that the agents' code lies in."""
import pathlib
import sys

import pytest

FOLDER = pathlib.Path(__file__).resolve().parent
EXAMPLE = FOLDER.parent
sys.path[:0] = [str(EXAMPLE), str(EXAMPLE / "agents"), str(EXAMPLE.parents[1] / "python"),
                str(FOLDER)]

from repos import Repo  # noqa: E402


@pytest.fixture
def repo(tmp_path):
    return Repo(tmp_path / "repo")


@pytest.fixture
def make_repo(tmp_path):
    return lambda name: Repo(tmp_path / name)
