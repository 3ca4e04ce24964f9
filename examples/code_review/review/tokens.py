"""Splits C, C++, JavaScript, Go and Rust source into tokens, without comments and text.

Small and honest: it knows strings, comments, raw strings, template literals, regular expressions
and lifetimes well enough that no brace inside them is counted. Of `#if … #else …` in C and C++ it
takes the first branch only, so that braces stay in balance. It never fails: what it cannot read
becomes single characters.
"""
from __future__ import annotations

import re
from typing import Dict, List, NamedTuple


class Token(NamedTuple):
    """A word, number, punctuation mark, or the placeholder of a string."""

    text: str
    line: int
    #: True for the first token of its line.
    first: bool


STRING = '""'
WORD = r"[^\W\d][\w$]*"
NUMBER = r"\d(?:[\w.]|(?<=[eE])[+-]|'(?=\w))*"
MARK = r"->|=>|::|\.\.\.|==|!=|<=|>=|&&|\|\||\+\+|--|[-+*/%&|^]=|."

_C = r"""
 (?P<skip>//(?:[^\n\\]|\\.|\\\n)*|/\*.*?(?:\*/|\Z))
|(?P<raw>(?:u8|[uUL])?R"(?P<mark>[^()\\\s]{0,16})\(.*?(?:\)(?P=mark)"|\Z))
|(?P<string>(?:u8|[uUL])?(?:"(?:[^"\\\n]|\\.|\\\n)*"?|'(?:[^'\\\n]|\\.)*'?))
"""
_GO = r"""
 (?P<skip>//[^\n]*|/\*.*?(?:\*/|\Z))
|(?P<string>"(?:[^"\\\n]|\\.)*"?|'(?:[^'\\\n]|\\.)*'?|`[^`]*`?)
"""
_RUST = r"""
 (?P<skip>//[^\n]*)
|(?P<nested>/\*)
|(?P<raw>b?r(?P<mark>\#*)".*?(?:"(?P=mark)|\Z))
|(?P<string>b?"(?:[^"\\]|\\.)*"?|b?'(?:\\u\{[^}]*\}|\\.[0-9a-fA-F]*|[^'\\\n])')
|(?P<word>'[^\W\d]\w*|r\#[^\W\d]\w*)
"""
_JAVASCRIPT = r"""
 (?P<skip>//[^\n]*|/\*.*?(?:\*/|\Z)|\A\#![^\n]*)
|(?P<string>"(?:[^"\\\n]|\\.|\\\n)*"?|'(?:[^'\\\n]|\\.|\\\n)*'?)
|(?P<template>`)
|(?P<slash>/)
"""
_REGEX = re.compile(r"/(?![*/])(?:[^/\\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+/[a-z]*")
_REST = (rf"|(?P<space>[ \t\f\v\r]+)|(?P<line>\n)|(?P<number>{NUMBER})"
         rf"|(?P<name>\#?{WORD})|(?P<mark_>{MARK})")
_FLAGS = re.VERBOSE | re.DOTALL


def _compiled(front: str) -> "re.Pattern[str]":
    return re.compile(front + _REST, _FLAGS)


_PATTERNS: Dict[str, "re.Pattern[str]"] = {
    "c": _compiled(_C), "cpp": _compiled(_C), "go": _compiled(_GO), "rust": _compiled(_RUST),
    "javascript": _compiled(_JAVASCRIPT)}
#: After one of these a slash begins a regular expression, after other words it divides.
_BEFORE_REGEX = {"return", "typeof", "case", "in", "of", "delete", "void", "throw", "new", "else",
                 "do", "await", "yield", "instanceof"}


def tokenize(text: str, language: str) -> List[Token]:
    """The tokens of a whole file."""
    if language in ("c", "cpp"):
        text = without_directives(text)
    return _Scanner(text, language).tokens


