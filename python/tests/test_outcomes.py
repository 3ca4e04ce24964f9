"""Every attempt ends, whatever its handler throws, returns or says about itself (WRK-10, USE-3)."""
import json
import sys

import pytest

import mainstay
from mainstay import failure, plain_json, testing
from mainstay.shown_json import array_text, object_text

DAEMON_LIMIT = 64 * 1024


class Mute(Exception):
    def __str__(self):
        raise SystemExit("not even this")

    __repr__ = __str__


def strictly(text):
    """JSON as the daemon reads it: no NaN, no key twice, no lone surrogate."""
    def once(pairs):
        assert len(dict(pairs)) == len(pairs)
        return dict(pairs)

    def refuse(name):
        raise AssertionError(name)
    text.encode("utf-8")
    return json.loads(text, object_pairs_hook=once, parse_constant=refuse)


def fails(agent, link, capability):
    """(the failure, its context) of one item; then the agent must still work."""
    said = link.wait_result(link.assign(capability)).failure
    assert len(said.context_json.encode()) <= DAEMON_LIMIT
    assert json.loads(link.wait_result(link.assign("fine")).output_json) == "fine"
    return said, strictly(said.context_json)


@pytest.fixture
def handlers(agent):
    agent.capability("fine")(lambda item, ctx: "fine")
    return agent


def test_an_exception_without_words_is_a_failure(handlers, link):
    @handlers.capability("sync")
    def sync(item, ctx):
        raise Mute

    @handlers.capability("async")
    async def later(item, ctx):
        raise Mute
    handlers.start()
    for capability in ("sync", "async"):
        said, context = fails(handlers, link, capability)
        assert (said.kind, said.code, said.permanent) == ("error", "Mute", False)
        assert said.message == "<Mute whose text raises SystemExit>"
        assert "raise Mute" in context["traceback"]


def test_a_state_that_json_does_not_know_is_shown_as_it_can_be(handlers, link):
    round_and_round = []
    round_and_round.append(round_and_round)
    handlers.state.update(pairs={(1, 2): 3, 1: "a", "1": "b"}, loop=round_and_round, mute=Mute(),
                          temperature=float("nan"), most=float("-inf"), name="odd \ud800",
                          huge=10 ** 5000)

    @handlers.capability("broken")
    def broken(item, ctx):
        raise ValueError("odd \ud800")
    handlers.start()
    said, context = fails(handlers, link, "broken")
    state = context["agent"]
    assert said.message == "odd \\ud800" and "odd \\ud800" in context["traceback"]
    assert state["pairs"] == {"(1, 2)": 3, "1": "a", "1'": "b"}
    assert (state["temperature"], state["most"]) == ("NaN", "-Infinity")
    assert state["name"] == "odd \\ud800" and "SystemExit" in state["mute"]


def test_a_state_that_is_none_and_fields_of_any_kind(handlers, link):
    handlers.state = None

    class Odd(mainstay.Permanent):
        def __init__(self):
            super().__init__("m", code=5, hint=Mute())
            self.fields = {1: Mute()}

    @handlers.capability("odd")
    def odd(item, ctx):
        raise Odd
    handlers.start()
    said, context = fails(handlers, link, "odd")
    assert (said.code, said.permanent) == ("5", True)
    assert "TypeError" in context["agent"]["state"] and "1" in context["fields"]


def test_a_large_context_is_cut_member_by_member(handlers, link):
    handlers.state.update(text="é\n" * 200_000, rows=list(range(100_000)), small="kept",
                          many={str(n): n for n in range(100_000)})

    @handlers.capability("deep")
    def deep(item, ctx):
        def down(n):
            return down(n - 1) if n else 1 / 0
        down(min(900, sys.getrecursionlimit() - 100))
    handlers.start()
    said, context = fails(handlers, link, "deep")
    assert said.code == "ZeroDivisionError"
    assert context["shortened"] == "agent" and context["agent"]["small"] == "kept"
    assert "bytes left out" in context["agent"]["text"]
    assert context["agent"]["rows"][:3] == [0, 1, 2] and "more" in context["agent"]["rows"][-1]
    assert context["traceback"].rstrip().endswith("ZeroDivisionError: division by zero")
    assert context["environment"]["python"]


def test_a_failure_that_cannot_be_read_at_all_is_one_still(monkeypatch):
    def no_memory(context):
        raise MemoryError
    monkeypatch.setattr(failure, "surroundings", no_memory)
    agent = mainstay.Agent("x")

    @agent.capability("x")
    def x(item, ctx):
        raise KeyError("k")
    said = testing.call(agent, "x").failure
    assert said.code == "handler_failed"
    assert "KeyError" in said.message and "MemoryError" in said.message


