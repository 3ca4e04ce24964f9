"""The report as Markdown and as one HTML page that needs nothing else."""
from __future__ import annotations

import datetime
import html
import re
from typing import Any, List, Mapping

from . import chart, source
from .ranking import error_text, plural
from .text import shown

HOTTEST = 10
_STYLE = """
:root{color-scheme:light dark;--ink:#1d2430;--soft:#5b6575;--line:#d8dde6;--paper:#fff}
body{font:16px/1.5 system-ui,sans-serif;max-width:64rem;margin:2rem auto;padding:0 1rem;
color:var(--ink);background:var(--paper);overflow-wrap:anywhere}h1,h2{line-height:1.2}
.wide{overflow-x:auto}table{border-collapse:collapse;width:100%}td,th{padding:.3rem .6rem;
border-bottom:1px solid var(--line);text-align:left;vertical-align:top}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;overflow-wrap:normal}
th{overflow-wrap:normal}.hot td:nth-child(3){min-width:15rem}
code{font-size:.9em}.ok{color:#17693a}.bad{color:#a3261b}
blockquote{border-left:4px solid var(--line);margin:0;padding:.1rem 1rem;white-space:pre-wrap}
svg{width:100%}.axis,.grid{fill:none;stroke:var(--soft)}.grid{stroke:var(--line)}
text{font:11px system-ui,sans-serif;fill:var(--soft)}.label{fill:var(--ink)}
.name,.tick{text-anchor:middle}.end{text-anchor:end}circle{fill-opacity:.75}
.small{color:var(--soft);font-size:.9em}@media(prefers-color-scheme:dark){
:root{--ink:#dfe4ec;--soft:#a9b3c3;--line:#333b48;--paper:#161a21}
.ok{color:#63c98b}.bad{color:#f08a80}}
"""


def day(seconds: int) -> str:
    """A date in UTC; the time of a commit may be anything."""
    try:
        return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).date().isoformat()
    except (OverflowError, OSError, ValueError):
        return "?"


def name_of(language: str) -> str:
    return source.NAMES.get(language, language)


def headline(ranked: Mapping[str, Any]) -> str:
    """What was looked at, in a sentence."""
    about, totals = ranked["repository"], ranked["totals"]
    text = (f"{plural(totals['files'], 'source file')}, {plural(totals['lines'], 'line')}, "
            f"{plural(totals['functions'], 'function')}; {plural(about['commits'], 'commit')} by "
            f"{plural(about['authors'], 'author')}")
    if about["commits"]:
        text += f" from {day(about['first'])} to {day(about['last'])}"
    return text + "."


def title(ranked: Mapping[str, Any]) -> str:
    about = ranked["repository"]
    name = str(about["root"]).rstrip("/").rsplit("/", 1)[-1]
    where = f" ({about['branch']})" if about.get("branch") else ""
    return shown(f"Hotspots of {name}{where}")


def critique_text(critique: Mapping[str, Any]) -> str:
    """What the model said, or why it said nothing."""
    if critique.get("_stage_error"):
        return f"Skipped: {error_text(critique.get('error'))}"
    if critique.get("skipped"):
        return f"Skipped: {critique.get('reason', 'no reason given')}"
    return str(critique.get("text", ""))


def opinion_title(critique: Mapping[str, Any]) -> str:
    model = critique.get("model")
    return shown(f"A second opinion, by {model}") if model else "A second opinion"


def lint_text(lint: Mapping[str, Any]) -> str:
    if lint["failed"] and not lint["files"]:
        return f"Skipped: {lint['skipped']}"
    text = f"{plural(lint['count'], 'finding')} in {plural(lint['files'], 'file')}"
    return text + (f"; {plural(lint['failed'], 'file')} failed: {lint['skipped']}"
                   if lint["failed"] else "")


def copy_text(copy: Mapping[str, Any]) -> str:
    return (f"{copy['lines']} lines: {copy['a']}:{copy['a_lines'][0]} and "
            f"{copy['b']}:{copy['b_lines'][0]}")


def copy_lines(ranked: Mapping[str, Any]) -> List[str]:
    return [*map(copy_text, ranked["copies"]),
            *more_text(len(ranked["copies"]), ranked["copies_found"])]


def plain(text: Any) -> str:
    """Text from outside in a Markdown table: no markup, no line breaks, no column marks."""
    return re.sub(r"([\\`*_\[\]<>|])", r"\\\1", shown(text))


def why(spot: Mapping[str, Any]) -> str:
    """The reasons beyond the first, whose figures have columns of their own."""
    return "; ".join(spot["reasons"][1:])


def limits_text(gate: Mapping[str, Any]) -> str:
    """What the quality gate asks for."""
    limits = gate["limits"]
    return (f"Asked for: functions of at most {limits['max_function_lines']} lines, at most "
            f"{limits['max_nesting']} levels of nesting, at most "
            f"{limits['max_duplicated_percent']:g} % copied lines.")


def violation_text(violation: Mapping[str, Any]) -> str:
    """One violation, with its place."""
    where = f"{violation['path']}:{violation['line']}: " if violation["path"] else ""
    return where + str(violation["text"])


def more_text(shown_count: int, count: int) -> List[str]:
    return [f"… and {count - shown_count} more."] if count > shown_count else []


