"""Threads, pools and what is printed belong to the work item they come from."""
import asyncio
import contextvars
import io
import json
import logging
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

import mainstay
from mainstay import output, scope, testing, threads
from mainstay.output import ItemStream
from test_process import PACKAGE
from link_server import TOKEN


def said_by(link, count):
    return link.wait_for(lambda: len(got := [x for m in link.messages for x in m.logs]) >= count
                         and got)


class OwnRun(threading.Thread):
    def run(self):
        logging.getLogger("thr").error("own run")


@pytest.fixture
def handled():
    """Python's logging comes to the agent although pytest handles the root."""
    logger, handler = logging.getLogger("thr"), mainstay.LogHandler()
    logger.addHandler(handler)
    yield logger
    logger.removeHandler(handler)


def test_plain_threads_and_pools_belong_to_the_item(agent, link, handled):
    pool = ThreadPoolExecutor(1)

    def each(things):
        for thing in things:
            thing.start()
        for thing in things:
            thing.join()

    @agent.capability("sync")
    def sync(item, ctx):
        def nested():
            handled.error("outer")
            each([threading.Thread(target=handled.error, args=("inner",))])
        each([threading.Thread(target=handled.error, args=("plain",)), OwnRun(),
              threading.Timer(0, handled.error, ("timer",)), threading.Thread(target=nested)])
        pool.submit(handled.error, "pool").result()
        list(pool.map(handled.error, ["map"]))

    @agent.capability("async")
    async def work(item, ctx):
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, handled.error, "executor")
        await loop.run_in_executor(pool, handled.error, "own executor")
    agent.start()
    first = link.assign("sync", run_id="r1", stage="s", step=1)
    link.wait_result(first)
    second = link.assign("async", run_id="r2", stage="t", step=2)
    link.wait_result(second)
    lines = {x.message: (x.work_id, x.run_id, x.step) for x in said_by(link, 9)}
    pool.shutdown()
    assert lines == {
        **{name: (first, "r1", 1) for name in ("plain", "own run", "timer", "outer", "inner",
                                               "pool", "map")},
        **{name: (second, "r2", 2) for name in ("executor", "own executor")}}


def test_a_thread_that_stays_behind_belongs_to_no_item(agent, link, handled):
    go, done = threading.Event(), threading.Event()

    @agent.capability("leave")
    def leave(item, ctx):
        def later():
            go.wait(60)
            handled.error("later")
            done.set()
        threading.Thread(target=later).start()
    agent.start()
    link.wait_result(link.assign("leave", run_id="r1", step=1))
    go.set()
    assert done.wait(60)
    assert [x.run_id for x in said_by(link, 1) if x.message == "later"] == [""]


def test_a_pools_thread_is_not_the_item_that_made_it_grow(agent, link):
    pool, seen = ThreadPoolExecutor(1), []

    @agent.capability("grow")
    def grow(item, ctx):
        seen.append(pool.submit(scope.current).result() is ctx)
        hold.set()
        go.wait(60)
    hold, go = threading.Event(), threading.Event()
    agent.start()
    work = link.assign("grow")
    assert hold.wait(60)
    seen.append(pool.submit(scope.current).result())
    go.set()
    link.wait_result(work)
    pool.shutdown()
    assert seen == [True, None]


def test_what_is_put_into_the_library_is_taken_out_again(link):
    before = threading.Thread.start, ThreadPoolExecutor.submit
    one, two = mainstay.Agent("a"), mainstay.Agent("b", inherit_context=False)
    one.start()
    two.start()
    assert threading.Thread.start is not before[0]
    two.stop(0)
    assert threading.Thread.start is not before[0]
    one.stop(0)
    assert (threading.Thread.start, ThreadPoolExecutor.submit) == before


def test_what_others_put_over_it_stays(monkeypatch):
    inheritance = threads.Inheritance()
    original = threading.Thread.start
    inheritance.install()
    ours = threading.Thread.start

    def theirs(thread):
        ours(thread)
    monkeypatch.setattr(threading.Thread, "start", theirs)
    inheritance.remove()
    assert threading.Thread.start is theirs
    ran = []
    thread = threading.Thread(target=lambda: ran.append(True))
    thread.start()
    thread.join()
    assert ran == [True]
    monkeypatch.setattr(threading.Thread, "start", original)


def test_a_thread_that_cannot_start_is_as_it_was():
    agent, caught = mainstay.Agent("x"), []

    @agent.capability("twice")
    def twice(item, ctx):
        thread = threading.Thread(target=lambda: None)
        thread.start()
        thread.join()
        try:
            thread.start()
        except RuntimeError as error:
            caught.append(str(error))
        return "run" in thread.__dict__
    threads.inheritance.install()
    try:
        assert testing.call(agent, "twice").output is False
    finally:
        threads.inheritance.remove()
    assert caught == ["threads can only be started once"]


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_context_variables_of_one_item_are_not_the_next_ones(agent, link, kind):
    mine = contextvars.ContextVar("mine", default="unset")

    def step(item):
        before = mine.get()
        mine.set(item.id)
        return before
    if kind == "sync":
        agent.capability("set")(lambda item, ctx: step(item))
    else:
        @agent.capability("set")
        async def handler(item, ctx):
            return step(item)
    agent.start()
    works = [link.assign("set") for _ in range(20)]
    assert {link.wait_result(work).output_json for work in works} == {b'"unset"'}


