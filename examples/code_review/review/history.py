"""Churn and authors of every file, from one pass over the whole history.

`git log --numstat` tells for each commit the lines added and deleted in each file. Renames are
followed: what a file was called before counts for the name it has now. A merge has no changes of
its own, as in git's own counts; binary files have commits but no lines.
"""
from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Dict, Iterable, Iterator, List, Optional, Set, Tuple

from . import git, isolation

HEADER = b"\x02"
SEPARATOR = "\x1f"
# Children come before parents, so that a rename is seen before what it renamed.
# Two files are one renamed when half of it is the same; of more than 1,000 nobody tries.
LOG = ["log", "-z", "--topo-order", "--numstat", "-M50%", "-l1000", "--diff-algorithm=myers",
       "--no-ext-diff", "--no-textconv",
       "--format=%x02%H%x1f%at%x1f%aN%x1f%aE%x1f%P", "HEAD"]


@dataclass(frozen=True)
class Commit:
    """The header of one commit."""

    hash: str
    time: int
    author: str
    parents: int


@dataclass(frozen=True)
class Change:
    """One file in one commit; None lines: binary."""

    path: bytes
    added: Optional[int]
    deleted: Optional[int]
    old_path: Optional[bytes] = None


@dataclass
class FileHistory:
    """All that happened to one file."""

    commits: int = 0
    added: int = 0
    deleted: int = 0
    binary_changes: int = 0
    renames: int = 0
    first: int = 0
    last: int = 0
    #: Lines that came from the cut-off end of a shallow clone, not from a change.
    cut_off_lines: int = 0
    authors: Counter = field(default_factory=Counter)

    @property
    def churn(self) -> int:
        """Lines added plus lines deleted, as `git log --numstat` counts them."""
        return self.added + self.deleted

    def add(self, commit: Commit, change: Change, cut_off: bool) -> None:
        self.commits += 1
        self.authors[commit.author] += 1
        self.first = min(self.first or commit.time, commit.time)
        self.last = max(self.last, commit.time)
        self.renames += change.old_path is not None
        if change.added is None or change.deleted is None:
            self.binary_changes += 1
            return
        self.added += change.added
        self.deleted += change.deleted
        if cut_off:
            self.cut_off_lines += change.added + change.deleted

    def merge(self, other: "FileHistory") -> None:
        self.commits += other.commits
        self.added += other.added
        self.deleted += other.deleted
        self.binary_changes += other.binary_changes
        self.renames += other.renames
        self.cut_off_lines += other.cut_off_lines
        self.authors.update(other.authors)
        self.first = min(filter(None, (self.first, other.first)), default=0)
        self.last = max(self.last, other.last)


@dataclass
class History:
    """The whole history of a repository."""

    files: Dict[bytes, FileHistory] = field(default_factory=dict)
    commits: int = 0
    merges: int = 0
    authors: Counter = field(default_factory=Counter)
    first: int = 0
    last: int = 0
    #: Why older commits are missing; "" when the history is whole.
    cut: str = ""


def parse(records: Iterable[bytes]) -> Iterator[Tuple[Commit, List[Change]]]:
    """Commits with their changes from the records of `git log -z --numstat`."""
    commit: Optional[Commit] = None
    changes: List[Change] = []
    stream = iter(records)
    for record in stream:
        if record.startswith(HEADER):
            if commit is not None:
                yield commit, changes
            commit, changes = parse_header(record), []
            continue
        record = record.lstrip(b"\n")
        if not record:
            continue
        added, deleted, path = record.split(b"\t", 2)
        if path:
            changes.append(Change(path, lines(added), lines(deleted)))
        else:  # a rename: the two names follow as records of their own
            old, new = next(stream, b""), next(stream, b"")
            changes.append(Change(new, lines(added), lines(deleted), old))
    if commit is not None:
        yield commit, changes


def parse_header(record: bytes) -> Commit:
    parts = record[1:].decode("utf-8", "replace").split(SEPARATOR)
    name, address = parts[2], parts[3]
    time = int(parts[1]) if parts[1].lstrip("-").isdigit() else 0
    return Commit(parts[0], time, name or address or "unknown", len(parts[-1].split()))


def lines(text: bytes) -> Optional[int]:
    return None if text == b"-" else int(text)


class Collector:
    """Adds commits up, newest first, and knows every file by the name it has now."""

    def __init__(self, cut_off: Set[str]) -> None:
        self.history = History()
        self._cut_off = cut_off
        self._now: Dict[bytes, bytes] = {}

    def add(self, commit: Commit, changes: List[Change]) -> None:
        history = self.history
        history.commits += 1
        history.merges += commit.parents > 1
        history.authors[commit.author] += 1
        history.first = min(history.first or commit.time, commit.time)
        history.last = max(history.last, commit.time)
        cut_off = commit.hash in self._cut_off
        renamed = {}
        for change in changes:
            name = self._now.get(change.path, change.path)
            history.files.setdefault(name, FileHistory()).add(commit, change, cut_off)
            if change.old_path is not None:
                renamed[change.old_path] = name
        # After the commit as a whole: two files may have swapped their names in it.
        self._now.update(renamed)

    def finish(self, present: Set[bytes]) -> History:
        """What a side branch did to a file's old name, before its rename was seen, is its own."""
        files = self.history.files
        for name in [n for n in files if n not in present]:
            now, seen = name, {name}
            while now not in present and now in self._now and self._now[now] not in seen:
                now = self._now[now]
                seen.add(now)
            if now != name and now in present:
                files.setdefault(now, FileHistory()).merge(files.pop(name))
        return self.history


def read(root: str, commit: str, present: Set[bytes], give_up: float) -> History:
    """The history of all files up to `commit`, of which `present` are the names there.

    Older commits are left out when time runs out, and it says so.

    git.Damaged when an object that it needs is missing: a count without it would be wrong.
    """
    shallow = git.is_shallow(root)
    collector = Collector(git.shallow_commits(root) if shallow else set())
    try:
        with isolation.over(root, commit) as variables:
            for one, changes in parse(git.records(root, LOG, give_up, variables)):
                collector.add(one, changes)
    except git.GitTimeout:
        collector.history.cut = "the time for reading it was over"
    if shallow and not collector.history.cut:
        collector.history.cut = "the clone is shallow"
    return collector.finish(present)
