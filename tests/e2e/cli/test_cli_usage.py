"""What the command line says to somebody who got it wrong, or who asks in an odd place."""
from __future__ import annotations

import json
import os
import pathlib
import re
import signal
import subprocess
import threading
import time

import pytest

from fleet_project import ROOT, FleetProject, wait_until

NO_SUCH = "0192f3c8-7b1a-7cc3-98c4-dc0c0c07398f"


def run_raw(project: FleetProject, *words: bytes | str, **options) -> subprocess.CompletedProcess:
    return subprocess.run([project.binary, *words], cwd=project.folder, env=project.env,
                          timeout=60, stdin=subprocess.DEVNULL, **options)


@pytest.mark.parametrize("words, said", [
    (["statsu"], ['"statsu" is not a command of `mainstay`', "did you mean `status`?"]),
    (["agents", "lst"], ["did you mean `list`?", "see `mainstay agents --help`"]),
    (["status", "--ouput", "json"], ['no option "--ouput"', "did you mean `--output`?"]),
    (["run", "hello", "--inptu", "a=1"], ["did you mean `--input`?", "mainstay run --help"]),
    (["-o", "jsn", "status"], ["--output: expected one of table, json, yaml", '"jsn"']),
    (["status", "-o"], ["-o needs a value"]),
    (["runs"], ["`mainstay runs` needs a command: list, show, cancel, verify"]),
    (["runs", "show"], ["`mainstay runs show` needs ID"]),
    (["runs", "show", "a", "b"], ['takes no argument "b"']),
    (["work", "submit", "echo", "-p", "x"], ["--priority: expected a whole number from 0 to 9"]),
    (["work", "submit", "echo", "--deadline", "soon"],
     ["--deadline: expected a duration from now such as 10m", 'got "soon"']),
    (["work", "submit", "echo", "--max-attempts", "0"], ["a whole number from 1 to 1000"]),
    (["work", "submit", "echo", "--phase", "x"], ["work.phases names none"]),
    (["work", "list", "-n", "0"], ["--limit: expected a whole number from 1 to 1000"]),
    (["work", "submit", "echo", "-i", "a"], ['--input: expected KEY=VALUE, got "a"']),
    (["work", "submit", "echo", "--input-json", "{"], ["--input-json: not valid JSON"]),
    (["work", "submit", "echo", "--input-json", "@none"], ["--input-json: cannot open none"]),
    (["work", "submit", "echo", "--input-json", "[1]", "-i", "a=1"], ["an array"]),
    (["work", "submit", "echo", "--idempotency-key", "a\r\nX: y"],
     ["--idempotency-key: expected text without control characters"]),
    (["run", "x", "-l", "foo"], ['--label: expected KEY=VALUE, got "foo"']),
    (["-C", "/nonexistent", "status"], ['"/nonexistent" is not a folder', "fleet.yaml"]),
    (["agents", "register", "far"], ["--endpoint is required"]),
    (["work", "submit", "echo", "--input-json", ""], ["--input-json: not valid JSON"]),
    (["run", "x", "--input-json", ""], ["--input-json: not valid JSON"]),
    (["--set", "work.timeout=3s", "status"],
     ["--set: `mainstay status` asks the daemon", "mainstay up"]),
    (["work", "list", "--set", "http.listen=x"], ["--set: `mainstay work list` asks the daemon"]),
    (["config", "schema", "--set", "a=b"], ["--set: `mainstay config schema`"]),
    (["help", "nope"], ['"nope" is not a command of `mainstay`']),
    (["statsu", "--help"], ["did you mean `status`?"]),
    (["runs", "nope", "--help"], ['"nope" is not a command of `mainstay runs`']),
    (["help", "work", "lits"], ["did you mean `list`?"]),
    (["status", "x", "-h"], ['takes no argument "x"']),
])
def test_wrong_usage_is_told_with_what_would_be_right(project: FleetProject, words, said):
    project.python_fleet()
    project.up()
    answer = project.cli(*words)
    assert answer.returncode == 2, answer.stderr
    assert answer.stdout == ""
    for part in said:
        assert part in answer.stderr


