"""The agents' handlers, called as by the daemon, over repositories that the tests make."""
import json
import os
import pathlib
import subprocess
import sys

import pytest

import analyst
import critic
import reviewer
import scout
import scribe
from repos import EXAMPLE, numbered
from openai_server import TEXT, OpenAiServer

from mainstay.testing import call

CODE = "def f(x):\n    if x:\n        for i in x:\n            print(i)\n    return x\n"


def good(outcome):
    assert outcome.failure is None, outcome.failure
    return outcome.output


def review(folder, **item):
    scan = good(call(scout.agent, "repo.scan", {"path": str(folder)}, **item))
    files = [good(call(analyst.agent, "file.analyse", f)) for f in scan["files"]]
    return scan, good(call(reviewer.agent, "review.rank", {
        "repository": scan["repository"], "files": files, "lint": [], "gate": None}))


def test_the_whole_chain(repo, tmp_path, monkeypatch):
    monkeypatch.setenv("MAINSTAY_PROJECT", str(tmp_path))
    monkeypatch.delenv("MODEL_API_KEY", raising=False)
    repo.commit("one", {"hot.py": CODE, "cold.py": "x = 1\n", "notes.txt": "no source\n"})
    repo.commit("two", {"hot.py": CODE * 3}, author="Bob")
    repo.commit("three", {"hot.py": CODE * 2})
    scan, ranked = review(repo.folder)
    assert [f["path"] for f in scan["files"]] == ["hot.py", "cold.py"]
    assert scan["repository"]["files_in_tree"] == 3 and scan["repository"]["commits"] == 3
    hottest = ranked["hotspots"][0]
    assert (hottest["path"], hottest["churn"], hottest["commits"], hottest["authors"]) == (
        "hot.py", 20, 3, 2)
    assert (hottest["functions"], hottest["longest"], hottest["deepest"]) == (2, 5, 2)
    critique = call(critic.agent, "review.critique", ranked)
    assert good(critique)["skipped"] and critique.usage == []
    assert [line.level for line in critique.logs] == ["WARNING"]
    written = good(call(scribe.agent, "report.write", {"ranking": ranked, "critique":
                                                       critique.output},
                        run_id="r1", pipeline="review"))
    folder = tmp_path / "runs" / "review" / "r1" / "artifacts"
    assert sorted(p.name for p in folder.iterdir()) == [
        "hotspots.json", "report.html", "report.md"]
    assert pathlib.Path(written["markdown"]).read_text().count("hot.py")
    assert written["hottest"][0]["path"] == "hot.py"


def test_an_empty_repository_gives_an_empty_review(repo):
    scan, ranked = review(repo.folder)
    assert scan["files"] == scan["cpp_files"] == [] and ranked["hotspots"] == []
    assert ranked["notes"] == ["the repository has no commits"]


def test_file_names_that_are_not_utf8_go_through(repo):
    repo.commit("one", {b"caf\xe9.py": CODE})
    _, ranked = review(repo.folder)
    assert ranked["hotspots"][0]["path"] == "caf\\xe9.py"
    assert ranked["hotspots"][0]["functions"] == 1


@pytest.mark.parametrize("value, code", [
    ({"path": "/nowhere/at/all"}, "not_a_repository"), ({}, "input_invalid"),
    ({"path": 3}, "input_invalid"), (None, "input_invalid")])
def test_what_is_no_repository_fails_for_good(value, code):
    failure = call(scout.agent, "repo.scan", value).failure
    assert (failure.code, failure.permanent) == (code, True)


def test_a_path_is_taken_from_the_project_folder(repo, monkeypatch):
    repo.commit("one", {"sub/a.py": CODE})
    monkeypatch.setenv("MAINSTAY_PROJECT", str(repo.folder / "sub"))
    scan = good(call(scout.agent, "repo.scan", {"path": "."}))
    assert scan["repository"]["root"] == str(repo.folder)


