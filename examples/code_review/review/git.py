"""Runs git on a repository that may be anybody's: read-only, bounded in time, no configured hooks.

A repository's own configuration can name programs that git would start; the options here turn
those off. Nobody's configuration changes an answer: the user's and the system's are not read, and
what counts changes runs where the repository's own is not read either (`isolation`). Paths are
bytes in git; `text_of` shows them in JSON.
"""
from __future__ import annotations

import os
import pathlib
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass
from typing import Dict, Iterator, List, Mapping, Optional

#: Read-only commands on a repository of another owner are safe with what is switched off here.
SAFE = ["--no-pager", "--no-optional-locks", "-c", "safe.directory=*",
        "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null",
        "-c", "log.showSignature=false", "-c", "protocol.allow=never",
        # Derived from the objects, and wrong where it does not fit them: they alone are asked.
        "-c", "core.commitGraph=false",
        # One mailmap for a bare repository and a checked out one: the newest commit's.
        "-c", "mailmap.blob=HEAD:.mailmap", "-c", "mailmap.file=/dev/null",
        "-c", "core.attributesFile=/dev/null", "-c", "core.quotePath=true"]
#: Neither the user's configuration nor the system's, no attributes of theirs, no replaced objects.
NOBODYS = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, "GIT_ATTR_NOSYSTEM": "1",
           "GIT_NO_REPLACE_OBJECTS": "1", "GIT_GRAFT_FILE": os.devnull, "LC_ALL": "C",
           "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0"}
CHUNK = 1 << 16
#: Of what git says on stderr, this much is told.
SAID = 600


class GitError(Exception):
    """git could not answer; the message is for people."""


class GitTimeout(GitError):
    """git did not answer in the time given."""


class NotARepository(GitError):
    """The path is not inside a git repository."""


class Damaged(GitError):
    """The repository lacks objects or refs that it names, so that no answer would be right."""

    def __init__(self, root: str, why: str) -> None:
        super().__init__(f"the repository {root} is damaged or incomplete: {why}; "
                         f"`git -C {root} fsck` names what is missing")


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
    """PATH only: no GIT_* variable of the caller leads git elsewhere, no HOME to configuration."""
    kept = {k: v for k, v in os.environ.items() if k in ("PATH", "TMPDIR", "USER")}
    return {**kept, **NOBODYS}


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
        raise GitError(f"git {arguments[0]}: {said(done.stderr)}")
    return done.stdout


def said(stderr: bytes) -> str:
    """git's last words on one line, for a message."""
    return "; ".join(stderr.decode(errors="replace").split("\n")).strip("; ")[-SAID:]


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
    """The newest commit's hash; None in a repository without commits.

    Damaged when HEAD names a commit that is not there, or a branch whose ref was lost.
    """
    try:
        # Alone, without ^{commit}, this reads refs and no object: it tells the two cases apart.
        commit = run(root, "rev-parse", "--verify", "HEAD").decode().strip()
    except GitTimeout:
        raise
    except GitError as error:
        check_unborn(root, str(error))
        return None
    try:
        run(root, "cat-file", "-e", commit + "^{commit}")
    except GitTimeout:
        raise
    except GitError as error:
        raise Damaged(root, f"HEAD is {commit}, which is no commit that can be read "
                            f"({error})") from None
    return commit


def check_unborn(root: str, why: str) -> None:
    """Damaged or GitError unless HEAD names a branch that never had a commit, among no others."""
    try:
        ref = os.fsdecode(run(root, "symbolic-ref", "HEAD").rstrip(b"\n"))
    except GitTimeout:
        raise
    except GitError:
        raise Damaged(root, f"HEAD leads nowhere ({why})") from None
    folder = os.fsdecode(run(root, "rev-parse", "--git-common-dir").rstrip(b"\n"))
    log = pathlib.Path(root) / folder / "logs" / ref
    if log.exists() and log.stat().st_size > 0:
        raise Damaged(root, f"HEAD names {ref}, which had commits (see {log}) and is gone")
    others = run(root, "for-each-ref", "--count=3", "--format=%(refname:short)")
    if others:
        names = ", ".join(text_of(others).split("\n")[:-1])
        raise GitError(f"HEAD of {root} names {ref}, which has no commits, but there are others "
                       f"({names}): check one of them out, or point HEAD at it with "
                       f"`git -C {root} symbolic-ref HEAD refs/heads/NAME`")


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


def tree(root: str, commit: str = "HEAD", seconds: float = 20.0) -> List[TreeFile]:
    """The regular files of a commit; links and submodules are not ours to measure."""
    try:
        listed = run(root, "ls-tree", "-r", "-z", "--full-tree", "--long", commit,
                     seconds=seconds)
    except GitTimeout:
        raise
    except GitError as error:
        raise Damaged(root, str(error)) from None
    files = []
    for entry in filter(None, listed.split(b"\0")):
        about, path = entry.split(b"\t", 1)
        mode, kind, blob, size = about.split()
        if size == b"BAD":  # git's word for a size that it cannot find out
            raise Damaged(root, f"the content {blob.decode()} of {text_of(path)} is not there")
        if kind == b"blob" and mode != b"120000":
            files.append(TreeFile(path, blob.decode(), int(size)))
    return files


def records(root: str, arguments: List[str], give_up: float,
            extra: Optional[Mapping[str, str]] = None) -> Iterator[bytes]:
    """The NUL-separated records of a git command as they come.

    `give_up` is on time.monotonic(); past it GitTimeout is raised and git is ended, even when it
    says nothing at all. Damaged when git could not go on. `extra`: variables for git.
    """
    complaints = tempfile.TemporaryFile()
    try:
        process = subprocess.Popen(command(root, arguments),
                                   env={**environment(), **(extra or {})},
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=complaints)
    except FileNotFoundError:
        complaints.close()
        raise GitError("git is not installed (apt-get install git)") from None
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
        complaints.seek(0)
        stderr = complaints.read()
        # git can complain of an object, go on without it and end well: the answer is wrong then.
        if code != 0 or any(line.startswith(b"error:") for line in stderr.splitlines()):
            raise Damaged(root, f"git {arguments[0]}: {said(stderr) or f'it ended with {code}'}")
        if rest.strip():
            yield rest
    finally:
        watchdog.cancel()
        process.kill()
        process.wait()
        process.stdout.close()
        complaints.close()


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
        """The content; Damaged when there is none, GitError when git went away."""
        pipe_in, pipe_out = self._process.stdin, self._process.stdout
        assert pipe_in is not None and pipe_out is not None
        try:
            pipe_in.write(blob.encode() + b"\n")
            pipe_in.flush()
            words = pipe_out.readline().split()
            if words[1:2] == [b"missing"]:
                raise Damaged(self.root, f"there is no file content {blob}")
            if len(words) != 3 or words[1] != b"blob":
                raise GitError(f"git cat-file went away over {blob} of {self.root}")
            size = int(words[2])
            content = pipe_out.read(size + 1)
        except BrokenPipeError:
            raise GitError("git cat-file went away") from None
        if len(content) != size + 1:
            raise Damaged(self.root, f"the file content {blob} ends before its {size} bytes")
        return content[:-1]

    def close(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except BrokenPipeError:  # what was not yet written has no reader any more
                    pass
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
