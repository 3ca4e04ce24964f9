"""A git folder of our own over the objects of a repository, so that only its commits count.

What git says of a history depends on more than the history: `log.showRoot`, `diff.renames`, the
`binary` of a diff driver, `.git/info/attributes`, grafts and replaced objects all change it, and
any of them may be set where nobody sees it. Here git finds no configuration at all. The
`.gitattributes` and `.mailmap` of the work tree count, as they do in git's own numbers.
"""
from __future__ import annotations

import contextlib
import os
import pathlib
import tempfile
from typing import Dict, Iterator

from . import git


@contextlib.contextmanager
def over(root: str, commit: str) -> Iterator[Dict[str, str]]:
    """The variables that lead git to a folder whose HEAD is `commit`; gone at the end."""
    about = os.fsdecode(git.run(root, "rev-parse", "--git-path", "objects",
                                "--show-object-format", "--is-bare-repository"))
    objects, layout, bare = about.rstrip("\n").rsplit("\n", 2)
    with tempfile.TemporaryDirectory(prefix="review-") as name:
        folder = pathlib.Path(name)
        (folder / "refs").mkdir()
        (folder / "HEAD").write_text(commit + "\n")
        version, extension = (0, "") if layout == "sha1" else (
            1, f"[extensions]\n\tobjectFormat = {layout}\n")
        (folder / "config").write_text(f"[core]\n\trepositoryFormatVersion = {version}\n"
                                       f"\tbare = {bare}\n{extension}")
        cut_off = git.shallow_commits(root)
        if cut_off:
            (folder / "shallow").write_text("".join(f"{one}\n" for one in sorted(cut_off)))
        there = {"GIT_DIR": name, "GIT_OBJECT_DIRECTORY": os.path.join(root, objects)}
        yield there if bare == "true" else {**there, "GIT_WORK_TREE": root}
