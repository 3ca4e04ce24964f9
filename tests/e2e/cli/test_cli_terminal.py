"""What a person sees: words of agents and files are words, and the live view stays where it is."""
from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time

from fleet_project import FleetProject, wait_until

RAW_ERROR = "first line\nsecond \x1b[31mred\n\n\x07\u009b2J"
AGENT = f'''
import os
import time

import mainstay

agent = mainstay.Agent()

@agent.capability("shout")
def shout(item, ctx):
    raise ValueError({RAW_ERROR!r})

@agent.capability("pause")
def pause(item, ctx):
    for _ in range(3000):
        if os.path.exists("seen"):
            break
        time.sleep(0.02)
    time.sleep(item.input.get("seconds", 0.5))
    return 1

agent.run()
'''
BAD = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
# What the live view itself sends: cursor up, clearing, colours, wrapping off and on.
OWN = re.compile(r"\x1b\[(\d+A|2K|J|0?m|1m|2m|3[1-3]m|\?7[lh])")


def prepare(project: FleetProject, stages: int = 0) -> None:
    project.write("agent.py", AGENT)
    short = "{capability: pause, needs: [quick], input: {seconds: 0.05}}"
    more = "".join(f"\n      s{i:02}: {short}" for i in range(stages))
    project.python_fleet(pipelines=f"""
pipelines:
  noisy:
    version: 1
    stages:
      quick: {{capability: shout, critical: false, retries: 0}}
      slow: {{capability: pause, needs: [quick]}}{more}
""")
    path = project.folder / "fleet.yaml"
    path.write_text(path.read_text().replace("echo, fail, flaky, hold, crash", "shout, pause"))
    project.up()


def on_terminal(project: FleetProject, *words: str, rows: int = 24, term: str = "xterm",
                until: str = "\x1b[J") -> str:
    """What the command writes to a terminal of 80 columns. Stages pause until it wrote `until`:
    however late it looks, the run is not over by then."""
    seen = project.folder / "seen"
    seen.unlink(missing_ok=True)
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, 80, 0, 0))
    child = subprocess.Popen([project.binary, *words], cwd=project.folder,
                             env={**project.env, "TERM": term}, stdin=subprocess.DEVNULL,
                             stdout=subprocess.DEVNULL, stderr=slave)
    os.close(slave)
    out = b""
    deadline = time.monotonic() + 180
    try:
        while time.monotonic() < deadline:
            if not select.select([master], [], [], 1)[0]:
                continue
            try:
                part = os.read(master, 65536)
            except OSError:
                break
            if not part:
                break
            out += part
            if until.encode() in out:
                seen.touch()
    finally:
        os.close(master)
        if child.poll() is None and time.monotonic() >= deadline:
            child.kill()
        child.wait(60)
    return out.decode()


def frames(text: str) -> list[list[str]]:
    """The lines of each drawing: a drawing ends by clearing what is below it."""
    return [frame.split("\r\n")[:-1] for frame in text.split("\x1b[J")[:-1]]


def test_an_error_of_several_lines_stays_on_its_own(project: FleetProject):
    prepare(project)
    text = on_terminal(project, "run", "noisy", rows=24)
    drawn = frames(text)
    assert len(drawn) > 1
    height = 0
    for frame in drawn:
        ups = re.match(r"\x1b\[(\d+)A", frame[0])
        assert int(ups[1]) == height if height else not ups
        height = len(frame)
        assert height == 3
    assert not BAD.search(OWN.sub("", text).replace("\r\n", "\n"))
    assert r"first line\nsecond \x1b[31mred" in text


def test_plain_lines_and_the_summary_hold_no_control_characters(project: FleetProject):
    prepare(project)
    project.write("seen", "")
    made = project.cli("run", "noisy")
    assert made.returncode == 0, made.stderr
    assert r"second \x1b[31mred\n\n\x07\u009b2J" in made.stderr
    assert not BAD.search(made.stderr)
    folder = project.folder / "runs" / "noisy"
    run = next(folder.iterdir())
    wait_until((run / "logs_summary.txt").exists, what="the summary")
    summary = (run / "logs_summary.txt").read_text()
    assert not BAD.search(summary)
    assert r"first line\nsecond \x1b[31mred" in re.sub(r"\n +", " ", summary)
    item = project.api("GET", "/v1/work?state=failed")["work"][0]["id"]
    for words in (["runs", "show", run.name], ["work", "show", item], ["work", "list"],
                  ["logs", "tail", "--run", run.name, "-n", "100"]):
        shown = project.cli(*words)
        assert shown.returncode == 0 and not BAD.search(shown.stdout), words


def test_a_frame_is_never_higher_than_the_terminal(project: FleetProject):
    prepare(project, stages=30)
    text = on_terminal(project, "run", "noisy", rows=12)
    drawn = frames(text)
    assert len(drawn) > 1
    for frame in drawn[:-1]:
        assert len(frame) <= 11
    assert re.search("… [0-9]+ stages? (done|waiting|running)", drawn[0][-1])
    assert len(drawn[-1]) == 33, "at the end every stage is told"


def test_a_terminal_that_cannot_be_drawn_on_gets_plain_lines(project: FleetProject):
    prepare(project)
    for term in ("dumb", ""):
        text = on_terminal(project, "run", "noisy", term=term, until="slow: started")
        assert "\x1b" not in text
        assert "slow: started" in text


def test_keys_of_files_and_words_typed_are_told_without_their_control_characters(
        project: FleetProject):
    project.fleet('fleet: t\n"\\e]0;pwn\\a": 1\n"\\u009b2J": 1\n')
    checked = project.cli("config", "check")
    assert checked.returncode == 2
    assert r"\u001b]0;pwn\u0007" in checked.stdout
    assert not BAD.search(checked.stdout + checked.stderr)
    for words in (["\x1b[31mx"], ["run", "\x1b[31mx"], ["-o", "\x1b[31m", "status"],
                  ["config", "get", "\x9b\x1b"], ["-C", "/\x1b[1m", "status"],
                  ["up", "--\x1b[1m"], ["--set", "\x1b[1m=2", "config", "check"]):
        said = project.cli(*words)
        assert said.returncode != 0 and not BAD.search(said.stdout + said.stderr), words
