"""Brackets that belong together, and how deep control statements nest inside a body of braces.

Nesting counts `if`, loops, `switch`/`match`/`select` and `try`, with or without braces, and the
blocks of lambdas and closures; `else if` stays on the level of its `if`. Plain blocks, `case`
labels, initialisers and classes add no level. A named function inside another counts for itself.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, List, Optional, Sequence

from .tokens import Token

CLOSING = {"(": ")", "[": "]", "{": "}"}
CONTROL = {
    "c": {"if", "for", "while", "do", "switch", "else"},
    "cpp": {"if", "for", "while", "do", "switch", "else", "try", "catch"},
    "javascript": {"if", "for", "while", "do", "switch", "else", "try", "catch", "finally",
                   "with"},
    "go": {"if", "for", "switch", "select", "else"},
    "rust": {"if", "for", "while", "loop", "match", "else"},
}
#: These go on with the statement that the block before them belongs to.
FOLLOWERS = {"if": {"else"}, "try": {"catch", "finally"}, "catch": {"catch", "finally"},
             "do": {"while"}, "else": set()}
NO_HEADER = {"do", "else", "try", "finally", "loop", "select"}
#: What may come after a `}` that ended an expression in a Go header rather than its body.
_EXPRESSION_GOES_ON = {"{", "(", ".", ",", ")", "[", ";", "==", "!=", "&&", "||", "<", ">", "+"}
_JS_UNFINISHED = set("+-*/%&|^=<>?:,.([{!~") | {"=>", "==", "!=", "&&", "||", "...", "return",
                                                "+=", "-=", "*=", "/=", "else", "do"}


def pair_brackets(tokens: Sequence[Token]) -> Dict[int, int]:
    """Index of each bracket -> index of its partner, both ways; strays have none."""
    pairs: Dict[int, int] = {}
    opened: List[int] = []
    for index, token in enumerate(tokens):
        text = token.text
        if text in CLOSING:
            opened.append(index)
        elif text in (")", "]", "}"):
            # A stray opening bracket is passed over when an outer one closes.
            for depth in range(len(opened) - 1, max(-1, len(opened) - 4), -1):
                if CLOSING[tokens[opened[depth]].text] == text:
                    pairs[opened[depth]], pairs[index] = index, opened[depth]
                    del opened[depth:]
                    break
    return pairs


@dataclass
class _Level:
    """Something open: a block up to `close`, or a braceless body up to the statement's end."""

    keyword: str
    adds: int
    close: Optional[int]
    brackets: int