class _Scanner:
    """One pass over a text."""

    def __init__(self, text: str, language: str) -> None:
        self.text = text
        self.tokens: List[Token] = []
        self._pattern = _PATTERNS[language]
        self._line = 1
        self._fresh = True
        self._at = 0
        #: Depth of braces at which a template literal goes on, innermost last.
        self._templates: List[int] = []
        self._braces = 0
        while self._at < len(text):
            self._step()

    def _emit(self, word: str) -> None:
        self.tokens.append(Token(word, self._line, self._fresh))
        self._fresh = False

    def _step(self) -> None:
        match = self._pattern.match(self.text, self._at)
        assert match is not None  # the last alternative takes any character
        kind, word = match.lastgroup, match.group()
        self._at = match.end()
        if kind == "line":
            self._line += 1
            self._fresh = True
        elif kind == "nested":
            self._skip_nested_comment()
        elif kind == "template":
            self._template()
        elif kind == "slash":
            self._slash()
        elif kind in ("string", "raw", "mark"):
            self._emit(STRING)
            self._line += word.count("\n")
        elif kind in ("space", "skip"):
            self._line += word.count("\n")
        else:
            self._brace(word)

    def _brace(self, word: str) -> None:
        if word == "}" and self._templates and self._templates[-1] == self._braces:
            self._templates.pop()
            self._template()
            return
        self._braces += (word == "{") - (word == "}")
        self._emit(word)

    def _skip_nested_comment(self) -> None:
        depth = 1
        for mark in re.finditer(r"/\*|\*/|\n", self.text[self._at:]):
            self._line += mark.group() == "\n"
            depth += (mark.group() == "/*") - (mark.group() == "*/")
            if depth == 0:
                self._at += mark.end()
                return
        self._at = len(self.text)

    def _template(self) -> None:
        """The rest of a template literal: to its end, or to the next `${`."""
        end = re.compile(r"(?:[^`\\$]|\\.|\$(?!\{))*(`|\$\{|\Z)", re.DOTALL).match(
            self.text, self._at)
        assert end is not None
        self._emit(STRING)
        self._line += end.group().count("\n")
        self._at = end.end()
        if end.group(1) == "${":
            self._templates.append(self._braces)

    def _slash(self) -> None:
        before = self.tokens[-1].text if self.tokens else ";"
        divides = before in (")", "]", "}", STRING) or (
            (before[0].isalnum() or before[0] in "_$") and before not in _BEFORE_REGEX)
        regex = None if divides else _REGEX.match(self.text, self._at - 1)
        if regex is None:
            self._emit("/")
            return
        self._at = regex.end()
        self._emit(STRING)


_DIRECTIVE = re.compile(r"^[ \t]*#[ \t]*(\w*)")


def without_directives(text: str) -> str:
    """C source with preprocessor lines, and all but the first branch of each #if, made blank."""
    out: List[str] = []
    branches: List[int] = []  # per open #if: NOT_YET, TAKEN or DONE
    in_comment = continued = False
    for line in text.split("\n"):
        directive = None if in_comment or continued else _DIRECTIVE.match(line)
        goes_on = line.endswith("\\")
        if directive is not None:
            _branch(directive.group(1), line, branches)
        blank = continued or directive is not None or any(b != TAKEN for b in branches)
        if not blank or in_comment:
            in_comment = _comment_open(line, in_comment)
        out.append("" if blank else line)
        continued = goes_on and (directive is not None or continued)
    return "\n".join(out)


NOT_YET, TAKEN, DONE = range(3)


def _branch(word: str, line: str, branches: List[int]) -> None:
    if word in ("if", "ifdef", "ifndef"):
        # `#if 0` is how code is switched off; its #else is the branch that counts.
        off = re.match(r"[ \t]*#[ \t]*if[ \t]+0[ \t]*(?:$|/)", line)
        branches.append(NOT_YET if off else TAKEN)
    elif word in ("else", "elif", "elifdef", "elifndef") and branches:
        branches[-1] = TAKEN if branches[-1] == NOT_YET else DONE
    elif word == "endif" and branches:
        branches.pop()


_COMMENT_OR_STRING = re.compile(r'//|/\*|"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'')


def _comment_open(line: str, is_open: bool) -> bool:
    """Whether a block comment is open at the end of the line."""
    at = 0
    while True:
        if is_open:
            end = line.find("*/", at)
            if end < 0:
                return True
            at, is_open = end + 2, False
        found = _COMMENT_OR_STRING.search(line, at)
        if found is None or found.group() == "//":
            return False
        is_open = found.group() == "/*"
        at = found.end()
