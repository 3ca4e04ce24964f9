"""What may be a handler: told when it is registered, not when the first item comes."""
import functools
import json

import pytest

import mainstay
from mainstay import logs, testing


class Mute:
    def __str__(self):
        raise SystemExit("no text")

    __repr__ = __str__


class Callable:
    def __call__(self, item, ctx):
        return 1


class CallableGenerator:
    def __call__(self, item, ctx):
        yield 1


@pytest.mark.parametrize("handler, says", [
    (CallableGenerator(), "generator"),
    (lambda: 1, "handler(item, ctx)"), (lambda item: 1, "handler(item, ctx)"),
    (lambda item, ctx, more: 1, "more"), (lambda item, ctx, *, key: 1, "key"), (7, "function"),
])
def test_a_handler_that_cannot_work_is_told_when_it_is_registered(handler, says):
    agent = mainstay.Agent("x")
    with pytest.raises(TypeError) as caught:
        agent.capability("a.b")(handler)
    assert "a.b" in str(caught.value) and says in str(caught.value)
    assert agent.handlers == {}


@pytest.mark.parametrize("handler", [
    Callable(), lambda *all_of_it: 1, lambda item, ctx, more=1: 1,
    functools.partial(lambda more, item, ctx: 1, 5)])
def test_handlers_of_other_kinds_work(handler):
    agent = mainstay.Agent("x")
    agent.capability("do")(handler)
    assert testing.call(agent, "do", timeout=60).output == 1


def test_a_line_whose_fields_or_words_fail_is_shown_as_it_can_be():
    lines = []
    log = logs.Logger(lines.append)
    log.info("x", o=Mute(), good=1, d={(1,): 2}, n=float("nan"))
    log.info(Mute())
    fields = json.loads(lines[0].fields, parse_constant=pytest.fail)
    assert fields["good"] == 1 and fields["n"] == "NaN"
    assert "whose text raises SystemExit" in fields["o"]
    assert "whose text raises SystemExit" in lines[1].message
