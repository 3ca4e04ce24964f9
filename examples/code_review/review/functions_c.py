"""Finds function definitions in tokens of C and C++.

Outside of functions, what stands before a `{` tells what it opens: a namespace or class is looked
into, an initialiser passed over, and anything with a parameter list is a function.
"""
from __future__ import annotations

from typing import Dict, Iterator, List, Optional, Sequence, Tuple

from .tokens import Token

CLASS = {"class", "struct", "union", "enum"}
ATTRIBUTES = {"__attribute__", "__declspec", "alignas", "decltype", "noexcept", "requires",
              "throw", "asm", "__asm__", "explicit", "_Alignas", "__extension__"}
ACCESS = {"public", "private", "protected", "signals", "slots"}


def find(tokens: Sequence[Token], pairs: Dict[int, int]) -> Iterator[Tuple[str, int, int]]:
    """(name, index where the declaration begins, index of its `{`) of each function."""
    start = index = 0
    while index < len(tokens):
        text = tokens[index].text
        if text in (";", "}"):
            start = index + 1
        elif text == ":" and tokens[index - 1].text in ACCESS:
            start = index + 1
        elif text in ("(", "["):
            macro = index - 1 == start and tokens[start].text.isupper()
            index = pairs.get(index, index)
            if macro and index + 1 < len(tokens) and tokens[index + 1].first and \
                    is_name(tokens[index + 1].text):
                start = index + 1  # a macro on a line of its own is no part of what follows
        elif text == "{":
            kind, name = classify(tokens, pairs, start, index)
            if kind == "function":
                yield name, start, index
            if kind == "scope":
                start = index + 1
            else:
                is_function = kind == "function"
                index = end_of_handlers(tokens, pairs, index) if is_function else \
                    pairs.get(index, index)
                if is_function:
                    start = index + 1
        index += 1


def end_of_handlers(tokens: Sequence[Token], pairs: Dict[int, int], brace: int) -> int:
    """Index of the `}` that ends a function, the handlers of a function-try-block included."""
    close = pairs.get(brace, brace)
    while tokens[brace - 1].text == "try" and close + 2 < len(tokens) and \
            tokens[close + 1].text == "catch":
        handler = pairs.get(close + 2, close + 2) + 1
        if handler not in pairs:
            break
        close = pairs[handler]
    return close


def classify(tokens: Sequence[Token], pairs: Dict[int, int], start: int,
             brace: int) -> Tuple[str, str]:
    """What the `{` at `brace` opens: ("scope" | "function" | "value", the function's name)."""
    parts = top_level(tokens, pairs, start, brace)
    words = [tokens[i].text for i in parts]
    if not words or words[0] in ("namespace", "extern") and "(" not in words:
        return "scope", ""
    if "namespace" in words:
        return "scope", ""
    parameters = parameter_list(tokens, parts)
    if parameters is None:
        return ("scope" if CLASS & set(words) else "value"), ""
    if opens_member(tokens, pairs, parameters, brace):
        return "value", ""
    inside = pairs.get(parameters, parameters) - 1
    if tokens[parameters + 1].text == "*" and tokens[inside].text == ")":
        # `int (*pick(int n))(int)` gives back a function; its own list is the inner one.
        parameters = pairs.get(inside, parameters)
    return "function", name_before(tokens, parameters, pairs)


def top_level(tokens: Sequence[Token], pairs: Dict[int, int], start: int,
              brace: int) -> List[int]:
    """Indexes of a declaration's tokens, with what is inside brackets left out."""
    out, index = [], start
    while index < brace:
        text = tokens[index].text
        out.append(index)
        if text == "template" and index + 1 < brace and tokens[index + 1].text == "<":
            out.pop()
            index = end_of_template(tokens, pairs, index + 1, brace)
            continue
        index = pairs.get(index, index) + 1 if text in ("(", "[", "{") else index + 1
    return out


def end_of_template(tokens: Sequence[Token], pairs: Dict[int, int], index: int,
                    end: int) -> int:
    depth = 0
    while index < end:
        text = tokens[index].text
        depth += (text == "<") - (text == ">")
        index = pairs.get(index, index) + 1 if text in ("(", "[", "{") else index + 1
        if depth == 0:
            break
    return index


def parameter_list(tokens: Sequence[Token], parts: List[int]) -> Optional[int]:
    """Index of the `(` of the parameters; None when the declaration is not a function's."""
    for place, index in enumerate(parts):
        text = tokens[index].text
        before = tokens[parts[place - 1]].text if place else ""
        if text == "operator":
            return next((i for i in parts[place + 1:] if tokens[i].text == "(" and not (
                tokens[i - 1].text == "operator" and is_call_operator(tokens, i))), None)
        if text == "=" and before != "operator":
            return None
        if text == "(" and before not in ATTRIBUTES and (is_name(before) or before == ">"):
            return index
    return None


def is_call_operator(tokens: Sequence[Token], index: int) -> bool:
    return index + 2 < len(tokens) and tokens[index + 1].text == ")" and \
        tokens[index + 2].text == "("


def is_name(text: str) -> bool:
    return bool(text) and (text[0].isalpha() or text[0] == "_")


def opens_member(tokens: Sequence[Token], pairs: Dict[int, int], parameters: int,
                 brace: int) -> bool:
    """Whether the `{` is that of a member such as `b{1}` in a constructor's initialiser list."""
    index = pairs.get(parameters, parameters) + 1
    while index < brace:
        text = tokens[index].text
        if text == ":":
            before = tokens[brace - 1].text
            return is_name(before) or before == ">"
        index = pairs.get(index, index) + 1 if text in ("(", "[", "{") else index + 1
    return False


def name_before(tokens: Sequence[Token], parameters: int, pairs: Dict[int, int]) -> str:
    """The name that stands before a parameter list, with its scope: `Store::open`."""
    index = parameters - 1
    name: List[str] = []
    for back in range(1, 6):
        if index - back >= 0 and tokens[index - back + 1].text == "operator":
            words = [tokens[i].text for i in range(index - back + 1, parameters)]
            joint = " " if len(words) > 1 and is_name(words[1]) else ""
            name, index = ["operator" + joint + "".join(words[1:])], index - back
            break
    if not name:
        name, index = [tokens[index].text], index - 1
    if index >= 0 and tokens[index].text == "~":
        name, index = ["~" + name[0]], index - 1
    while index > 0 and tokens[index].text == "::" and is_name(tokens[index - 1].text):
        name.insert(0, tokens[index - 1].text)
        index -= 2
    text = "::".join(name)
    if text.isupper() and (index < 0 or tokens[index].text in ("}", ";", "{")):
        # A macro that makes a function, such as TEST(Suite, Name): the arguments name it.
        inside = [tokens[i].text for i in range(parameters + 1, pairs.get(parameters, parameters))]
        text += f"({''.join(inside[:8]).replace(',', ', ')})"
    return text
