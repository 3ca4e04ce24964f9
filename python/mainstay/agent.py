"""An agent: a process that Mainstay starts and gives work to.

    agent = mainstay.Agent("analyst")

    @agent.capability("file.analyse")
    def analyse(item, ctx):
        return {"path": item.input["path"]}

    agent.run()
"""
from __future__ import annotations

import contextlib
import functools
import inspect
import logging
import os
import platform
import queue
import signal
import sys
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterator, List, Mapping, Optional, TypeVar

from . import logs, output, threads
from .context import Context
from .errors import EnvironmentInvalid
from .item import AttemptKey, Item
from .settings import Settings, from_environment, from_welcome
from .text import clean
from .version import VERSION

if TYPE_CHECKING:
    from ._proto import link_pb2 as pb
    from .link import Ended, Link
    from .outbox import Outbox
    from .workers import Workers

Handler = Callable[..., Any]
H = TypeVar("H", bound=Handler)

#: EX_NOPERM and EX_CONFIG of sysexits.h.
EXIT_TOKEN_REFUSED = 77
EXIT_CONFIGURATION = 78
EXIT_INTERRUPTED = 130

#: How long after its handlers are done an agent waits for the daemon to take the results.
ACKNOWLEDGE_SECONDS = 2.0
GOODBYE_SECONDS = 1.0
#: The daemon takes no more.
MAX_SLOTS = 4096
CANCEL_SECONDS = 1.0


