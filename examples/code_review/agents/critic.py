"""Asks a language model for a second opinion; without a key it says so and the run goes on.

MODEL_API_KEY, MODEL_BASE_URL and MODEL_NAME name any OpenAI-compatible endpoint.
"""
import os
import pathlib
import sys
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import mainstay  # noqa: E402
from review import model  # noqa: E402

agent = mainstay.Agent("critic")
BASE_URL = "https://api.openai.com/v1"
MODEL = "gpt-4o-mini"
MOST_SECONDS = 60.0
#: Of the stage's time, what the model may take; the rest is for saying what it did.
SHARE = 0.8


@agent.capability("review.critique")
def critique(item, ctx):
    """Input: reviewer's ranking."""
    key = os.environ.get("MODEL_API_KEY", "").strip()
    if not key:
        return skipped(ctx, "MODEL_API_KEY is not set, so no model was asked")
    if not item.input["hotspots"]:
        return skipped(ctx, "there is nothing to give an opinion on")
    base_url = os.environ.get("MODEL_BASE_URL") or BASE_URL
    name = os.environ.get("MODEL_NAME") or MODEL
    seconds = min(MOST_SECONDS, (ctx.time_left or MOST_SECONDS) * SHARE)
    try:
        with ctx.span("chat", model=name):
            answer = model.ask(base_url, key, name, model.messages_for(item.input), seconds)
    except model.ModelBusy as error:
        raise mainstay.Retryable(str(error), code="model_busy") from None
    except model.ModelRefused as error:
        raise mainstay.Permanent(str(error), code="model_refused",
                                 hint="check MODEL_API_KEY, MODEL_BASE_URL and MODEL_NAME"
                                 ) from None
    provider = urllib.parse.urlsplit(base_url).netloc
    ctx.usage(provider=provider, model=answer.model, llm_requests=1, **answer.usage)
    ctx.component("metrics").info("model answered", model=answer.model, **answer.usage)
    return {"skipped": False, "model": answer.model, "text": answer.text}


def skipped(ctx, reason):
    """The answer of a critic that was not asked; the run's summary lists the warning."""
    ctx.log.warning("critique skipped: " + reason)
    return {"skipped": True, "reason": reason}


if __name__ == "__main__":
    agent.run()
