"""What agents see of the daemon's settings (CFG-2)."""
from __future__ import annotations

from fleet_project import FleetProject

SETTINGS = 'http: {listen: "127.0.0.1:0"}\nlink: {listen: ""}\n'

LOOKING = '''
import os
import mainstay
agent = mainstay.Agent()

@agent.capability("look")
def look(item, ctx):
    said = ctx.settings
    return {"pid": os.getpid(), "environment": said.environment, "debug": said.debug,
            "log_level": said.log_level, "features": list(said.features),
            "is_on": agent.settings.feature("beta")}

agent.run()
'''


def test_an_agent_that_outlives_the_daemon_sees_the_settings_of_the_next(project: FleetProject):
    project.write("agent.py", LOOKING)
    project.fleet("agents: {worker: {command: [/usr/bin/python3, agent.py], capabilities: [look]}}")
    project.write("mainstay.yaml", SETTINGS + "features: [alpha]\nlog: {level: ERROR}\n")
    project.up(env={"MAINSTAY_ENV": "staging"})
    first = project.wait_work(project.submit("look"))["output"]
    assert first == {"pid": first["pid"], "environment": "staging", "debug": False,
                     "log_level": "ERROR", "features": ["alpha"], "is_on": False}
    project.kill()
    project.write("mainstay.yaml", SETTINGS + "features: [beta, gamma]\n")
    project.up()
    second = project.wait_work(project.submit("look"))["output"]
    assert second == {"pid": first["pid"], "environment": "development", "debug": True,
                      "log_level": "DEBUG", "features": ["beta", "gamma"], "is_on": True}
