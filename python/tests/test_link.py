"""Losing the daemon and finding it again: nothing that was done is lost, nothing is done twice."""
import asyncio
import json
import random
import threading

import grpc
import pytest

import mainstay
from link_server import until
from mainstay import agent as agent_module
from mainstay import link as link_module
from mainstay import outbox as outbox_module


def test_a_result_made_while_the_daemon_was_away_arrives_after_it_is_back(agent, link):
    started, go_on = threading.Event(), threading.Event()

    @agent.capability("slow")
    def slow(item, ctx):
        started.set()
        go_on.wait(60)
        return "kept"
    agent.start()
    work = link.assign("slow", epoch=4)
    assert started.wait(60)
    link.stop()
    go_on.set()
    until(lambda: agent._outbox.unacknowledged())
    link.start()
    hello = link.wait_connection().hello
    assert [(k.work_id, k.epoch) for k in hello.held] == [(work, 4)]
    result = link.wait_result(work)
    assert json.loads(result.output_json) == "kept" and result.epoch == 4
    until(lambda: not agent._outbox.unacknowledged())


def test_an_attempt_still_running_is_named_as_held_and_goes_on(agent, link):
    started, go_on = threading.Event(), threading.Event()

    @agent.capability("slow")
    def slow(item, ctx):
        started.set()
        go_on.wait(60)
        return ctx.cancelled
    agent.start()
    work = link.assign("slow")
    assert started.wait(60)
    link.stop()
    link.start()
    assert [k.work_id for k in link.wait_connection().hello.held] == [work]
    go_on.set()
    assert json.loads(link.wait_result(work).output_json) is False


def test_a_result_is_sent_again_until_it_is_acknowledged(agent, link):
    agent.capability("x")(lambda item, ctx: 1)
    link.auto_ack = False
    agent.start()
    work = link.assign("x")
    link.wait_result(work)
    link.stop()
    link.start()
    link.wait_for(lambda: len(link.results[work]) >= 2)
    assert link.results[work][0] == link.results[work][1]
    link.wait_connection().send(acks=[{"work_id": work, "epoch": 1, "accepted": True}])
    until(lambda: not agent._outbox.unacknowledged())


def test_no_result_is_lost_over_many_cuts_under_load(agent, link):
    seed = random.randrange(1 << 30)
    print("seed", seed)
    chance = random.Random(seed)
    link.slots = 4
    agent.capability("n")(lambda item, ctx: item.input)
    agent.start()
    handed_out = {}
    for cut in range(10):
        inputs = [str(cut * 100 + n).encode() for n in range(100)]
        works = link.assign_many("n", inputs)
        handed_out.update(zip(works, inputs))
        # Of this round's: what is left of earlier ones comes again at once, before these are there.
        enough = chance.randrange(60)
        until(lambda: sum(work in link.results for work in works) >= enough)
        link.stop()
        link.start()
    link.wait_connection()
    # What was cut off before it reached the agent is the daemon's to hand out again.
    held = {k.work_id for k in link.wait_connection().hello.held}
    link.wait_for(lambda: held <= set(link.results))
    assert len(link.results) >= 500
    for work, results in link.results.items():
        assert {bytes(r.output_json) for r in results} == {handed_out[work]}
    until(lambda: not agent._outbox.unacknowledged())


def test_handing_the_same_attempt_out_again_gives_the_kept_result(agent, link):
    calls = []
    agent.capability("x")(lambda item, ctx: calls.append(1))
    link.auto_ack = False
    agent.start()
    work = link.assign("x")
    link.wait_result(work)
    link.stop()
    link.start()
    link.wait_connection().send(assignments=[{"work_id": work, "epoch": 1, "capability": "x"}])
    link.wait_for(lambda: len(link.results[work]) >= 2)
    assert calls == [1]


def test_an_agent_may_be_there_before_the_daemon(socket_folder, link, agent):
    link.stop()
    agent.capability("x")(lambda item, ctx: "late")
    agent.start()
    until(lambda: agent._link.last_error)
    link.start()
    assert json.loads(link.wait_result(link.assign("x")).output_json) == "late"


def test_over_tcp(link, monkeypatch, agent):
    link.stop()
    link.target = "127.0.0.1:0"
    link.start()
    monkeypatch.setenv("MAINSTAY_LINK", f"127.0.0.1:{link.port}")
    agent.capability("x")(lambda item, ctx: "tcp")
    agent.start()
    assert json.loads(link.wait_result(link.assign("x")).output_json) == "tcp"


def test_backoff_is_full_jitter_under_a_cap():
    assert link_module.backoff(0, lambda: 1.0) == link_module.BACKOFF_MIN == 0.05
    assert link_module.backoff(3, lambda: 1.0) == 0.4
    assert link_module.backoff(1000, lambda: 1.0) == link_module.BACKOFF_MAX == 5.0
    assert link_module.backoff(9, lambda: 0.0) == 0.0


@pytest.mark.parametrize("code, why", [
    (grpc.StatusCode.UNAUTHENTICATED, "unauthenticated"),
    (grpc.StatusCode.INVALID_ARGUMENT, "refused"),
])
def test_a_refusal_ends_the_link_for_good(agent, link, code, why):
    link.reject = (code, "because")
    agent.start()
    until(lambda: agent._ended)
    assert (agent._ended.why.value, agent._ended.detail) == (why, "because")


