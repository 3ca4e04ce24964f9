"""Chooses the files of a repository that are worth a look, with the history of each."""
from __future__ import annotations

import time
from typing import Any, Dict, List, Tuple

from . import git, history, source

MAX_FILES = 1000
#: cppcheck is slow: only the most changed C and C++ files are given to it.
MAX_LINTED = 12
TOP_AUTHORS = 3


def survey(path: str, seconds: float, max_files: int = MAX_FILES,
           max_linted: int = MAX_LINTED) -> Dict[str, Any]:
    """What scout reports: the repository, its files and those to be linted."""
    give_up = time.monotonic() + seconds
    repository = git.open_repository(path)
    commit = git.head(repository.root)
    about: Dict[str, Any] = {"root": repository.root, "commit": commit or "",
                             "branch": git.branch(repository.root), "bare": repository.bare}
    if commit is None:
        about.update(note="the repository has no commits", commits=0, merges=0, authors=0,
                     first=0, last=0, files_in_tree=0, files_known=0, cut="")
        return {"repository": about, "files": [], "cpp_files": []}
    tree = git.tree(repository.root, commit)
    past = history.read(repository.root, commit, {f.path for f in tree}, give_up)
    known = [(f, language) for f in tree if (language := source.language_of(git.text_of(f.path)))]
    files = chosen(known, past, repository.root, max_files)
    about.update(
        note="", commits=past.commits, merges=past.merges, authors=len(past.authors),
        first=past.first, last=past.last, files_in_tree=len(tree), files_known=len(known),
        cut=past.cut)
    linted = [f for f in files if f["language"] in ("c", "cpp") and
              not f["path"].endswith((".h", ".hpp", ".hh"))]
    return {"repository": about, "files": files, "cpp_files": linted[:max_linted]}


def chosen(known: List[Tuple[git.TreeFile, str]], past: history.History, root: str,
           most: int) -> List[Dict[str, Any]]:
    """The most changed files first, at most `most`."""
    rows = [describe(file, language, past.files.get(file.path, history.FileHistory()), root)
            for file, language in known]
    rows.sort(key=lambda r: (-(r["churn"] - r["cut_off_lines"]), -r["commits"], r["path"]))
    return rows[:most]


def describe(file: git.TreeFile, language: str, past: history.FileHistory,
             root: str) -> Dict[str, Any]:
    """One file as the later stages get it."""
    return {
        "root": root, "path": git.text_of(file.path), "blob": file.blob, "size": file.size,
        "language": language, "commits": past.commits, "added": past.added,
        "deleted": past.deleted, "churn": past.churn, "cut_off_lines": past.cut_off_lines,
        "renames": past.renames, "first": past.first, "last": past.last,
        "authors": len(past.authors),
        "top_authors": [{"name": name, "commits": count}
                        for name, count in past.authors.most_common(TOP_AUTHORS)]}