def test_every_command_has_its_help(project: FleetProject):
    root = project.cli("help")
    assert root.returncode == 0 and "Exit codes: 0 done" in root.stdout
    assert root.stdout == project.cli("--help").stdout == project.cli().stdout
    for words in (["up"], ["down"], ["status"], ["agents", "register"], ["work", "submit"],
                  ["runs", "verify"], ["logs", "tail"], ["config", "why"], ["doctor"], ["run"],
                  ["version"], ["bench", "work"]):
        helped = project.cli("help", *words)
        assert helped.returncode == 0
        assert "Usage: mainstay " + " ".join(words) in helped.stdout
        settings = words[0] in ("up", "doctor", "config")
        assert ("-C, -o and --set" if settings else "takes -C and -o:") in helped.stdout
        assert helped.stdout == project.cli(*words, "--help").stdout


@pytest.mark.parametrize("words", [["runs", "show"], ["runs", "cancel"], ["runs", "verify"],
                                   ["work", "show"], ["work", "wait"], ["work", "cancel"],
                                   ["work", "list", "--run"], ["logs", "tail", "--run"],
                                   ["logs", "tail", "-f", "--run"]])
def test_what_is_no_id_is_no_such_thing(project: FleetProject, words):
    project.python_fleet()
    project.up()
    what = "--run" if words[-1] == "--run" else "ID"
    thing = "work item" if words[0] == "work" and what == "ID" else "run"
    for given in ("zz", "0192", "../x", "0192f3c8-7b1a"):
        said = project.cli(*words, given)
        assert said.returncode == 4, (given, said.stderr)
        assert f'there is no {thing} "{given}"' in said.stderr and "list` shows" in said.stderr
    said = project.cli(*words, "")
    assert said.returncode == 4
    assert f'{what}: expected the id of a {thing}, got ""' in said.stderr
    if words[0] != "work" and "-f" not in words and words[1] != "cancel":
        project.down()
        for given in ("", "zz"):
            said = project.cli(*words, given)
            assert said.returncode == 4 and f"{what}: " in said.stderr, said.stderr


@pytest.mark.parametrize("verb", ["show", "renew", "deregister", "find"])
def test_an_empty_name_is_told_by_its_argument(project: FleetProject, verb: str):
    project.python_fleet()
    project.up()
    said = project.cli("agents", verb, "")
    assert said.returncode == 4
    assert 'NAME: expected the name of an agent, got ""' in said.stderr


def test_numbers_go_through_as_they_were_typed(project: FleetProject):
    project.fleet("""
fleet: test
agents:
  same: {kind: exec, command: [/bin/cat], capabilities: [same]}
""")
    project.up()
    # "1.10" alone is in a time now and then: 20:08:51.103456.
    typed = '{"id":12345678901234567890123,"v":7654321.10}'
    for words in (["--input-json", typed],
                  ["-i", "id=12345678901234567890123", "-i", "v=7654321.10"]):
        made = project.cli("work", "submit", "same", *words, "--wait")
        assert made.returncode == 0, made.stderr
        assert "12345678901234567890123" in made.stdout and "7654321.10" in made.stdout
        for form in ("json", "yaml"):
            made = project.cli("-o", form, "work", "submit", "same", *words, "--wait")
            assert made.stdout.count("12345678901234567890123") == 2
            assert made.stdout.count("7654321.10") == 2
    item = json.loads(project.cli("-o", "json", "work", "list").stdout)["work"][0]["id"]
    for form in ("table", "json", "yaml"):
        shown = project.cli("-o", form, "work", "show", item).stdout
        assert shown.count("12345678901234567890123") == 2, shown
        assert shown.count("7654321.10") == 2
    whole = json.loads(project.cli("-o", "json", "work", "show", item).stdout)
    assert whole["id"] == item and len(whole["attempts"]) == 1