# -- what is printed ----------------------------------------------------------------------------

class Item:
    key, step = "key", 3


class View:
    """As much of a context as printing asks for."""

    item = Item()
    ended = False

    def log_fields(self):
        return {"work_id": "w", "run_id": "r", "step": "003"}


@pytest.fixture
def printed():
    """(stream, what was written to the real one, the context)."""
    real = io.StringIO()
    return ItemStream(real), real


@pytest.fixture
def inside():
    token = scope._context.set(View())
    yield
    scope._context.reset(token)


def objects(real):
    return [json.loads(line) for line in real.getvalue().splitlines()]


def test_outside_of_work_lines_are_as_they_are(printed):
    stream, real = printed
    print("a", 1, file=stream)
    print("dots", end="", file=stream)
    assert real.getvalue() == "a 1\n"
    stream.flush()
    assert real.getvalue() == "a 1\ndots"


def test_inside_lines_carry_the_item(printed, inside):
    stream, real = printed
    print("one\ntw", end="", file=stream)
    print("o \u00e9 \U0001f600", file=stream)
    place = {"work_id": "w", "run_id": "r", "step": 3}
    assert objects(real) == [{"message": "one", **place},
                             {"message": "two \u00e9 \U0001f600", **place}]


def test_a_line_without_an_end_ends_with_the_handler(printed, inside):
    stream, real = printed
    stream.write("half")
    stream.flush()
    assert real.getvalue() == ""
    stream.ended("key")
    assert objects(real)[0]["message"] == "half"


def test_a_line_that_is_structured_already_keeps_what_it_says(printed, inside):
    stream, real = printed
    stream.write('{"msg": "x", "run_id": "own", "n": 1.50}\n{"no": "message"}\n{broken\n')
    assert real.getvalue().splitlines()[0] == (
        '{"work_id": "w", "step": 3, "msg": "x", "run_id": "own", "n": 1.50}')
    assert [o["message"] for o in objects(real)[1:]] == ['{"no": "message"}', "{broken"]


def test_a_line_begun_outside_is_not_mixed_with_one_inside(printed):
    stream, real = printed
    print("begun", end="", file=stream, flush=True)
    token = scope._context.set(View())
    try:
        print("inside", file=stream)
    finally:
        scope._context.reset(token)
    assert real.getvalue().splitlines()[0] == "begun"
    assert json.loads(real.getvalue().splitlines()[1])["message"] == "inside"


def test_no_line_is_longer_than_the_daemon_takes(printed, inside):
    stream, real = printed
    text = "\U0001f600" * 30_000
    print(text, file=stream)
    assert all(len(line.encode()) < 65536 for line in real.getvalue().splitlines())
    (line,) = objects(real)
    kept = len(line["message"])
    assert line["message"] == text[:kept] and kept > 1000
    assert line["truncated_bytes"] == 4 * (len(text) - kept) and line["run_id"] == "r"


def test_text_that_never_ends_a_line_is_not_kept_for_ever(printed, inside):
    stream, real = printed
    for _ in range(100):
        stream.write("\r" + "x" * 1000)
    assert real.getvalue()


def test_it_is_a_stream_like_the_real_one(printed):
    stream, real = printed
    with pytest.raises(TypeError):
        stream.write(b"x")
    stream.writelines(["a\n", "b\n"])
    assert stream.getvalue() == "a\nb\n"


PRINTING = """
import os, signal, sys, threading
import mainstay
agent = mainstay.Agent("p")

@agent.capability("say")
def say(item, ctx):
    print("out", item.input)
    print("err", file=sys.stderr)
    thread = threading.Thread(target=print, args=("thread",))
    thread.start()
    thread.join()
    os.kill(os.getpid(), signal.SIGKILL)

print("before")
agent.run()
"""


def test_what_a_handler_printed_is_there_although_the_process_is_killed(link):
    base = {k: v for k, v in os.environ.items() if not k.startswith("MAINSTAY_")}
    process = subprocess.Popen(
        [sys.executable, "-c", PRINTING], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
        env={**base, "PYTHONPATH": PACKAGE, "PYTHONUNBUFFERED": "1", "MAINSTAY_START_ID": "x",
             "MAINSTAY_LINK": link.target, "MAINSTAY_TOKEN": TOKEN})
    link.assign("say", b"7", run_id="r1", stage="s", step=2)
    out, err = process.communicate(timeout=60)
    assert process.returncode == -9
    first, *rest = out.splitlines()
    assert first == "before"
    assert [(json.loads(x)["message"], json.loads(x)["run_id"], json.loads(x)["step"])
            for x in [*rest, *err.splitlines()]] == [
        ("out 7", "r1", 2), ("thread", "r1", 2), ("err", "r1", 2)]


def test_a_stream_that_is_no_pipe_is_left_alone(tmp_path, monkeypatch):
    with open(tmp_path / "file", "w", encoding="utf-8") as real:
        monkeypatch.setattr(sys, "stdout", real)
        monkeypatch.setattr(sys, "stderr", None)
        capture = output.Capture()
        capture.install()
        assert sys.stdout is real and capture.streams == []
        capture.remove()
