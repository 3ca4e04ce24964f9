"""Handlers, their results and what they say, over a real gRPC link."""
import asyncio
import json
import logging
import threading

import mainstay
from link_server import until


def output(result):
    assert not result.HasField("failure"), result.failure.message
    return json.loads(result.output_json)


def test_hello_says_who_the_agent_is(agent, link):
    agent.capability("a.b")(lambda item, ctx: None)
    agent.start()
    hello = link.wait_connection().hello
    assert (hello.agent, hello.incarnation) == ("tester", 7)
    assert list(hello.capabilities) == ["a.b"]
    assert hello.sdk == f"python {mainstay.__version__}"
    assert hello.slots == 0 and not hello.held


def test_a_sync_handler_gets_the_item_and_answers(agent, link):
    @agent.capability("echo")
    def echo(item, ctx):
        return {"input": item.input, "id": item.id, "attempt": item.attempt,
                "labels": item.labels, "stage": item.stage, "step": item.step,
                "left": ctx.time_left}
    agent.start()
    work = link.assign("echo", b'{"n":1}', attempt=3, labels={"a": "b"}, stage="scan", step=2,
                       run_id="r", description="d", time_left_ms=60_000)
    got = output(link.wait_result(work))
    assert got["input"] == {"n": 1} and got["attempt"] == 3 and got["labels"] == {"a": "b"}
    assert (got["stage"], got["step"]) == ("scan", 2)
    assert got["id"].replace("-", "") == work.hex()
    assert 50 < got["left"] <= 60


def test_async_handlers_run_side_by_side(agent, link):
    link.slots = 3
    together = asyncio.Event()
    inside = []

    @agent.capability("meet")
    async def meet(item, ctx):
        inside.append(item.id)
        if len(inside) == 3:
            together.set()
        await asyncio.wait_for(together.wait(), 60)
        return len(inside)
    agent.start()
    for work in link.assign_many("meet", [b"null"] * 3):
        assert output(link.wait_result(work)) == 3


def test_sync_handlers_run_as_many_at_a_time_as_there_are_slots(agent, link):
    link.slots = 3
    barrier = threading.Barrier(3)
    running, most, lock = [0], [0], threading.Lock()

    @agent.capability("meet")
    def meet(item, ctx):
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        barrier.wait(60)
        with lock:
            running[0] -= 1
    agent.start()
    for work in link.assign_many("meet", [b"null"] * 9):
        link.wait_result(work)
    assert most[0] == 3


def test_an_exception_is_a_failure_with_its_surroundings(agent, link, monkeypatch):
    agent.state["session_active"] = False

    @agent.capability("broken")
    def broken(item, ctx):
        raise ValueError("no such thing as test-token-0123456789")
    agent.start()
    work = link.assign("broken", description="d" * 400, phase="build")
    failure = link.wait_result(work).failure
    assert (failure.kind, failure.code, failure.permanent) == ("error", "ValueError", False)
    assert failure.message == "no such thing as [redacted]"
    context = json.loads(failure.context_json)
    assert "in broken" in context["traceback"] and "test-token" not in failure.context_json
    assert context["phase"] == "build" and len(context["description"]) < 400
    assert context["agent"]["session_active"] is False
    assert context["agent"]["loaded_skills"] == ["broken"]
    assert context["environment"]["grpcio"] and context["environment"]["python"]


def test_retryable_and_permanent(agent, link):
    @agent.capability("busy")
    def busy(item, ctx):
        raise mainstay.Retryable("try later", code="model_busy", retry_after=3)

    @agent.capability("wrong")
    async def wrong(item, ctx):
        raise mainstay.Permanent("never", hint="give a path")
    agent.start()
    first = link.wait_result(link.assign("busy")).failure
    second = link.wait_result(link.assign("wrong")).failure
    assert (first.code, first.permanent) == ("model_busy", False)
    assert json.loads(first.context_json)["fields"] == {"retry_after": 3}
    assert second.permanent and json.loads(second.context_json)["hint"] == "give a path"