def test_the_commands_that_the_docs_name_exist(project: FleetProject):
    nouns = {"agents", "work", "runs", "logs", "config", "bench"}
    named = set()
    for path in [ROOT / "README.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("*/README.md"),
                 *ROOT.glob("examples/*/README.md"), ROOT / "proto/errors.json"]:
        for line in re.findall(r"(?:`|\$ )mainstay ([^`\n]*)", path.read_text()):
            words = re.match(r"(?:-\S+ )*((?:[a-z]+ ?)*)", line)[1].split()
            named.add(tuple(words[:2 if words and words[0] in nouns else 1]))
    assert {("agents", "register"), ("config", "why"), ("up",)} <= named
    for words in sorted(named):
        helped = project.cli("help", *words)
        assert helped.returncode == 0, f"{words}: {helped.stderr}"


def test_arguments_that_are_not_text_are_refused(project: FleetProject):
    said = run_raw(project, b"work", b"submit", b"x", b"-i", b"a=\xff\xfe", capture_output=True)
    assert said.returncode == 2
    assert b"argument 5 is not UTF-8 text" in said.stderr


def test_what_cannot_be_written_is_told(project: FleetProject):
    with open("/dev/full", "wb") as full:
        said = run_raw(project, "config", "reference", stdout=full, stderr=subprocess.PIPE)
    assert said.returncode == 1
    assert b"cannot write to standard output: No space left" in said.stderr
    closed = subprocess.run(["/bin/sh", "-c", f"exec '{project.binary}' version >&-"],
                            env=project.env, stderr=subprocess.PIPE, timeout=60)
    assert closed.returncode == 1
    assert b"cannot write to standard output" in closed.stderr


def test_a_reader_that_leaves_early_is_no_trouble(project: FleetProject):
    script = f"'{project.binary}' config reference 2>err | head -1"
    said = subprocess.run(["/bin/sh", "-c", script], cwd=project.folder, env=project.env,
                          capture_output=True, text=True, timeout=60)
    assert said.stdout == "# Settings\n"
    assert (project.folder / "err").read_text() == ""


def test_a_folder_without_a_fleet_is_not_started(project: FleetProject):
    other = project.folder / "other"
    other.mkdir()
    said = project.cli("-C", str(other), "up", "--detach")
    assert said.returncode == 2
    assert "has no fleet.yaml" in said.stderr
    assert list(other.iterdir()) == []


@pytest.mark.parametrize("text", ["", "garbage", "[]", "{}", '{"pid": 1}',
                                  '{"pid": 99999999999999999999}', '{"pid": -1.5e300}',
                                  '{"pid": %d, "http_address": "nonsense"}'])
def test_a_damaged_daemon_file_is_told_with_the_process(project: FleetProject, text: str):
    project.python_fleet()
    daemon = project.up()
    path = project.folder / ".mainstay" / "daemon.json"
    good = path.read_text()
    path.write_text(text.replace("%d", str(daemon.pid)))
    try:
        said = project.cli("status")
    finally:
        path.write_text(good)
    assert said.returncode == 3
    assert f"process {daemon.pid}" in said.stderr and f"kill {daemon.pid}" in said.stderr
    assert project.cli("status").returncode == 0


def test_a_stale_daemon_file_means_no_daemon(project: FleetProject):
    project.python_fleet()
    project.up()
    project.kill()
    said = project.cli("status")
    assert said.returncode == 3
    assert "no daemon runs for" in said.stderr and "mainstay up" in said.stderr