def test_a_file_that_is_gone_is_tried_again(repo):
    repo.commit("one", {"a.py": CODE})
    scan = good(call(scout.agent, "repo.scan", {"path": str(repo.folder)}))
    failure = call(analyst.agent, "file.analyse", {**scan["files"][0], "blob": "0" * 40}).failure
    assert (failure.code, failure.permanent) == ("git_failed", False)
    assert good(call(analyst.agent, "file.analyse", scan["files"][0]))["lines"] == 5


# -- the critic -----------------------------------------------------------------------------------

@pytest.fixture
def server(monkeypatch):
    made = OpenAiServer()
    monkeypatch.setenv("MODEL_BASE_URL", made.url)
    monkeypatch.setenv("MODEL_NAME", "tiny")
    monkeypatch.setenv("MODEL_API_KEY", "sk-secret-test")
    for proxy in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(proxy, raising=False)
    yield made
    made.stop()


@pytest.fixture
def ranked(repo):
    repo.commit("one", {"alpha.py": CODE, "beta.py": "x = 1\n"})
    return review(repo.folder)[1]


def test_the_models_text_and_tokens_are_reported(server, ranked, tmp_path, monkeypatch):
    outcome = call(critic.agent, "review.critique", ranked)
    assert good(outcome)["text"] == TEXT
    (usage,) = outcome.usage
    assert usage == {"provider": server.url[7:-3], "model": "tiny-2024", "prompt_tokens": 321,
                     "completion_tokens": 45, "cached_tokens": 12, "reasoning_tokens": 7,
                     "llm_requests": 1}
    path, headers, body = server.requests[0]
    assert path == "/v1/chat/completions" and headers["Authorization"] == "Bearer sk-secret-test"
    assert body["model"] == "tiny" and "alpha.py" in body["messages"][-1]["content"]
    assert "sk-secret" not in json.dumps([vars(line) for line in outcome.logs])
    monkeypatch.setenv("MAINSTAY_PROJECT", str(tmp_path))
    written = good(call(scribe.agent, "report.write",
                        {"ranking": ranked, "critique": outcome.output}, run_id="r"))
    assert "Split `alpha` first" in pathlib.Path(written["markdown"]).read_text()
    assert "&lt;b&gt;it&lt;/b&gt;" in pathlib.Path(written["html"]).read_text()


@pytest.mark.parametrize("status, code, permanent", [
    (429, "model_busy", False), (503, "model_busy", False), (401, "model_refused", True),
    (404, "model_refused", True)])
def test_a_model_that_does_not_answer(server, ranked, status, code, permanent):
    server.scripted = [(status, {"error": {"message": "because"}})]
    failure = call(critic.agent, "review.critique", ranked).failure
    assert (failure.code, failure.permanent) == (code, permanent)
    assert "because" in failure.message and "sk-secret" not in failure.message


def test_an_answer_of_another_shape_is_refused(server, ranked):
    server.scripted = [(200, {"hello": 1})]
    assert call(critic.agent, "review.critique", ranked).failure.code == "model_refused"


def test_a_model_that_is_not_there_is_busy(server, ranked, monkeypatch):
    server.stop()
    server.stop = lambda: None
    assert call(critic.agent, "review.critique", ranked).failure.code == "model_busy"


@pytest.mark.parametrize("answer", [
    [], {"choices": []}, {"choices": [{"message": {"content": 3}}]}, "text", None, 7,
    {"choices": "abc"}, {"choices": [{"message": "hi"}]}])
def test_answers_that_make_no_sense_are_refused(server, ranked, answer):
    server.scripted = [(200, answer)]
    assert call(critic.agent, "review.critique", ranked).failure.code == "model_refused"


def test_usage_that_makes_no_sense_counts_nothing(server, ranked):
    for usage in ([], "many", {"prompt_tokens": 1 << 70, "completion_tokens": -1,
                               "prompt_tokens_details": [1]}, {"prompt_tokens": "7"}):
        server.scripted = [(200, {"usage": usage, "model": None, "choices": [
            {"message": {"content": "half a pair: \ud800"}}]})]
        outcome = call(critic.agent, "review.critique", ranked)
        assert good(outcome)["text"] == "half a pair: ?" and good(outcome)["model"] == "tiny"
        assert not any("tokens" in key for key in outcome.usage[0])


