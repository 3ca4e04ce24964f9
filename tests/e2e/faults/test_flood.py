"""An agent that floods the log costs its own lines: they are dropped, counted and marked."""
from __future__ import annotations

from fleet_project import FleetProject, wait_until

LOUD = '''
import os
import mainstay

agent = mainstay.Agent()


@agent.capability("shout")
def shout(item, ctx):
    line = b"x" * 15 + b"\\n"
    left = item.input["lines"]
    while left > 0:
        left -= os.write(2, line * min(left, 4096)) // len(line)
    return "done"


agent.run()
'''


def test_a_flood_is_bounded_counted_and_marked(project: FleetProject) -> None:
    project.write("mainstay.yaml", 'http: {listen: "127.0.0.1:0"}\nlink: {listen: ""}\n'
                                   "log: {agent_lines: 100}\n")
    project.write("loud.py", LOUD)
    project.fleet("fleet: test\nagents:\n  loud: {command: [/usr/bin/python3, loud.py], "
                  "capabilities: [shout]}\n")
    project.up()
    project.wait_agents()
    lines = 200_000
    shouted = project.submit("shout", {"lines": lines})
    assert project.wait_work(shouted, seconds=180)["output"] == "done"
    wait_until(lambda: project.metric("mainstay_node_log_lines_total") >= lines, 60)
    dropped = project.metric("mainstay_node_dropped_lines_total")
    # A thousand at once, then a hundred a second, however long this machine takes.
    assert lines // 2 < dropped < lines
    marks = wait_until(lambda: [
        line for line in project.api("GET", "/v1/logs?level=WARNING&lines=1000")["lines"]
        if "lines of agent loud dropped in the last second" in line["message"]])
    assert marks[0]["level"] == "WARNING"
    log = project.folder / ".mainstay" / "logs" / "fleet.log"
    # Some hundred bytes a line came; a slow machine has more seconds to keep lines of.
    assert log.stat().st_size < lines * 60, "far less than came"
