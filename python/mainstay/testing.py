"""For tests of your own agents: calls a handler as the daemon would, with no daemon.

    def test_analyse():
        outcome = mainstay.testing.call(agent, "file.analyse", {"path": "a.py"})
        assert outcome.output["churn"] == 42
        assert outcome.logs[0].message == "reading"

The handler runs by the same code as in production: the same threads or event loop, the same
conversion of its output to JSON and of exceptions to failures.
"""
from __future__ import annotations

import json
import threading
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Tuple

from .agent import Agent
from .context import Context
from .item import AttemptKey, Item
from .logs import Line
from .settings import Settings
from .spans import ActiveSpan

if TYPE_CHECKING:
    from ._proto import link_pb2 as pb


@dataclass
class Failed:
    """What would have been reported to the daemon."""

    kind: str
    code: str
    message: str
    permanent: bool
    context: Dict[str, Any]


@dataclass
class LogEntry:
    level: str
    message: str
    fields: Dict[str, Any]
    component: str


@dataclass
class Outcome:
    """Everything a handler said and did; `failure` is None when it succeeded."""

    output: Any = None
    failure: Optional[Failed] = None
    logs: List[LogEntry] = field(default_factory=list)
    progress: List[Tuple[float, str]] = field(default_factory=list)
    spans: List[ActiveSpan] = field(default_factory=list)
    usage: List[Dict[str, Any]] = field(default_factory=list)


class _Recorder:
    """Takes the place of the agent link."""

    def __init__(self) -> None:
        self.outcome = Outcome()
        self.ended = threading.Event()

    def put_log(self, line: Line) -> None:
        fields = json.loads(line.fields) if line.fields else {}
        self.outcome.logs.append(LogEntry(line.level, line.message, fields, line.component))

    def put_progress(self, item: Item, fraction: float, message: str) -> None:
        self.outcome.progress.append((fraction, message))

    def put_span(self, item: Item, span: ActiveSpan) -> None:
        self.outcome.spans.append(span)

    def deliver(self, result: "pb.AttemptResult") -> None:
        from google.protobuf.json_format import MessageToDict
        if result.HasField("failure"):
            said = result.failure
            self.outcome.failure = Failed(said.kind, said.code, said.message, said.permanent,
                                          json.loads(said.context_json or "{}"))
        else:
            self.outcome.output = json.loads(result.output_json)
        for use in result.usage:
            row = MessageToDict(use, preserving_proto_field_name=True)
            self.outcome.usage.append({k: int(v) if str(v).isdigit() else v
                                       for k, v in row.items()})
        self.ended.set()


def call(agent: Agent, capability: str, input: Any = None, *, timeout: float = 30.0,
         cancel_after: Optional[float] = None, settings: Optional[Settings] = None,
         **item_fields: Any) -> Outcome:
    """Runs the handler of `capability` on `input` and returns what came of it.

    `item_fields`: description, attempt, priority, phase, labels, run_id, pipeline, stage, step,
    trace_parent, time_limit, idle_timeout. `cancel_after`: seconds until it is told to stop.
    `settings`: what `agent.settings` and `ctx.settings` are from now on.
    Raises TimeoutError when it takes longer than `timeout` seconds.
    """
    from .workers import Workers
    if settings is not None:
        agent.use_settings(settings)
    recorder = _Recorder()
    item = Item(AttemptKey(uuid.uuid4().bytes, 1), capability,
                b"" if input is None else json.dumps(input).encode(), **item_fields)
    workers = Workers(agent.handlers, recorder.deliver)
    workers.accept(Context(item, recorder, agent))
    try:
        if cancel_after is not None and not recorder.ended.wait(cancel_after):
            workers.cancel(item.key, "cancelled by the test")
        if not recorder.ended.wait(timeout):
            raise TimeoutError(f"the handler of {capability} took longer than {timeout:g} s")
    finally:
        workers.stop()
    return recorder.outcome
