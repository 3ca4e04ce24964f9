"""What is reported when a handler fails (WRK-10): a code, a message, and what surrounded it."""
from __future__ import annotations

import os
import platform
import sys
import traceback
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Any, Dict, Optional

from . import errors
from .agent_errors import HandlerError
from .shown_json import object_text
from .text import bounded, shown
from .version import VERSION

if TYPE_CHECKING:
    from .context import Context

#: Longer tracebacks lose their middle; both ends say most.
TRACEBACK_LIMIT = 16 * 1024
DESCRIPTION_EXCERPT = 160
MESSAGE_LIMIT = 4 * 1024
CODE_LIMIT = 128
#: Bytes. The daemon takes 64 KiB, and what it redacts may become longer.
CONTEXT_LIMIT = 60 * 1024


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


def report(error: BaseException, context: "Context") -> FailureReport:
    """The report for an exception that left the handler.

    Never raises: an exception whose text, fields or surroundings are broken is reported with what
    can be told of it, or its attempt would never end.
    """
    try:
        return _report(error, context)
    except BaseException as trouble:  # MemoryError; or SystemExit out of a property
        return FailureReport("error", "handler_failed", f"{type(error).__name__} (more cannot be "
                             f"told: reading it raises {type(trouble).__name__})")


def _report(error: BaseException, context: "Context") -> FailureReport:
    kind, code, permanent = "error", shown(type(error).__name__), False
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
    body["traceback"] = bounded(without_token(_traceback(error)), TRACEBACK_LIMIT)
    if hint:
        body["hint"] = hint
    if fields:
        body["fields"] = fields
    message = bounded(without_token(shown(error)), MESSAGE_LIMIT) or code
    return FailureReport(kind, bounded(shown(code), CODE_LIMIT), message, bool(permanent),
                         _text(body))


def _traceback(error: BaseException) -> str:
    try:
        return shown("".join(traceback.format_exception(type(error), error, error.__traceback__)))
    except BaseException as trouble:  # a SyntaxError of odd fields, say
        frames = "".join(traceback.format_tb(error.__traceback__))
        return shown(f"{frames}{type(error).__name__} (its words raise {type(trouble).__name__})")


def plain(kind: str, code: str, message: str, context: Optional["Context"],
          permanent: bool = False) -> FailureReport:
    """A report that no exception stands behind."""
    body = surroundings(context) if context is not None else {}
    return FailureReport(kind, code, bounded(shown(message), MESSAGE_LIMIT), permanent,
                         _text(body))


def surroundings(context: "Context") -> Dict[str, Any]:
    """Phase, work item, agent state and environment at this moment."""
    item = context.item
    body: Dict[str, Any] = {
        "phase": item.phase, "work_id": item.id, "capability": item.capability,
        "attempt": item.attempt, "run_id": item.run_id, "stage": item.stage,
        "description": bounded(item.description, DESCRIPTION_EXCERPT)}
    if context.agent is not None:
        try:
            body["agent"] = context.agent.state_report()
        except Exception as error:  # the handler's own: no mapping, or one that raises
            body["agent"] = {"state": f"unreadable: {type(error).__name__}: {shown(error)}"}
    body["environment"] = environment()
    return body


def without_token(text: str) -> str:
    """`text` without this process's own token, should a traceback have shown it."""
    token = os.environ.get("MAINSTAY_TOKEN", "")
    return text.replace(token, "[redacted]") if len(token) >= 8 else text


def _text(body: Dict[str, Any]) -> str:
    # Tokens are of characters that JSON does not escape.
    return without_token(object_text(body, CONTEXT_LIMIT))
