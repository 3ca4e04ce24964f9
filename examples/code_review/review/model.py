"""Asks a language model behind any OpenAI-compatible endpoint; the standard library is enough."""
from __future__ import annotations

import json
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from typing import Any, Dict, List, Mapping

LARGEST_ANSWER = 4 << 20


class ModelBusy(Exception):
    """It may answer later: too many requests, a server's error, no connection."""


class ModelRefused(Exception):
    """It will not answer this: a wrong key, model or request."""


@dataclass(frozen=True)
class Answer:
    """The text and what it cost."""

    text: str
    model: str
    usage: Dict[str, int] = field(default_factory=dict)


def ask(base_url: str, key: str, model: str, messages: List[Dict[str, str]],
        seconds: float, max_tokens: int = 700) -> Answer:
    """One chat completion."""
    body = {"model": model, "messages": messages, "max_tokens": max_tokens, "temperature": 0.2}
    request = urllib.request.Request(
        base_url.rstrip("/") + "/chat/completions", json.dumps(body).encode(),
        {"Content-Type": "application/json", "Authorization": f"Bearer {key}"})
    try:
        with urllib.request.urlopen(request, timeout=seconds) as reply:
            text = reply.read(LARGEST_ANSWER)
    except urllib.error.HTTPError as error:
        said = f"{base_url}: HTTP status {error.code}: {problem(error.read(4096))}"
        if error.code in (408, 409, 429) or error.code >= 500:
            raise ModelBusy(said) from None
        raise ModelRefused(said) from None
    except (OSError, urllib.error.URLError) as error:
        raise ModelBusy(f"{base_url}: {getattr(error, 'reason', error)}") from None
    return read_answer(base_url, text, model)


def problem(body: bytes) -> str:
    """The message of an error as OpenAI-shaped servers give it."""
    try:
        error = json.loads(body)["error"]
        return str(error["message"] if isinstance(error, Mapping) else error)
    except (ValueError, KeyError, TypeError):
        return body.decode(errors="replace").strip()[:200]


def read_answer(base_url: str, body: bytes, model: str) -> Answer:
    """The text and usage of a completion; ModelRefused when it does not have the shape of one."""
    try:
        value = json.loads(body)
        text = str(value["choices"][0]["message"]["content"] or "")
    except (ValueError, KeyError, IndexError, TypeError):
        raise ModelRefused(f"{base_url}: the answer is not a chat completion") from None
    said: Mapping[str, Any] = value.get("usage") or {}
    usage = {"prompt_tokens": count(said, "prompt_tokens"),
             "completion_tokens": count(said, "completion_tokens"),
             "cached_tokens": count(said.get("prompt_tokens_details"), "cached_tokens"),
             "reasoning_tokens": count(said.get("completion_tokens_details"),
                                       "reasoning_tokens")}
    return Answer(text.strip(), str(value.get("model") or model), usage)


def count(said: Any, name: str) -> int:
    value = said.get(name) if isinstance(said, Mapping) else None
    return value if isinstance(value, int) and value > 0 else 0


def messages_for(ranked: Mapping[str, Any], most: int = 6) -> List[Dict[str, str]]:
    """What the model is asked about a ranking."""
    lines = []
    for spot in ranked["hotspots"][:most]:
        lines.append(f"- {spot['path']} ({spot['language']}, {spot['lines']} lines, heat "
                     f"{spot['heat']}): {'; '.join(spot['reasons'])}")
    gate = ranked["gate"]
    verdict = "passed" if gate["passed"] else f"failed with {gate['count']} violations"
    return [
        {"role": "system",
         "content": "You review code bases. Be specific and brief: at most 200 words, no lists "
                    "of generalities. Judge only what the figures show."},
        {"role": "user",
         "content": f"Hotspots of a repository with {ranked['totals']['lines']} lines in "
                    f"{ranked['totals']['files']} files; the quality gate {verdict}.\n"
                    + "\n".join(lines) +
                    "\nWhich two would you refactor first, how, and why?"}]