def test_a_server_that_repeats_the_key_is_not_quoted(server, ranked):
    for status, body in ((401, {"error": {"message": "wrong key sk-secret-test"}}),
                         (500, {"error": "sk-secret-test"}), (200, {"key": "sk-secret-test"})):
        server.scripted = [(status, body)]
        failure = call(critic.agent, "review.critique", ranked).failure
        assert "sk-secret" not in failure.message and "[redacted]" in failure.message
    server.scripted = [(200, {"model": "sk-secret-test", "choices": [
        {"message": {"content": "your key is sk-secret-test"}}]})]
    outcome = call(critic.agent, "review.critique", ranked)
    assert "sk-secret" not in json.dumps([good(outcome), outcome.usage])


def test_a_redirect_does_not_take_the_key_elsewhere(server, ranked):
    other = OpenAiServer()
    try:
        server.scripted = [(302, {"error": "moved"})]
        server.location = other.url + "/chat/completions"
        failure = call(critic.agent, "review.critique", ranked).failure
    finally:
        other.stop()
    assert failure.code == "model_refused" and other.requests == []


@pytest.mark.parametrize("name, value", [
    ("MODEL_BASE_URL", "file:///etc/passwd"), ("MODEL_BASE_URL", "api.example.org/v1"),
    ("MODEL_BASE_URL", "http://user:sk-secret@example.org"), ("MODEL_API_KEY", "a\nHost: evil"),
    ("MODEL_API_KEY", "schlüssel")])
def test_settings_that_cannot_be_used_are_named(server, ranked, monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    failure = call(critic.agent, "review.critique", ranked).failure
    assert failure.code == "model_refused" and name in failure.message
    assert "sk-secret" not in failure.message and "evil" not in failure.message
    assert server.requests == []


# -- cppcheck -------------------------------------------------------------------------------------

def lint(repo, file, **env):
    return subprocess.run([sys.executable, str(EXAMPLE / "agents" / "cppcheck.py")],
                          input=json.dumps(file), capture_output=True, text=True, timeout=60,
                          env={**os.environ, **env})


def test_without_cppcheck_it_is_unavailable(repo, tmp_path):
    done = lint(repo, {}, PATH=str(tmp_path))
    assert done.returncode == 69 and done.stdout == ""
    assert "cppcheck is not installed" in done.stderr


@pytest.mark.skipif(not any(os.access(os.path.join(p, "cppcheck"), os.X_OK)
                            for p in os.environ["PATH"].split(os.pathsep)),
                    reason="cppcheck is not installed")
def test_cppchecks_findings_are_reported(repo):
    repo.commit("one", {"a.c": "int f(void) {\n  int a[2];\n  a[5] = 1;\n  return a[0];\n}\n"})
    scan = good(call(scout.agent, "repo.scan", {"path": str(repo.folder)}))
    done = lint(repo, scan["cpp_files"][0])
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["path"] == "a.c"
    assert any(f["id"] == "arrayIndexOutOfBounds" and f["line"] == 3 for f in found["findings"])


def test_a_long_history_is_one_pass_of_git(repo):
    """Fifty commits over forty files are read with a handful of git processes."""
    import review.git as git
    for n in range(50):
        repo.commit(f"c{n}", {f"f{n % 40}.py": numbered(n + 1)})
    started = []
    original = subprocess.Popen

    class Counting(original):
        def __init__(self, command, *args, **kwargs):
            started.append(command)
            super().__init__(command, *args, **kwargs)
    git.subprocess.Popen, before = Counting, git.subprocess.Popen
    try:
        scan = good(call(scout.agent, "repo.scan", {"path": str(repo.folder)}))
    finally:
        git.subprocess.Popen = before
    assert len(scan["files"]) == 40 and len(started) < 12
