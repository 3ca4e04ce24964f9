"""Every stage computes its answer from the corpus: change the corpus and the answer changes."""
import pathlib
import shutil
import sys

import pytest

EXAMPLE = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(EXAMPLE), str(EXAMPLE / "agents"), str(EXAMPLE.parents[1] / "python")]

import dreamer  # noqa: E402
import mind  # noqa: E402
from cognition import corpus as corpora  # noqa: E402
from mainstay.testing import call  # noqa: E402

FAILED = {"_stage_error": True, "stage": "reflection", "error": {"code": "attempt_timeout"}}


def step(capability, value):
    outcome = call(mind.agent, f"mind.{capability}", value)
    assert outcome.failure is None, outcome.failure
    return outcome.output


def loop(question, corpus, reflection=None):
    """The pipeline of fleet.yaml, stage by stage; returns what each stage said."""
    base = {"question": question, "corpus": str(corpus)}
    said = {"memory": step("memory", base)}
    said["attention"] = step("attention", {**base, "recalled": said["memory"]["recalled"]})
    said["thought"] = step("thought", {**base, "focus": said["attention"]["focus"]})
    said["action"] = step("action", {**base, "hypotheses": said["thought"]["hypotheses"]})
    said["decision"] = step("decision", {"focus": said["attention"]["focus"],
                                         "evidence": said["action"]["looked_up"]})
    said["awareness"] = step("awareness", {**base, "decision": said["decision"],
                                           "reflection": reflection})
    return said


@pytest.fixture
def corpus(tmp_path):
    folder = tmp_path / "corpus"
    shutil.copytree(EXAMPLE / "corpus", folder)
    return folder


@pytest.mark.parametrize("question, source, words", [
    ("Why does honey keep for years?", "honey", "little water and is acid"),
    ("What causes the tides?", "tides", "gravity of the Moon"),
    ("How far away is the Moon from the Earth?", "moon", "384,400 kilometres"),
    ("Which prize did Karl von Frisch receive?", "bees", "Nobel Prize"),
    ("Why does salt speed up rust?", "rust", "current of the reaction"),
    ("What is the law about customers in a queue?", "queue", "rate at which they arrive"),
    ("How many copies of Gutenberg's Bible survive?", "printing", "49 are known"),
])
def test_the_answer_comes_from_the_right_text(corpus, question, source, words):
    aware = loop(question, corpus)["awareness"]
    assert aware["from"] == source and words in aware["answer"]
    assert aware["confidence"] > 0 and aware["feeling"] != "ignorant"


def test_another_corpus_gives_another_answer_in_every_stage(corpus):
    question = "How far away is the Moon from the Earth?"
    before = loop(question, corpus)
    (corpus / "moon.txt").write_text("The Moon is 12 miles away from the Earth and made of "
                                     "cheese. Mice live there in burrows.\n")
    after = loop(question, corpus)
    assert "12 miles" in after["awareness"]["answer"]
    for stage in before:
        assert before[stage] != after[stage], stage


def test_a_text_taken_away_is_no_longer_known(corpus):
    question = "Who decoded the waggle dance?"
    assert loop(question, corpus)["awareness"]["from"] == "bees"
    (corpus / "bees.txt").unlink()
    aware = loop(question, corpus)["awareness"]
    assert "Frisch" not in aware["answer"]
    assert {"decod", "waggl", "danc"} <= set(aware["unknown_terms"])


def test_what_the_corpus_does_not_say_is_not_made_up(corpus):
    aware = loop("Which volcano erupted yesterday?", corpus)["awareness"]
    assert aware["answer"] == "I do not know." and aware["feeling"] == "ignorant"
    assert len(aware["unknown_terms"]) == 3


def test_an_empty_corpus_is_survived(tmp_path):
    assert loop("What is salt?", tmp_path)["awareness"]["answer"] == "I do not know."


def test_the_slow_stage_does_not_finish_and_the_loop_says_so(corpus):
    outcome = call(dreamer.agent, "mind.reflection", {"corpus": str(corpus)}, time_limit=0.2)
    assert outcome.failure.code == "attempt_timeout"
    aware = loop("What causes the tides?", corpus, FAILED)["awareness"]
    assert aware["degraded"] == ["reflection"] and "Moon" in aware["answer"]


def test_the_slow_stage_finishes_on_a_small_corpus(corpus):
    for path in sorted(corpus.iterdir())[5:]:
        path.unlink()
    outcome = call(dreamer.agent, "mind.reflection", {"corpus": str(corpus)})
    assert len(outcome.output["order"]) == 5
    aware = loop("Why does bread rise?", corpus, outcome.output)["awareness"]
    assert aware["reading_order"] == outcome.output["order"] and aware["degraded"] == []


@pytest.mark.parametrize("value", [{}, {"question": " "}, {"question": 3}])
def test_no_question_fails_for_good(value):
    failure = call(mind.agent, "mind.memory", value).failure
    assert (failure.code, failure.permanent) == ("input_invalid", True)


def test_likeness_by_hand(tmp_path):
    (tmp_path / "a.txt").write_text("red fish")
    (tmp_path / "b.txt").write_text("blue fish")
    corpus = corpora.Corpus(str(tmp_path))
    red, fish = corpus.idf("red"), corpus.idf("fish")
    assert red > fish == 1.0  # in every text: log(3/3) + 1
    expected = fish * fish / (red * red + fish * fish)
    got = corpora.likeness(corpus.texts[0].vector, corpus.texts[1].vector)
    assert abs(got - expected) < 1e-12
