"""Repositories made by the tests, with git itself as the only witness."""
from __future__ import annotations

import os
import pathlib
import subprocess

EXAMPLE = pathlib.Path(__file__).resolve().parents[1]


class Repo:
    """A repository in a folder; `commit` writes files and commits all there is."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.clock = 1_700_000_000
        self.git("init", "-q", "-b", "main")

    def git(self, *arguments: str, author: str = "Ann") -> str:
        self.clock += 60
        when = f"{self.clock} +0000"
        env = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "LC_ALL": "C",
               "GIT_CONFIG_NOSYSTEM": "1", "GIT_AUTHOR_NAME": author, "GIT_AUTHOR_DATE": when,
               "GIT_AUTHOR_EMAIL": f"{author}@example.org", "GIT_COMMITTER_NAME": author,
               "GIT_COMMITTER_EMAIL": f"{author}@example.org", "GIT_COMMITTER_DATE": when}
        done = subprocess.run(["git", *arguments], cwd=self.folder, env=env, timeout=60,
                              capture_output=True)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode(errors="surrogateescape")

    def write(self, path: str | bytes, content: str | bytes) -> None:
        target = os.path.join(os.fsencode(self.folder), os.fsencode(path))
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(target, "wb") as out:
            out.write(content.encode() if isinstance(content, str) else content)

    def commit(self, message: str, files: dict | None = None, author: str = "Ann") -> str:
        for path, content in (files or {}).items():
            self.write(path, content)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message, author=author)
        return self.git("rev-parse", "HEAD").strip()


def numbered(count: int, word: str = "line") -> str:
    return "".join(f"{word} {n}\n" for n in range(count))
