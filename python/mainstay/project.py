"""Finds the daemon: its address and a token, from the environment or the project folder."""
from __future__ import annotations

import json
import os
import pathlib
from dataclasses import dataclass
from typing import Optional

from . import errors


@dataclass(frozen=True)
class Endpoint:
    """Where the daemon's HTTP interface is and what proves who asks."""

    host: str
    port: int
    token: str


def find_project(start: Optional[os.PathLike[str] | str] = None) -> pathlib.Path:
    """The project folder: `start`, MAINSTAY_PROJECT, or the nearest upwards with a fleet.yaml."""
    chosen = start or os.environ.get("MAINSTAY_PROJECT")
    if chosen:
        return pathlib.Path(chosen).resolve()
    here = pathlib.Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "fleet.yaml").exists() or (folder / "mainstay.yaml").exists():
            return folder
    error = errors.EnvironmentInvalid(
        f"no project folder: neither {here} nor one above it has a fleet.yaml")
    error.hint = "go to the project's folder, or set MAINSTAY_PROJECT or MAINSTAY_URL"
    raise error


def find_endpoint(url: Optional[str] = None, token: Optional[str] = None,
                  project: Optional[os.PathLike[str] | str] = None) -> Endpoint:
    """The daemon named by arguments, MAINSTAY_URL and MAINSTAY_TOKEN, or the project folder.

    Raises NotRunning when there is no daemon for the project folder.
    """
    if project is None:
        url = url or os.environ.get("MAINSTAY_URL") or None
    if url is not None:
        host, port = split_address(url)
        return Endpoint(host, port, token or os.environ.get("MAINSTAY_TOKEN", ""))
    data = find_project(project) / ".mainstay"
    try:
        info = json.loads((data / "daemon.json").read_text())
        host, port = split_address(str(info["http_address"]))
    except (OSError, ValueError, KeyError, TypeError):
        raise errors.NotRunning(f"no daemon runs for {data.parent}") from None
    return Endpoint(host, port, token or read_token(data / "operator.token"))


def read_token(path: pathlib.Path) -> str:
    """The operator's token; Unauthenticated when this user may not read it."""
    try:
        return path.read_text().strip()
    except OSError as error:
        raise errors.Unauthenticated(f"cannot read {path}: {error.strerror}") from None


def split_address(url: str) -> tuple[str, int]:
    """(host, port) of `http://host:port`, `host:port` or `[::1]:7000`."""
    rest = url.split("://", 1)[1] if "://" in url else url
    if "://" in url and not url.startswith("http://"):
        error = errors.InvalidArgument(f"MAINSTAY_URL: expected http://host:port, got {url!r}")
        raise error
    host, _, port = rest.split("/", 1)[0].rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise errors.InvalidArgument(f"MAINSTAY_URL: expected http://host:port, got {url!r}")
    return host.strip("[]"), int(port)
