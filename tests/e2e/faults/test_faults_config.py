"""Files that are wrong: rows H2 (YAML) and H6. All errors at once, exit 2, nothing started; and a
daemon that runs does not care what its files have become."""
from __future__ import annotations

import pathlib
import signal

import pytest

from fleet_project import FleetProject, wait_until

GOOD = """
fleet: good
agents:
  worker:
    command: [/usr/bin/python3, agent.py]
    capabilities: [echo]
"""


def bomb() -> str:
    """Each list holds the one before it ten times: 10^12 values when written out."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    return "\n".join(lines) + "\n"


BAD_YAML = {
    "an alias bomb": (bomb() + GOOD, "at most 100000 values"),
    "an alias of itself": (GOOD + "extra: &x [*x]\n", "contains it"),
    "a key twice": (GOOD + "fleet: again\n", "expected each key once"),
    "400000 levels": (GOOD + "extra: " + "[" * 400_000 + "]" * 400_000 + "\n", "at most 64 levels"),
    "a number without bounds": (GOOD.replace("[echo]", "[echo]\n    replicas: 9" + "9" * 300),
                                "replicas"),
    "a tag": (GOOD.replace("good", "!!python/object/apply:os.system [x]"), "tag"),
    "no UTF-8": (GOOD + "# \udcff\n", "expected UTF-8"),
    "two documents": (GOOD + "---\n" + GOOD, "expected one document"),
    "a merge key": (GOOD + "x: &x {a: 1}\ny: {<<: *x}\n", "merge keys"),
    "two megabytes": (GOOD + "#" * 2_000_000, "more than 1048576 bytes"),
}


def assert_nothing_started(project: FleetProject) -> None:
    assert not (project.folder / ".mainstay").exists()
    assert not (project.folder / "runs").exists()
    assert project.agent_pids() == []


@pytest.mark.parametrize("name", BAD_YAML)
def test_h2_yaml_that_would_surprise_is_refused_with_its_place(project: FleetProject, name: str):
    text, said = BAD_YAML[name]
    (project.folder / "fleet.yaml").write_bytes(text.encode("utf-8", "surrogateescape"))
    for command in (("config", "check"), ("up",)):
        # In bounded time: what a bomb would be when written out takes hours.
        refused = project.cli(*command, seconds=60)
        assert refused.returncode == 2, refused.stderr
        assert "fleet.yaml:" in refused.stdout + refused.stderr
        assert said in refused.stdout + refused.stderr
    assert_nothing_started(project)


WRONG_FLEET = """
fleet: wrong
agents:
  one:
    command: [/usr/bin/python3, agent.py]
    capabilities: [echo]
    replicas: many
    depends_on: [two]
    restrat: {policy: always}
  two:
    command: [./absent]
    capabilities: [echo]
    depends_on: [one]
pipelines:
  p:
    version: 1
    stages:
      a: {capability: ecoh}
"""
WRONG_SETTINGS = """
http: {listen: "127.0.0.1:0", max_body: large}
link: {listen: ""}
work: {retry: {backoff_max: ten}}
lgo: {level: INFO}
"""


@pytest.mark.parametrize("command", [("config", "check"), ("up",), ("up", "--detach")],
                         ids=["check", "up", "up-detach"])
def test_h6_every_error_is_told_at_once_and_nothing_is_started(project: FleetProject,
                                                               command: tuple):
    project.write("fleet.yaml", WRONG_FLEET)
    project.write("mainstay.yaml", WRONG_SETTINGS)
    refused = project.cli(*command)
    assert refused.returncode == 2
    lines = (refused.stdout + refused.stderr).splitlines()
    for place, words in (("fleet.yaml:7:15: agents.one.replicas", '"many"'),
                         ("fleet.yaml:9:5: agents.one.restrat", 'did you mean "restart"?'),
                         ("fleet.yaml:11:", "./absent"),
                         ("fleet.yaml:", "depends"),
                         ("fleet.yaml:18:", 'did you mean "echo"?'),
                         ("mainstay.yaml:2:", '"large"'),
                         ("mainstay.yaml:4:", '"ten"'),
                         ("mainstay.yaml:5:", 'did you mean "log"?')):
        assert any(line.startswith(place) and words in line for line in lines), (place, lines)
    assert_nothing_started(project)


@pytest.mark.parametrize("field", ["gpu", "sandbox", "schedule"])
def test_h6_what_this_version_does_not_serve_is_refused_by_name(project: FleetProject, field: str):
    project.write("fleet.yaml", GOOD + f"    {field}: 1\n")
    refused = project.cli("config", "check")
    assert refused.returncode == 2
    assert f"agents.worker.{field}" in refused.stdout + refused.stderr
    assert_nothing_started(project)


def test_h6_a_running_fleet_keeps_its_configuration(project: FleetProject):
    """Files that turn bad, and SIGHUP on top of it: it runs on, says so, and loses nothing."""
    project.fleet(GOOD)
    project.up()
    pid = project.wait_agents()["worker"]["pid"]
    item = project.submit("echo", {"n": 1})
    for name in ("fleet.yaml", "mainstay.yaml"):
        (project.folder / name).write_text("{ : not yaml")
    log = project.folder / ".mainstay" / "logs" / "daemon.log"
    for _ in range(50):
        project.daemon.send_signal(signal.SIGHUP)
    wait_until(lambda: "SIGHUP" in log.read_text(), 30, "the signal is logged")
    assert project.wait_work(item)["state"] == "succeeded"
    assert project.wait_work(project.submit("echo", {"n": 2}))["state"] == "succeeded"
    assert project.agents()["worker"]["pid"] == pid
    assert project.cli("config", "check").returncode == 2
    project.kill()
    refused = project.cli("up")
    assert refused.returncode == 2
    assert is_running(pid), "nothing is touched by a start that is refused"
    project.fleet(GOOD)
    project.write("mainstay.yaml", 'http: {listen: "127.0.0.1:0"}\nlink: {listen: ""}\n')
    project.up()
    assert project.wait_agents()["worker"]["pid"] == pid
    assert project.api("GET", f"/v1/work/{item}")["state"] == "succeeded"


def is_running(pid: int) -> bool:
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