def test_output_that_json_cannot_carry_fails_for_good(agent, link):
    agent.capability("set")(lambda item, ctx: {1, 2})
    agent.capability("nan")(lambda item, ctx: float("nan"))
    agent.capability("big")(lambda item, ctx: "x" * (17 << 20))
    agent.start()
    for capability, code in (("set", "output_invalid"), ("nan", "output_invalid"),
                             ("big", "payload_too_large")):
        failure = link.wait_result(link.assign(capability)).failure
        assert (failure.code, failure.permanent) == (code, True)


def test_a_handler_that_exits_does_not_end_the_agent(agent, link):
    @agent.capability("leave")
    def leave(item, ctx):
        raise SystemExit(3)
    agent.capability("stay")(lambda item, ctx: "here")
    agent.start()
    assert link.wait_result(link.assign("leave")).failure.code == "SystemExit"
    assert output(link.wait_result(link.assign("stay"))) == "here"


def test_work_without_a_handler_is_refused(agent, link):
    agent.capability("a")(lambda item, ctx: None)
    agent.start()
    failure = link.wait_result(link.assign("b")).failure
    assert (failure.kind, failure.code) == ("refused", "capability_unknown")


def test_logs_progress_spans_and_usage_reach_the_daemon(agent, link):
    @agent.capability("talk")
    def talk(item, ctx):
        ctx.log.info("reading", path="a.py", odd=object())
        ctx.component("metrics").warning("slow")
        ctx.progress(0.5, "half")
        with ctx.span("outer", size=1) as outer:
            outer.event("tick", n=1)
            with ctx.span("inner"):
                pass
        ctx.usage(model="m", provider="p", prompt_tokens=5, completion_tokens=2)
        ctx.usage(model="m", provider="p", prompt_tokens=1)
        ctx.usage(api_calls=1)
    agent.start()
    trace = "00-" + "ab" * 16 + "-" + "cd" * 8 + "-01"
    result = link.wait_result(link.assign("talk", trace_parent=trace, run_id="r1",
                                          pipeline="review", stage="scan", step=4))
    first, second = link.all_of("logs")
    assert (first.level, first.message, first.component) == ("INFO", "reading", "")
    assert json.loads(first.fields_json)["path"] == "a.py"
    assert (first.run_id, first.pipeline, first.stage, first.step) == ("r1", "review", "scan", 4)
    assert first.work_id == result.work_id and first.trace_id == "ab" * 16
    assert (second.level, second.component) == ("WARNING", "metrics")
    inner, outer = link.all_of("spans")
    assert outer.parent_id == "cd" * 8 and inner.parent_id == outer.span_id
    assert json.loads(outer.attributes_json) == {"size": 1}
    assert json.loads(outer.events_json)[0]["name"] == "tick"
    model, calls = result.usage
    assert (model.model, model.prompt_tokens, model.llm_requests) == ("m", 6, 2)
    assert (calls.api_calls, calls.llm_requests) == (1, 0)


def test_progress_is_sent_while_the_handler_works(agent, link):
    go_on = threading.Event()

    @agent.capability("long")
    def long(item, ctx):
        for step in range(100):
            ctx.progress(step / 100)
        ctx.progress(0.99, "nearly")
        go_on.wait(60)
    agent.start()
    work = link.assign("long")
    link.wait_for(lambda: any(p.message == "nearly" for m in link.messages for p in m.progress))
    assert len(link.all_of("progress")) < 50  # the newest only, not one message each
    go_on.set()
    link.wait_result(work)


def test_a_failing_span_says_so(agent, link):
    @agent.capability("x")
    def x(item, ctx):
        with ctx.span("parse"):
            raise KeyError("k")
    agent.start()
    link.wait_result(link.assign("x"))
    (span,) = link.all_of("spans")
    assert span.failed and "KeyError" in span.status_message


def test_cancel_reaches_sync_async_and_waiting_items(agent, link):
    started = threading.Event()

    @agent.capability("sync")
    def sync(item, ctx):
        started.set()
        while not ctx.wait_cancelled(60):
            pass
        ctx.raise_if_cancelled()

    @agent.capability("async")
    async def forever(item, ctx):
        started.set()
        await asyncio.sleep(60)
    agent.start()
    for capability in ("sync", "async"):
        started.clear()
        work, waiting = link.assign_many(capability, [b"null"] * 2)
        assert started.wait(60)
        link.wait_connection().send(cancels=[{"work_id": waiting, "epoch": 1}])
        assert link.wait_result(waiting).failure.kind == "cancelled"
        link.wait_connection().send(cancels=[{"work_id": work, "epoch": 1, "reason": "enough"}])
        assert link.wait_result(work).failure.kind == "cancelled"


