"""Plain threads and thread pools keep the work item they were started for, while an agent runs.

`threading.Thread` begins with no context variables of whoever starts it, so a line that a thread
logs would belong to no run. While at least one agent runs, `Thread.start`,
`ThreadPoolExecutor.submit` and with it `loop.run_in_executor` carry the work item and the open
span over. Other context variables stay as Python has them.
"""
from __future__ import annotations

import functools
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable

from . import scope


class Inheritance:
    """What is put in place of two methods of the standard library, and taken out again."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._start: Callable[..., Any] = threading.Thread.start
        self._submit: Callable[..., Any] = ThreadPoolExecutor.submit

    def install(self) -> None:
        """From now on, until as many calls of `remove`."""
        with self._lock:
            self._users += 1
            if self._users == 1:
                self._start, self._submit = threading.Thread.start, ThreadPoolExecutor.submit
                setattr(threading.Thread, "start", _starting(self._start, self))
                setattr(ThreadPoolExecutor, "submit", _submitting(self._submit, self))

    def remove(self) -> None:
        """What somebody put over ours stays, and ours below it does nothing any more."""
        with self._lock:
            self._users -= 1
            if self._users == 0:
                for kind, name, former in ((threading.Thread, "start", self._start),
                                           (ThreadPoolExecutor, "submit", self._submit)):
                    if getattr(getattr(kind, name), "__wrapped__", None) is former:
                        setattr(kind, name, former)

    @property
    def active(self) -> bool:
        return self._users > 0


def _starting(former: Callable[..., Any], inheritance: Inheritance) -> Callable[..., Any]:
    @functools.wraps(former)
    def start(thread: threading.Thread) -> None:
        if scope.current() is None or not inheritance.active:
            former(thread)
            return
        # On the object, so that a subclass may have a `run` of its own; gone once it runs.
        own = thread.__dict__.get("run")
        run = scope.carried(thread.run)

        def restore() -> None:
            if own is None:
                thread.__dict__.pop("run", None)
            else:
                thread.__dict__["run"] = own

        def first() -> None:
            restore()
            run()
        thread.__dict__["run"] = first
        try:
            former(thread)
        except BaseException:
            restore()
            raise
    return start


def _submitting(former: Callable[..., Any], inheritance: Inheritance) -> Callable[..., Any]:
    @functools.wraps(former)
    def submit(pool: ThreadPoolExecutor, fn: Callable[..., Any], /, *args: Any,
               **kwargs: Any) -> Any:
        if not inheritance.active:
            return former(pool, fn, *args, **kwargs)
        # Also where there is no item: the pool's thread may be one that an item started. And the
        # thread that this call may start belongs to the pool, not to the item.
        carried = scope.carried(fn)
        with scope.nothing():
            return former(pool, carried, *args, **kwargs)
    return submit


inheritance = Inheritance()
