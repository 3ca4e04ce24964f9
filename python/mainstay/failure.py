"""What is reported when a handler fails (WRK-10): a code, a message, and what surrounded it."""
from __future__ import annotations

import json
import os
import platform
import sys
import traceback
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Any, Dict, Optional

from . import errors
from .agent_errors import HandlerError
from .version import VERSION

if TYPE_CHECKING:
    from .context import Context

#: Longer tracebacks lose their middle; both ends say most.
TRACEBACK_LIMIT = 16 * 1024
DESCRIPTION_EXCERPT = 160
MESSAGE_LIMIT = 4 * 1024


@dataclass(frozen=True)
class FailureReport:
    """Why an attempt did not succeed, as it is sent to the daemon."""

    kind: str  # error, refused or cancelled
    code: str
    message: str
    permanent: bool = False
    context_json: str = ""


def installed(package: str) -> str:
    """The version of an installed package; "" when it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


_environment: Dict[str, str] = {}


def environment() -> Dict[str, str]:
    """Versions that matter when an error is looked into; read once per process."""
    if not _environment:
        _environment.update({
            "python": platform.python_version(), "executable": sys.executable,
            "platform": platform.platform(), "sdk": VERSION, "grpcio": installed("grpcio"),
            "protobuf": installed("protobuf"), "openai": installed("openai"),
            "anthropic": installed("anthropic")})
    return dict(_environment)


def clipped(text: str, limit: int) -> str:
    """`text`, or its two ends with a mark between them when it is longer than `limit`."""
    if len(text) <= limit:
        return text
    half = limit // 2
    return f"{text[:half]}\n… {len(text) - 2 * half} characters left out …\n{text[-half:]}"


def report(error: BaseException, context: "Context") -> FailureReport:
    """The report for an exception that left the handler."""
    kind, code, permanent = "error", type(error).__name__, False
    hint, fields = "", {}  # type: str, Dict[str, Any]
    if isinstance(error, HandlerError):
        code, permanent, hint, fields = error.code, error.permanent, error.hint, error.fields
    elif isinstance(error, errors.MainstayError):
        code, permanent, hint = error.code, not error.retryable, error.hint
        fields = error.fields
    cancelled = isinstance(error, errors.Cancelled) or type(error).__name__ == "CancelledError"
    if cancelled and context.told_to_stop:
        kind, code, permanent = "cancelled", "cancelled", False
    elif cancelled and context.time_left == 0.0:
        code, permanent = "attempt_timeout", False
    body = surroundings(context)
    body["traceback"] = without_token(clipped(
        "".join(traceback.format_exception(type(error), error, error.__traceback__)),
        TRACEBACK_LIMIT))
    if hint:
        body["hint"] = hint
    if fields:
        body["fields"] = fields
    message = without_token(clipped(str(error) or type(error).__name__, MESSAGE_LIMIT))
    return FailureReport(kind, code, message, permanent, _text(body))


def plain(kind: str, code: str, message: str, context: Optional["Context"],
          permanent: bool = False) -> FailureReport:
    """A report that no exception stands behind."""
    body = surroundings(context) if context is not None else {}
    return FailureReport(kind, code, message, permanent, _text(body))


def surroundings(context: "Context") -> Dict[str, Any]:
    """Phase, work item, agent state and environment at this moment."""
    item = context.item
    body: Dict[str, Any] = {
        "phase": item.phase, "work_id": item.id, "capability": item.capability,
        "attempt": item.attempt, "run_id": item.run_id, "stage": item.stage,
        "description": clipped(item.description, DESCRIPTION_EXCERPT)}
    if context.agent is not None:
        body["agent"] = context.agent.state_report()
    body["environment"] = environment()
    return body


def without_token(text: str) -> str:
    """`text` without this process's own token, should a traceback have shown it."""
    token = os.environ.get("MAINSTAY_TOKEN", "")
    return text.replace(token, "[redacted]") if len(token) >= 8 else text


def _text(body: Dict[str, Any]) -> str:
    return json.dumps(body, default=str, ensure_ascii=False)
