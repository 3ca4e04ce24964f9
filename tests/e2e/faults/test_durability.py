"""Accepted means durable, and a result counts once: row B1 with an external ledger."""
from __future__ import annotations

import http.client
import json
import os
import random
import sqlite3
import threading
import time

import pytest

from fleet_project import FleetProject, Problem, wait_until

KILLS = int(os.environ.get("TEST_DAEMON_KILLS", "30"))

COUNTING = '''
import mainstay
agent = mainstay.Agent()

@agent.capability("count")
def count(item, ctx):
    # One line per execution: work may run twice, results count once.
    with open("executions.log", "a") as f:
        f.write(item.id + "\\n")
    return {"n": item.input["n"]}

agent.run()
'''


class Ledger:
    """What clients were told, kept outside of the system under test."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.acknowledged: dict[str, int] = {}
        self.sent = 0
        self.by_key: dict[str, str] = {}
        self.conflicts: list[str] = []

    def acknowledge(self, key: str, work_id: str, n: int) -> None:
        with self.lock:
            if self.by_key.setdefault(key, work_id) != work_id:
                self.conflicts.append(key)
            self.acknowledged[work_id] = n


def submit_until(project: FleetProject, ledger: Ledger, stop: threading.Event, worker: int) -> None:
    """Submits as fast as it goes; after a lost connection the same key is sent again."""
    n = 0
    while not stop.is_set():
        n += 1
        key = f"w{worker}-{n}"
        body = {"capability": "count", "description": "count", "input": {"n": n}}
        while not stop.is_set():
            try:
                answer = project.api("POST", "/v1/work", body, {"Idempotency-Key": key}, 5)
                ledger.acknowledge(key, answer["id"], n)
                break
            except (OSError, http.client.HTTPException, json.JSONDecodeError, KeyError):
                stop.wait(0.02)
            except Problem as problem:
                assert problem.status in (429, 503), problem
                stop.wait(0.02)
        stop.wait(0.001)


@pytest.mark.slow
def test_b1_thirty_kills_under_load_lose_nothing_and_count_nothing_twice(project: FleetProject):
    seed = int(os.environ.get("TEST_SEED", str(random.SystemRandom().getrandbits(32))))
    print(f"seed {seed}, kills {KILLS}")
    chance = random.Random(seed)
    project.write("count.py", COUNTING)
    project.fleet("""
fleet: ledger
agents:
  counter:
    command: [/usr/bin/python3, count.py]
    replicas: 2
    capabilities: [count]
pipelines:
  chain:
    version: 1
    stages:
      first: {capability: count}
      second: {capability: count, needs: [first], foreach: "run#/input/list", input: {n: "item#"}}
""")
    project.up()
    project.wait_agents()
    ledger = Ledger()
    stop = threading.Event()
    threads = [threading.Thread(target=submit_until, args=(project, ledger, stop, i), daemon=True)
               for i in range(2)]
    for thread in threads:
        thread.start()
    runs = []
    for kill in range(KILLS):
        try:
            runs.append(project.api("POST", "/v1/runs", {
                "pipeline": "chain", "input": {"n": kill, "list": [1, 2, 3]}})["id"])
        except (OSError, http.client.HTTPException, Problem):
            pass
        time.sleep(chance.uniform(0.05, 0.6))
        project.kill()
        project.up()
    wait_until(lambda: len(ledger.acknowledged) > KILLS, what="enough work was accepted")
    stop.set()
    for thread in threads:
        thread.join(60)

    project.wait_agents()
    wait_until(lambda: project.api("GET", "/v1/work?state=queued,delayed,running"
                                          "&limit=1")["work"] == [], 240, "all work ended")
    lost, wrong = [], []
    for work_id, n in ledger.acknowledged.items():
        try:
            item = project.api("GET", f"/v1/work/{work_id}")
        except Problem:
            lost.append(work_id)
            continue
        if item["state"] != "succeeded" or item["output"] != {"n": n}:
            wrong.append(item)
    counts: dict[str, int] = {}
    for work_id in succeeded_events(project):
        counts[work_id] = counts.get(work_id, 0) + 1
    twice = [w for w, c in counts.items() if c > 1]
    for run_id in runs:
        assert project.wait_run(run_id)["state"] == "succeeded"
    print(f"acknowledged {len(ledger.acknowledged)}, lost {len(lost)}, "
          f"accepted twice {len(twice)}, runs {len(runs)}")
    assert lost == []
    assert twice == []
    assert wrong == []
    assert ledger.conflicts == []


def succeeded_events(project: FleetProject) -> list[str]:
    """Subjects of every work.succeeded event of the journal, read by its own database tool."""
    database = sqlite3.connect(f"file:{project.folder}/.mainstay/mainstay.db?mode=ro", uri=True,
                               timeout=60)
    try:
        return [row[0] for row in
                database.execute("SELECT subject FROM journal WHERE kind = 'work.succeeded'")]
    finally:
        database.close()


def test_a_finished_item_is_still_there_after_a_kill(project: FleetProject):
    project.python_fleet()
    project.up()
    project.wait_agents()
    item = project.submit("echo", {"a": [1, 2, {"b": "ü"}]})
    assert project.wait_work(item)["state"] == "succeeded"
    project.kill()
    project.up()
    again = project.api("GET", f"/v1/work/{item}")
    assert again["output"]["echo"] == {"a": [1, 2, {"b": "ü"}]}


def test_a_running_attempt_survives_the_daemon(project: FleetProject):
    """The agent works on while the daemon is away; its result is accepted, not done again."""
    project.python_fleet()
    project.up()
    project.wait_agents()
    flag = project.folder / "go"
    item = project.submit("hold", {"until": str(flag)})
    wait_until(lambda: project.api("GET", f"/v1/work/{item}")["state"] == "running", what="running")
    project.kill()
    flag.write_text("")
    project.up()
    result = project.wait_work(item)
    assert result["state"] == "succeeded"
    assert result["output"]["attempt"] == 1


def test_the_same_key_gives_the_same_item_also_after_a_restart(project: FleetProject):
    project.python_fleet()
    project.up()
    project.wait_agents()
    body = {"capability": "echo", "description": "once", "input": {"x": 1}}
    key = {"Idempotency-Key": "k1"}
    first = project.api("POST", "/v1/work", body, key)
    project.wait_work(first["id"])
    assert project.api("POST", "/v1/work", body, key)["id"] == first["id"]
    project.kill()
    project.up()
    assert project.api("POST", "/v1/work", body, key)["id"] == first["id"]
    with pytest.raises(Problem) as refused:
        project.api("POST", "/v1/work", {**body, "input": {"x": 2}}, key)
    assert refused.value.status == 409
    assert refused.value.body["code"] == "idempotency_conflict"


def test_large_payloads_are_kept_as_blobs(project: FleetProject):
    project.python_fleet()
    project.up()
    project.wait_agents()
    value = {"text": "x" * 300_000}
    item = project.submit("echo", value)
    assert project.wait_work(item)["output"]["echo"] == value
    project.kill()
    project.up()
    assert project.api("GET", f"/v1/work/{item}")["output"]["echo"] == value
    assert any((project.folder / ".mainstay" / "blobs").rglob("*"))
