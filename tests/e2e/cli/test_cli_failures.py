"""WRK-10: why an item failed, as `mainstay work show` tells it."""
from __future__ import annotations

import json
import subprocess

from fleet_project import FleetProject

FAILING = '''#!/bin/sh
cat >/dev/null
echo "reading the settings" >&2
echo "fatal: there is no widget.ini" >&2
exit 3
'''


def version_of_python() -> str:
    """Of the agent's Python, which need not be this one."""
    said = subprocess.run(["/usr/bin/python3", "-c",
                           "import platform; print(platform.python_version())"],
                          capture_output=True, text=True, timeout=60, check=True)
    return said.stdout.strip()


def failed_item(project: FleetProject, capability: str) -> tuple[dict, str]:
    item = project.submit(capability, {"x": 1}, description="look at the widget, then tell",
                          phase="planning", retry={"max_attempts": 1})
    assert project.wait_work(item)["state"] == "failed"
    shown = project.cli("work", "show", item)
    assert shown.returncode == 0, shown.stderr
    return json.loads(project.cli("work", "show", item, "-o", "json").stdout), shown.stdout


def test_a_failed_item_says_all_that_surrounded_it(project: FleetProject):
    project.write("fail.sh", FAILING).chmod(0o755)
    project.write("mainstay.yaml", 'http: {listen: "127.0.0.1:0"}\nlink: {listen: ""}\n'
                                   "work: {phases: [planning]}\n")
    project.python_fleet(more="""
  widget:
    kind: exec
    command: [./fail.sh]
    capabilities: [widget.read]
""")
    project.up()
    project.wait_agents()

    item, text = failed_item(project, "fail")
    context = item["error"]["context"]
    assert item["error"]["code"] == "ValueError"
    assert context["phase"] == "planning" and context["description"].startswith("look at the wid")
    assert context["hint"] and context["work_id"] == item["id"]
    reported = context["reported"]
    assert reported["agent"]["session_active"] is True
    assert "fail" in reported["agent"]["loaded_skills"]
    assert reported["environment"]["python"] == version_of_python()
    assert reported["environment"]["sdk"] and "openai" in reported["environment"]
    for part in ("planning", "asked to fail (ValueError)", "session_active true", "loaded_skills",
                 f"python {reported['environment']['python']}", "hint  ", "traceback:\n",
                 'raise ValueError("asked to fail")'):
        assert part in text, part

    item, text = failed_item(project, "widget.read")
    context = item["error"]["context"]
    assert item["error"]["code"] == "handler_failed" and context["phase"] == "planning"
    reported = context["reported"]
    assert reported["agent"] == {"kind": "exec", "session_active": False,
                                 "loaded_skills": ["widget.read"]}
    assert reported["environment"]["folder"] == str(project.folder)
    assert reported["environment"]["command"].endswith("fail.sh")
    assert reported["environment"]["python_sdk"]
    assert reported["exit_code"] == 3
    assert "stderr" in context["hint"]
    for part in ("exited with 3: fatal: there is no widget.ini", "fail.sh", "stderr:\n",
                 "reading the settings\n", "session_active false"):
        assert part in text, part


def test_control_characters_of_an_agent_do_not_reach_the_terminal(project: FleetProject):
    project.write("bell.sh", "#!/bin/sh\nprintf 'a\\033[2Jb\\a\\nc' >&2\nexit 1\n").chmod(0o755)
    project.fleet("fleet: test\nagents:\n  bell: {kind: exec, command: [./bell.sh], "
                  "capabilities: [bell]}\n")
    project.up()
    item = project.submit("bell", {}, retry={"max_attempts": 1})
    project.wait_work(item)
    text = project.cli("work", "show", item).stdout
    assert "\x1b" not in text and "\a" not in text
    assert "a\\x1b[2Jb\\x07\nc" in text
