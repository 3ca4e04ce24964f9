"""From what a handler returned or raised to the message that reports it."""
from __future__ import annotations

import time
from typing import Any

from . import failure, plain_json
from ._proto import link_pb2 as pb
from .context import Context

#: The daemon accepts no larger output.
MAX_OUTPUT_BYTES = 16 << 20


def succeeded(context: Context, value: Any, started: float) -> pb.AttemptResult:
    """The result of a handler that returned `value`; a failure when JSON cannot carry it."""
    try:
        output = plain_json.encode(value, MAX_OUTPUT_BYTES)
    except plain_json.TooLarge as error:
        message = f"the output is too large: {error}; write it to a file and return its path"
        return _plain_failure(context, "payload_too_large", message, started)
    except plain_json.Unfit as error:
        message = (f"the handler of {context.item.capability} returned a value that JSON cannot "
                   f"carry: {error}")
        return _plain_failure(context, "output_invalid", message, started)
    result = _begin(context, started)
    result.output_json = output
    return result


def _plain_failure(context: Context, code: str, message: str,
                   started: float) -> pb.AttemptResult:
    report = failure.plain("error", code, message, context, permanent=True)
    return failed(context, report, started)


def failed(context: Context, report: failure.FailureReport,
           started: float | None) -> pb.AttemptResult:
    """The result of an attempt that did not succeed. Never raises for a report of `failure`'s."""
    result = _begin(context, started)
    result.failure.kind = report.kind
    result.failure.code = report.code
    result.failure.message = report.message
    result.failure.permanent = report.permanent
    result.failure.context_json = report.context_json
    return result


def _begin(context: Context, started: float | None) -> pb.AttemptResult:
    key = context.item.key
    result = pb.AttemptResult(work_id=key.work_id, epoch=key.epoch)
    if started is not None:
        result.handler_micros = int((time.monotonic() - started) * 1e6)
    for use in list(context.usages):
        try:
            result.usage.append(pb.Usage(
                provider=use.provider, model=use.model, prompt_tokens=use.prompt_tokens,
                completion_tokens=use.completion_tokens, cached_tokens=use.cached_tokens,
                reasoning_tokens=use.reasoning_tokens, llm_requests=use.llm_requests,
                api_calls=use.api_calls))
        except (TypeError, ValueError, AttributeError) as error:  # put there past ctx.usage()
            context.log.warning(f"a row of ctx.usages was left out: {error}")
    return result
