"""From what a handler returned or raised to the message that reports it."""
from __future__ import annotations

import json
import time
from typing import Any

from . import failure
from ._proto import link_pb2 as pb
from .context import Context
from .outbox import clean

#: The daemon accepts no larger output.
MAX_OUTPUT_BYTES = 16 << 20

_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


def succeeded(context: Context, value: Any, started: float) -> pb.AttemptResult:
    """The result of a handler that returned `value`; a failure when JSON cannot carry it."""
    try:
        output = _encode(value).encode("utf-8")
    except (TypeError, ValueError, RecursionError) as error:
        message = (f"the handler of {context.item.capability} returned a value that JSON cannot "
                   f"carry: {error}")
        return _plain_failure(context, "output_invalid", message, started)
    if len(output) > MAX_OUTPUT_BYTES:
        message = (f"the output has {len(output)} bytes, the limit is {MAX_OUTPUT_BYTES}; write "
                   "it to a file and return its path")
        return _plain_failure(context, "payload_too_large", message, started)
    result = _begin(context, started)
    result.output_json = output
    return result


def _plain_failure(context: Context, code: str, message: str,
                   started: float) -> pb.AttemptResult:
    report = failure.plain("error", code, message, context, permanent=True)
    return failed(context, report, started)


def failed(context: Context, report: failure.FailureReport,
           started: float | None) -> pb.AttemptResult:
    """The result of an attempt that did not succeed."""
    result = _begin(context, started)
    result.failure.kind = report.kind
    result.failure.code = clean(report.code)
    result.failure.message = clean(report.message)
    result.failure.permanent = report.permanent
    result.failure.context_json = clean(report.context_json)
    return result


def _begin(context: Context, started: float | None) -> pb.AttemptResult:
    key = context.item.key
    result = pb.AttemptResult(work_id=key.work_id, epoch=key.epoch)
    if started is not None:
        result.handler_micros = int((time.monotonic() - started) * 1e6)
    for use in context.usages:
        result.usage.add(
            provider=use.provider, model=use.model, prompt_tokens=use.prompt_tokens,
            completion_tokens=use.completion_tokens, cached_tokens=use.cached_tokens,
            reasoning_tokens=use.reasoning_tokens, llm_requests=use.llm_requests,
            api_calls=use.api_calls)
    return result
