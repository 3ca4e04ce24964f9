"""What the Python SDK says is what the daemon takes: values at the edge of JSON and of the limits
(USE-3, WRK-10), lines of any text (RUN-2), and items that outlast an orderly stop."""
import json

import pytest

from fleet_project import FleetProject, wait_until

AGENT = r'''
import mainstay, time

agent = mainstay.Agent()

class Mute(Exception):
    def __str__(self):
        raise RuntimeError

@agent.capability("mute")
def mute(item, ctx):
    raise Mute

@agent.capability("state")
def state(item, ctx):
    agent.state.update(pairs={(1, 2): 3}, heat=float("nan"), text="\u00e9\n" * 100_000)
    try:
        raise ValueError("odd \ud800")
    finally:
        ctx.usage(model="m", prompt_tokens=2)

@agent.capability("dup")
def dup(item, ctx):
    return {1: 2, "1": 3}

@agent.capability("nest")
def nest(item, ctx):
    value = item.attempt
    for _ in range(item.input):
        value = [value]
    return value

@agent.capability("talk")
def talk(item, ctx):
    ctx.progress(0.5, "reading a\udcff.txt")
    ctx.component("part\udcff").info("in a part")
    ctx.log.info("\U0001f389" * 7_000_000)
    ctx.log.info("fields", text="\u00e9" * 70_000)
    ctx.log.info("after")

@agent.capability("stuck")
def stuck(item, ctx):
    ctx.progress(0.1, "in")
    time.sleep(30 if item.input == 1 else 0)
    return item.attempt

agent.run()
'''


@pytest.fixture
def fleet(project: FleetProject) -> FleetProject:
    project.write("agent.py", AGENT)
    project.fleet("""
fleet: test
agents:
  worker:
    command: [/usr/bin/python3, agent.py]
    stop_grace: 4s
    capabilities: [mute, state, dup, nest, talk, stuck]
pipelines:
  speak:
    version: 1
    stages:
      talk: {capability: talk, timeout: 60s}
""")
    project.up()
    project.wait_agents()
    return project


def test_failures_are_whole_and_outputs_that_cannot_heal_are_not_tried_again(fleet):
    said = fleet.wait_work(fleet.submit("mute", retry={"max_attempts": 1}))["error"]
    assert said["code"] == "Mute" and "raises RuntimeError" in said["message"]
    said = fleet.wait_work(fleet.submit("state", retry={"max_attempts": 1}))["error"]
    reported = said["context"]["reported"]
    assert said["code"] == "ValueError" and reported["shortened"] == "agent"
    assert reported["agent"]["heat"] == "NaN" and reported["agent"]["pairs"] == {"(1, 2)": 3}
    assert "odd \\ud800" in reported["traceback"]
    item = fleet.wait_work(fleet.submit("dup"))
    assert (item["error"]["code"], item["attempts_used"]) == ("output_invalid", 1)


def test_the_sdk_and_the_daemon_agree_how_deep_an_output_may_be(fleet):
    assert fleet.wait_work(fleet.submit("nest", 64))["state"] == "succeeded"
    item = fleet.wait_work(fleet.submit("nest", 65))
    assert (item["error"]["code"], item["attempts_used"]) == ("output_invalid", 1)


def test_any_text_arrives_and_the_link_holds(fleet):
    run = fleet.api("POST", "/v1/runs", {"pipeline": "speak", "input": None})["id"]
    assert fleet.wait_run(run)["state"] == "succeeded"

    def lines():
        # What comes after the last line's end may be half of a line that is being written.
        texts = [path.read_bytes().rpartition(b"\n")[0]
                 for path in (fleet.folder / "runs").rglob("*.log")]
        found = [json.loads(line) for text in texts for line in text.splitlines()]
        mine = [line for line in found if line.get("agent") == "worker"]
        return mine if any(line["message"] == "after" for line in mine) else None
    messages = [line["message"] for line in wait_until(lines, what="the lines in the run folder")]
    assert "in a part" in messages and "fields" in messages
    assert any(m.startswith("\U0001f389") and "bytes left out" in m for m in messages)
    assert not any("lost" in m for m in messages)


def test_an_orderly_stop_burns_no_try_of_an_item_that_outlasts_it(fleet):
    work = fleet.submit("stuck", 1, retry={"max_attempts": 1}, timeout="60s")
    fleet.wait_state(work, "running")
    assert fleet.down() == 0
    fleet.write("agent.py", AGENT.replace("item.input == 1", "item.input == 2"))
    fleet.up()
    item = fleet.wait_work(work)
    assert (item["state"], item["output"], item["attempts_used"]) == ("succeeded", 1, 1)
