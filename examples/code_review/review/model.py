"""Asks a language model behind any OpenAI-compatible endpoint; the standard library is enough.

What a server says is not trusted: its answer may be late, endless or of any shape, and may repeat
the key in an error. No message from here has the key in it.
"""
from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from typing import Any, Dict, List, Mapping

LARGEST_ANSWER = 4 << 20
LARGEST_PROBLEM = 4096
#: An opinion; what a server sends beyond that is cut.
LONGEST_TEXT = 20_000
MOST_TOKENS = 1 << 40
CHUNK = 1 << 14
HIDDEN = "[redacted]"


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


class NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect would take the key to a server that nobody named."""

    def redirect_request(self, *args: Any) -> None:
        return None


def ask(base_url: str, key: str, model: str, messages: List[Dict[str, str]],
        seconds: float, max_tokens: int = 700) -> Answer:
    """One chat completion, in `seconds` altogether."""
    key = key.strip()
    where = checked(base_url)
    if not key or any(not 32 < ord(c) < 127 for c in key):
        raise ModelRefused("MODEL_API_KEY: expected printable ASCII, as a header carries it")
    body = {"model": model, "messages": messages, "max_tokens": max_tokens, "temperature": 0.2}
    request = urllib.request.Request(
        where + "/chat/completions", json.dumps(body).encode(),
        {"Content-Type": "application/json", "Authorization": f"Bearer {key}"})
    try:
        answer = read_answer(where, exchange(where, request, seconds), model)
    except (ModelBusy, ModelRefused) as error:
        raise type(error)(str(error).replace(key, HIDDEN)) from None
    return Answer(answer.text.replace(key, HIDDEN), answer.model.replace(key, HIDDEN),
                  answer.usage)


def exchange(where: str, request: urllib.request.Request, seconds: float) -> bytes:
    """The body of a good answer; all that can go wrong as ModelBusy or ModelRefused."""
    try:
        return send(request, seconds)
    except urllib.error.HTTPError as error:
        said = f"{where}: HTTP status {error.code}: {problem(error)}"
        if error.code in (408, 409, 429) or error.code >= 500:
            raise ModelBusy(said) from None
        raise ModelRefused(said) from None
    except TimeoutError:
        raise ModelBusy(f"{where}: no answer within {seconds:.3g} s") from None
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or str(error) or type(error).__name__
        raise ModelBusy(f"{where}: {clean(reason)}") from None


def checked(base_url: str) -> str:
    """The endpoint without a trailing slash; ModelRefused when it is none."""
    parts = urllib.parse.urlsplit(base_url.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
        raise ModelRefused("MODEL_BASE_URL: expected a URL such as https://api.openai.com/v1, got "
                           f"{parts._replace(netloc=parts.netloc.rpartition('@')[2]).geturl()!r}")
    return base_url.strip().rstrip("/")


def send(request: urllib.request.Request, seconds: float) -> bytes:
    """The answer's body; TimeoutError when it is not whole in time, however it trickles."""
    give_up = time.monotonic() + seconds
    opener = urllib.request.build_opener(NoRedirects)
    try:
        with opener.open(request, timeout=seconds) as reply:
            text = b""
            while chunk := reply.read1(CHUNK):
                text += chunk
                if len(text) > LARGEST_ANSWER:
                    raise ModelRefused("the answer is larger than "
                                       f"{LARGEST_ANSWER >> 20} MiB")
                if time.monotonic() > give_up:
                    raise TimeoutError
            return text
    except urllib.error.URLError as error:
        if isinstance(error.reason, TimeoutError):
            raise TimeoutError from None
        raise


def clean(said: Any, most: int = 200) -> str:
    """A server's words on one line: printable, and not too many."""
    text = " ".join(str(said).encode("utf-8", "replace").decode().split())
    return "".join(c if c.isprintable() else "?" for c in text)[:most]


def problem(error: urllib.error.HTTPError) -> str:
    """The message of an error as OpenAI-shaped servers give it."""
    try:
        body = error.read(LARGEST_PROBLEM)
    except (OSError, http.client.HTTPException):
        body = b""
    try:
        said = json.loads(body)["error"]
        return clean(said["message"] if isinstance(said, Mapping) else said)
    except (ValueError, KeyError, TypeError, RecursionError):
        return clean(body.decode(errors="replace")) or "no explanation"


def read_answer(base_url: str, body: bytes, model: str) -> Answer:
    """The text and usage of a completion; ModelRefused when it does not have the shape of one."""
    try:
        value = json.loads(body)
        text = value["choices"][0]["message"]["content"] or ""
        if not isinstance(text, str):
            raise TypeError
    except (ValueError, KeyError, IndexError, TypeError, RecursionError):
        raise ModelRefused(f"{base_url}: the answer is not a chat completion: "
                           f"{clean(body[:80].decode(errors='replace'))!r}") from None
    said = value.get("usage")
    inside = said if isinstance(said, Mapping) else {}
    usage = {"prompt_tokens": count(inside, "prompt_tokens"),
             "completion_tokens": count(inside, "completion_tokens"),
             "cached_tokens": count(inside.get("prompt_tokens_details"), "cached_tokens"),
             "reasoning_tokens": count(inside.get("completion_tokens_details"),
                                       "reasoning_tokens")}
    # Half a surrogate pair is legal JSON and no text.
    text = text.encode("utf-8", "replace").decode().strip()[:LONGEST_TEXT]
    return Answer(text, clean(value.get("model") or model), usage)


def count(said: Any, name: str) -> int:
    """A number of tokens; 0 for what cannot be one."""
    value = said.get(name) if isinstance(said, Mapping) else None
    return value if isinstance(value, int) and 0 < value <= MOST_TOKENS else 0


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
