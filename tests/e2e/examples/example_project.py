"""A copy of one of the examples as a project of its own, run by the real daemon."""
from __future__ import annotations

import dataclasses
import gzip
import json
import pathlib
import re
import shutil
import sys
from typing import Any, Optional

from fleet_project import ROOT, FleetProject, wait_until

EXAMPLES = ROOT / "examples"
sys.path[:0] = [str(EXAMPLES / "code_review" / "tests"), str(EXAMPLES / "code_review")]

LEFT_OUT = ("runs", ".mainstay", "__pycache__", ".pytest_cache", "tests")


@dataclasses.dataclass
class Reviewed:
    """One finished run: what the command said, and the folder it named."""

    code: int
    said: str
    folder: pathlib.Path

    @property
    def id(self) -> str:
        return self.folder.name

    def is_whole(self) -> bool:
        path = self.folder / "logs_summary.txt"
        return path.exists() and "SHA-256: " in path.read_text()

    @property
    def summary(self) -> str:
        return (self.folder / "logs_summary.txt").read_text()

    def artifact(self, name: str) -> str:
        return (self.folder / "artifacts" / name).read_text()

    @property
    def hotspots(self) -> dict:
        return json.loads(self.artifact("hotspots.json"))


class ExampleProject(FleetProject):
    """`example` copied into `folder`; tests may change the copy before up()."""

    def __init__(self, binary: str, folder: pathlib.Path, example: str) -> None:
        shutil.copytree(EXAMPLES / example, folder, ignore=shutil.ignore_patterns(*LEFT_OUT))
        super().__init__(binary, folder)
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            self.env.pop(name, None)
        for name in ("MODEL_API_KEY", "MODEL_BASE_URL", "MODEL_NAME"):
            self.env.pop(name, None)

    def change(self, name: str, old: str, new: str) -> None:
        """Replaces a text of a file of the copy; the text must be there."""
        path = self.folder / name
        text = path.read_text()
        assert old in text, f"{name} has no {old!r}"
        path.write_text(text.replace(old, new))

    def wait_agents(self, state: str = "healthy", seconds: float = 120) -> dict[str, dict]:
        return super().wait_agents(state, seconds)  # eight Pythons that start at once

    def run_pipeline(self, pipeline: str, value: dict, seconds: float = 300) -> Reviewed:
        done = self.cli("run", pipeline, "--input-json", json.dumps(value), seconds=seconds)
        assert done.stdout.strip(), done.stderr
        run = Reviewed(done.returncode, done.stderr,
                       pathlib.Path(done.stdout.strip().splitlines()[-1]))
        # The command waits ten seconds for the folder to be whole, a slow machine may need more.
        wait_until(run.is_whole, 60, f"the archive of {run.folder}")
        return run

    def review(self, repository: object, seconds: float = 300, **more: Any) -> Reviewed:
        return self.run_pipeline("review", {"path": str(repository), **more}, seconds)

    def item(self, run_id: str, stage: str) -> dict:
        """The only item of a stage, with its input and output."""
        listed = self.api("GET", f"/v1/work?run={run_id}&limit=1000")["work"]
        (found,) = [w["id"] for w in listed if w["step"]["stage"] == stage]
        return self.api("GET", f"/v1/work/{found}")

    def analysed(self, run_id: str) -> list[dict]:
        """What the analysts reported, in the order in which the reviewer got it."""
        return self.item(run_id, "rank")["input"]["files"]

    def step(self, run_id: str, stage: str) -> dict:
        steps = self.api("GET", f"/v1/runs/{run_id}")["steps"]
        (found,) = [s for s in steps if s["stage"] == stage]
        return found

    def wait_items_done(self, run_id: str, stage: str, count: int, seconds: float = 60) -> dict:
        """Waits until so many items of the stage are done; fails when all are."""
        def far_enough() -> Optional[dict]:
            step = self.step(run_id, stage)
            assert step["state"] in ("waiting", "running"), f"too late: {step}"
            return step if step["items_done"] >= count else None
        return wait_until(far_enough, seconds, f"{count} items of {stage}")

    def files_with(self, secret: str) -> list[str]:
        """Every file of the project folder in which a text stands, compressed or not."""
        found = []
        for path in sorted(self.folder.rglob("*")):
            if not path.is_file() or path.is_symlink():
                continue
            content = path.read_bytes()
            if content[:2] == b"\x1f\x8b":
                content += gzip.decompress(content)
            if secret.encode() in content:
                found.append(str(path.relative_to(self.folder)))
        return found


def table_rows(markdown: str) -> list[list[str]]:
    """The cells of the hottest files' table, as a reader of the Markdown sees them."""
    rows = []
    for line in markdown.splitlines():
        cells = [re.sub(r"\\(.)", r"\1", c.strip()) for c in re.split(r"(?<!\\)\|", line)[1:-1]]
        if len(cells) == 8 and cells[0].isdigit():
            rows.append(cells)
    return rows