@pytest.mark.parametrize("token", [None, "", "a\nX-Other: b"])
def test_a_lost_token_is_told_with_a_way_out(project: FleetProject, token):
    project.python_fleet()
    project.up()
    path = project.folder / ".mainstay" / "operator.token"
    path.unlink()
    if token is not None:
        path.write_text(token)
    said = project.cli("status")
    assert said.returncode == 1
    assert "operator.token" in said.stderr and "makes a new token" in said.stderr


@pytest.mark.parametrize("url, said", [("foo", "http://127.0.0.1:7000"),
                                       ("https://127.0.0.1:1", "no TLS")])
def test_a_wrong_url_names_the_variable(project: FleetProject, url: str, said: str):
    project.env["MAINSTAY_URL"] = url
    answer = project.cli("status")
    assert answer.returncode == 2
    assert "MAINSTAY_URL" in answer.stderr and said in answer.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="skipped: needs root to become another user")
def test_a_folder_of_somebody_else_is_told(project: FleetProject):
    project.python_fleet()
    project.up()
    for folder in [project.folder, *project.folder.parents]:
        if folder != pathlib.Path("/tmp") and str(folder).startswith("/tmp/"):
            folder.chmod(0o755)

    def as_somebody(*words: str) -> subprocess.CompletedProcess:
        return subprocess.run(["setpriv", "--reuid", "65534", "--clear-groups", *words],
                              cwd=project.folder, env=project.env, capture_output=True, text=True,
                              timeout=240)
    if as_somebody("/usr/bin/test", "-x", project.binary, "-a", "-r", ".").returncode != 0:
        pytest.skip("skipped: another user does not reach the program or the project here")
    said = as_somebody(project.binary, "status")
    assert said.returncode == 1, said.stderr
    assert "Permission denied" in said.stderr and "no daemon runs" not in said.stderr


def test_a_taken_port_names_the_setting(project: FleetProject, tmp_path: pathlib.Path):
    project.python_fleet()
    project.up()
    taken = project.daemon_info()["http_address"]
    second = FleetProject(project.binary, tmp_path / "second")
    second.write("fleet.yaml", (project.folder / "fleet.yaml").read_text())
    second.write("mainstay.yaml", f'http: {{listen: "{taken}"}}\nlink: {{listen: ""}}\n')
    said = second.cli("up", "--detach")
    assert said.returncode == 1
    assert taken in said.stderr and "set http.listen to another port" in said.stderr
    checked = second.cli("doctor")
    assert checked.returncode == 1
    assert "http.listen" in checked.stdout and taken in checked.stdout
    second.write("mainstay.yaml", f'http: {{listen: "127.0.0.1:0"}}\nlink: {{listen: "{taken}"}}\n')
    said = second.cli("up", "--detach")
    assert said.returncode == 1
    assert "set link.listen to another port" in said.stderr
    assert "chttp2" not in said.stderr, "gRPC's own words are for nobody"


def test_up_detached_says_where_it_is(project: FleetProject):
    project.python_fleet()
    said = project.cli("-o", "json", "up", "--detach")
    try:
        assert said.returncode == 0, said.stderr
        answer = json.loads(said.stdout)
        assert answer["http_address"] == project.daemon_info()["http_address"]
        assert answer["pid"] == project.daemon_info()["pid"]
        again = project.cli("up", "--detach")
        assert again.returncode == 1 and "mainstay down" in again.stderr
    finally:
        assert project.cli("down").returncode == 0


