"""Ranks the files by heat and holds them against the quality gate."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import mainstay  # noqa: E402
from review import ranking  # noqa: E402

agent = mainstay.Agent("reviewer")


@agent.capability("review.rank")
def rank(item, ctx):
    """Input: {"repository", "files", "lint", "gate"}."""
    said = item.input
    lint = said.get("lint")
    ranked = ranking.rank(said["repository"], said["files"],
                          lint if isinstance(lint, list) else [lint] if lint else [],
                          said.get("gate"))
    gate = ranked["gate"]
    ctx.component("validator").info("quality gate", passed=gate["passed"],
                                    violations=gate["count"])
    if ranked["lint"]["skipped"]:
        ctx.log.warning("lint skipped: " + ranked["lint"]["skipped"])
    return ranked


if __name__ == "__main__":
    agent.run()
