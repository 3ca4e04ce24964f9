"""Finds functions in Python source: by Python's own parser, by indentation where that fails."""
from __future__ import annotations

import ast
import re
import warnings
from typing import Iterator, List, Tuple

Row = Tuple[str, int, int, int]  # name, first line, last line, nesting

_LEVELS = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.Try, ast.With, ast.AsyncWith, ast.Match,
           *([ast.TryStar] if hasattr(ast, "TryStar") else []))
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def find(text: str) -> List[Row]:
    """All functions and methods; names are qualified by their class or function."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            module = ast.parse(text)
        return sorted(_functions(module, ""), key=lambda row: row[1])
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return list(_by_indentation(text))


def _functions(node: ast.AST, prefix: str) -> Iterator[Row]:
    for child in ast.iter_child_nodes(node):
        inner = prefix
        if isinstance(child, _FUNCTIONS):
            name = prefix + child.name
            yield name, child.lineno, child.end_lineno or child.lineno, _deepest(child.body)
            inner = f"{name}."
        elif isinstance(child, ast.ClassDef):
            inner = f"{prefix}{child.name}."
        yield from _functions(child, inner)


def _deepest(body: List[ast.stmt]) -> int:
    return max((_depth(statement) for statement in body), default=0)


def _depth(node: ast.AST) -> int:
    if isinstance(node, (*_FUNCTIONS, ast.ClassDef)):
        return 0  # counts for itself
    if not isinstance(node, _LEVELS):
        return max((_depth(child) for child in ast.iter_child_nodes(node)), default=0)
    deepest = 0
    for name, value in ast.iter_fields(node):
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                same = name == "orelse" and isinstance(node, ast.If) and _is_elif(node, child)
                deepest = max(deepest, _depth(child) - same)
    return deepest + 1


def _is_elif(node: ast.If, child: ast.AST) -> bool:
    return (isinstance(child, ast.If) and len(node.orelse) == 1
            and child.col_offset == node.col_offset)


_DEF = re.compile(r"^([ \t]*)(?:async[ \t]+)?def[ \t]+(\w+)")
_LEVEL = re.compile(r"^[ \t]*(?:async[ \t]+)?(?:if|for|while|try|with)\b")


def _by_indentation(text: str) -> Iterator[Row]:
    """For files that this Python cannot parse, such as those of Python 2."""
    rows = text.expandtabs(8).split("\n")
    for number, row in enumerate(rows):
        match = _DEF.match(row)
        if match is None:
            continue
        indent, last, deepest = len(match.group(1)), number, 0
        levels: List[int] = []
        for later in range(number + 1, len(rows)):
            line = rows[later]
            if not line.strip():
                continue
            here = len(line) - len(line.lstrip())
            if here <= indent and not line.lstrip().startswith((")", "#")):
                break
            last = later
            while levels and here <= levels[-1]:
                levels.pop()
            if _LEVEL.match(line):
                levels.append(here)
                deepest = max(deepest, len(levels))
        yield match.group(2), number + 1, last + 1, deepest