def test_a_cancel_for_an_older_epoch_is_not_for_this_attempt(agent, link):
    link.slots = 2
    go_on = threading.Event()

    @agent.capability("x")
    def x(item, ctx):
        go_on.wait(60)
        return ctx.cancelled
    agent.capability("y")(lambda item, ctx: None)
    agent.start()
    work = link.assign("x", epoch=5)
    link.wait_connection().send(cancels=[{"work_id": work, "epoch": 4}])
    link.wait_result(link.assign("y"))  # the stream keeps its order: the cancel was read
    go_on.set()
    assert output(link.wait_result(work)) is False


def test_passing_the_deadline_is_a_timeout(agent, link):
    @agent.capability("slow")
    def slow(item, ctx):
        ctx.wait_cancelled(60)
        ctx.raise_if_cancelled()
    agent.start()
    failure = link.wait_result(link.assign("slow", time_left_ms=30)).failure
    assert (failure.kind, failure.code, failure.permanent) == ("error", "attempt_timeout", False)


def test_the_context_follows_threads_tasks_and_python_logging(agent, link):
    logger = logging.getLogger("app")
    handler = mainstay.LogHandler()
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    pool = mainstay.ContextExecutor(1)

    @agent.capability("spread")
    async def spread(item, ctx):
        async def child():
            logger.info("from a task", extra={"n": 1})
        await asyncio.gather(child(), asyncio.to_thread(logger.info, "from to_thread"))
        await asyncio.wrap_future(pool.submit(logger.info, "from the pool"))
        try:
            1 / 0
        except ZeroDivisionError:
            logger.exception("went wrong")
    agent.start()
    try:
        work = link.assign("spread", run_id="r9", stage="s", step=1)
        link.wait_result(work)
        lines = link.wait_for(lambda: len(got := [x for m in link.messages for x in m.logs]) == 4
                              and got)
    finally:
        logger.removeHandler(handler)
        pool.shutdown()
    assert {x.message for x in lines} == {"from a task", "from to_thread", "from the pool",
                                          "went wrong"}
    assert all(x.work_id == work and x.run_id == "r9" and x.step == 1 for x in lines)
    fields = {x.message: json.loads(x.fields_json) for x in lines}
    assert fields["from a task"] == {"n": 1, "logger": "app"}
    assert "ZeroDivisionError" in fields["went wrong"]["traceback"]


def test_lines_outside_of_work_have_no_context(agent, link):
    agent.start()
    agent.log.error("lost", why="x")
    (line,) = link.wait_for(lambda: [x for m in link.messages for x in m.logs])
    assert line.level == "ERROR" and not line.work_id and not line.run_id


def test_an_undecodable_file_name_in_a_line_is_shown_escaped(agent, link):
    agent.start()
    agent.log.info("file", path="caf\udce9")
    (line,) = link.wait_for(lambda: [x for m in link.messages for x in m.logs])
    assert "udce9" in line.fields_json


def test_the_same_assignment_twice_runs_once(agent, link):
    calls = []
    agent.capability("once")(lambda item, ctx: calls.append(item.id))
    link.auto_ack = False
    agent.start()
    connection = link.wait_connection()
    again = {"work_id": b"x" * 16, "epoch": 1, "capability": "once"}
    connection.send(assignments=[again, again])
    link.wait_result(b"x" * 16)
    connection.send(assignments=[again])
    link.wait_result(link.assign("once"))
    assert len(calls) == 2
    link.auto_ack = True
    connection.send(acks=[{"work_id": w, "epoch": 1} for w in link.results])
    until(lambda: not agent._outbox.unacknowledged())


def test_a_capability_has_one_handler(agent):
    agent.capability("a")(lambda item, ctx: None)
    try:
        agent.capability("a")(lambda item, ctx: None)
    except ValueError as error:
        assert "has a handler already" in str(error)
    else:
        raise AssertionError("the second handler was taken")
