"""Slots and threads: every accepted attempt ends, and its slot is free again."""
import asyncio
import json
import threading

import pytest

import mainstay
from link_server import until


@pytest.fixture
def handlers(agent):
    agent.capability("fine")(lambda item, ctx: "fine")
    return agent


def test_a_generator_is_no_handler():
    agent = mainstay.Agent("x")

    def steps(item, ctx):
        yield 1

    async def later(item, ctx):
        yield 1
    for handler in (steps, later):
        with pytest.raises(TypeError, match="is a generator; a handler returns its output"):
            agent.capability("x")(handler)
    with pytest.raises(ValueError, match="not valid Unicode"):
        agent.capability("x\ud800")
    for slots in (0, 2 ** 40, "two"):
        with pytest.raises(ValueError, match="whole number from 1 to 4096"):
            mainstay.Agent("x", slots=slots)


def test_whatever_a_handler_raises_the_loop_goes_on(handlers, link):
    """SystemExit in a task of the handler's own passes through asyncio's loop and ends it."""
    async def leave(kind):
        raise kind

    @handlers.capability("task")
    async def task(item, ctx):
        for kind in (SystemExit, KeyboardInterrupt):
            with pytest.raises(kind):
                await asyncio.create_task(leave(kind))
        return "on"
    for kind in (SystemExit, KeyboardInterrupt, GeneratorExit, asyncio.CancelledError):
        async def raises(item, ctx, kind=kind):
            raise kind
        handlers.capability(kind.__name__)(raises)
    handlers.start()
    assert json.loads(link.wait_result(link.assign("task")).output_json) == "on"
    for name in ("SystemExit", "KeyboardInterrupt", "GeneratorExit", "CancelledError"):
        assert link.wait_result(link.assign(name)).failure.code == name
    assert json.loads(link.wait_result(link.assign("task")).output_json) == "on"


def test_many_items_that_nobody_handles_are_all_refused(handlers, link):
    handlers.start()
    works = link.assign_many("unknown", [b"null"] * 3000)
    assert link.wait_result(works[-1]).failure.code == "capability_unknown"
    assert link.wait_result(works[0]).failure.kind == "refused"


def test_an_item_is_given_back_when_no_thread_can_be_started(handlers, link, monkeypatch):
    handlers.start()
    link.wait_connection()
    until(lambda: handlers._link._welcomed)

    def no_more(thread):
        raise RuntimeError("can't start new thread")
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", no_more)
        work = link.assign("fine")
        said = link.wait_result(work).failure
    assert (said.kind, said.code) == ("refused", "unavailable")
    assert json.loads(link.wait_result(link.assign("fine")).output_json) == "fine"
