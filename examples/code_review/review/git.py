"""Runs git on a repository that may be anybody's: read-only, bounded in time, no configured hooks.

A repository's own configuration can name programs that git would start; the options here turn
those off. Paths are bytes in git; `text_of` shows them in JSON.
"""
from __future__ import annotations

import os
import pathlib
import subprocess
import threading
import time
from dataclasses import dataclass
from typing import Dict, Iterator, List, Optional

#: Read-only commands on a repository of another owner are safe with what is switched off here.
SAFE = ["--no-pager", "--no-optional-locks", "-c", "safe.directory=*",
        "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null",
        "-c", "log.showSignature=false", "-c", "protocol.allow=never"]
CHUNK = 1 << 16


class GitError(Exception):
    """git could not answer; the message is for people."""


class GitTimeout(GitError):
    """git did not answer in the time given."""


class NotARepository(GitError):
    """The path is not inside a git repository."""


@dataclass(frozen=True)
class Repository:
    """One repository; `root` is its top folder, or the bare repository itself."""

    root: str
    bare: bool = False


@dataclass(frozen=True)
class TreeFile:
    """A regular file of the newest commit."""

    path: bytes
    blob: str
    size: int


def environment() -> Dict[str, str]:
    """PATH and home only: no GIT_* variable of the caller leads git elsewhere."""
    kept = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "TMPDIR", "USER")}
    return {**kept, "LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0"}


def command(root: str, arguments: List[str]) -> List[str]:
    return ["git", *SAFE, "-C", root, *arguments]


def run(root: str, *arguments: str, seconds: float = 10.0) -> bytes:
    """The output of one git command; GitError with git's own words when it fails."""
    try:
        done = subprocess.run(command(root, list(arguments)), env=environment(),
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds)
    except FileNotFoundError:
        raise GitError("git is not installed (apt-get install git)") from None
    except subprocess.TimeoutExpired:
        raise GitTimeout(f"git {arguments[0]} took longer than {seconds:g} s") from None
    if done.returncode != 0:
        raise GitError(f"git {arguments[0]}: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout


def open_repository(path: str) -> Repository:
    """The repository that `path` lies in."""
    if not os.path.isdir(path):
        raise NotARepository(f"{path} is not a folder" if os.path.lexists(path) else
                             f"there is no folder {path}")
    try:
        bare = run(path, "rev-parse", "--is-bare-repository").strip() == b"true"
        where = "--absolute-git-dir" if bare else "--show-toplevel"
        root = os.fsdecode(run(path, "rev-parse", where).rstrip(b"\n"))
    except GitTimeout:
        raise
    except GitError as error:
        if "not a git repository" in str(error) or "must be run in a work tree" in str(error):
            raise NotARepository(f"{path} is not a git repository") from None
        raise
    return Repository(root, bare)


def head(root: str) -> Optional[str]:
    """The newest commit's hash; None in a repository without commits."""
    try:
        return run(root, "rev-parse", "--verify", "--quiet", "HEAD^{commit}").decode().strip()
    except GitTimeout:
        raise
    except GitError:
        return None


def branch(root: str) -> str:
    """The branch's name; "" when HEAD is detached."""
    try:
        return run(root, "symbolic-ref", "--short", "HEAD").decode(errors="replace").strip()
    except GitError:
        return ""


def is_shallow(root: str) -> bool:
    return run(root, "rev-parse", "--is-shallow-repository").strip() == b"true"


def shallow_commits(root: str) -> set[str]:
    """Commits whose parents were cut off: their change is their whole content."""
    folder = os.fsdecode(run(root, "rev-parse", "--git-common-dir").rstrip(b"\n"))
    try:
        text = (pathlib.Path(root) / folder / "shallow").read_text()
    except OSError:
        return set()
    return set(text.split())


def tree(root: str, seconds: float = 20.0) -> List[TreeFile]:
    """The regular files of the newest commit; links and submodules are not ours to measure."""
    files = []
    for entry in run(root, "ls-tree", "-r", "-z", "--long", "HEAD", seconds=seconds).split(b"\0"):
        if not entry:
            continue
        about, path = entry.split(b"\t", 1)
        mode, kind, blob, size = about.split()
        if kind == b"blob" and mode != b"120000":
            files.append(TreeFile(path, blob.decode(), int(size)))
    return files


def records(root: str, arguments: List[str], give_up: float) -> Iterator[bytes]:
    """The NUL-separated records of a git command as they come.

    `give_up` is on time.monotonic(); past it GitTimeout is raised and git is ended, even when it
    says nothing at all.
    """
    process = subprocess.Popen(command(root, arguments), env=environment(),
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL)
    watchdog = threading.Timer(max(0.0, give_up - time.monotonic()), process.kill)
    watchdog.daemon = True
    watchdog.start()
    assert process.stdout is not None
    try:
        rest = b""
        while chunk := process.stdout.read1(CHUNK):
            *whole, rest = (rest + chunk).split(b"\0")
            yield from whole
        code = process.wait()
        if time.monotonic() >= give_up:
            raise GitTimeout(f"git {arguments[0]} was stopped: its time was over")
        if code != 0:
            raise GitError(f"git {arguments[0]} ended with {code}")
        if rest.strip():
            yield rest
    finally:
        watchdog.cancel()
        process.kill()
        process.wait()
        process.stdout.close()


def text_of(path: bytes) -> str:
    """A path for JSON and people: bytes that are not UTF-8 are shown as \\xNN."""
    return path.decode("utf-8", "backslashreplace")


class BlobReader:
    """Contents of files by hash, through one `git cat-file --batch` that stays. One thread."""

    def __init__(self, root: str) -> None:
        self.root = root
        self._process = subprocess.Popen(command(root, ["cat-file", "--batch"]),
                                         env=environment(), stdin=subprocess.PIPE,
                                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)

    def read(self, blob: str) -> bytes:
        """The content; GitError when there is no such blob or git went away."""
        pipe_in, pipe_out = self._process.stdin, self._process.stdout
        assert pipe_in is not None and pipe_out is not None
        try:
            pipe_in.write(blob.encode() + b"\n")
            pipe_in.flush()
            words = pipe_out.readline().split()
            if len(words) != 3 or words[1] != b"blob":
                raise GitError(f"{self.root} has no file content {blob}")
            size = int(words[2])
            content = pipe_out.read(size + 1)
        except BrokenPipeError:
            raise GitError("git cat-file went away") from None
        if len(content) != size + 1:
            raise GitError("git cat-file went away")
        return content[:-1]

    def close(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self._process.wait(5)
