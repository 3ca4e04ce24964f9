"""Says whether this Python can be an agent and reach the daemon, and what to do where not."""
from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import Any, List, Optional

from . import errors, failure
from .client import Client

OLDEST_PYTHON = (3, 10)
#: The stubs are made by protoc 3.21, which needs at least this runtime.
OLDEST = {"grpcio": (1, 51), "protobuf": (4, 21)}
_DEBIAN = {"grpcio": "python3-grpcio", "protobuf": "python3-protobuf"}


@dataclass(frozen=True)
class Check:
    """One thing that was looked at."""

    name: str
    ok: bool
    found: str
    fix: str = ""


@dataclass
class EnvironmentReport:
    """All checks; `ok` when every one passed. Printing it gives a line per check."""

    checks: List[Check] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return all(check.ok for check in self.checks)

    def __bool__(self) -> bool:
        return self.ok

    def __str__(self) -> str:
        lines = []
        for check in self.checks:
            lines.append(f"{'ok  ' if check.ok else 'FAIL'} {check.name}: {check.found}")
            if not check.ok and check.fix:
                lines.append(f"     fix: {check.fix}")
        return "\n".join(lines)


def validate_environment(client: Optional[Client] = None, *,
                         daemon: bool = True) -> EnvironmentReport:
    """Checks Python, grpcio, protobuf, the stubs and, unless `daemon` is false, the daemon."""
    checks = [_python(sys.version_info)]
    checks += [_package(name, failure.installed(name)) for name in OLDEST]
    checks.append(_stubs())
    if daemon:
        checks.append(_daemon(client))
    return EnvironmentReport(checks)


def _python(version: Any) -> Check:
    found = ".".join(str(part) for part in version[:3])
    wanted = ".".join(str(part) for part in OLDEST_PYTHON)
    return Check("python", tuple(version[:2]) >= OLDEST_PYTHON, f"{found} ({sys.executable})",
                 f"use Python {wanted} or newer, on Debian 12 /usr/bin/python3")


def _package(name: str, version: str) -> Check:
    oldest = OLDEST[name]
    fix = f"apt-get install {_DEBIAN[name]}, or pip install '{name}>={oldest[0]}.{oldest[1]}'"
    if not version:
        return Check(name, False, "not installed", fix)
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    return Check(name, numbers >= oldest, version, fix)


def _stubs() -> Check:
    fix = "run `make build` (or tools/gen_python_stubs) in Mainstay's source tree"
    try:
        from ._proto import link_pb2_grpc
        return Check("link stubs", hasattr(link_pb2_grpc, "AgentLinkStub"), "present", fix)
    except ModuleNotFoundError as error:
        ours = (error.name or "").startswith("mainstay")
        return Check("link stubs", False, str(error),
                     fix if ours else "install the packages named above")
    except Exception as error:  # protobuf refuses stubs in ways of its own
        return Check("link stubs", False, f"{type(error).__name__}: {error}", fix)


def _daemon(client: Optional[Client]) -> Check:
    asked = client or Client(retry_for=0.0, timeout=3.0)
    try:
        agents = asked.agents()
        return Check("daemon", True, f"answers, {len(agents)} agents")
    except errors.MainstayError as error:
        return Check("daemon", False, error.message, error.hint)
    finally:
        if client is None:
            asked.close()
