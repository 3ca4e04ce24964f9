"""Puts what the analysts found together: hotspots, copies between files, the quality gate.

A hotspot is code that is both hard and often changed (Tornhill: "Your Code as a Crime Scene",
2015): heat = 100 * sqrt(c * k), where c is log(1 + churn) and k is log(1 + complexity), each
divided by the greatest in the repository.
"""
from __future__ import annotations

import math
from collections import defaultdict
from typing import Any, Dict, List, Mapping, Optional, Sequence

from . import duplicates

HOTSPOTS = 25
COPIES = 20
VIOLATIONS = 40
#: From here on a function's lines and nesting are named among the reasons.
LONG, DEEP = 40, 4
#: The defaults of the gate; the pipeline's input may say others.
GATE = {"max_function_lines": 100, "max_nesting": 5, "max_duplicated_percent": 5.0}


def rank(repository: Mapping[str, Any], files: Sequence[Mapping[str, Any]],
         lint: Sequence[Mapping[str, Any]], gate: Optional[Mapping[str, Any]] = None
         ) -> Dict[str, Any]:
    """What reviewer reports; `files` are the analysts' reports, failed ones among them."""
    good = [dict(f) for f in files if not f.get("_stage_error")]
    copies = duplicates.between({f["path"]: f.get("fingerprints", []) for f in good})
    copied = lines_copied(copies)
    for file in good:
        file["copied_lines"] = max(copied.get(file["path"], 0), file.get("duplicated_lines", 0))
    alone = heat(good)
    good.sort(key=lambda f: (-f["heat"], f["path"]))
    findings = lint_findings(lint)
    totals = add_up(good)
    hottest = [hotspot(f, findings["by_path"]) for f in good[:HOTSPOTS]]
    return {
        "repository": dict(repository), "totals": totals, "languages": by_language(good),
        "hotspots": hottest, "copies": copies[:COPIES], "copies_found": len(copies),
        "gate": judge(good, totals, {**GATE, **(gate or {})}),
        "lint": findings["summary"],
        "not_analysed": len(files) - len(good),
        "notes": notes(repository, good, alone)}


def heat(files: List[Dict[str, Any]]) -> bool:
    """Sets the heat of each file; True when there was no churn to go by."""
    churn = [max(0, f["churn"] - f["cut_off_lines"]) for f in files]
    most, hardest = max(churn, default=0), max((f["complexity"] for f in files), default=0)
    for file, changed in zip(files, churn):
        c = math.log1p(changed) / math.log1p(most) if most else 1.0
        k = math.log1p(file["complexity"]) / math.log1p(hardest) if hardest else 0.0
        file["heat"] = round(100 * math.sqrt(c * k), 1)
    return most == 0


def hotspot(file: Mapping[str, Any], lint: Mapping[str, int]) -> Dict[str, Any]:
    """The part of a file's report that people are shown."""
    kept = ("path", "language", "heat", "commits", "churn", "authors", "top_authors", "lines",
            "complexity", "functions", "longest", "deepest", "copied_lines", "note")
    out = {key: file[key] for key in kept if key in file}
    out["lint"] = lint.get(file["path"], 0)
    out["worst"] = next(iter(file.get("named", [])), None)
    out["reasons"] = reasons(file, out["lint"])
    return out


def reasons(file: Mapping[str, Any], lint: int) -> List[str]:
    """Why a file is hot, in words."""
    out = [f"{file['churn']} lines changed in {plural(file['commits'], 'commit')} by "
           f"{plural(file['authors'], 'author')}"]
    named = file.get("named") or []
    longest = named[0] if named and named[0]["lines"] >= LONG else None
    deepest = max(named, key=lambda f: f["nesting"], default=None)
    if deepest and deepest["nesting"] < DEEP:
        deepest = None
    if longest:
        also = f" and nests {deepest['nesting']} deep" if longest is deepest else ""
        out.append(f"{longest['name']} has {longest['lines']} lines{also}")
    if deepest and deepest is not longest:
        out.append(f"{deepest['name']} nests {deepest['nesting']} deep")
    if file["copied_lines"] >= 12:
        out.append(f"{file['copied_lines']} lines are copies")
    if lint:
        out.append(f"cppcheck has {plural(lint, 'finding')}")
    return out


