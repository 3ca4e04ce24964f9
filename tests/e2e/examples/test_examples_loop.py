"""examples/cognitive_loop through the real daemon: six stages, a slow one that may fail (WRK-9)."""
from __future__ import annotations

import json

import pytest

from example_project import ExampleProject

STAGES = ["memory", "attention", "thought", "action", "decision", "reflection", "awareness"]
QUESTION = "How far away is the Moon from the Earth?"


@pytest.fixture
def project(binary, tmp_path):
    made = ExampleProject(binary, tmp_path / "project", "cognitive_loop")
    # Only the slow stage is to run out of time, however slow the machine is.
    made.change("fleet.yaml", "timeout: 5s", "timeout: 60s")
    made.change("fleet.yaml", "budget: {time: 1m}", "budget: {time: 10m}")
    yield made
    made.clean_up()


@pytest.fixture
def loop(project):
    project.up()
    project.wait_agents()
    return project


def answers(project, run_id: str) -> dict[str, dict]:
    """What each stage said, by its name."""
    return {stage: project.item(run_id, stage)["output"] for stage in STAGES
            if stage != "reflection"}


def spans_of(done) -> list[dict]:
    return [json.loads(line) for line in
            (done.folder / "spans.jsonl").read_text().splitlines()]


def test_the_slow_stage_times_out_and_the_others_answer(loop):
    done = loop.run_pipeline("reflect", {"question": QUESTION})
    assert done.code == 0 and "degraded" in done.said
    run = loop.api("GET", f"/v1/runs/{done.id}")
    states = {s["stage"]: s["state"] for s in run["steps"]}
    assert run["state"] == "degraded"
    assert states == {s: "degraded" if s == "reflection" else "succeeded" for s in STAGES}
    failed = loop.item(done.id, "reflection")
    assert failed["error"]["code"] == "attempt_timeout" and failed["attempts_used"] == 1
    said = answers(loop, done.id)
    assert "moon" in [text["name"] for text in said["memory"]["recalled"]]
    assert said["attention"]["focus"][0]["from"] == "moon"
    assert said["thought"]["hypotheses"] and said["action"]["looked_up"]
    assert "384,400 kilometres" in said["decision"]["answer"]
    assert said["awareness"]["answer"] == said["decision"]["answer"]
    assert said["awareness"]["degraded"] == ["reflection"]
    assert "Result:    DEGRADED" in done.summary and "reflection" in done.summary
    loop.wait_agents()  # the dreamer stopped dreaming when it was told to
    assert loop.agents()["dreamer"]["restarts"] == 0


def test_another_corpus_gives_another_answer_in_every_stage(loop):
    before = answers(loop, loop.run_pipeline("reflect", {"question": QUESTION}).id)
    loop.write("corpus/moon.txt", "The Moon is 12 miles away from the Earth and made of cheese. "
                                  "Mice live there in burrows.\n")
    after = answers(loop, loop.run_pipeline("reflect", {"question": QUESTION}).id)
    assert "12 miles" in after["awareness"]["answer"]
    for stage in before:
        assert before[stage] != after[stage], stage


def test_a_small_corpus_leaves_nothing_degraded(project):
    for path in sorted((project.folder / "corpus").glob("*.txt"))[5:]:
        path.unlink()
    # Milliseconds of work; with the whole corpus it would be minutes.
    project.change("fleet.yaml", "timeout: 1s", "timeout: 30s")
    project.up()
    project.wait_agents()
    done = project.run_pipeline("reflect", {"question": "Why does bread rise?"})
    assert done.code == 0 and "succeeded" in done.said
    aware = project.item(done.id, "awareness")["output"]
    assert aware["degraded"] == [] and len(aware["reading_order"]) == 5
    assert aware["from"] == "bread"


def test_each_stage_is_a_step_and_a_span_under_a_settable_prefix(project):
    project.write("mainstay.yaml", 'http: {listen: "127.0.0.1:0"}\nlink: {listen: ""}\n'
                                   "telemetry: {span_prefix: cortex}\n")
    project.up()
    project.wait_agents()
    done = project.run_pipeline("reflect", {"question": QUESTION})
    steps = json.loads((done.folder / "metadata.json").read_text())["steps"]
    assert sorted(s["stage"] for s in steps) == sorted(STAGES)
    assert sorted(s["step"] for s in steps) == list(range(1, 8))
    by_number = {s["stage"]: s["step"] for s in steps}
    order = [by_number[s] for s in STAGES if s != "reflection"]
    assert order == sorted(order) and by_number["memory"] == 1
    spans = spans_of(done)
    (root,) = [s for s in spans if s["name"] == "run.reflect"]
    for stage in STAGES:
        (span,) = [s for s in spans if s["name"] == f"stage.{stage}"]
        assert span["attributes"]["cortex.stage"] == stage
        assert span["attributes"]["cortex.duration_ms"] == pytest.approx(span["duration_ms"])
        assert not [key for key in span["attributes"] if key.startswith("mainstay.")]
        assert span["parent_id"] == root["span_id"] and span["trace_id"] == root["trace_id"]
        assert span["step"] == by_number[stage]
        assert (done.folder / "logs" / f"step_{span['step']:03}" / "orchestrator.log").exists()
        assert f"Step {span['step']:03}: " in done.summary and f"Stage: {stage}" in done.summary
    (slow,) = [s for s in spans if s["name"] == "stage.reflection"]
    assert slow["duration_ms"] >= 1000
    assert [event["name"] for event in slow["events"]] == ["stage_error"]


@pytest.mark.parametrize("value, words", [
    ({}, "question"), ({"question": " "}, "question"), ({"question": 3}, "question"),
    ({"question": "Why?", "corpus": "/nowhere"}, "no corpus at /nowhere")])
def test_a_question_that_cannot_be_answered_fails_with_the_reason(loop, value, words):
    done = loop.run_pipeline("reflect", value)
    assert done.code == 1 and words in done.said
    memory = loop.item(done.id, "memory")
    assert memory["attempts_used"] == 1 and memory["error"]["context"]["hint"]
