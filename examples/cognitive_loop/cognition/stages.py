"""The six stages of the loop as plain functions of the corpus and of what came before."""
from __future__ import annotations

import math
from typing import Any, Dict, List, Mapping, Sequence

from .corpus import Corpus, likeness, sentences, terms

RECALLED = 4
FOCUS = 5
HYPOTHESES = 5
#: Below this a sentence says nothing about the question.
LEAST_LIKENESS = 0.08


def memory(corpus: Corpus, question: str) -> Dict[str, Any]:
    """Recalls the texts most like the question."""
    asked = corpus.vector(question)
    scored = sorted(((likeness(asked, t.vector), t) for t in corpus.texts),
                    key=lambda pair: (-pair[0], pair[1].name))
    recalled = [{"name": t.name, "text": t.text, "likeness": round(score, 4)}
                for score, t in scored[:RECALLED] if score > 0]
    return {"question": question, "texts": len(corpus.texts), "vocabulary": corpus.vocabulary,
            "recalled": recalled}


def attention(corpus: Corpus, recalled: Sequence[Mapping[str, Any]],
              question: str) -> Dict[str, Any]:
    """Shares attention out over the recalled sentences (softmax of likeness), keeps the most."""
    asked = corpus.vector(question)
    rows = []
    for text in recalled:
        for sentence in sentences(text["text"]):
            near = likeness(asked, corpus.vector(sentence))
            rows.append({"from": text["name"], "sentence": sentence, "likeness": round(near, 4),
                         "score": near + 0.5 * text["likeness"]})
    total = sum(math.exp(8 * row["score"]) for row in rows)
    for row in rows:
        row["weight"] = round(math.exp(8 * row.pop("score")) / total, 4)
    rows.sort(key=lambda r: (-r["weight"], r["from"], r["sentence"]))
    return {"considered": len(rows), "focus": rows[:FOCUS]}


def thought(corpus: Corpus, focus: Sequence[Mapping[str, Any]], question: str) -> Dict[str, Any]:
    """Forms hypotheses: the weightiest terms of the focus that the question did not name."""
    asked = set(terms(question))
    weights: Dict[str, float] = {}
    for row in focus:
        for term, weight in corpus.vector(row["sentence"]).items():
            if term not in asked:
                weights[term] = weights.get(term, 0.0) + weight * row["weight"]
    best = sorted(weights.items(), key=lambda pair: (-pair[1], pair[0]))[:HYPOTHESES]
    return {"hypotheses": [{"term": term, "weight": round(weight, 4)} for term, weight in best]}


def action(corpus: Corpus, hypotheses: Sequence[Mapping[str, Any]],
           question: str) -> Dict[str, Any]:
    """Goes and looks: in how many texts does each hypothesis stand beside the question's terms?"""
    asked = [t for t in dict.fromkeys(terms(question)) if corpus.knows(t)]
    size = max(1, len(corpus.texts))
    out = []
    for hypothesis in hypotheses:
        there = set(corpus.having(hypothesis["term"]))
        evidence = 0.0
        for term in asked:
            other = set(corpus.having(term))
            both = len(there & other)
            if both:  # pointwise mutual information
                evidence += math.log(both * size / (len(there) * len(other)))
        out.append({"term": hypothesis["term"], "texts": sorted(there),
                    "evidence": round(evidence, 4)})
    return {"asked": asked, "looked_up": out}


def decision(focus: Sequence[Mapping[str, Any]], evidence: Sequence[Mapping[str, Any]],
             ) -> Dict[str, Any]:
    """Answers with the sentence that likeness and evidence favour, or says it does not know."""
    support = {row["term"]: max(0.0, row["evidence"]) for row in evidence}
    most = max(support.values(), default=0.0) or 1.0
    rows = []
    for row in focus:
        if row["likeness"] < LEAST_LIKENESS:
            continue
        found = [support[t] / most for t in set(terms(row["sentence"])) if t in support]
        rows.append((row["likeness"] * (1 + 0.25 * sum(found)), row))
    rows.sort(key=lambda pair: (-pair[0], pair[1]["sentence"]))
    if not rows:
        return {"answer": "I do not know.", "from": "", "confidence": 0.0, "known": False}
    second = rows[1][0] if len(rows) > 1 else 0.0
    best, row = rows[0]
    return {"answer": row["sentence"], "from": row["from"], "known": True,
            "confidence": round(min(1.0, best) * (1 - 0.5 * second / best), 4)}


def awareness(corpus: Corpus, question: str, decided: Mapping[str, Any],
              reflection: Mapping[str, Any] | None) -> Dict[str, Any]:
    """Says what it knows, what it does not, and what of itself did not work."""
    unknown = [t for t in dict.fromkeys(terms(question)) if not corpus.knows(t)]
    degraded: List[str] = []
    order: List[str] = []
    if reflection and reflection.get("_stage_error"):
        degraded.append("reflection")
    elif reflection:
        order = list(reflection["order"])
    confidence = decided["confidence"]
    sure = "sure" if confidence >= 0.3 else "fairly sure" if confidence >= 0.15 else "not sure"
    return {"question": question, "answer": decided["answer"], "from": decided["from"],
            "confidence": confidence, "feeling": sure if decided["known"] else "ignorant",
            "unknown_terms": unknown, "degraded": degraded, "reading_order": order}
