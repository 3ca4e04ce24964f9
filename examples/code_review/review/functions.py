"""The named functions of a file: where each begins and ends, and how deep it nests.

A function's length is the number of lines from the first line of its declaration to the line of
its closing brace (Python: its last line), blank lines and comments included. Unnamed functions
belong to the function they stand in. Arrow functions without braces are expressions, not counted.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Dict, Iterator, List, Optional, Sequence, Tuple

from . import functions_c, functions_python
from .blocks import Nesting, pair_brackets
from .tokens import Token, tokenize

#: (name, index where its declaration begins, index of its `{`)
Found = Tuple[str, int, int]
_FINDERS: Dict[str, Callable[[Sequence[Token], Dict[int, int]], Iterator[Found]]]


@dataclass(frozen=True)
class Function:
    """One function; lines count from 1, both ends included."""

    name: str
    first_line: int
    last_line: int
    nesting: int

    @property
    def length(self) -> int:
        return self.last_line - self.first_line + 1


def find(text: str, language: str) -> List[Function]:
    """All named functions of a file, in the order in which they begin."""
    if language == "python":
        return [Function(*row) for row in functions_python.find(text)]
    tokens = tokenize(text, language)
    pairs = pair_brackets(tokens)
    found = [f for f in _FINDERS[language](tokens, pairs) if f[2] in pairs]
    found.sort(key=lambda f: f[1])
    ranges = {start: pairs[brace] for _, start, brace in found}
    nesting = Nesting(tokens, pairs, language)
    out = []
    for name, start, brace in found:
        close = pairs[brace]
        inner = {s: e for s, e in ranges.items() if brace < s and e < close}
        last = functions_c.end_of_handlers(tokens, pairs, brace)
        out.append(Function(name, tokens[start].line, tokens[last].line,
                            nesting.deepest(brace + 1, close, inner)))
    return out


def is_word(text: str) -> bool:
    return text[0].isalpha() or text[0] in "_$#"


# -- Go -----------------------------------------------------------------------------------------

def find_go(tokens: Sequence[Token], pairs: Dict[int, int]) -> Iterator[Found]:
    index = 0
    while index < len(tokens):
        text = tokens[index].text
        if text == "{":  # functions with names stand at the top only
            index = pairs.get(index, index)
        elif text == "func":
            found = _go_function(tokens, pairs, index)
            if found is not None:
                yield found
                index = pairs.get(found[2], found[2])
        index += 1


def _go_function(tokens: Sequence[Token], pairs: Dict[int, int],
                 start: int) -> Optional[Found]:
    at = start + 1
    if at < len(tokens) and tokens[at].text == "(" and at in pairs:
        at = pairs[at] + 1  # the receiver
    if at >= len(tokens) or not is_word(tokens[at].text):
        return None
    name = tokens[at].text
    at += 1
    if at < len(tokens) and tokens[at].text == "[" and at in pairs:
        at = pairs[at] + 1  # type parameters
    if at >= len(tokens) or tokens[at].text != "(" or at not in pairs:
        return None
    at = pairs[at] + 1
    while at < len(tokens) and not tokens[at].first:
        text = tokens[at].text
        if text == "{" and tokens[at - 1].text not in ("interface", "struct"):
            return name, start, at
        at = pairs.get(at, at) + 1 if text in ("(", "[", "{") else at + 1
    return None


# -- Rust ---------------------------------------------------------------------------------------

RUST_BEFORE = {"pub", "async", "const", "unsafe", "extern", "default"}


def find_rust(tokens: Sequence[Token], pairs: Dict[int, int]) -> Iterator[Found]:
    for index in range(len(tokens) - 1):
        if tokens[index].text != "fn" or not is_word(tokens[index + 1].text):
            continue
        at = index + 2
        while at < len(tokens) and tokens[at].text not in ("{", ";", "}"):
            at = pairs.get(at, at) + 1 if tokens[at].text in ("(", "[") else at + 1
        if at < len(tokens) and tokens[at].text == "{":
            yield tokens[index + 1].text, _rust_start(tokens, pairs, index), at


def _rust_start(tokens: Sequence[Token], pairs: Dict[int, int], at: int) -> int:
    start = at
    while at > 0:
        text = tokens[at - 1].text
        if text in RUST_BEFORE:
            start = at = at - 1
        elif text == '""' and at > 1 and tokens[at - 2].text == "extern":
            start = at = at - 2
        elif text == ")" and at - 1 in pairs and tokens[pairs[at - 1] - 1].text == "pub":
            start = at = pairs[at - 1] - 1
        else:
            break
    return start


# -- JavaScript -----------------------------------------------------------------------------------

JS_CONTROL = {"if", "for", "while", "switch", "catch", "with", "await"}
JS_BEFORE_METHOD = {"{", "}", ";", ",", "static", "async", "get", "set", "*"}


def find_javascript(tokens: Sequence[Token], pairs: Dict[int, int]) -> Iterator[Found]:
    for brace in range(1, len(tokens)):
        if tokens[brace].text != "{":
            continue
        before = tokens[brace - 1].text
        found = None
        if before == "=>":
            found = _assigned(tokens, _arrow_start(tokens, pairs, brace - 1))
        elif before == ")" and pairs.get(brace - 1, 0) > 0:
            found = _js_function(tokens, pairs[brace - 1])
        if found is not None:
            yield found[0], found[1], brace


def _arrow_start(tokens: Sequence[Token], pairs: Dict[int, int], arrow: int) -> int:
    start = pairs.get(arrow - 1, arrow - 1)
    return start - 1 if start > 0 and tokens[start - 1].text == "async" else start


def _assigned(tokens: Sequence[Token], start: int) -> Optional[Tuple[str, int]]:
    """The name that an unnamed function is given by `name = …` or `name: …`."""
    if start < 2 or tokens[start - 1].text not in ("=", ":") or \
            not is_word(tokens[start - 2].text):
        return None
    first = start - 2
    if first > 0 and tokens[first - 1].text in ("const", "let", "var", "static"):
        first -= 1
    return tokens[start - 2].text, first


def _js_function(tokens: Sequence[Token], opening: int) -> Optional[Tuple[str, int]]:
    name = opening - 1
    text = tokens[name].text
    if text in JS_CONTROL:
        return None
    if text == "function" or (text == "*" and tokens[name - 1].text == "function"):
        start = name if text == "function" else name - 1
        return _assigned(tokens, start - 1 if tokens[start - 1].text == "async" else start)
    if not is_word(text):
        return None
    before = name - 1
    if before >= 0 and tokens[before].text == "*" and tokens[before - 1].text == "function":
        before -= 1
    if before >= 0 and tokens[before].text == "function":
        return text, before - 1 if tokens[before - 1].text == "async" and before else before
    if before >= 0 and (tokens[before].text in JS_BEFORE_METHOD or tokens[name].first):
        return text, _method_start(tokens, name)
    return None


def _method_start(tokens: Sequence[Token], name: int) -> int:
    while name > 0 and tokens[name - 1].text in ("static", "async", "get", "set", "*"):
        name -= 1
    return name


_FINDERS = {"c": functions_c.find, "cpp": functions_c.find, "go": find_go, "rust": find_rust,
            "javascript": find_javascript}
