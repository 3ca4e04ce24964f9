"""Nothing that a handler says can break the link or vanish uncounted (RUN-2)."""
import json
import threading

import pytest

import mainstay
from link_server import until
from mainstay import outbox as outbox_module
from mainstay import testing
from mainstay.item import AttemptKey, Item
from mainstay.logs import Line

DAEMON_LIMIT = 64 * 1024


def connections(link):
    return sum(m.HasField("hello") for m in link.messages)


def test_odd_text_in_progress_components_and_spans_is_cleaned(agent, link):
    class Mute:
        def __str__(self):
            raise ValueError

    go_on = threading.Event()

    @agent.capability("odd")
    def odd(item, ctx):
        ctx.progress(0.5, "reading a\udcff.txt")
        ctx.component("b\udcff").info("in a component")
        ctx.log.component(5).info("in a number")
        with ctx.span("s\udcff", pair={(1, 2): float("nan")}, name_of="c\udcff",
                      mute=Mute()) as span:
            span.event("e", x=float("inf"), y={1, 2})
            span.fail("d\udcff")
        with pytest.raises(OSError), ctx.span("raises"):
            raise OSError("e\udcff")
        go_on.wait(60)
    agent.start()
    work = link.assign("odd")
    link.wait_for(lambda: len([s for m in link.messages for s in m.spans]) == 2)
    link.wait_for(lambda: [p for m in link.messages for p in m.progress])
    go_on.set()
    assert not link.wait_result(work).HasField("failure")
    assert [p.message for p in link.all_of("progress")] == ["reading a\\udcff.txt"]
    assert [(x.message, x.component) for x in link.all_of("logs")] == [
        ("in a component", "b\\udcff"), ("in a number", "5")]
    first, second = link.all_of("spans")
    assert (first.name, first.status_message) == ("s\\udcff", "d\\udcff")
    attributes = json.loads(first.attributes_json)
    assert attributes["pair"] == {"(1, 2)": "NaN"} and attributes["name_of"] == "c\\udcff"
    assert json.loads(first.events_json)[0]["attributes"]["x"] == "Infinity"
    assert second.status_message == "OSError: e\\udcff"
    assert connections(link) == 1


def test_wrong_arguments_are_refused_at_the_call():
    agent = mainstay.Agent("x")

    @agent.capability("x")
    def x(item, ctx):
        with pytest.raises(TypeError, match="progress: message must be text, got int: 5"):
            ctx.progress(0.5, 5)
        with pytest.raises(ValueError, match="fraction"):
            ctx.progress(float("nan"))
        with pytest.raises(TypeError, match="span: name must be text"):
            ctx.span(5)
        with pytest.raises(TypeError, match="component: name must be text"):
            ctx.component(None)
        ctx.progress(0.5, "x" * 100_000)
    outcome = testing.call(agent, "x")
    assert outcome.failure is None
    assert len(outcome.progress[0][1].encode()) <= 8 * 1024
    assert "bytes left out" in outcome.progress[0][1]


def test_long_lines_are_cut_by_their_bytes_and_marked(agent, link):
    agent.start()
    agent.log.info("\U0001f389" * 7_000_000)
    agent.log.info("fields", text="\u00e9" * 70_000, small=1)
    agent.log.info("after")
    lines = link.wait_for(lambda: len(got := link_lines(link)) == 3 and got)
    long, fields, after = lines
    assert len(long.message.encode()) <= DAEMON_LIMIT
    assert "bytes left out" in long.message and long.message.endswith("\U0001f389")
    assert len(fields.fields_json.encode()) <= DAEMON_LIMIT
    said = json.loads(fields.fields_json)
    assert said["small"] == 1 and said["shortened"] == "text" and "left out" in said["text"]
    assert after.message == "after" and connections(link) == 1


def link_lines(link):
    return [x for m in link.messages for x in m.logs]


def test_the_queue_is_bounded_by_bytes(agent, link, monkeypatch):
    monkeypatch.setattr(outbox_module, "MAX_LINE_BYTES", 100_000)
    link.stop()
    agent.start()
    for _ in range(10):
        agent.log.info("\u00e9" * 15_000)  # 30 kB each
    link.start()
    lines = link.wait_for(lambda: len(got := link_lines(link)) >= 4 and got)
    assert lines[0].message.startswith("7 log lines") and len(lines) == 4


def test_what_cannot_be_encoded_is_dropped_counted_and_said(agent, link):
    agent.start()
    link.wait_connection()
    outbox = agent._outbox
    item = Item(AttemptKey(b"x" * 16, 1), "x", b"")
    outbox.put_log(Line("never", "INFO", "no time", "", "", None))
    outbox.put_log(Line(0, "INFO", None, "", "", None))
    outbox.put_progress(item, "half", "x")
    outbox.put_span(item, None)
    agent.log.info("after")

    def counted():
        said = [x.message for x in link_lines(link) if "could not be encoded" in x.message]
        return sum(int(text.split()[0]) for text in said) == 4
    link.wait_for(counted)
    link.wait_for(lambda: any(x.message == "after" for x in link_lines(link)))
    assert connections(link) == 1


def test_a_result_comes_after_what_was_said_before_it_and_no_flood_delays_it(agent, link,
                                                                             monkeypatch):
    monkeypatch.setattr(outbox_module, "MESSAGE_BYTES", 1000)
    monkeypatch.setattr(outbox_module, "MAX_LINES", 50)
    link.slots = 2
    stop = threading.Event()

    @agent.capability("flood")
    def flood(item, ctx):
        while not stop.is_set():
            ctx.log.info("f" * 500)

    @agent.capability("talk")
    def talk(item, ctx):
        for n in range(20):
            ctx.log.info(f"{n} " + "x" * 500)
        return "said"
    agent.start()
    flooding = link.assign("flood")
    until(lambda: link_lines(link))
    work = link.assign("talk")
    link.wait_result(work)
    stop.set()
    lines = [(at, x) for at, m in enumerate(link.messages) for x in m.logs if x.work_id == work]
    at_result = next(at for at, m in enumerate(link.messages)
                     if any(r.work_id == work for r in m.results))
    assert all(at <= at_result for at, _ in lines)
    link.wait_result(flooding)


def test_failures_with_large_contexts_fit_into_messages(agent, link):
    """The daemon takes 24 MiB in one message; 600 failures of 50 kB are more."""
    agent.state["large"] = "x" * 50_000
    link.slots = 600
    gate = threading.Barrier(601)

    @agent.capability("x")
    def x(item, ctx):
        gate.wait(60)
        raise ValueError
    agent.start()
    works = link.assign_many("x", [b"null"] * 600)
    gate.wait(60)
    for work in works:
        link.wait_result(work, 60)
    assert max(m.ByteSize() for m in link.messages) < 3 << 20
