"""Reads the history and the tree of a repository, once, for everybody after it."""
import json
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import mainstay  # noqa: E402
from review import git, survey  # noqa: E402

agent = mainstay.Agent("scout")
#: Of the stage's time, what reading the history may take; the rest is for the answer.
SHARE = 0.7
WITHOUT_LIMIT = 60.0
FIX = "name a folder inside a git repository, such as `--input path=/any/git/repo`"
REPAIR = ("restore what is missing from another clone; in a partial clone (`--filter`) fetch it "
          "with `git fetch --refetch --no-filter`")


@agent.capability("repo.scan")
def scan(item, ctx):
    """Input: {"path": folder}, from the project folder if it is relative; `max_files` if wanted."""
    said = item.input if isinstance(item.input, dict) else {}
    path = said.get("path")
    if not isinstance(path, str) or not path:
        got = json.dumps(path) if "path" in said else "nothing"
        raise mainstay.Permanent("input.path: expected the folder of a git repository as text, "
                                 f"got {got}", code="input_invalid", hint=FIX)
    most = said.get("max_files", survey.MAX_FILES)
    if type(most) is not int or most < 1:
        raise mainstay.Permanent("input.max_files: expected a number from 1 on, got "
                                 + json.dumps(most), code="input_invalid", hint=FIX)
    folder = os.path.join(os.environ.get("MAINSTAY_PROJECT", ""), os.path.expanduser(path))
    try:
        with ctx.span("survey", path=folder):
            report = survey.survey(folder, SHARE * (ctx.time_left or WITHOUT_LIMIT),
                                   most)
    except git.NotARepository as error:
        raise mainstay.Permanent(f"input.path: {error}", code="not_a_repository",
                                 hint=FIX) from None
    except git.Damaged as error:
        raise mainstay.Permanent(str(error), code="repository_damaged", hint=REPAIR) from None
    except git.GitTimeout as error:
        raise mainstay.Retryable(str(error), code="git_timeout") from None
    except git.GitError as error:
        raise mainstay.Permanent(str(error), code="git_failed") from None
    about = report["repository"]
    ctx.log.info("repository read", root=about["root"], commits=about["commits"],
                 files=len(report["files"]), cpp_files=len(report["cpp_files"]))
    if about["cut"]:
        ctx.log.warning("older history is missing: " + about["cut"])
    return report


if __name__ == "__main__":
    agent.run()
