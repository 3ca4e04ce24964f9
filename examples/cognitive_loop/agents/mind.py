"""Serves the six stages: memory, attention, thought, action, decision, awareness."""
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import mainstay  # noqa: E402
from cognition import stages  # noqa: E402
from cognition.corpus import Corpus  # noqa: E402

agent = mainstay.Agent("mind")


def corpus_of(said):
    """The corpus that the input names, from the project folder if it is relative."""
    folder = os.path.join(os.environ.get("MAINSTAY_PROJECT", ""), said.get("corpus") or "corpus")
    if not os.path.isdir(folder):
        raise mainstay.Permanent(f"there is no corpus at {folder}", code="corpus_missing",
                                 hint="name a folder of .txt files")
    return Corpus(folder)


def question_of(said):
    question = said.get("question") if isinstance(said, dict) else None
    if not isinstance(question, str) or not question.strip():
        raise mainstay.Permanent('expected {"question": TEXT}', code="input_invalid",
                                 hint='mainstay run reflect --input question="Why is honey ...?"')
    return question


@agent.capability("mind.memory")
def memory(item, ctx):
    question = question_of(item.input)
    found = stages.memory(corpus_of(item.input), question)
    ctx.log.info("recalled", texts=[r["name"] for r in found["recalled"]])
    # Whoever comes after reads the same corpus.
    return {**found, "corpus": item.input.get("corpus") or "corpus"}


@agent.capability("mind.attention")
def attention(item, ctx):
    said = item.input
    return stages.attention(corpus_of(said), said["recalled"], question_of(said))


@agent.capability("mind.thought")
def thought(item, ctx):
    said = item.input
    return stages.thought(corpus_of(said), said["focus"], question_of(said))


@agent.capability("mind.action")
def action(item, ctx):
    said = item.input
    return stages.action(corpus_of(said), said["hypotheses"], question_of(said))


@agent.capability("mind.decision")
def decision(item, ctx):
    decided = stages.decision(item.input["focus"], item.input["evidence"])
    ctx.log.info("decided", answer=decided["answer"], confidence=decided["confidence"])
    return decided


@agent.capability("mind.awareness")
def awareness(item, ctx):
    said = item.input
    aware = stages.awareness(corpus_of(said), question_of(said), said["decision"],
                             said["reflection"])
    for stage in aware["degraded"]:
        ctx.log.warning(f"{stage} was not finished; the answer stands without it")
    return aware


if __name__ == "__main__":
    agent.run()
