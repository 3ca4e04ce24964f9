"""A folder of short texts as term vectors (TF-IDF), computed anew from the files each time.

Weights: (1 + log tf) * (log((1 + N) / (1 + df)) + 1), vectors scaled to
length 1, cosine similarity (Manning, Raghavan, Schuetze: "Introduction to Information Retrieval",
chapter 6).
"""
from __future__ import annotations

import math
import pathlib
import re
from collections import Counter
from dataclasses import dataclass
from typing import Dict, List

Vector = Dict[str, float]

#: Words that say nothing about what a text is about.
STOP = frozenset(
    "a about an and are as at be because been by can cannot did do does down each for from had "
    "has have how if in into is it its itself most no not of on once one or other out over so such "
    "than that the their them then there they this to up was were what when where which while who "
    "whom whose why will with would".split())
MAX_FILES = 2000
MAX_BYTES = 64 << 10


def terms(text: str) -> List[str]:
    """The words of a text in lower case, without stop words, endings taken off."""
    words = re.findall(r"[^\W_]+(?:[.,]\d+)?", text.lower())
    return [stem(w) for w in words if w not in STOP]


def stem(word: str) -> str:
    """A light stemmer: plurals and common verb endings, enough to bring forms together."""
    for ending, rest in (("sses", "ss"), ("ies", "y"), ("ing", ""), ("ed", ""), ("es", ""),
                         ("s", ""), ("e", "")):
        if word.endswith(ending) and len(word) - len(ending) >= 3 and not word.endswith("ss"):
            return word[:len(word) - len(ending)] + rest
    return word


def sentences(text: str) -> List[str]:
    """The sentences of a text; a full stop inside a number ends none."""
    parts = re.split(r"(?<=[.!?])\s+(?=[A-Z0-9\"])", " ".join(text.split()))
    return [p for p in parts if p]


@dataclass(frozen=True)
class Text:
    """One file of the corpus."""

    name: str
    text: str
    counts: Counter
    vector: Vector


class Corpus:
    """All texts of a folder, and the weight of every term in them."""

    def __init__(self, folder: str) -> None:
        paths = sorted(pathlib.Path(folder).glob("*.txt"))[:MAX_FILES]
        raw = [(p.stem, p.read_text(encoding="utf-8", errors="replace")[:MAX_BYTES])
               for p in paths]
        counts = [Counter(terms(text)) for _, text in raw]
        self._seen: Counter = Counter(term for c in counts for term in c)
        self._size = len(raw)
        self.texts = [Text(name, text.strip(), c, self.vector_of(c))
                      for (name, text), c in zip(raw, counts)]

    @property
    def vocabulary(self) -> int:
        return len(self._seen)

    def idf(self, term: str) -> float:
        """How rare a term is; one that no text has weighs most."""
        return math.log((1 + self._size) / (1 + self._seen[term])) + 1.0

    def knows(self, term: str) -> bool:
        return self._seen[term] > 0

    def vector_of(self, counts: Counter) -> Vector:
        weights = {t: (1 + math.log(n)) * self.idf(t) for t, n in counts.items()}
        length = math.sqrt(sum(w * w for w in weights.values()))
        return {t: w / length for t, w in weights.items()} if length else {}

    def vector(self, text: str) -> Vector:
        return self.vector_of(Counter(terms(text)))

    def having(self, term: str) -> List[str]:
        """Names of the texts in which a term occurs."""
        return [t.name for t in self.texts if term in t.counts]


def likeness(a: Vector, b: Vector) -> float:
    """Cosine of two vectors of length 1: 0 nothing in common, 1 the same."""
    small, large = (a, b) if len(a) <= len(b) else (b, a)
    return sum(weight * large.get(term, 0.0) for term, weight in small.items())
