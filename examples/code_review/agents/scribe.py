"""Writes the report, as Markdown and as one HTML page, into the run's artifacts folder."""
import json
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import mainstay  # noqa: E402
from review import report  # noqa: E402

agent = mainstay.Agent("scribe")
SHOWN = ("path", "heat", "churn", "commits", "authors", "reasons")


@agent.capability("report.write")
def write(item, ctx):
    """Input: {"ranking", "critique"}. Output: where the files are, and the ten hottest."""
    ranked, critique = item.input["ranking"], item.input["critique"] or {}
    project = pathlib.Path(os.environ.get("MAINSTAY_PROJECT", "."))
    folder = project / "runs" / (item.pipeline or "none") / (item.run_id or item.id) / "artifacts"
    folder.mkdir(parents=True, exist_ok=True)
    gate = ranked["gate"]
    summary = {"gate_passed": gate["passed"], "violations": gate["count"],
               "gate_lines": [report.violation_text(v) for v in gate["violations"]] or
                             [report.limits_text(gate)],
               "files": ranked["totals"]["files"], "notes": ranked["notes"],
               "opinion_title": report.opinion_title(critique),
               "opinion": report.critique_text(critique),
               "hottest": [{key: spot[key] for key in SHOWN}
                           for spot in ranked["hotspots"][:report.HOTTEST]]}
    files = {"report.md": report.markdown(ranked, critique),
             "report.html": report.page(ranked, critique),
             "hotspots.json": json.dumps(summary, indent=2, ensure_ascii=False) + "\n"}
    for name, text in files.items():
        # Written beside and renamed: an attempt that is tried again leaves no half file.
        (folder / (name + ".new")).write_text(text, encoding="utf-8")
        os.replace(folder / (name + ".new"), folder / name)
    ctx.log.info("report written", folder=str(folder))
    return {"markdown": str(folder / "report.md"), "html": str(folder / "report.html"), **summary}


if __name__ == "__main__":
    agent.run()