def test_many_results_travel_in_few_messages(agent, link):
    link.slots = 200
    gate = threading.Barrier(200)
    agent.capability("x")(lambda item, ctx: gate.wait(60))
    agent.start()
    for work in link.assign_many("x", [b"null"] * 200):
        link.wait_result(work)
    assert sum(bool(m.results) for m in link.messages) < 100


def test_lost_lines_are_counted_and_said(agent, link, monkeypatch):
    monkeypatch.setattr(outbox_module, "MAX_LINES", 10)
    link.stop()
    agent.start()
    for n in range(25):
        agent.log.info(f"line {n}")
    link.start()
    lines = link.wait_for(lambda: len(got := [x for m in link.messages for x in m.logs]) >= 11
                          and got)
    assert lines[0].level == "WARNING" and lines[0].message.startswith("15 log lines")
    assert [x.message for x in lines[1:]] == [f"line {n}" for n in range(10)]


@pytest.fixture
def patient(monkeypatch):
    """An agent that leaves waits for what it said to arrive, however slow this machine is."""
    for name in ("ACKNOWLEDGE_SECONDS", "GOODBYE_SECONDS"):
        monkeypatch.setattr(agent_module, name, 60.0)


def test_drain_finishes_what_runs_gives_back_the_rest_and_says_goodbye(patient, link):
    agent = mainstay.Agent(grace=10)
    started, go_on = threading.Event(), threading.Event()

    @agent.capability("x")
    def x(item, ctx):
        started.set()
        go_on.wait(60)
        return "finished"
    runner = threading.Thread(target=agent.run)
    runner.start()
    running, waiting = link.assign_many("x", [b"null"] * 2)
    assert started.wait(60)
    connection = link.wait_connection()
    connection.send(drain={"grace_ms": 60_000})
    assert link.wait_result(waiting).failure.code == "agent_stopping"
    late = link.assign("x")
    assert link.wait_result(late).failure.kind == "refused"
    assert running not in link.results
    go_on.set()
    assert json.loads(link.wait_result(running).output_json) == "finished"
    runner.join(60)
    assert not runner.is_alive() and connection.goodbye


def test_what_outlasts_the_grace_is_given_back_and_left(patient, link):
    agent = mainstay.Agent()
    started, release, stopped = threading.Event(), threading.Event(), []

    @agent.capability("stuck")
    def stuck(item, ctx):
        started.set()
        release.wait(60)
        stopped.append(ctx.cancelled)
    agent.start()
    work = link.assign("stuck")
    assert started.wait(60)  # one that is held may not have begun, and would never begin
    connection = link.wait_connection()
    agent.stop(grace=0.05)
    failure = link.wait_result(work).failure
    assert (failure.kind, failure.code, failure.permanent) == ("refused", "agent_stopping", False)
    assert "its handler was not done after a grace of 0.05 s" in failure.message
    assert connection.goodbye
    release.set()
    until(lambda: stopped)
    assert stopped == [True]
    assert len(link.results[work]) == 1


def test_handlers_that_heed_the_stop_may_clean_up_before_the_agent_leaves(patient, link,
                                                                          monkeypatch):
    monkeypatch.setattr(agent_module, "CANCEL_SECONDS", 60.0)
    agent = mainstay.Agent()
    link.slots = 2
    begun, cleaned = [], []

    @agent.capability("sync")
    def sync(item, ctx):
        begun.append("sync")
        while not ctx.wait_cancelled(60):
            pass
        cleaned.append("sync")
        return "in part"

    @agent.capability("async")
    async def forever(item, ctx):
        begun.append("async")
        try:
            await asyncio.sleep(60)
        finally:
            cleaned.append("async")
    agent.start()
    works = [link.assign("sync"), link.assign("async")]
    until(lambda: len(begun) == 2)
    agent.stop(grace=0.05)
    assert sorted(cleaned) == ["async", "sync"]
    for work in works:  # half a job is not its output, and the stop is no failure of the handler
        assert [r.failure.code for r in link.results[work]] == ["agent_stopping"]


def test_a_connection_that_breaks_at_once_again_and_again_is_no_storm():
    failures = 0
    for _ in range(10):
        failures = link_module.failures_after(failures, welcomed=100.0, now=100.1)
    assert failures == link_module.UNSTEADY_FAILURES
    assert link_module.backoff(failures, chance=lambda: 1.0) >= 1.0
    assert link_module.failures_after(9, welcomed=100.0, now=102.0) == 0
    assert link_module.failures_after(9, welcomed=0.0, now=102.0) == 10


def test_a_defect_in_taking_a_message_does_not_end_the_link(agent, link, capfd):
    agent.capability("x")(lambda item, ctx: "on")
    agent.start()
    link.wait_connection()
    taken, broken = agent._link._on_message, []

    def breaks_once(message):
        if message.assignments and not broken:
            broken.append(message)
            raise KeyError("defect")
        taken(message)
    agent._link._on_message = breaks_once
    link.assign("x")
    link.wait_for(lambda: sum(m.HasField("hello") for m in link.messages) == 2)
    assert json.loads(link.wait_result(link.assign("x")).output_json) == "on"
    assert "KeyError" in capfd.readouterr().err