def test_runs_and_logs_can_be_read_without_a_daemon(project: FleetProject):
    project.python_fleet(pipelines="""
pipelines:
  one:
    version: 1
    stages:
      only: {capability: echo}
""")
    assert project.cli("runs", "list").returncode == 4, "no daemon ever ran here"
    project.up()
    project.wait_agents()
    assert project.cli("run", "one").returncode == 0
    asked = json.loads(project.cli("runs", "list", "-o", "json").stdout)
    run_id = asked["runs"][0]["id"]
    shown = json.loads(project.cli("runs", "show", run_id, "-o", "json").stdout)
    wait_until(lambda: project.cli("runs", "verify", run_id).returncode == 0, what="its archive")
    lines = project.cli("logs", "tail", "--run", run_id, "-n", "5", "-o", "json").stdout
    for end in (project.down, project.kill):
        end()
        read = project.cli("runs", "list", "-o", "json")
        assert read.returncode == 0 and "no daemon" in read.stderr
        assert json.loads(read.stdout) == asked
        assert json.loads(project.cli("runs", "show", run_id, "-o", "json").stdout) == shown
        assert project.cli("logs", "tail", "--run", run_id, "-n", "5", "-o", "json").stdout == lines
        assert project.cli("runs", "verify", run_id).returncode == 0
        assert project.cli("runs", "show", NO_SUCH).returncode == 4
        assert project.cli("runs", "verify", "x").returncode == 4
        assert project.cli("runs", "list", "--state", "x").returncode == 2
        assert project.cli("runs", "cancel", run_id).returncode == 3
        project.up()