class Agent:
    """Handlers by capability, and the life of the process around them."""

    def __init__(self, name: Optional[str] = None, *, slots: Optional[int] = None,
                 grace: float = 10.0, log_level: Optional[str] = None,
                 capture_logging: bool = True, capture_output: bool = True,
                 inherit_context: bool = True) -> None:
        """`name`: by default MAINSTAY_AGENT, and always that when it is set.

        `slots`: work items at a time; by default what the fleet file says.
        `grace`: seconds that running handlers get when the agent is told to stop.
        `log_level`: lines below it are not sent; by default the daemon's setting `log.level`.
        `capture_logging`: send the lines of Python's `logging`, if nothing else handles them.
        `capture_output`: what a handler prints is logged under its work item, where Mainstay
        started the process.
        `inherit_context`: plain threads and thread pools belong to the item that started them.
        """
        self.name = os.environ.get("MAINSTAY_AGENT") or name or "agent"
        if slots is not None and (not isinstance(slots, int) or not 1 <= slots <= MAX_SLOTS):
            raise ValueError(f"slots: expected a whole number from 1 to {MAX_SLOTS}, "
                             f"got {slots!r}")
        self.slots = slots
        self.grace = grace
        if log_level is not None and log_level not in logs.LEVELS:
            raise ValueError(f"log_level: expected one of {', '.join(logs.LEVELS)}, "
                             f"got {log_level!r}")
        self._own_log_level = log_level
        self._threshold = logs.LEVELS[log_level or "DEBUG"]
        self._settings = from_environment()
        self._capture_logging = capture_logging
        self._capture_output = capture_output
        self._inherit_context = inherit_context
        self._handlers: Dict[str, Handler] = {}
        #: Shown with every error report, for example `agent.state["session_active"] = True`.
        self.state: Dict[str, Any] = {}
        #: For lines that belong to no work item.
        self.log = logs.Logger(self._emit, threshold=self._threshold)
        self._outbox: Optional["Outbox"] = None
        self._workers: Optional["Workers"] = None
        self._link: Optional["Link"] = None
        self._link_thread: Optional[threading.Thread] = None
        self._ended: Optional["Ended"] = None
        self._handler: Optional[logging.Handler] = None
        # Anything in it means: stop. Unlike an Event's, its put is safe in a signal handler.
        self._stop: "queue.SimpleQueue[None]" = queue.SimpleQueue()
        # Read and write end of a pipe, kept for good: who wakes never writes to another's file.
        self._wake_pipe: Optional[tuple[int, int]] = None
        self._stop_grace = grace
        self._former_signals: Dict[int, Any] = {}
        self._interrupted = False
        self._signals = 0
        self._started_at = time.monotonic()

    @property
    def settings(self) -> Settings:
        """The daemon's settings as they are now. Any thread; ask again rather than keep it."""
        return self._settings

    def use_settings(self, new: Settings) -> None:
        """What the link does when the daemon says its settings; also for tests of handlers."""
        self._settings = new
        outbox = self._outbox
        if outbox is not None:
            outbox.log_threshold = self._log_threshold()

    def _log_threshold(self) -> int:
        return logs.LEVELS.get(self._own_log_level or self._settings.log_level, self._threshold)

    # -- handlers -----------------------------------------------------------------------------

    def capability(self, name: str) -> Callable[[H], H]:
        """Decorator: this function, sync or async, serves the capability `name`."""
        def register(handler: H) -> H:
            if name in self._handlers:
                raise ValueError(f"capability {name!r} has a handler already: "
                                 f"{_name_of(self._handlers[name])}")
            check_handler(name, handler)
            self._handlers[name] = handler
            return handler
        if not isinstance(name, str) or not name:
            raise TypeError("capability: expected its name, as in @agent.capability(\"a.b\")")
        if clean(name) != name:
            raise ValueError(f"capability: {name!r} is not valid Unicode")
        return register

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """The handlers by capability."""
        return dict(self._handlers)

    def state_report(self) -> Dict[str, Any]:
        """What is said about the agent when one of its handlers fails (WRK-10)."""
        workers = self._workers
        return {"name": self.name, "incarnation": incarnation(), "session_active": True,
                "loaded_skills": sorted(self._handlers),
                "running": len(workers.held()) if workers else 0,
                "done": workers.done if workers else 0,
                "uptime_s": round(time.monotonic() - self._started_at, 3), **self.state}

    # -- life ---------------------------------------------------------------------------------

    def run(self) -> None:
        """Works until the daemon or a signal says stop. Call it last, in the main thread.

        Exits the process with 77 when the daemon refuses the token, 78 when the environment is
        not one that Mainstay made, 130 after Ctrl-C; returns after an orderly end.
        """
        try:
            if threading.current_thread() is threading.main_thread():
                with self._hearing_signals() as woken:
                    self.start()
                    while self._stop.empty():
                        os.read(woken, 64)
                    self._shut_down()
            else:
                self.start()
                self._stop.get()
                self._shut_down()
        except EnvironmentInvalid as error:
            sys.exit(_say(f"{error.message} (hint: {error.hint})", EXIT_CONFIGURATION))
        self._exit_if_refused()
        if self._interrupted:
            sys.exit(EXIT_INTERRUPTED)

    def start(self) -> None:
        """Connects and begins to work, in threads of its own; returns at once."""
        target, token = link_environment()
        from .link import Link
        from .outbox import Outbox
        from .workers import Workers
        self._outbox = Outbox()
        self._outbox.log_threshold = self._log_threshold()
        self._workers = Workers(self._handlers, self._outbox.put_result, self._outbox.holds)
        self._workers.set_slots(self.slots or 1)
        self._link = Link(target, token, self._outbox, self._hello, self._on_message)
        logs.process_sinks.add(self._emit)
        root = logging.getLogger()
        if self._capture_logging and not root.handlers:
            self._handler = logs.LogHandler(sink=self._emit)
            root.addHandler(self._handler)
        if self._inherit_context:
            threads.inheritance.install()
        if self._capture_output and os.environ.get("MAINSTAY_START_ID"):
            output.capture.install()
        self._link_thread = threading.Thread(target=self._keep_linked, name="mainstay-link",
                                             daemon=True)
        self._link_thread.start()

    def stop(self, grace: Optional[float] = None) -> None:
        """Finishes what runs within `grace` seconds, reports it, says goodbye and disconnects."""
        if grace is not None:
            self._stop_grace = grace
        self._shut_down()

    def _keep_linked(self) -> None:
        assert self._link is not None
        try:
            self._ended = self._link.run()
        finally:
            self._ask_to_stop()

    @contextlib.contextmanager
    def _hearing_signals(self) -> Iterator[int]:
        """SIGTERM and SIGINT ask to stop; gives a descriptor that can be read when one came.

        A wait for a lock sleeps on when the signal came just before it; a byte in a pipe stays.
        """
        if self._wake_pipe is None:
            self._wake_pipe = os.pipe()
            os.set_blocking(self._wake_pipe[1], False)
        former_fd = signal.set_wakeup_fd(self._wake_pipe[1], warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            self._former_signals[number] = signal.signal(number, self._on_signal)
        _hearing.add(self)
        try:
            yield self._wake_pipe[0]
        finally:
            _hearing.discard(self)
            self._hear_no_signals(former_fd)

    def _hear_no_signals(self, former_fd: int) -> None:
        for number, handler in self._former_signals.items():
            signal.signal(number, handler)
        self._former_signals.clear()
        signal.set_wakeup_fd(former_fd)

    def _ask_to_stop(self) -> None:
        self._stop.put(None)
        if self._wake_pipe is not None:
            with contextlib.suppress(BlockingIOError):  # full: it is woken already
                os.write(self._wake_pipe[1], b"\0")

    def _on_signal(self, number: int, frame: Any) -> None:
        self._signals += 1
        self._interrupted = self._interrupted or number == signal.SIGINT
        if self._signals > 1:  # asked twice: now
            os._exit(EXIT_INTERRUPTED if self._interrupted else 128 + number)
        self._ask_to_stop()

    def _shut_down(self) -> None:
        outbox, workers, link, thread = (self._outbox, self._workers, self._link,
                                         self._link_thread)
        if outbox is None or workers is None or link is None or thread is None:
            return
        if self._ended is None:
            workers.drain()
            if not workers.wait_idle(self._stop_grace):
                workers.give_back(f"the agent {self.name} stops, and its handler was not done "
                                  f"after a grace of {self._stop_grace:g} s")
                workers.wait_ended(CANCEL_SECONDS)
            outbox.wait_acknowledged(ACKNOWLEDGE_SECONDS)
            link.finish()
            outbox.say_goodbye()
            thread.join(GOODBYE_SECONDS)
        link.close()
        thread.join(GOODBYE_SECONDS)
        workers.stop()
        logs.process_sinks.remove(self._emit)
        if self._handler is not None:
            logging.getLogger().removeHandler(self._handler)
        if self._inherit_context:
            threads.inheritance.remove()
        if self._capture_output:
            output.capture.remove()
        self._outbox = self._workers = self._link = self._link_thread = None

    def _exit_if_refused(self) -> None:
        from .link import LinkEnd
        ended = self._ended
        if ended is None or ended.why is LinkEnd.CLOSED:
            return
        if ended.why is LinkEnd.UNAUTHENTICATED:
            sys.exit(_say(f"agent {self.name}: the daemon refuses this agent's token: "
                          f"{ended.detail}", EXIT_TOKEN_REFUSED))
        sys.exit(_say(f"agent {self.name}: the daemon refuses this agent: {ended.detail}",
                      EXIT_CONFIGURATION))

    # -- messages -----------------------------------------------------------------------------

    def _hello(self) -> "pb.Hello":
        from ._proto import link_pb2 as pb
        assert self._outbox is not None and self._workers is not None
        # Running first: an attempt that ends in between is then in both lists, never in none.
        held = dict.fromkeys(self._workers.held())
        held.update(dict.fromkeys(self._outbox.unacknowledged()))
        return pb.Hello(
            agent=self.name, incarnation=incarnation(), capabilities=sorted(self._handlers),
            slots=self.slots or 0, sdk=f"python {VERSION}", runtime=platform.python_version(),
            held=[pb.AttemptKey(work_id=k.work_id, epoch=k.epoch) for k in held],
            pid=os.getpid())

    def _on_message(self, message: "pb.DaemonMessage") -> None:
        outbox, workers = self._outbox, self._workers
        if outbox is None or workers is None:
            return
        if message.HasField("welcome"):
            if message.welcome.HasField("settings"):  # an older daemon does not say
                self.use_settings(from_welcome(message.welcome.settings))
            if self.slots is None:
                workers.set_slots(message.welcome.slots or 1)
        for ack in message.acks:
            outbox.acknowledge(AttemptKey(ack.work_id, ack.epoch))
        for assignment in message.assignments:
            key = AttemptKey(assignment.work_id, assignment.epoch)
            workers.accept(Context(read_item(assignment, key), outbox, self, self._threshold))
        for cancel in message.cancels:
            workers.cancel(AttemptKey(cancel.work_id, cancel.epoch), cancel.reason)
        if message.HasField("drain"):
            if message.drain.grace_ms:
                self._stop_grace = message.drain.grace_ms / 1000
            self._ask_to_stop()

    def _emit(self, line: logs.Line) -> None:
        outbox = self._outbox
        if outbox is not None:
            outbox.put_log(line)
        else:
            logs.write_to_stderr(line)


def check_handler(name: str, handler: Handler) -> None:
    """TypeError for what cannot be called as `handler(item, ctx)` and give one answer."""
    place = f"the handler of {name}"
    if not callable(handler):
        raise TypeError(f"{place}: expected a function of (item, ctx), got {handler!r}")
    called = handler if inspect.isroutine(handler) or isinstance(handler, functools.partial) \
        else getattr(handler, "__call__")
    if inspect.isgeneratorfunction(called) or inspect.isasyncgenfunction(called):
        raise TypeError(f"{place} is a generator; a handler returns its output, and reports by "
                        "ctx.progress")
    try:
        signature = inspect.signature(handler)
    except (TypeError, ValueError):  # written in C: nothing is known of it
        return
    try:
        signature.bind(None, None)
    except TypeError as error:
        raise TypeError(f"{place} is called as handler(item, ctx), which does not fit its "
                        f"signature {signature}: {error}") from None


def read_item(assignment: "pb.Assignment", key: AttemptKey) -> Item:
    """The work item of an assignment; its input is parsed when the handler asks for it."""
    return Item(
        key, assignment.capability, assignment.input_json,
        description=assignment.description, attempt=assignment.attempt,
        priority=assignment.priority, phase=assignment.phase, labels=dict(assignment.labels),
        run_id=assignment.run_id, pipeline=assignment.pipeline, stage=assignment.stage,
        step=assignment.step, trace_parent=assignment.trace_parent,
        time_limit=assignment.time_left_ms / 1000 if assignment.time_left_ms else None,
        idle_timeout=assignment.idle_timeout_ms / 1000 if assignment.idle_timeout_ms else None)


def incarnation() -> int:
    """Which start of this agent the process is; 0 when Mainstay did not start it."""
    text = os.environ.get("MAINSTAY_INCARNATION", "")
    return int(text) if text.isdigit() else 0


def link_environment() -> tuple[str, str]:
    """(target, token) as the daemon put them into the environment, or EnvironmentInvalid."""
    missing = [name for name in ("MAINSTAY_LINK", "MAINSTAY_TOKEN") if not os.environ.get(name)]
    if missing:
        error = EnvironmentInvalid(f"{' and '.join(missing)} not set: an agent is started by "
                                   "Mainstay, which says where to connect")
        error.hint = "name this program in fleet.yaml and run `mainstay up`"
        raise error
    packages: List[str] = []
    for module, package in (("grpc", "python3-grpcio"), ("google.protobuf", "python3-protobuf")):
        try:
            __import__(module)
        except ImportError:
            packages.append(package)
    if packages:
        error = EnvironmentInvalid(f"{sys.executable} has no {' and no '.join(packages)}")
        error.hint = f"apt-get install {' '.join(packages)}, or name another Python in fleet.yaml"
        raise error
    return os.environ["MAINSTAY_LINK"], os.environ["MAINSTAY_TOKEN"]


def _after_fork() -> None:
    """A child that a handler forked is no agent: a signal ends it as it ends any process."""
    for agent in list(_hearing):
        agent._hear_no_signals(-1)


_hearing: "weakref.WeakSet[Agent]" = weakref.WeakSet()
os.register_at_fork(after_in_child=_after_fork)


def _name_of(handler: Handler) -> str:
    return getattr(handler, "__qualname__", None) or repr(handler)


def _say(message: str, code: int) -> int:
    print(f"mainstay: {message}", file=sys.stderr, flush=True)
    return code