class Nesting:
    """Finds the deepest level between two indexes of a token list."""

    def __init__(self, tokens: Sequence[Token], pairs: Dict[int, int], language: str) -> None:
        self._tokens = tokens
        self._pairs = pairs
        self._language = language
        self._control = CONTROL[language]

    def deepest(self, begin: int, end: int, skip: Dict[int, int]) -> int:
        """`skip`: first index -> last index of what counts for itself."""
        self._open: List[_Level] = []
        self._depth = self._deepest = self._brackets = 0
        index = begin
        while index < end:
            if index in skip:
                index = skip[index] + 1
                continue
            index = self._step(index, end)
        return self._deepest

    def _step(self, index: int, end: int) -> int:
        text = self._tokens[index].text
        self._newline_ends(index)
        if self._is_control(index):
            return self._enter(index, end)
        if text == "{":
            self._push("", self._is_closure(index), self._pairs.get(index, end))
        elif text == "}":
            self._close(index)
        elif text in "([":
            self._brackets += 1
        elif text in ")]":
            self._brackets -= 1
        elif text == ";":
            self._statement_ends(index)
        return index + 1

    # -- levels -------------------------------------------------------------------------------

    def _push(self, keyword: str, adds: int, close: Optional[int]) -> None:
        self._open.append(_Level(keyword, adds, close, self._brackets))
        self._depth += adds
        self._deepest = max(self._deepest, self._depth)

    def _pop(self) -> _Level:
        level = self._open.pop()
        self._depth -= level.adds
        return level

    def _close(self, index: int) -> None:
        if not any(level.close == index for level in self._open):
            return
        level = self._pop()
        while level.close != index:
            level = self._pop()
        self._brackets = level.brackets
        if level.keyword and self._next(index) not in FOLLOWERS.get(level.keyword, ()):
            self._end_braceless(index)

    def _statement_ends(self, index: int) -> None:
        if self._open and self._open[-1].close is None and \
                self._open[-1].brackets == self._brackets:
            self._end_braceless(index)

    def _end_braceless(self, index: int) -> None:
        following = self._next(index)
        while self._open and self._open[-1].close is None and \
                self._open[-1].brackets == self._brackets:
            level = self._pop()
            if following in FOLLOWERS.get(level.keyword, ()):
                return

    def _newline_ends(self, index: int) -> None:
        """JavaScript: a new line ends a braceless body that is complete without it."""
        if self._language != "javascript" or not self._tokens[index].first or not self._open:
            return
        top, before = self._open[-1], self._tokens[index - 1].text
        text = self._tokens[index].text
        if top.close is None and top.brackets == self._brackets and text != "{" and \
                before not in _JS_UNFINISHED and text[0] not in ".?:+-*/%&|^=,)]":
            if before != ")" or not self._is_header_end(index - 1):
                self._end_braceless(index - 1)

    def _is_header_end(self, index: int) -> bool:
        start = self._pairs.get(index, 0)
        return start > 0 and self._tokens[start - 1].text in self._control

    def _next(self, index: int) -> str:
        return self._tokens[index + 1].text if index + 1 < len(self._tokens) else ""

    # -- control statements -------------------------------------------------------------------

    def _is_control(self, index: int) -> bool:
        text = self._tokens[index].text
        if text not in self._control:
            return False
        before = self._tokens[index - 1].text if index else ""
        return before not in (".", "->", "::") and self._next(index) not in (":", ",", "=")

    def _enter(self, index: int, end: int) -> int:
        keyword = self._tokens[index].text
        if self._language in ("go", "rust"):
            return self._enter_bare(index, keyword, end)
        body = index + 1
        if keyword == "else" and self._next(index) == "if":
            return body  # the `if` opens the level
        if keyword not in NO_HEADER:
            if self._next(index) in ("constexpr", "await"):
                body += 1
            if body < end and self._tokens[body].text == "(" and body in self._pairs:
                body = self._pairs[body] + 1
            elif keyword != "catch":
                return index + 1
        if keyword == "while" and self._ends_do(index):
            return body
        return self._open_body(keyword, body, end)

    def _ends_do(self, index: int) -> bool:
        """Whether this `while (…)` belongs to the `do` before it: nothing but `;` may follow."""
        before = self._tokens[index - 1].text if index else ""
        header = index + 1
        after = self._pairs.get(header, header) + 1
        ends = after < len(self._tokens) and self._tokens[after].text == ";"
        if before == "}":
            start = self._pairs.get(index - 1, 0)
            return start > 0 and self._tokens[start - 1].text == "do"
        return ends and self._language != "javascript" and self._after_braceless_do(index)

    def _after_braceless_do(self, index: int) -> bool:
        at = index - 1
        while at > 0 and self._tokens[at - 1].text not in (";", "{", "}"):
            at -= 1
        return self._tokens[at].text == "do"

    def _open_body(self, keyword: str, body: int, end: int) -> int:
        if body >= end:
            return end
        if self._tokens[body].text == "{":
            self._push(keyword, 1, self._pairs.get(body, end))
            return body + 1
        self._push(keyword, 1, None)
        return body

    def _enter_bare(self, index: int, keyword: str, end: int) -> int:
        """Go and Rust: the header has no parentheses, the body always has braces."""
        body = index + 1
        if keyword == "else" and self._next(index) == "if":
            return body
        found_in = False
        while body < end:
            text = self._tokens[body].text
            if text == "=>" or (keyword == "for" and text == "<" and not found_in):
                return index + 1  # a guard of a match arm, or `for<'a>`
            found_in = found_in or text == "in"
            if text == "{" and not self._is_operand(body):
                break
            body = self._pairs.get(body, body) + 1 if text in CLOSING else body + 1
        if body >= end or (keyword == "for" and self._language == "rust" and not found_in):
            return index + 1
        # What is inside the header (a closure, say) is looked at on the way.
        self._headers_closures(index + 1, body)
        self._push(keyword, 1, self._pairs.get(body, end))
        return body + 1

    def _headers_closures(self, begin: int, end: int) -> None:
        for index in range(begin, end):
            if self._tokens[index].text == "{" and self._is_closure(index):
                self._deepest = max(self._deepest, self._depth + 1)

    def _is_operand(self, brace: int) -> bool:
        """Whether a `{` in a Go header opens a literal or a function rather than the body."""
        if self._language != "go":
            return False
        if self._tokens[brace - 1].text in ("interface", "struct"):
            return True
        close = self._pairs.get(brace, -1) + 1
        if close <= 0 or close >= len(self._tokens):
            return False
        following = self._tokens[close]
        return following.text in _EXPRESSION_GOES_ON and not following.first

    # -- lambdas and closures -------------------------------------------------------------------

    def _is_closure(self, brace: int) -> int:
        """1 when this `{` opens the body of an unnamed function, else 0."""
        check = {"c": self._never, "cpp": self._lambda, "javascript": self._js_function,
                 "go": self._go_literal, "rust": self._rust_closure}[self._language]
        return int(brace > 0 and check(brace - 1))

    def _never(self, at: int) -> bool:
        return False

    def _lambda(self, at: int) -> bool:
        for _ in range(12):
            text = self._tokens[at].text
            if text == ")" and self._pairs.get(at, 0) > 0:
                opening = self._pairs[at]
                before = self._tokens[opening - 1].text
                if before == "noexcept":
                    at = opening - 2
                    continue
                return before == "]" and self._introducer(opening - 1)
            if text == "]":
                return self._introducer(at)
            is_word = text[0].isalpha() or text[0] == "_" or text in ("->", "::", "<", ">", "*",
                                                                      "&", ",")
            if not is_word or at == 0:
                return False
            at -= 1
        return False

    def _introducer(self, at: int) -> bool:
        start = self._pairs.get(at, 0)
        before = self._tokens[start - 1].text if start else ";"
        return before in ("return", "co_return") or not (
            before[0].isalnum() or before[0] in "_)]>" or before == "[")

    def _js_function(self, at: int) -> bool:
        text = self._tokens[at].text
        if text == "=>":
            return True
        opening = self._pairs.get(at, 0) if text == ")" else 0
        return opening > 0 and "function" in {self._tokens[i].text
                                              for i in range(max(0, opening - 3), opening)}

    def _go_literal(self, at: int) -> bool:
        while at > 0:
            text = self._tokens[at].text
            if text in (")", "]") and at in self._pairs:
                at = self._pairs[at]
                if self._tokens[at - 1].text == "func":
                    return True
            elif text in ("{", "}", ";", "=", ":=", "return") or self._tokens[at].first:
                return False
            at -= 1
        return False

    def _rust_closure(self, at: int) -> bool:
        for _ in range(8):
            text = self._tokens[at].text
            if text in ("|", "||"):
                return True
            if text in ("{", "}", ";", "=>", "=", ")") or at == 0:
                return False
            at -= 1
        return False