def plural(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def lines_copied(copies: Sequence[Mapping[str, Any]]) -> Dict[str, int]:
    """How many lines of each file are also in another one."""
    lines: Dict[str, set] = defaultdict(set)
    for copy in copies:
        lines[copy["a"]].update(range(copy["a_lines"][0], copy["a_lines"][1] + 1))
        lines[copy["b"]].update(range(copy["b_lines"][0], copy["b_lines"][1] + 1))
    return {path: len(found) for path, found in lines.items()}


def add_up(files: Sequence[Mapping[str, Any]]) -> Dict[str, Any]:
    lines = sum(f["lines"] for f in files)
    copied = sum(f["copied_lines"] for f in files)
    return {"files": len(files), "lines": lines, "churn": sum(f["churn"] for f in files),
            "functions": sum(f.get("functions", 0) for f in files), "copied_lines": copied,
            "copied_percent": round(100 * copied / lines, 1) if lines else 0.0}


def by_language(files: Sequence[Mapping[str, Any]]) -> List[Dict[str, Any]]:
    groups: Dict[str, List[Mapping[str, Any]]] = defaultdict(list)
    for file in files:
        groups[file["language"]].append(file)
    rows = [{"language": name, **{k: v for k, v in add_up(group).items()
                                  if k in ("files", "lines", "functions")},
             "longest": max(f.get("longest", 0) for f in group),
             "deepest": max(f.get("deepest", 0) for f in group)}
            for name, group in groups.items()]
    return sorted(rows, key=lambda r: (-r["lines"], r["language"]))


def judge(files: Sequence[Mapping[str, Any]], totals: Mapping[str, Any],
          gate: Mapping[str, Any]) -> Dict[str, Any]:
    """Which limits are passed, and where."""
    violations = []
    for file in files:
        for function in file.get("named", []):
            for key, limit, word in (("lines", gate["max_function_lines"], "lines"),
                                     ("nesting", gate["max_nesting"], "levels")):
                if function[key] > limit:
                    violations.append({
                        "path": file["path"], "line": function["line"], "rule": key,
                        "text": f"{function['name']} has {function[key]} {word}, "
                                f"the limit is {limit}"})
    if totals["copied_percent"] > gate["max_duplicated_percent"]:
        violations.append({"path": "", "line": 0, "rule": "copies",
                           "text": f"{totals['copied_percent']} % of the lines are copies, "
                                   f"the limit is {gate['max_duplicated_percent']} %"})
    return {"passed": not violations, "limits": dict(gate), "count": len(violations),
            "violations": violations[:VIOLATIONS]}


def lint_findings(lint: Sequence[Mapping[str, Any]]) -> Dict[str, Any]:
    """What the linter said; `skipped` says why it said nothing."""
    failed = [r for r in lint if r.get("_stage_error")]
    done = [r for r in lint if not r.get("_stage_error")]
    skipped = error_text(failed[0].get("error")) if failed else ""
    findings = [{"path": r["path"], **f} for r in done for f in r.get("findings", [])]
    return {"by_path": {r["path"]: len(r.get("findings", [])) for r in done},
            "summary": {"files": len(done), "failed": len(failed), "skipped": skipped,
                        "count": len(findings), "findings": findings[:VIOLATIONS]}}


def error_text(error: Any) -> str:
    """The message of a stage's error, whatever form it has."""
    if isinstance(error, Mapping):
        return str(error.get("message") or error.get("code") or "failed")
    return str(error or "failed")


def notes(repository: Mapping[str, Any], files: Sequence[Mapping[str, Any]],
          no_churn: bool) -> List[str]:
    """What a reader must know about the limits of this report."""
    out = [str(repository["note"])] if repository.get("note") else []
    if repository.get("cut"):
        out.append(f"Older history is missing: {repository['cut']}.")
    if files and no_churn:
        out.append("No changes to go by: the files are ranked by complexity alone.")
    left = repository.get("files_known", 0) - len(files)
    if left > 0:
        out.append(f"{left} less changed source files were not looked at.")
    unread = sum(bool(f.get("note")) for f in files)
    if unread:
        out.append(f"{plural(unread, 'file')} (binary, very large or generated) count by "
                   "history only.")
    return out