def markdown(ranked: Mapping[str, Any], critique: Mapping[str, Any]) -> str:
    """The whole report as Markdown."""
    gate = ranked["gate"]
    rows = [f"# {plain(title(ranked))}", "", headline(ranked), ""]
    rows += [f"> {plain(note)}" for note in ranked["notes"]] + [""] * bool(ranked["notes"])
    rows += ["## The hottest files", "",
             "| # | heat | file | churn | commits | longest | nesting | why |",
             "|--:|--:|---|--:|--:|--:|--:|---|"]
    for place, spot in enumerate(ranked["hotspots"][:HOTTEST], 1):
        rows.append(f"| {place} | {spot['heat']} | {plain(spot['path'])} | {spot['churn']} | "
                    f"{spot['commits']} | {spot.get('longest', '')} | "
                    f"{spot.get('deepest', '')} | {plain(why(spot))} |")
    rows += ["", f"## Quality gate: {'passed' if gate['passed'] else 'failed'}", "",
             limits_text(gate), ""]
    rows += [f"- {plain(violation_text(v))}" for v in gate["violations"]]
    rows += more_text(len(gate["violations"]), gate["count"])
    rows += ["", "## Copies between files", ""]
    rows += [f"- {plain(line)}" for line in copy_lines(ranked)] or ["None found."]
    rows += ["", "## cppcheck", "", plain(lint_text(ranked["lint"])), ""]
    rows += [f"- {plain(f['path'])}:{f['line']}: {plain(f['message'])}"
             for f in ranked["lint"]["findings"]]
    rows += more_text(len(ranked["lint"]["findings"]), ranked["lint"]["count"])
    rows += ["", f"## {plain(opinion_title(critique))}", "", *[f"> {line}" for line in
                                             html.escape(critique_text(critique),
                                                         quote=False).split("\n")]]
    rows += ["", "## Languages", "",
             "| language | files | lines | functions | longest | nesting |",
             "|---|--:|--:|--:|--:|--:|"]
    rows += [f"| {plain(name_of(r['language']))} | {r['files']} | {r['lines']} | "
             f"{r['functions']} | {r['longest']} | {r['deepest']} |" for r in ranked["languages"]]
    return "\n".join(rows) + "\n"


def page(ranked: Mapping[str, Any], critique: Mapping[str, Any]) -> str:
    """The whole report as one HTML page: no script, no font, nothing from elsewhere."""
    gate = ranked["gate"]
    e = html.escape
    verdict = '<span class="ok">passed</span>' if gate["passed"] else \
        f'<span class="bad">failed, {plural(gate["count"], "violation")}</span>'
    parts: List[str] = [
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{e(title(ranked))}</title><style>{_STYLE}</style>",
        f"<h1>{e(title(ranked))}</h1><p>{e(headline(ranked))} Commit "
        f"<code>{e(ranked['repository']['commit'][:12] or 'none')}</code>.</p>"]
    parts += [f'<p class="small">{e(shown(note))}</p>' for note in ranked["notes"]]
    parts += ["<h2>The hottest files</h2>", '<p class="small">Heat is high where code is both '
              "hard and often changed: 100·√(churn × complexity), each as a share, on a "
              "logarithmic scale, of the most in this repository.</p>"]
    parts += hot_section(ranked["hotspots"])
    parts += [f"<h2>Quality gate: {verdict}</h2><p class=small>{e(limits_text(gate))}</p>",
              items([*map(violation_text, gate["violations"]),
                     *more_text(len(gate["violations"]), gate["count"])])]
    parts += ["<h2>Copies between files</h2>", items(copy_lines(ranked)) or
              "<p>None found.</p>"]
    parts += ["<h2>cppcheck</h2>", f"<p>{e(lint_text(ranked['lint']))}</p>", items(
        [*(f"{f['path']}:{f['line']}: {f['message']}" for f in ranked["lint"]["findings"]),
         *more_text(len(ranked["lint"]["findings"]), ranked["lint"]["count"])])]
    parts += [f"<h2>{e(opinion_title(critique))}</h2>",
              f"<blockquote>{e(critique_text(critique))}</blockquote>"]
    parts += ["<h2>Languages</h2>", table(
        ["language", "files", "lines", "functions", "longest", "nesting"],
        [[name_of(r["language"]), r["files"], r["lines"], r["functions"], r["longest"],
          r["deepest"]] for r in ranked["languages"]]), "</html>\n"]
    return "\n".join(parts)


def hot_section(spots: List[Mapping[str, Any]]) -> List[str]:
    """The chart and its figures."""
    if not spots:
        return ["<p>There are no source files.</p>"]
    rows = [[place, s["heat"], s["path"], s["churn"], s["commits"], s["authors"],
             s.get("longest", ""), s.get("deepest", ""), why(s)]
            for place, s in enumerate(spots, 1)]
    return [chart.scatter(spots), '<div class="hot">',
            table(["#", "heat", "file", "churn", "commits", "authors", "longest", "nesting",
                   "why"], rows), "</div>"]


def table(head: List[str], rows: List[List[Any]]) -> str:
    """Cells that are numbers stand to the right."""
    def cell(tag: str, value: Any, number: bool) -> str:
        return f"<{tag}{' class=n' if number else ''}>{html.escape(shown(value))}</{tag}>"
    numbers = [all(isinstance(r[i], (int, float)) or r[i] == "" for r in rows)
               for i in range(len(head))]
    out = ['<div class="wide"><table><tr>',
           *(cell("th", h, n) for h, n in zip(head, numbers)), "</tr>"]
    for row in rows:
        out += ["<tr>", *(cell("td", v, n) for v, n in zip(row, numbers)), "</tr>"]
    return "".join(out) + "</table></div>"


def items(lines: Any) -> str:
    """A list; nothing for nothing."""
    found = "".join(f"<li>{html.escape(shown(line))}</li>" for line in lines)
    return f"<ul>{found}</ul>" if found else ""