@pytest.mark.parametrize("arguments, kind, text", [
    ({"prompt_tokens": 2 ** 63}, ValueError, "prompt_tokens must be below 2**63"),
    ({"prompt_tokens": 1.5}, TypeError, "prompt_tokens must be a whole number, got float: 1.5"),
    ({"cached_tokens": None}, TypeError, "cached_tokens must be a whole number"),
    ({"api_calls": -1}, ValueError, "api_calls must not be negative"),
    ({"model": 5, "prompt_tokens": 2}, TypeError, "model must be text, got int: 5"),
    ({"provider": b"x"}, TypeError, "provider must be text"),
])
def test_wrong_usage_is_refused_where_it_is_said(arguments, kind, text):
    agent = mainstay.Agent("x")

    @agent.capability("x")
    def x(item, ctx):
        with pytest.raises(kind, match=text.replace("*", r"\*")):
            ctx.usage(**arguments)
        ctx.usage(model="m\ud800", prompt_tokens=2 ** 62)
        with pytest.raises(ValueError, match="below"):
            ctx.usage(model="m\ud800", prompt_tokens=2 ** 62)
    outcome = testing.call(agent, "x")
    assert outcome.failure is None
    assert outcome.usage == [{"model": "m\\ud800", "prompt_tokens": 2 ** 62, "llm_requests": 1}]


def test_too_many_models_and_rows_put_past_the_check():
    agent = mainstay.Agent("x")

    @agent.capability("x")
    def x(item, ctx):
        for n in range(256):
            ctx.usage(model=f"m{n}")
        with pytest.raises(ValueError, match="at most 256 models"):
            ctx.usage(model="one more")
        ctx.usages[0].prompt_tokens = "many"
    outcome = testing.call(agent, "x")
    assert outcome.failure is None and len(outcome.usage) == 255
    assert "left out" in outcome.logs[0].message


@pytest.mark.parametrize("value, text", [
    ({1: 2, "1": 3}, "the keys 1 and '1' are the same in JSON"),
    ({"a": [0, {True: 1, "true": 2}]}, "at /a/1: the keys True and 'true' are the same"),
    ([{"x": float("nan")}], "at /0/x: nan is no number of JSON"),
    ({"a/b": float("inf")}, "at /a~1b: inf is no number"),
    ({"raw": b"x"}, "at /raw: bytes is binary; decode it"),
    ({"k": [{(1, 2): 1}]}, r"at /k/0: the key \(1, 2\) is of type tuple"),
    (["caf\udce9"], "at /0: .* is not valid Unicode"),
    ({"caf\udce9": 1}, "is not valid Unicode"),
    ({"s": {1}}, "at /s: set is no type of JSON"),
    ({"m": Mute()}, "at /m: Mute is no type of JSON"),
    ((n for n in [1]), "it is a generator; return list"),
])
def test_what_json_cannot_carry_is_refused_with_its_place(value, text):
    with pytest.raises(plain_json.Unfit, match=text):
        plain_json.encode(value, 1 << 20)
    agent = mainstay.Agent("x")
    agent.capability("x")(lambda item, ctx: value)
    said = testing.call(agent, "x").failure
    assert (said.code, said.permanent) == ("output_invalid", True)


def nested(levels):
    value = []
    for _ in range(levels - 1):
        value = [value]
    return value


def test_depth_size_and_loops_are_refused():
    loop = {}
    loop["again"] = [loop]
    with pytest.raises(plain_json.Unfit, match="at /again/0: it contains itself"):
        plain_json.encode(loop, 100)
    plain_json.encode(nested(64), 1000)
    for levels in (65, 100_000):
        with pytest.raises(plain_json.Unfit, match="more than 64 levels"):
            plain_json.encode(nested(levels), 1 << 20)
    with pytest.raises(plain_json.TooLarge, match="it has 102 bytes as JSON, the limit is 100"):
        plain_json.encode("x" * 100, 100)


def test_keys_that_are_no_text_become_it_as_with_json_dumps():
    value = {1: "a", 1.5: "b", None: "c", True: "d", "e": (1, 2)}
    assert plain_json.encode(value, 100) == json.dumps(value, separators=(",", ":")).encode()


def test_a_coroutine_from_a_plain_handler_says_what_to_do(recwarn):
    async def real():
        return 1
    agent = mainstay.Agent("x")
    agent.capability("x")(lambda item, ctx: real())
    said = testing.call(agent, "x").failure
    assert "declare the handler `async def`" in said.message and said.permanent
    assert not [w for w in recwarn if "never awaited" in str(w.message)]


def test_what_is_shown_never_raises_and_keeps_its_size():
    class Bad(dict):
        def __iter__(self):
            raise OSError

        keys = items = __iter__
    for value in ({}, {"x": Bad()}, None, {str(n): None for n in range(50_000)},
                  {str(n): "x" * 500 for n in range(1000)}, {"x": nested(100)},
                  {"control": "\x01" * 100_000}, {"x" * 100_000: 1}):
        text = object_text(value, 10_000)
        assert len(text.encode()) <= 10_000 and isinstance(strictly(text), dict)
    text = array_text([{"n": float("nan")}, Bad(), "x" * 50, "y" * 50], 120)
    assert strictly(text)[0] == {"n": "NaN"} and len(text) <= 120
