"""Whose process speaks on the agent link: row I3. Programs that claim to be an agent, from outside
and from inside of another agent, over the real socket."""
from __future__ import annotations

import os
import pathlib
import signal
import subprocess

import pytest

from fleet_project import FleetProject, ROOT, wait_until

# Says one hello and prints what comes of it: WELCOME, or the name of the status.
IMPOSTOR = '''
import queue, sys
import grpc
from mainstay._proto import link_pb2 as pb, link_pb2_grpc

target, token, agent, incarnation = sys.argv[1:]
hello = pb.AgentMessage(hello=pb.Hello(agent=agent, incarnation=int(incarnation), slots=1))
stay = queue.Queue()
stay.put(hello)
with grpc.insecure_channel(target, [("grpc.use_local_subchannel_pool", 1)]) as channel:
    metadata = [("authorization", "Bearer " + token)] if token else []
    call = link_pb2_grpc.AgentLinkStub(channel).Connect(iter(stay.get, None), metadata=metadata,
                                                        timeout=60)
    try:
        print("WELCOME" if next(call).HasField("welcome") else "OTHER")
    except grpc.RpcError as error:
        print(error.code().name)
    call.cancel()
    stay.put(None)
'''
# Runs a program of its own, as any agent may.
HOST = '''
import subprocess, sys
import mainstay
agent = mainstay.Agent()

@agent.capability(sys.argv[1])
def run(item, ctx):
    done = subprocess.run([sys.executable, "impostor.py", *item.input], capture_output=True,
                          text=True, timeout=90)
    return done.stdout.strip() or done.stderr

agent.run()
'''


@pytest.fixture
def two(project: FleetProject) -> FleetProject:
    project.write("impostor.py", IMPOSTOR)
    project.write("host.py", HOST)
    project.fleet("fleet: i3\nagents:\n" + "".join(f"""
  {name}:
    command: [/usr/bin/python3, host.py, {name}]
    capabilities: [{name}]
""" for name in ("left", "right")))
    project.up()
    project.wait_agents()
    return project


def secret_of(project: FleetProject, agent: str) -> dict[str, str]:
    """What only root and the agent itself can read."""
    pid = project.agents()[agent]["pid"]
    words = pathlib.Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")
    return dict(word.split("=", 1) for word in words if "=" in word)


def claim(secret: dict[str, str], *, token: str, agent: str, incarnation: str = "1") -> list[str]:
    return [secret["MAINSTAY_LINK"], token, agent, incarnation]


def from_outside(project: FleetProject, arguments: list[str]) -> str:
    done = subprocess.run(["/usr/bin/python3", "impostor.py", *arguments], cwd=project.folder,
                          env={**project.env, "PYTHONPATH": str(ROOT / "python")},
                          capture_output=True, text=True, timeout=120)
    return done.stdout.strip() or done.stderr


def from_inside(project: FleetProject, agent: str, arguments: list[str]) -> str:
    return project.wait_work(project.submit(agent, arguments), 120)["output"]


def assert_untouched(project: FleetProject, before: dict) -> None:
    now = project.wait_agents()
    for name, agent in before.items():
        assert now[name]["pid"] == agent["pid"] and now[name]["restarts"] == 0


def test_i3_a_stolen_token_is_of_no_use_outside_of_the_agents_processes(two: FleetProject):
    before = two.agents()
    left = secret_of(two, "left")
    token = left["MAINSTAY_TOKEN"]
    assert from_outside(two, claim(left, token=token, agent="left")) == "PERMISSION_DENIED"
    assert from_outside(two, claim(left, token="", agent="left")) == "UNAUTHENTICATED"
    for wrong in (two.token(), token[:-1], token + "x", "ms_ag_" + "A" * 43):
        assert from_outside(two, claim(left, token=wrong, agent="left")) == "UNAUTHENTICATED"
    for path in ("/v1/agents", "/v1/work"):
        status, _, _ = two.raw("GET", path, headers={"Authorization": f"Bearer {token}"})
        assert status == 401, "an agent is no operator"
    assert_untouched(two, before)


def test_i3_an_agent_cannot_speak_for_another(two: FleetProject):
    before = two.agents()
    left, right = secret_of(two, "left"), secret_of(two, "right")
    own, others = left["MAINSTAY_TOKEN"], right["MAINSTAY_TOKEN"]
    assert own != others
    assert from_inside(two, "left", claim(left, token=own, agent="right")) == "UNAUTHENTICATED"
    assert from_inside(two, "left", claim(left, token=others, agent="right")) == \
        "PERMISSION_DENIED"
    assert from_inside(two, "right", claim(right, token=own, agent="left")) == "PERMISSION_DENIED"
    assert_untouched(two, before)
    assert two.wait_work(two.submit("right", claim(left, token="", agent="right")))["output"] == \
        "UNAUTHENTICATED", "both still serve"


def test_i3_the_token_of_an_earlier_start_is_over(two: FleetProject):
    left = secret_of(two, "left")
    old = left["MAINSTAY_TOKEN"]
    os.kill(two.agents()["left"]["pid"], signal.SIGKILL)
    wait_until(lambda: (a := two.agents()["left"])["incarnation"] == 2 and a["state"] == "healthy",
               60, "its next start")
    assert secret_of(two, "left")["MAINSTAY_TOKEN"] != old
    assert from_inside(two, "left", claim(left, token=old, agent="left", incarnation="2")) == \
        "UNAUTHENTICATED"
    assert from_inside(two, "left", claim(left, token=old, agent="left", incarnation="1")) in (
        "UNAUTHENTICATED", "PERMISSION_DENIED")


def test_i3_a_process_of_the_agent_with_its_token_is_the_agent(project: FleetProject):
    """The other half: what is refused above is refused for who asks, not for how."""
    project.write("impostor.py", IMPOSTOR)
    project.write("go.sh", "#!/bin/sh\nexec /usr/bin/python3 impostor.py \"$MAINSTAY_LINK\" "
                           "\"$MAINSTAY_TOKEN\" \"$MAINSTAY_AGENT\" \"$MAINSTAY_INCARNATION\" "
                           "> said.part && :\n").chmod(0o755)
    project.write("parent.sh", "#!/bin/sh\n./go.sh; mv said.part said; exec sleep 60\n").chmod(
        0o755)
    project.fleet("""
fleet: i3
agents:
  shell:
    command: [./parent.sh]
    capabilities: [x]
    stop_grace: 500ms
    health: {start_grace: 60s}
""")
    project.up()
    said = project.folder / "said"
    wait_until(said.exists, 90, "the agent's child has spoken")
    assert said.read_text().strip() == "WELCOME"
