"""Blocks of lines that occur more than once, inside a file and between files.

Lines are compared without their white space; blank lines, comments, imports and lone brackets do
not count. A block is WINDOW such lines. Between files not every block is carried about: winnowing
(Schleimer, Wilkerson, Aiken: "Winnowing: Local Algorithms for Document Fingerprinting", 2003)
keeps enough fingerprints to find every copy of WINDOW + GROUP - 1 lines or more.
"""
from __future__ import annotations

import hashlib
from collections import defaultdict
from typing import Any, Dict, List, Sequence, Tuple

WINDOW = 6
GROUP = 4
#: A block in more places than this is boilerplate, not a copy.
BOILERPLATE = 12
_COMMENT = ("//", "#", "*", "/*", '"""', "'''", "--")
_IMPORT = ("import ", "from ", "#include", "using ", "use ", "package ", "require(", "export {")

#: (hash of a block, line where it begins, line where it ends)
Block = Tuple[str, int, int]


def significant_lines(text: str) -> List[Tuple[int, str]]:
    """(line number, line without white space) of the lines that count."""
    out = []
    for number, line in enumerate(text.split("\n"), 1):
        plain = line.strip()
        if plain.startswith(_COMMENT) or plain.startswith(_IMPORT):
            continue
        if any(c.isalnum() for c in plain):
            out.append((number, "".join(plain.split())))
    return out


def blocks(text: str) -> List[Block]:
    """Every run of WINDOW significant lines."""
    rows = significant_lines(text)
    out = []
    for start in range(len(rows) - WINDOW + 1):
        window = rows[start:start + WINDOW]
        joined = "\n".join(line for _, line in window).encode("utf-8", "replace")
        digest = hashlib.blake2b(joined, digest_size=6).hexdigest()
        out.append((digest, window[0][0], window[-1][0]))
    return out


def inside(found: Sequence[Block]) -> int:
    """Lines of a file that belong to a block which it has more than once, all copies counted."""
    places: Dict[str, List[Block]] = defaultdict(list)
    for block in found:
        places[block[0]].append(block)
    lines = set()
    for copies in places.values():
        # Copies that overlap are one run of equal lines, such as a table.
        apart = [copies[0]]
        for copy in copies[1:]:
            if copy[1] > apart[-1][2]:
                apart.append(copy)
        if len(apart) > 1:
            for _, first, last in apart:
                lines.update(range(first, last + 1))
    return len(lines)


def fingerprints(found: Sequence[Block]) -> List[List[Any]]:
    """The least hash of every GROUP neighbours: what is compared between files."""
    chosen = []
    last = -1
    for start in range(max(1, len(found) - GROUP + 1) if found else 0):
        group = range(start, min(start + GROUP, len(found)))
        least = min(group, key=lambda i: (found[i][0], -i))
        if least != last:
            chosen.append(list(found[least]))
            last = least
    return chosen


def between(files: Dict[str, Sequence[Sequence[Any]]]) -> List[Dict[str, Any]]:
    """Copies between two files, longest first: {"a", "a_lines", "b", "b_lines", "lines"}."""
    places: Dict[str, List[Tuple[str, int, int]]] = defaultdict(list)
    for path in sorted(files):
        for digest, first, last in files[path]:
            places[digest].append((path, first, last))
    pairs: Dict[Tuple[str, str], List[Tuple[int, int, int, int]]] = defaultdict(list)
    for found in places.values():
        if len(found) > BOILERPLATE:
            continue
        for at, (a, a_first, a_last) in enumerate(found):
            for b, b_first, b_last in found[at + 1:]:
                if a != b:
                    pairs[a, b].append((a_first, a_last, b_first, b_last))
    out = []
    for (a, b), matches in pairs.items():
        out += [{"a": a, "a_lines": [m[0], m[1]], "b": b, "b_lines": [m[2], m[3]],
                 "lines": m[1] - m[0] + 1} for m in joined(sorted(matches))]
    return sorted(out, key=lambda d: (-d["lines"], d["a"], d["b"], d["a_lines"]))


def joined(matches: Sequence[Tuple[int, int, int, int]]) -> List[Tuple[int, int, int, int]]:
    """Neighbouring matches at the same offset made one."""
    out: List[Tuple[int, int, int, int]] = []
    for a_first, a_last, b_first, b_last in matches:
        for at in range(len(out) - 1, max(-1, len(out) - 6), -1):
            before = out[at]
            if a_first <= before[1] + 1 and before[2] <= b_first <= before[3] + 1:
                out[at] = (before[0], max(before[1], a_last), before[2], max(before[3], b_last))
                break
        else:
            out.append((a_first, a_last, b_first, b_last))
    return out
