"""Runs handlers: `slots` at a time, sync ones in threads, async ones on one event loop.

Threads: `accept` and `cancel` are called by the link's thread, `stop` and the waits by the main
one; handlers run in this module's own threads. Every accepted attempt gives exactly one result.
"""
from __future__ import annotations

import asyncio
import contextvars
import inspect
import os
import queue
import sys
import threading
import time
import traceback
from collections import deque
from typing import Any, Callable, Deque, Dict, List, Mapping, Optional, Tuple

from . import failure, output, results, scope
from ._proto import link_pb2 as pb
from .context import Context
from .item import AttemptKey

Handler = Callable[..., Any]


class Workers:
    """The handlers of one agent and what they are working on."""

    def __init__(self, handlers: Mapping[str, Handler],
                 deliver: Callable[[pb.AttemptResult], None],
                 reported: Callable[[AttemptKey], bool] = lambda key: False) -> None:
        """`deliver` takes results; `reported` says whether it still holds one for an attempt.

        Both are called with this object's lock held, so they must not call back.
        """
        self._handlers = dict(handlers)
        self._deliver = deliver
        self._reported = reported
        self._changed = threading.Condition()
        self._slots = 1
        self._running: Dict[AttemptKey, Context] = {}
        self._waiting: Deque[Context] = deque()
        self._draining = False
        self._jobs: "queue.SimpleQueue[Optional[Context]]" = queue.SimpleQueue()
        self._sync_running = 0
        self._threads: List[threading.Thread] = []
        self._loop: Optional[asyncio.AbstractEventLoop] = None
        self._loop_ended = False
        self._loop_thread: Optional[threading.Thread] = None
        self._to_spawn: Deque[Context] = deque()
        self._spawn_asked = False
        self._ended_now: List[Tuple[Context, pb.AttemptResult]] = []
        self._tasks: Dict[AttemptKey, "asyncio.Task[None]"] = {}
        self._outside = contextvars.copy_context()
        self._process = os.getpid()
        self.done = 0

    def set_slots(self, slots: int) -> None:
        """How many attempts may run at a time; at least 1."""
        with self._changed:
            self._slots = max(1, slots)
            ready = self._promote()
        self._start_all(ready)

    def accept(self, context: Context) -> None:
        """Starts an attempt, or queues it until a slot is free. One already held is ignored."""
        key = context.item.key
        with self._changed:
            if key in self._running or self._reported(key) or any(
                    c.item.key == key for c in self._waiting):
                return
            refused = self._draining
            if not refused:
                self._waiting.append(context)
            ready = self._promote()
        if refused:
            self._refuse(context, "agent_stopping", "the agent is stopping")
        self._start_all(ready)

    def cancel(self, key: AttemptKey, reason: str) -> None:
        """Tells an attempt to stop; one that has not started ends at once."""
        with self._changed:
            context = self._running.get(key)
            unstarted = next((c for c in self._waiting if c.item.key == key), None)
            if unstarted is not None:
                self._waiting.remove(unstarted)
        if context is not None:
            context._cancel(reason)
        if unstarted is not None:
            report = failure.plain("cancelled", "cancelled", reason or "cancelled", None)
            self._deliver(results.failed(unstarted, report, None))

    def held(self) -> List[AttemptKey]:
        """Attempts that have no result yet."""
        with self._changed:
            return [*self._running, *(c.item.key for c in self._waiting)]

    def drain(self) -> None:
        """Gives unstarted attempts back, takes no new ones, and lets running ones go on."""
        with self._changed:
            self._draining = True
            unstarted = list(self._waiting)
            self._waiting.clear()
        for context in unstarted:
            self._refuse(context, "agent_stopping", "the agent is stopping")

    def wait_idle(self, seconds: float) -> bool:
        """Waits until nothing runs; False when that took longer."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._running, max(0.0, seconds))

    def give_back(self, message: str) -> None:
        """Reports what still runs as given back, without waiting for it, and tells it to stop.

        It is not the handlers' failure that the agent stops: the daemon hands these items out
        again and counts no try. What the handlers return later is nobody's.
        """
        with self._changed:
            left = list(self._running.values())
        for context in left:
            report = failure.plain("refused", "agent_stopping", message, context)
            self._finish(context, results.failed(context, report, None))
            context._cancel(message)

    def wait_ended(self, seconds: float) -> bool:
        """Waits until no handler runs any more, reported or not; False when that took longer."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._sync_running and not self._tasks,
                                          max(0.0, seconds))

    def stop(self) -> None:
        """Ends the idle threads and the event loop; threads stuck in a handler are left."""
        for _ in self._threads:
            self._jobs.put(None)
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._end_loop)

    # -- starting and finishing -----------------------------------------------------------------

    def _promote(self) -> List[Context]:
        ready = []
        while self._waiting and len(self._running) < self._slots:
            context = self._waiting.popleft()
            self._running[context.item.key] = context
            ready.append(context)
        return ready

    def _start_all(self, ready: List[Context]) -> None:
        pending = deque(ready)
        while pending:  # one that ends at once makes room for another
            context = pending.popleft()
            handler = self._handlers.get(context.item.capability)
            if handler is None:
                pending.extend(self._end(context, self._unknown(context)))
                continue
            try:
                if is_async(handler):
                    self._start_async(context)
                else:
                    self._start_sync(context)
            except RuntimeError as error:  # no thread can be started: another agent may do better
                pending.extend(self._end(context, self._not_started(context, error)))

    def _finish(self, context: Context, result: pb.AttemptResult) -> None:
        self._start_all(self._end(context, result))

    def _end(self, context: Context, result: pb.AttemptResult) -> List[Context]:
        """Delivers the result; returns what may start now."""
        with self._changed:
            if self._running.get(context.item.key) is not context:
                return []
            # Delivered inside the lock: a reconnect finds each attempt either held or reported.
            self._deliver(result)
            del self._running[context.item.key]
            self.done += 1
            if not self._running:
                self._changed.notify_all()
            return self._promote() if self._waiting else []

    def _refuse(self, context: Context, code: str, message: str) -> None:
        self._deliver(results.failed(context, failure.plain("refused", code, message, None), None))

    def _unknown(self, context: Context) -> pb.AttemptResult:
        message = (f"this agent has no handler for {context.item.capability}; it has "
                   f"{', '.join(sorted(self._handlers)) or 'none'}")
        return results.failed(
            context, failure.plain("refused", "capability_unknown", message, None), None)

    def _not_started(self, context: Context, error: RuntimeError) -> pb.AttemptResult:
        message = f"no handler of {context.item.capability} could be started: {error}"
        return results.failed(
            context, failure.plain("refused", "unavailable", message, None), None)

    def _leave_if_forked(self, outcome: Optional[BaseException]) -> None:
        """A child that a handler forked and that came back here is no second agent: it ends."""
        if os.getpid() == self._process:
            return
        if not isinstance(outcome, SystemExit):
            if outcome is not None:
                traceback.print_exception(outcome)
            print("mainstay: a process that a handler forked came back from the handler; it ends "
                  "here (end it with os._exit, or use subprocess)", file=sys.stderr)
        sys.stdout.flush()
        sys.stderr.flush()
        code = outcome.code if isinstance(outcome, SystemExit) else 0 if outcome is None else 1
        os._exit(code if isinstance(code, int) else 0 if code is None else 1)

    # -- sync handlers ----------------------------------------------------------------------------

    def _start_sync(self, context: Context) -> None:
        with self._changed:
            grow = self._sync_running >= len(self._threads)
            if grow:
                thread = threading.Thread(target=self._work, daemon=True,
                                          name=f"mainstay-{len(self._threads) + 1}")
                thread.start()  # may fail: nothing is counted yet
                self._threads.append(thread)
            self._sync_running += 1
        self._jobs.put(context)

    def _work(self) -> None:
        while (context := self._jobs.get()) is not None:
            result = self._call(context)
            with self._changed:
                self._sync_running -= 1
                if not self._sync_running:
                    self._changed.notify_all()
            self._finish(context, result)

    def _call(self, context: Context) -> pb.AttemptResult:
        # In a context of its own: what a handler sets in context variables ends with the item.
        return contextvars.copy_context().run(self._call_here, context)

    def _call_here(self, context: Context) -> pb.AttemptResult:
        started = time.monotonic()
        scope._context.set(context)
        outcome: Optional[BaseException] = None
        try:
            context.raise_if_cancelled()
            value = self._handlers[context.item.capability](context.item, context)
            return results.succeeded(context, value, started)
        except BaseException as error:  # a handler must not end the agent, SystemExit included
            outcome = error
            return results.failed(context, failure.report(error, context), started)
        finally:
            self._leave_if_forked(outcome)
            _ended(context)

    # -- async handlers ---------------------------------------------------------------------------

    def _start_async(self, context: Context) -> None:
        if self._loop is None:
            loop = asyncio.new_event_loop()
            thread = threading.Thread(target=self._run_loop, args=[loop], daemon=True,
                                      name="mainstay-asyncio")
            thread.start()  # may fail: the next item tries again
            self._loop, self._loop_thread = loop, thread
        if threading.current_thread() is self._loop_thread:
            self._spawn(context)
            return
        # Waking the loop costs a system call: once for all that is waiting.
        with self._changed:
            self._to_spawn.append(context)
            ask, self._spawn_asked = not self._spawn_asked, True
        if ask:
            self._loop.call_soon_threadsafe(self._spawn_waiting)

    def _run_loop(self, loop: asyncio.AbstractEventLoop) -> None:
        while not self._loop_ended and not loop.is_closed():
            try:
                loop.run_forever()
            except BaseException:  # SystemExit in a task of a handler's own passes through the loop
                traceback.print_exc()

    def _spawn_waiting(self) -> None:
        with self._changed:
            waiting = list(self._to_spawn)
            self._to_spawn.clear()
            self._spawn_asked = False
        for context in waiting:
            self._spawn(context)

    def _spawn(self, context: Context) -> None:
        loop = self._loop
        assert loop is not None
        task = loop.create_task(self._await(context))
        self._tasks[context.item.key] = task
        task.add_done_callback(lambda ended: self._ended(context, ended))
        context._when_cancelled = lambda: _call_soon(loop, task.cancel)
        if context.told_to_stop:
            task.cancel()

    def _end_loop(self) -> None:
        loop = self._loop
        assert loop is not None
        for task in list(self._tasks.values()):
            task.cancel()
        # One pass for the cancelled tasks to end, one for what they report.
        self._loop_ended = True
        loop.call_soon(lambda: loop.call_soon(lambda: loop.call_soon(loop.stop)))

    async def _await(self, context: Context) -> None:
        handler = self._handlers[context.item.capability]
        started = time.monotonic()
        scope._context.set(context)  # the task has its own copy of the context variables
        outcome: Optional[BaseException] = None
        try:
            result = results.succeeded(context, await handler(context.item, context), started)
        except BaseException as error:
            outcome = error
            if isinstance(error, GeneratorExit) and self._loop_ended:
                raise  # the task is thrown away
            result = results.failed(context, failure.report(error, context), started)
        finally:
            self._leave_if_forked(outcome)
            _ended(context)
        # Those that end in one pass of the loop are reported together: each report on its own
        # would hand the interpreter to the writer's thread and back.
        self._ended_now.append((context, result))
        if len(self._ended_now) == 1:
            # In no item's context: the next items' tasks would begin with what this one set.
            asyncio.get_running_loop().call_soon(self._finish_ended, context=self._outside)

    def _finish_ended(self) -> None:
        ended, self._ended_now = self._ended_now, []
        for context, result in ended:
            self._finish(context, result)

    def _ended(self, context: Context, task: "asyncio.Task[None]") -> None:
        with self._changed:
            self._tasks.pop(context.item.key, None)
            if not self._tasks:
                self._changed.notify_all()
        if task.cancelled():  # before its first step: the coroutine never ran
            report = failure.plain("cancelled", "cancelled", "cancelled before its start", context)
            self._finish(context, results.failed(context, report, None))
        elif (error := task.exception()) is not None and not self._loop_ended:
            self._finish(context, results.failed(context, failure.report(error, context), None))


def _ended(context: Context) -> None:
    context.ended = True
    output.ended(context)


def is_async(handler: Handler) -> bool:
    """True for `async def` functions, partials of them, and objects whose call is one."""
    return inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(
        getattr(handler, "__call__", None))


def _call_soon(loop: asyncio.AbstractEventLoop, what: Callable[[], Any]) -> None:
    try:
        loop.call_soon_threadsafe(what)
    except RuntimeError:  # the loop has ended, and the task with it
        pass
