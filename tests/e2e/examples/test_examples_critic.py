"""examples/code_review: the critic asks a model through the real daemon, and a model that fails,
hangs or talks nonsense degrades the run, no more. The key is nowhere to be found afterwards."""
from __future__ import annotations

import html
import json
import re

import pytest

from example_project import ExampleProject
from openai_server import TEXT, USAGE, OpenAiServer
from repos import Repo

KEY = "sk-canary-0b7e41c29f5d4a6e"
CODE = "def f(x):\n    if x:\n        for i in x:\n            print(i)\n    return x\n"


@pytest.fixture
def repo(tmp_path):
    made = Repo(tmp_path / "a repository")
    made.commit("one", {"alpha.py": CODE * 4, "beta.py": "x = 1\n"})
    made.commit("two", {"alpha.py": CODE * 3})
    return made


@pytest.fixture
def project(binary, tmp_path):
    made = ExampleProject(binary, tmp_path / "project", "code_review")
    made.change("fleet.yaml", "timeout: 90s, retries: 2", "timeout: 90s, retries: 1")
    yield made
    made.clean_up()


@pytest.fixture
def model():
    made = OpenAiServer()
    yield made
    made.stop()


def up_with(project: ExampleProject, model: OpenAiServer) -> None:
    project.up(env={"MODEL_API_KEY": KEY, "MODEL_BASE_URL": model.url, "MODEL_NAME": "tiny"})
    project.wait_agents()


def test_the_models_words_are_in_the_report_and_its_tokens_in_the_summary(project, model, repo):
    up_with(project, model)
    done = project.review(repo.folder)
    assert done.code == 0, done.said
    assert [h["Authorization"] for _, h, _ in model.requests] == [f"Bearer {KEY}"]
    assert "alpha.py" in json.dumps(model.requests[0][2]["messages"])
    page = re.search(r"<blockquote>(.*?)</blockquote>", done.artifact("report.html"), re.S)
    assert html.unescape(page[1]) == TEXT and "<b>" not in page[1]
    assert html.escape(TEXT.split("\n")[0], quote=False) in done.artifact("report.md")
    assert "tiny-2024" in done.artifact("report.md")

    total = USAGE["prompt_tokens"] + USAGE["completion_tokens"]
    assert "Model:     tiny-2024" in done.summary
    critique = done.summary.split("Stage: critique")[1].split("Step ")[0]
    for figure in (USAGE["prompt_tokens"], USAGE["completion_tokens"], total):
        assert str(figure) in critique, critique
    assert re.search(rf"^Total: .*1 LLM request.* {total} tokens", done.summary, re.M)
    shown = project.cli("runs", "show", done.id, "-o", "json")
    (step,) = [s for s in json.loads(shown.stdout)["steps"] if s["stage"] == "critique"]
    assert step["usage"]["prompt_tokens"] == USAGE["prompt_tokens"]
    assert step["usage"]["completion_tokens"] == USAGE["completion_tokens"]
    assert step["usage"]["llm_requests"] == 1
    assert f"{total} tokens" in project.cli("runs", "show", done.id).stdout
    project.down()
    assert project.files_with(KEY) == []


def test_without_a_key_the_run_completes_and_says_what_it_skipped(project, repo):
    project.up()
    project.wait_agents()
    done = project.review(repo.folder)
    assert done.code == 0 and "succeeded" in done.said
    assert "Result:    SUCCEEDED" in done.summary
    assert "critique skipped: MODEL_API_KEY is not set" in done.summary
    assert "> Skipped: MODEL_API_KEY is not set" in done.artifact("report.md")
    assert "Skipped: MODEL_API_KEY is not set" in done.artifact("report.html")
    assert done.hotspots["hottest"][0]["path"] == "alpha.py"


def fails(model):
    model.scripted = [(500, {"error": {"message": f"overloaded, dear {KEY}"}})] * 4


def hangs(model):
    model.hold = True


def sends_garbage(model):
    model.raw = b"\x00\xff garbage " + KEY.encode() + b"\r\n\r\n"


def sends_another_shape(model):
    model.scripted = [(200, {"choices": [], "you": KEY})] * 4


def refuses_the_key(model):
    model.scripted = [(401, {"error": {"message": f"Incorrect API key provided: {KEY}"}})] * 4


@pytest.mark.parametrize("trouble, tries, words", [
    (fails, 2, "HTTP status 500: overloaded"), (hangs, 2, "no answer within"),
    (sends_garbage, 2, "garbage"), (sends_another_shape, 1, "not a chat completion"),
    (refuses_the_key, 1, "HTTP status 401: Incorrect API key")],
    ids=lambda value: getattr(value, "__name__", None))
def test_a_model_in_trouble_degrades_the_run(project, model, repo, trouble, tries, words):
    trouble(model)
    if trouble is hangs:  # it is given up after 6.4 s; the rest is for the critic to say so
        project.change("fleet.yaml", "timeout: 90s, retries: 1", "timeout: 8s, retries: 1")
    up_with(project, model)
    done = project.review(repo.folder)
    assert done.code == 0 and "degraded" in done.said
    assert "Result:    DEGRADED" in done.summary and len(model.requests) == tries
    for text in (done.said, done.artifact("report.md"), done.artifact("report.html")):
        assert words in html.unescape(text), text
    assert done.hotspots["hottest"][0]["path"] == "alpha.py"
    project.down()
    assert project.files_with(KEY) == []
    assert project.agent_pids() == []
