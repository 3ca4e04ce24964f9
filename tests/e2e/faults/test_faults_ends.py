"""How agents end and what follows: rows A1 to A3 with real processes."""
from __future__ import annotations

import pathlib
import signal
import subprocess

from fleet_project import FleetProject, wait_until

# Ends in its first life, as its name says, once the test has seen it ready.
MORTAL = '''
import os, resource, signal, threading
import mainstay

how = os.environ["MAINSTAY_AGENT"].rsplit("-", 1)[0]
if os.environ["MAINSTAY_INCARNATION"] == "1":
    resource.setrlimit(resource.RLIMIT_CORE, resource.getrlimit(resource.RLIMIT_CORE)[1:] * 2)

    def end():
        nap = threading.Event()
        while not os.path.exists("go"):
            nap.wait(0.02)
        if how.startswith("exit"):
            os._exit(int(how[4:]))
        # Of several that dump core at once to one name the kernel lets only one.
        os.mkdir(os.environ["MAINSTAY_AGENT"])
        os.chdir(os.environ["MAINSTAY_AGENT"])
        os.kill(os.getpid(), getattr(signal, how.upper()))
    threading.Thread(target=end, daemon=True).start()
mainstay.Agent().run()
'''
ENDS = ("exit0", "exit3", "sighup", "sigkill", "sigsegv")
POLICIES = ("always", "on_failure", "never")


def dumps_core(folder: pathlib.Path) -> bool:
    """Whether a process that may dump core does so here."""
    ended = subprocess.run(
        ["/usr/bin/python3", "-c", "import os, resource as r; "
         "r.setrlimit(r.RLIMIT_CORE, r.getrlimit(r.RLIMIT_CORE)[1:] * 2); "
         "pid = os.fork()\n"
         "if pid == 0: os.abort()\n"
         "os._exit(0 if os.WCOREDUMP(os.waitpid(pid, 0)[1]) else 1)"], cwd=folder, check=False)
    return ended.returncode == 0


def test_a1_every_end_is_recorded_once_and_answered_by_the_policy(project: FleetProject):
    project.write("mortal.py", MORTAL)
    names = [f"{end}-{policy[0]}" for end in ENDS for policy in POLICIES]
    project.fleet("fleet: a1\nagents:\n" + "".join(f"""
  {end}-{policy[0]}:
    command: [/usr/bin/python3, mortal.py]
    capabilities: [x]
    restart: {{policy: {policy}, backoff_min: 10ms, backoff_max: 50ms}}
    health: {{start_grace: 60s}}
""" for end in ENDS for policy in POLICIES))
    project.up()
    assert sorted(project.wait_agents(seconds=180)) == sorted(names)
    (project.folder / "go").write_text("")

    def settled() -> bool:
        agents = project.agents()
        return all(a["last_exit"] and a["state"] in ("healthy", "stopped", "failed")
                   for a in agents.values())
    wait_until(settled, 180, "every agent has ended once and has been dealt with")
    cores = dumps_core(project.folder)
    for name, agent in project.agents().items():
        end, policy = name.rsplit("-", 1)
        failure = end != "exit0"
        restarted = policy == "a" or (policy == "o" and failure)
        assert agent["restarts"] == (1 if restarted else 0), name
        assert agent["state"] == ("healthy" if restarted else "failed" if failure else "stopped")
        exit_of = agent["last_exit"]
        if end.startswith("exit"):
            assert exit_of["code"] == int(end[4:]) and exit_of["signal"] is None
        else:
            assert exit_of["code"] is None and exit_of["signal"] == getattr(signal, end.upper())
        assert exit_of["core_dumped"] == (cores and end == "sigsegv"), name
        assert exit_of["out_of_memory"] is False
        assert agent["error_count"] == (1 if failure else 0)
        exits = [e for e in project.journal_of(name) if e["kind"] == "agent.exited"]
        assert len(exits) == 1, name
        assert (f"exit {end[4:]}" if end.startswith("exit") else end.upper()) in exits[0]["cause"]


def test_a1_an_end_before_it_was_ready_is_a_failure_whatever_its_code(project: FleetProject):
    project.fleet("""
fleet: a1
agents:
  early:
    command: [/bin/true]
    capabilities: [x]
    restart: {policy: on_failure, backoff_min: 10ms, backoff_max: 20ms, max_restarts: 2}
""")
    project.up()
    agent = project.wait_agent("early", "failed")
    assert agent["restarts"] == 2
    assert "exit 0 before it was ready" in agent["last_error"]


def test_a2_a_crash_loop_ends_in_failed(project: FleetProject):
    project.write("crash.py", "import os\nopen('starts', 'a').write('x')\nos._exit(1)\n")
    project.fleet("""
fleet: a2
agents:
  looping:
    command: [/usr/bin/python3, crash.py]
    capabilities: [x]
    restart: {policy: always, backoff_min: 10ms, backoff_max: 50ms, max_restarts: 3, window: 1m}
""")
    project.up()
    agent = project.wait_agent("looping", "failed")
    assert "3" in agent["reason"]
    # Three restarts are allowed, so the program ran four times and never again.
    starts = (project.folder / "starts").read_text()
    assert len(starts) == 4
    status = project.cli("status")
    assert "looping" in status.stdout and "failed" in status.stdout


def test_a3_flapping_slower_than_the_window_is_given_up_too(project: FleetProject):
    """Each life lasts 1.2 windows, so no window ever holds two restarts: the long one does.

    Its time to start is a part of that life: six lives must fit into twenty windows.
    """
    project.write("flapping.py", """
import os, threading, time
began = time.monotonic()
import mainstay

agent = mainstay.Agent()

@agent.capability("x")
def x(item, ctx):
    return 1

threading.Timer(max(0.2, began + 2.4 - time.monotonic()), lambda: os._exit(1)).start()
agent.run()
""")
    project.fleet("""
fleet: a3
agents:
  flapping:
    command: [/usr/bin/python3, flapping.py]
    capabilities: [x]
    restart: {policy: always, backoff_min: 1ms, backoff_max: 10ms, max_restarts: 1, window: 2s}
""")
    project.up()
    agent = project.wait_agent("flapping", "failed", 90)
    assert agent["restarts"] == 5
    assert "it keeps failing: 5 restarts in 40s" in agent["reason"]
