"""The slow stage: looks for the best order in which to read the corpus, by trying every order.

With a dozen texts that is 479 million orders, far more than its timeout allows; the pipeline
declares the stage fail-soft and goes on without it. With seven texts or fewer it finishes.
"""
import itertools
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import mainstay  # noqa: E402
from cognition.corpus import likeness  # noqa: E402

from mind import corpus_of  # noqa: E402

agent = mainstay.Agent("dreamer")
LOOK_UP_EVERY = 2000


@agent.capability("mind.reflection")
def reflection(item, ctx):
    texts = corpus_of(item.input).texts
    near = [[likeness(a.vector, b.vector) for b in texts] for a in texts]
    best, best_order = -1.0, ()
    for tried, order in enumerate(itertools.permutations(range(len(texts)))):
        if tried % LOOK_UP_EVERY == 0:
            ctx.raise_if_cancelled()
        flow = sum(near[a][b] for a, b in zip(order, order[1:]))
        if flow > best:
            best, best_order = flow, order
    return {"order": [texts[i].name for i in best_order], "flow": round(max(0.0, best), 4)}


if __name__ == "__main__":
    agent.run()