def interrupted(project: FleetProject, *words: str, after: str,
                answer_to: str) -> subprocess.CompletedProcess:
    """Ctrl-C once the daemon knows an item, and has answered such a request of the command."""
    answered = project.answered(answer_to)
    process = subprocess.Popen([project.binary, *words], cwd=project.folder, env=project.env,
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True,
                               preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    try:
        wait_until(lambda: project.api("GET", after)["work"], what="the item is known")
        wait_until(lambda: project.answered(answer_to) > answered, what="the command is answered")
        deadline = time.monotonic() + 20
        while process.poll() is None and time.monotonic() < deadline:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(0.1)
            except subprocess.TimeoutExpired:
                continue
        out, err = process.communicate(timeout=20)
    finally:
        process.kill()
    return subprocess.CompletedProcess(words, process.returncode, out, err)


def test_ctrl_c_tells_what_goes_on(project: FleetProject):
    project.python_fleet(pipelines="""
pipelines:
  one:
    version: 1
    stages:
      only: {capability: hold, input: "run#/input"}
""")
    project.up()
    project.wait_agents()
    until = project.folder / "go"
    given = ["--input", f"until={until}"]
    said = interrupted(project, "run", "one", *given, after="/v1/work?state=running",
                       answer_to="get_run")
    assert said.returncode == 130, said.stderr
    run = project.api("GET", "/v1/runs")["runs"][0]
    assert run["state"] == "running"
    assert f"`mainstay runs show {run['id']}`" in said.stderr
    assert f"`mainstay runs cancel {run['id']}`" in said.stderr
    for _ in range(10):
        said = interrupted(project, "work", "submit", "hold", "--wait", *given,
                           after="/v1/work?state=queued", answer_to="submit_work")
        assert said.returncode == 130, said.stderr
        item = project.api("GET", "/v1/work?state=queued")["work"][0]
        if "the item may have been accepted" not in said.stderr:
            break
        # Ctrl-C came before the command had read the answer: once more.
        project.api("POST", f"/v1/work/{item['id']}:cancel", {})
    assert f"`mainstay work wait {item['id']}`" in said.stderr
    until.write_text("")
    assert project.wait_run(run["id"])["state"] == "succeeded"
    assert project.wait_work(item["id"])["state"] == "succeeded"


HOLD_PIPELINE = """
pipelines:
  one:
    version: 1
    stages:
      only: {capability: hold, input: "run#/input"}
"""


class Watching:
    """A command that waits for what it started, while its daemon is killed."""

    def __init__(self, project: FleetProject, *words: str) -> None:
        # The daemon is killed when the command knows what it waits for, and not before.
        path, named, answer_to = (("/v1/runs", "runs", "get_run") if words[0] == "run" else
                                  ("/v1/work", "work", "submit_work"))
        answered = project.answered(answer_to)
        self.process = subprocess.Popen(
            [project.binary, *words, "--input", f"until={project.folder / 'go'}"],
            cwd=project.folder, env=project.env, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            wait_until(lambda: project.answered(answer_to) > answered, what="it was answered")
            self.id = project.api("GET", path)[named][0]["id"]
            project.kill()
        except BaseException:
            self.process.kill()
            raise

    def end(self) -> tuple[str, str]:
        try:
            return self.process.communicate(timeout=240)
        finally:
            self.process.kill()


WATCHING = [["run", "one"], ["work", "submit", "hold", "--wait"]]


@pytest.mark.parametrize("words", WATCHING, ids=["run", "work"])
def test_what_was_accepted_is_told_when_the_daemon_stays_away(project: FleetProject,
                                                              words: list[str]):
    project.python_fleet(pipelines=HOLD_PIPELINE)
    project.up()
    project.wait_agents()
    watching = Watching(project, *words, "--reconnect", "500ms")
    said = watching.end()[1]
    assert watching.process.returncode == 3
    assert "the daemon went away; looking for it for 0.5s" in said
    assert f"{watching.id} was accepted" in said and "it was killed" in said


@pytest.mark.parametrize("words", WATCHING, ids=["run", "work"])
def test_a_watched_run_or_item_is_watched_on_when_the_daemon_is_back(project: FleetProject,
                                                                     words: list[str]):
    project.python_fleet(pipelines=HOLD_PIPELINE)
    project.up()
    project.wait_agents()
    watching = Watching(project, *words)
    project.up()  # at another port
    (project.folder / "go").write_text("")
    given, said = watching.end()
    assert watching.process.returncode == 0, said
    assert "the daemon went away; looking for it for 1m" in said and "the daemon is back" in said
    assert given.strip().endswith(watching.id if words[0] == "run" else "}")


def test_a_time_to_reconnect_that_is_none_is_refused(project: FleetProject):
    said = project.cli("run", "one", "--reconnect", "soon")
    assert said.returncode == 2
    assert '--reconnect: expected a duration such as 30s, got "soon"' in said.stderr


def test_ending_what_has_ended_is_a_conflict(project: FleetProject):
    project.python_fleet(pipelines="""
pipelines:
  one:
    version: 1
    stages:
      only: {capability: echo}
""")
    project.up()
    project.wait_agents()
    assert project.cli("run", "one").returncode == 0
    run = project.api("GET", "/v1/runs")["runs"][0]["id"]
    item = project.api("GET", "/v1/work")["work"][0]["id"]
    for words in (["runs", "cancel", run], ["work", "cancel", item]):
        said = project.cli(*words)
        assert said.returncode == 1
        assert "has already ended: succeeded" in said.stderr
    assert project.cli("runs", "cancel", NO_SUCH).returncode == 4


def test_logs_follow_with_filters_and_as_yaml(project: FleetProject):
    project.python_fleet()
    project.up()
    project.wait_agents()
    process = subprocess.Popen([project.binary, "logs", "tail", "-f", "--level", "warning", "-o",
                                "json"], cwd=project.folder, env=project.env,
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    give_up = threading.Timer(240, process.kill)
    give_up.start()
    try:
        project.submit("echo", {})
        failed = project.submit("fail", {}, retry={"max_attempts": 1})
        # Before it a warning of no item may come: of a cgroup that was refused, say.
        lines = (json.loads(line) for line in process.stdout)
        line = next(line for line in lines if "work_id" in line)
        assert line["level"] in ("WARNING", "ERROR") and line["work_id"] == failed
    finally:
        give_up.cancel()
        process.terminate()
        process.wait(60)
        process.stdout.close()
    yaml = project.cli("logs", "tail", "-n", "1", "-o", "yaml")
    assert yaml.stdout.startswith("---\ntimestamp: ")
    nobody = project.cli("logs", "tail", "--agent", "nobody")
    assert nobody.returncode == 0 and nobody.stdout == "" and "no line" in nobody.stderr
