"""Mainstay's SDK for Python: write agents, submit work.

An agent:

    import mainstay

    agent = mainstay.Agent("analyst")

    @agent.capability("file.analyse")
    def analyse(item, ctx):
        ctx.log.info("reading", path=item.input["path"])
        return {"path": item.input["path"], "churn": 42}

    agent.run()

A client, from anywhere inside the project folder:

    client = mainstay.Client()
    print(client.submit("file.analyse", {"path": "a.py"}).result())
"""
from . import errors
from .agent import Agent
from .agent_errors import HandlerError, Permanent, Retryable
from .client import Client, RunHandle, WorkFailed, WorkHandle
from .context import Context
from .environment import EnvironmentReport, validate_environment
from .errors import Cancelled, MainstayError
from .item import Item
from .logs import Logger, LogHandler, StructlogProcessor
from .scope import ContextExecutor, current
from .settings import Settings
from .version import VERSION as __version__

__all__ = [
    "Agent", "Cancelled", "Client", "Context", "ContextExecutor", "EnvironmentReport",
    "HandlerError", "Item", "LogHandler", "Logger", "MainstayError", "Permanent", "Retryable",
    "RunHandle", "Settings", "StructlogProcessor", "WorkFailed", "WorkHandle", "__version__",
    "current", "errors", "validate_environment",
]
