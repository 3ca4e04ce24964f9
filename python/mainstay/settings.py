"""What an agent may know of the daemon's settings: the environment, its features, the log level."""
from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Tuple

if TYPE_CHECKING:
    from ._proto import link_pb2 as pb


@dataclass(frozen=True)
class Settings:
    """A snapshot. `agent.settings` and `ctx.settings` give the newest one each time.

    The daemon says them with every link, so a process that outlives a restart of the daemon has
    the new ones as soon as it is linked again; before its first link, what it was started with.
    """

    #: development, testing, staging or production.
    environment: str = "development"
    #: The setting `features`: names of what is on.
    features: Tuple[str, ...] = ()
    #: The setting `debug`; only ever true in development.
    debug: bool = False
    #: The setting `log.level`: lines below it are not sent, unless the agent names its own.
    log_level: str = "DEBUG"

    def feature(self, name: str) -> bool:
        """Whether the feature `name` is on."""
        return name in self.features


def from_environment() -> Settings:
    """What Mainstay put into the environment of this process when it started it."""
    names = os.environ.get("MAINSTAY_FEATURES", "").split(",")
    return Settings(environment=os.environ.get("MAINSTAY_ENV") or "development",
                    features=tuple(name.strip() for name in names if name.strip()))


def from_welcome(said: "pb.Settings") -> Settings:
    """What the daemon says when an agent is linked to it."""
    return Settings(said.environment, tuple(said.features), said.debug, said.log_level)
