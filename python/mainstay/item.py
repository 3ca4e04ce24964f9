"""A work item as a handler sees it."""
from __future__ import annotations

import json
from typing import Any, Dict, NamedTuple


class AttemptKey(NamedTuple):
    """Names one try at a work item; the epoch is its fencing token."""

    work_id: bytes
    epoch: int


def id_text(raw: bytes) -> str:
    """The text form of a 16-byte UUID: 8-4-4-4-12 lower-case hex digits."""
    digits = raw.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


class Item:
    """One attempt at one piece of work. Values only; nothing here talks to the daemon."""

    __slots__ = ("_input", "_input_json", "attempt", "capability", "description",
                 "idle_timeout", "key", "labels", "phase", "pipeline", "priority", "run_id",
                 "stage", "step", "time_limit", "trace_parent")

    def __init__(self, key: AttemptKey, capability: str, input_json: bytes, *,
                 description: str = "", attempt: int = 1, priority: int = 5, phase: str = "",
                 labels: Dict[str, str] | None = None, run_id: str = "", pipeline: str = "",
                 stage: str = "", step: int = 0, trace_parent: str = "",
                 time_limit: float | None = None, idle_timeout: float | None = None) -> None:
        self.key = key
        #: What the work was addressed to.
        self.capability = capability
        self.description = description
        #: 1 for the first try.
        self.attempt = attempt
        #: 0 to 9; higher is more urgent.
        self.priority = priority
        self.phase = phase
        self.labels: Dict[str, str] = labels if labels is not None else {}
        #: Empty when the item is not part of a run; so are pipeline and stage.
        self.run_id = run_id
        self.pipeline = pipeline
        self.stage = stage
        #: Number of the stage's step in its run; 0 when it is not part of one.
        self.step = step
        self.trace_parent = trace_parent
        #: Seconds this attempt may take in all, as it was when it arrived; None: no limit.
        self.time_limit = time_limit
        #: Seconds it may take between two reports of progress; None: no limit.
        self.idle_timeout = idle_timeout
        self._input_json = input_json
        self._input: Any = _UNREAD

    @property
    def id(self) -> str:
        """The work item's id, a UUIDv7 in text form."""
        return id_text(self.key.work_id)

    @property
    def epoch(self) -> int:
        """The fencing token of this attempt; it only grows from attempt to attempt."""
        return self.key.epoch

    @property
    def input(self) -> Any:
        """The input as Python values, parsed once; None when the item has none."""
        if self._input is _UNREAD:
            self._input = json.loads(self._input_json) if self._input_json else None
        return self._input

    def __repr__(self) -> str:
        return f"<Item {self.id} {self.capability} attempt {self.attempt}>"


_UNREAD = object()
