"""What a handler prints is logged under its work item.

The daemon reads stdout and stderr of an agent as lines, and takes a JSON object with a `message`
as a structured one. Inside a handler, each line printed is therefore written as such an object with
the ids of the work item; outside of one, and by other processes, lines are written as they are.
Both go to the same pipe, so that they keep their order, and what was printed is with the daemon
even when the process is killed a moment later.
"""
from __future__ import annotations

import json
import os
import stat
import sys
import threading
import weakref
from typing import Any, Dict, Iterable, List, Optional, TextIO, Tuple, Union

from . import scope
from .context_view import ContextView
from .item import AttemptKey

#: Longer text without an end of line is taken as a line.
MAX_BEGUN = 64 * 1024
#: A longer line is cut, and says so: the daemon cuts at 64 KiB, and half an object is none.
MAX_BYTES = 60_000

_Key = Union[AttemptKey, int]


class ItemStream:
    """In the place of sys.stdout or sys.stderr. Any thread or task may print to it."""

    def __init__(self, real: TextIO) -> None:
        self.real = real
        self._lock = threading.RLock()
        #: Lines begun, by attempt, or by thread outside of one.
        self._begun: Dict[_Key, Tuple[Optional[ContextView], str]] = {}
        self._mid_line = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        context = scope.current()
        key = threading.get_ident() if context is None else context.item.key
        with self._lock:
            _, begun = self._begun.pop(key, (None, ""))
            *whole, rest = (begun + text).split("\n")
            if len(rest) > MAX_BEGUN:
                whole, rest = [*whole, rest], ""
            if rest:
                self._begun[key] = context, rest
            if whole:
                self._put(context, whole)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Also of a line begun outside of work; one begun inside waits for its end."""
        with self._lock:
            context, begun = self._begun.get(threading.get_ident(), (None, ""))
            if begun and context is None:
                del self._begun[threading.get_ident()]
                self.real.write(begun)
                self._mid_line = True
            self.real.flush()

    def ended(self, key: AttemptKey) -> None:
        """The handler is done: a line that it left without an end has ended too."""
        with self._lock:
            context, begun = self._begun.pop(key, (None, ""))
            if begun:
                self._put(context, [begun])

    def finish(self) -> None:
        """Writes all that was begun."""
        with self._lock:
            for key in list(self._begun):
                context, begun = self._begun.pop(key)
                if context is not None:
                    self._put(context, [begun])
                else:
                    self.real.write(begun)
            self.real.flush()

    def forked(self) -> None:
        """In a child: the lock may be held by a thread that is not there, lines are not ours."""
        self._lock = threading.RLock()
        self._begun.clear()

    def _put(self, context: Optional[ContextView], lines: List[str]) -> None:
        if context is None:
            self.real.write("".join(line + "\n" for line in lines))
        else:
            place = _place(context)
            text = "".join(_structured(line, place) + "\n" for line in lines)
            self.real.write("\n" + text if self._mid_line else text)
        self._mid_line = False


def _place(context: ContextView) -> Dict[str, Any]:
    place: Dict[str, Any] = dict(context.log_fields())
    if context.item.step:
        place["step"] = context.item.step
    return place


def _structured(line: str, place: Dict[str, Any]) -> str:
    """The line as a JSON object; one that is such an object already gets the ids beside."""
    if line.startswith("{") and len(line) < MAX_BYTES:
        try:
            said = json.loads(line)
        except (ValueError, RecursionError):
            said = {}
        if any(isinstance(said.get(key), str) for key in ("message", "msg", "event")):
            inner = json.dumps({key: value for key, value in place.items() if key not in said})
            return inner[:-1] + ", " + line[1:] if inner != "{}" else line
    whole = json.dumps({"message": line, **place})  # plain ASCII: characters are bytes
    kept = len(line)
    while len(whole) > MAX_BYTES:
        kept = kept * MAX_BYTES // (len(whole) + 200)
        cut = len(line[kept:].encode("utf-8", "surrogatepass"))
        whole = json.dumps({"message": line[:kept], "truncated_bytes": cut, **place})
    return whole


class Capture:
    """The two streams of the process, captured while agents run that want it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self.streams: List[Tuple[str, ItemStream]] = []

    def install(self) -> None:
        """Captures what is a pipe, as Mainstay gives it; a file or terminal is left alone."""
        with self._lock:
            self._users += 1
            if self._users > 1:
                return
            for name in ("stdout", "stderr"):
                real = getattr(sys, name)
                if _is_pipe(real):
                    stream = ItemStream(real)
                    _living.add(stream)
                    self.streams.append((name, stream))
                    setattr(sys, name, stream)

    def remove(self) -> None:
        """Puts back what was there, where nobody has put another since."""
        with self._lock:
            self._users = max(0, self._users - 1)
            if self._users:
                return
            for name, stream in self.streams:
                stream.finish()
                if getattr(sys, name) is stream:
                    setattr(sys, name, stream.real)
            self.streams = []


def ended(context: ContextView) -> None:
    """The handler of this context is done."""
    for _, stream in capture.streams:
        stream.ended(context.item.key)


def _is_pipe(stream: Any) -> bool:
    try:
        return stat.S_ISFIFO(os.fstat(stream.fileno()).st_mode)
    except (AttributeError, OSError, ValueError):
        return False


def _after_fork() -> None:
    for stream in list(_living):
        stream.forked()


capture = Capture()
_living: "weakref.WeakSet[ItemStream]" = weakref.WeakSet()
os.register_at_fork(after_in_child=_after_fork)
