"""docs/fleet_file.md names every key of the fleet file, and its example is a valid one."""
from __future__ import annotations

import os
import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOC = ROOT / "docs" / "fleet_file.md"
READS = re.compile(r'(?:fields|root)\.(?:choice|text|texts|names|words|integer|duration|boolean|'
                   r'section|require|find)\("(\w+)"')


def keys_of(*names: str) -> set[str]:
    folder = ROOT / "src" / "fleet" / "manifest"
    return {key for name in names for key in READS.findall((folder / name).read_text())}


def test_every_key_is_there():
    text = DOC.read_text()
    keys = keys_of("manifest.cc", "manifest_agents.cc", "manifest_pipelines.cc")
    assert {"command", "stall_after", "max_parallel", "time"} <= keys
    missing = [key for key in sorted(keys) if not re.search(rf"\b{key}\b", text)]
    assert missing == []


def test_its_example_is_valid(tmp_path: pathlib.Path):
    binary = os.environ.get("MAINSTAY_BINARY")
    if not binary:
        pytest.skip("skipped: MAINSTAY_BINARY is not set")
    example = re.search(r"```yaml\n(.*?)```", DOC.read_text(), re.DOTALL).group(1)
    (tmp_path / "fleet.yaml").write_text(example)
    (tmp_path / "agents").mkdir()
    for name in ("scout.py", "analyst.py", "lint.sh"):
        script = tmp_path / "agents" / name
        script.write_text("#!/bin/sh\n")
        script.chmod(0o755)
    said = subprocess.run([binary, "config", "check"], cwd=tmp_path, capture_output=True,
                          text=True, timeout=120, check=False)
    assert said.returncode == 0, said.stdout + said.stderr
