"""What a Python agent prints and logs in threads is filed under its run and step (RUN-2)."""
from __future__ import annotations

from fleet_project import FleetProject, wait_until

TALKER = '''
import logging, os, signal, subprocess, sys, threading, time
import mainstay

agent = mainstay.Agent()

@agent.capability("talk")
def talk(item, ctx):
    print("printed here")
    print("complained here", file=sys.stderr)
    thread = threading.Thread(target=lambda: logging.getLogger("thr").error("from a thread"))
    thread.start()
    thread.join()
    subprocess.run(["echo", "from a process"], check=True)
    return True

@agent.capability("rest")
def rest(item, ctx):
    for _ in range(6000):
        if os.path.exists("go"):
            break
        time.sleep(0.02)

@agent.capability("die")
def die(item, ctx):
    print("last words")
    os.kill(os.getpid(), signal.SIGKILL)

print("printed outside")
agent.run()
'''

FLEET = """
fleet: talk
agents:
  talker:
    command: [/usr/bin/python3, talker.py]
    capabilities: [talk, rest, die]
pipelines:
  talk:
    version: 1
    stages:
      say: {capability: talk}
      after: {capability: rest, needs: [say]}
  die:
    version: 1
    stages:
      last: {capability: die, retries: 0}
"""


def said_in(folder) -> str:
    return "".join(p.read_text(errors="replace") for p in sorted(folder.rglob("*.log")))


def test_what_a_handler_prints_and_its_threads_log_is_in_the_runs_folder(project: FleetProject):
    project.write("talker.py", TALKER)
    project.fleet(FLEET)
    project.up()
    project.wait_agents()
    for pipeline, texts in (("talk", ("printed here", "complained here", "from a thread")),
                            ("die", ("last words",))):
        run = project.api("POST", "/v1/runs", {"pipeline": pipeline, "input": {}})["id"]
        folder = project.folder / "runs" / pipeline / run
        # While the run goes on: what is read after its archive was made has no place in it.
        for text in texts:
            wait_until(lambda: text in said_in(folder / "logs" / "step_001"), what=text)
        project.write("go", "")
        project.wait_run(run)
        assert "printed outside" not in said_in(folder)
        assert "from a process" not in said_in(folder)
