"""What a started program sees, and programs that cannot be started: rows A13 and A14."""
from __future__ import annotations

import errno
import json
import pathlib
import resource
import subprocess

import pytest

from fleet_project import FleetProject

SHOW = """
import json, os, sys

seen = {"fds": {}, "env": dict(os.environ)}
for n in os.listdir("/proc/self/fd"):
    try:
        seen["fds"][n] = os.readlink("/proc/self/fd/" + n)
    except OSError:
        pass  # the listing's own
if os.environ["MAINSTAY_KIND"] == "exec":
    print(json.dumps(seen))
    sys.exit()
import mainstay
agent = mainstay.Agent()

@agent.capability("show")
def show(item, ctx):
    return seen
agent.run()
"""


@pytest.mark.parametrize("kind", ["link", "exec"])
def test_a13_an_agent_sees_only_its_own_descriptors_and_environment(project: FleetProject,
                                                                    kind: str):
    project.write("show.py", SHOW)
    project.fleet(f"""
fleet: a13
agents:
  show:
    kind: {kind}
    command: [/usr/bin/python3, show.py]
    capabilities: [show]
    env: {{OWN: "1"}}
  other:
    command: [/usr/bin/python3, agent.py]
    capabilities: [echo]
    env: {{OTHERS_KEY: "not yours"}}
""")
    project.up(env={"DAEMON_SECRET": "never"})
    project.wait_agents()
    seen = project.wait_work(project.submit("show"))["output"]
    assert seen["env"]["OWN"] == "1"
    said = json.dumps(seen)
    for secret in ("DAEMON_SECRET", "OTHERS_KEY", "not yours", project.token()):
        assert secret not in said
    assert sorted(seen["fds"]) == ["0", "1", "2"]
    opened = " ".join(seen["fds"].values())
    assert not any(name in opened for name in ("mainstay.db", "lock", "socket:", "token"))


@pytest.mark.parametrize("command, said", [
    ("[./absent]", "absent"),
    ("[./plain.txt]", "plain.txt"),
])
def test_a14_a_command_that_cannot_start_is_told_before_anything_starts(
        project: FleetProject, command: str, said: str):
    project.write("plain.txt", "not a program\n")
    project.fleet(f"""
fleet: a14
agents:
  broken:
    command: {command}
    capabilities: [x]
""")
    checked = project.cli("config", "check")
    assert checked.returncode == 2
    assert said in checked.stdout + checked.stderr
    assert "fleet.yaml:" in checked.stdout + checked.stderr


GATE = '''
import os, threading
import mainstay
nap = threading.Event()
while not os.path.exists("open"):
    nap.wait(0.02)
mainstay.Agent().run()
'''
# What is wrong with each program by the time it is started, and what is said of it.
BROKEN = {
    "missing": "there is no",
    "unexecutable": "is not executable",
    "folder": "is a folder",
    "foreign": "is not a program for this machine",
    "textual": "has no #! line",
    "shebang": "its first line names /no/such/shell",
    "windows": "with a carriage return",
    "endless": "interpreters go in a circle",
    "huge": "too long for the system",
}


def write_broken(project: FleetProject) -> None:
    def program(name: str, content: bytes = b"#!/bin/sh\nexit 0\n") -> None:
        path = project.folder / name
        path.write_bytes(content)
        path.chmod(0o755)

    program("missing")
    program("unexecutable")
    program("folder")
    foreign = bytearray(pathlib.Path("/bin/true").read_bytes())
    foreign[18:20] = (1).to_bytes(2, "little")  # e_machine: WE 32100, which no emulator serves
    program("foreign", bytes(foreign))
    program("textual", b"just words\n")
    program("shebang", b"#! /no/such/shell -x\n")
    program("windows", b"#!/bin/sh\r\nexit 0\r\n")
    program("endless", f"#!{project.folder}/endless\n".encode())
    program("huge")


def test_a14_what_cannot_start_is_told_apart_and_not_tried_again(project: FleetProject):
    write_broken(project)
    project.write("gate.py", GATE)
    project.fleet('''
fleet: a14
agents:
  gate:
    command: [/usr/bin/python3, gate.py]
    capabilities: [x]
''' + "".join(f'''
  {name}:
    command: [./{name}, {', '.join(['x' * 120_000] * 3) if name == 'huge' else 'x'}]
    capabilities: [y]
    depends_on: [gate]
    restart: {{policy: always, backoff_min: 1ms, backoff_max: 2ms, max_restarts: 1000}}
''' for name in BROKEN))
    # All arguments together may take a quarter of the stack, execve(2).
    soft, hard = resource.getrlimit(resource.RLIMIT_STACK)
    resource.setrlimit(resource.RLIMIT_STACK, (1 << 20, hard))
    try:
        project.up()
    finally:
        resource.setrlimit(resource.RLIMIT_STACK, (soft, hard))
    # Found at start-up, all is well; what is gone by its turn is told by the start itself.
    (project.folder / "missing").unlink()
    (project.folder / "unexecutable").chmod(0o644)
    (project.folder / "folder").unlink()
    (project.folder / "folder").mkdir()
    (project.folder / "open").write_text("")
    project.wait_agent("gate")
    for name, said in BROKEN.items():
        agent = project.wait_agent(name, "failed")
        assert said in agent["reason"], (name, agent["reason"])
        assert agent["restarts"] == 0 and agent["pid"] is None and agent["error_count"] == 1
        kinds = [e["kind"] for e in project.journal_of(name)]
        assert kinds.count("agent.starting") == 1, "no restart storm"
        assert "agent.started" not in kinds, "an error before it counts as started"
    assert len({project.agents()[name]["reason"] for name in BROKEN}) == len(BROKEN)


def starts(program: pathlib.Path) -> bool:
    try:
        return subprocess.run([program, "-c", ""], timeout=60).returncode == 0
    except OSError as error:
        assert error.errno == errno.ETXTBSY
        return False


def test_a14_a_program_being_written_is_tried_again_until_it_starts(project: FleetProject):
    copy = project.folder / "busy-python"
    copy.write_bytes(pathlib.Path("/usr/bin/python3").read_bytes())
    copy.chmod(0o755)
    project.fleet('''
fleet: a14
agents:
  busy:
    command: [./busy-python, agent.py]
    capabilities: [echo]
    restart: {policy: always, backoff_min: 50ms, backoff_max: 100ms, max_restarts: 1000}
''')
    with open(copy, "r+b"):
        if starts(copy):
            pytest.skip("skipped: this kernel starts programs that are being written (Linux 6.11)")
        project.up()
        agent = project.wait_agent("busy", "backoff")
        assert "is being written" in agent["last_error"]
        assert "agent.started" not in [e["kind"] for e in project.journal_of("busy")]
    assert project.wait_agent("busy")["pid"]
    assert project.wait_work(project.submit("echo"))["state"] == "succeeded"
