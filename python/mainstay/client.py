"""The other side of an agent: submits work, runs pipelines, and waits for what comes of them.

    client = mainstay.Client()
    handle = client.submit("file.analyse", {"path": "a.py"}, description="look at a.py")
    print(handle.result(timeout=60))

Threads: any, on one Client. What fails raises an exception of `mainstay.errors`; requests that a
busy or restarting daemon could not take are repeated with the same idempotency key, so that
nothing is done twice.
"""
from __future__ import annotations

import datetime
import os
import time
import uuid
from typing import Any, Dict, Iterable, List, Mapping, Optional, Union
from urllib.parse import quote, urlencode

from . import errors
from .project import find_endpoint
from .transport import Transport

WORK_ENDED = frozenset({"succeeded", "failed", "timed_out", "cancelled"})
RUN_ENDED = frozenset({"succeeded", "degraded", "failed", "timed_out", "cancelled"})
#: The daemon holds a waiting request this long at most; longer waits are several requests.
LONG_POLL_SECONDS = 30.0
#: Kept of a limited wait for the answer to arrive, or half of what is left if that is less.
ANSWER_SECONDS = 0.2
#: Even a wait of 0 s asks once, and gives the daemon this long to answer.
LEAST_WAIT_SECONDS = 0.5
#: With less than this left, asking again would only say that there was no time for the answer.
LAST_SECONDS = 0.02

Seconds = Union[int, float, datetime.timedelta]


class WorkFailed(errors.MainstayError):
    """A work item or run ended, and not well; `view` is what the daemon knows about it."""

    code = "handler_failed"

    def __init__(self, message: str, view: Mapping[str, Any]) -> None:
        super().__init__(message)
        self.view = dict(view)
        #: Stable code of the error that ended it, for example the class of an exception.
        self.code = str((view.get("error") or {}).get("code") or view.get("state") or self.code)


class Client:
    """A connection to one daemon."""

    def __init__(self, url: Optional[str] = None, token: Optional[str] = None, *,
                 project: Optional[os.PathLike[str] | str] = None, retry_for: float = 30.0,
                 timeout: float = 10.0) -> None:
        """With no arguments: MAINSTAY_URL and MAINSTAY_TOKEN, else the project folder's daemon.

        `retry_for`: seconds over which requests are repeated while the daemon is away or busy.
        `timeout`: seconds to wait for the answer to one request.
        """
        self._transport = Transport(lambda: find_endpoint(url, token, project), retry_for,
                                    timeout)

    def submit(self, capability: str, input: Any = None, *, description: str = "",
               priority: Optional[int] = None, phase: str = "",
               labels: Optional[Mapping[str, str]] = None, timeout: Optional[Seconds] = None,
               idle_timeout: Optional[Seconds] = None, max_attempts: Optional[int] = None,
               deadline: Optional[datetime.datetime] = None,
               start_after: Optional[datetime.datetime] = None,
               idempotency_key: Optional[str] = None) -> "WorkHandle":
        """Hands in one work item; when this returns, it is durable.

        `priority`: 0 to 9, higher is more urgent. `timeout` and `idle_timeout`: of one attempt.
        `max_attempts`: tries in all. `deadline`, `start_after`: times with a zone.
        `idempotency_key`: the same key again gives the first item again; by default a new one.
        """
        body: Dict[str, Any] = {"capability": capability,
                                "description": description or capability, "input": input}
        _put(body, "priority", priority)
        _put(body, "phase", phase or None)
        _put(body, "labels", dict(labels) if labels else None)
        _put(body, "timeout", duration_text(timeout))
        _put(body, "idle_timeout", duration_text(idle_timeout))
        _put(body, "deadline", time_text("deadline", deadline))
        _put(body, "start_after", time_text("start_after", start_after))
        if max_attempts is not None:
            body["retry"] = {"max_attempts": max_attempts}
        view = self._post("/v1/work", body, idempotency_key)
        return WorkHandle(self, view["id"])

    def work(self, work_id: str) -> "WorkHandle":
        """A handle to an item submitted before."""
        return WorkHandle(self, work_id)

    def run(self, pipeline: str, input: Any = None, *, wait: bool = True,
            labels: Optional[Mapping[str, str]] = None, idempotency_key: Optional[str] = None,
            timeout: Optional[float] = None) -> "RunHandle":
        """Starts a pipeline; with `wait` returns when it has ended, however it did.

        `timeout`: seconds for all of that; then DeadlineExceeded. The run goes on: its
        `fields["idempotency_key"]`, given again, finds it.
        """
        body: Dict[str, Any] = {"pipeline": pipeline, "input": input}
        _put(body, "labels", dict(labels) if labels else None)
        key = idempotency_key or str(uuid.uuid4())
        give_up = None if timeout is None else time.monotonic() + timeout
        try:
            handle = RunHandle(self, self._post("/v1/runs", body, key, give_up)["id"])
            if wait:
                handle._wait_until(give_up)
        except errors.DeadlineExceeded as late:
            late.fields["idempotency_key"] = key
            raise
        return handle

    def run_handle(self, run_id: str) -> "RunHandle":
        """A handle to a run started before."""
        return RunHandle(self, run_id)

    def agents(self, *, capability: str = "", health: Union[str, Iterable[str]] = (),
               labels: Optional[Mapping[str, str]] = None) -> List[Dict[str, Any]]:
        """The agents as they are now: all, or those that offer `capability`, are in one of the
        states of `health` ("healthy", "degraded", ...) and have all `labels`."""
        states = [health] if isinstance(health, str) else list(health)
        asked = [("capability", capability), ("health", ",".join(states))]
        asked += [("label", f"{key}={value}") for key, value in (labels or {}).items()]
        query = urlencode([(name, value) for name, value in asked if value])
        return list(self.get("/v1/agents" + (f"?{query}" if query else ""))["agents"])

    def find(self, name: str) -> Dict[str, Any]:
        """One agent by its name; `["endpoint"]` says where it is. NotFound when there is none."""
        return dict(self.get(_agent_path(name)))

    def register(self, name: str, endpoint: str, capabilities: Iterable[str] = (), *,
                 labels: Optional[Mapping[str, str]] = None,
                 lease: Optional[Seconds] = None) -> Dict[str, Any]:
        """Makes an agent known that Mainstay does not start; again: replaces what is known.

        `lease`: how long it stays known without `renew`; 30 s by default. Conflict when the fleet
        file has an agent of this name.
        """
        body: Dict[str, Any] = {"name": name, "endpoint": endpoint,
                                "capabilities": list(capabilities)}
        _put(body, "labels", dict(labels) if labels else None)
        _put(body, "lease", duration_text(lease))
        return dict(self.post("/v1/agents", body))

    def renew(self, name: str, *, lease: Optional[Seconds] = None) -> Dict[str, Any]:
        """Extends the lease of a registered agent; NotFound when it is over: register again."""
        body: Dict[str, Any] = {}
        _put(body, "lease", duration_text(lease))
        self.post(f"{_agent_path(name)}:renew", body)
        return self.find(name)

    def deregister(self, name: str) -> None:
        """Forgets a registered agent."""
        self._transport.request("DELETE", _agent_path(name))

    def close(self) -> None:
        """Closes the connections."""
        self._transport.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def get(self, path: str, query: Optional[Mapping[str, str]] = None, *,
            wait: float = 0.0, give_up: Optional[float] = None) -> Any:
        """Any other read of the HTTP interface, as JSON.

        `wait`: seconds that the daemon may hold the answer until what is asked for has ended.
        `give_up`: when, on `time.monotonic()`, to raise DeadlineExceeded.
        """
        said = dict(query or {})
        if wait > 0:
            said["wait"] = f"{int(wait * 1000)}ms"
        return self._transport.request("GET", path, query=said, wait=wait, give_up=give_up)

    def post(self, path: str, body: Any = None) -> Any:
        """Any other command of the HTTP interface, as JSON."""
        return self._transport.request("POST", path, body={} if body is None else body)

    def _post(self, path: str, body: Dict[str, Any], key: Optional[str],
              give_up: Optional[float] = None) -> Any:
        # In the body, not in the header: that would take no text beyond Latin-1.
        body["idempotency_key"] = key or str(uuid.uuid4())
        return self._transport.request("POST", path, body=body, give_up=give_up)


class _Handle:
    """What work items and runs have in common: an id, a view, an end."""

    _path = ""
    _ended: frozenset[str] = frozenset()

    def __init__(self, client: Client, thing_id: str) -> None:
        self._client = client
        self.id = thing_id
        self._view: Dict[str, Any] = {}

    def view(self) -> Dict[str, Any]:
        """All the daemon says about it now."""
        self._view = self._client.get(f"{self._path}/{quote(self.id, safe='')}")
        return self._view

    @property
    def state(self) -> str:
        """Its state now, for example "running"."""
        return str(self.view()["state"])

    def wait(self, timeout: Optional[float] = None) -> Dict[str, Any]:
        """Waits for the end and returns the view; DeadlineExceeded after `timeout` seconds, also
        when the daemon does not answer. With 0 it asks once."""
        return self._wait_until(None if timeout is None else time.monotonic() + timeout)

    def _wait_until(self, give_up: Optional[float]) -> Dict[str, Any]:
        path = f"{self._path}/{quote(self.id, safe='')}"
        least = time.monotonic() + LEAST_WAIT_SECONDS
        asked = False
        while self._view.get("state") not in self._ended:
            hold, end = LONG_POLL_SECONDS, give_up
            if give_up is not None:
                left = give_up - time.monotonic()
                if asked and left <= LAST_SECONDS:
                    raise self._late()
                hold = max(0.0, min(hold, left - min(ANSWER_SECONDS, left / 2)))
                end = give_up if asked else max(give_up, least)
            try:
                self._view = self._client.get(path, wait=hold, give_up=end)
            except errors.DeadlineExceeded as late:
                raise self._late(late) from late
            asked = True
        return self._view

    def _late(self, why: Optional[errors.MainstayError] = None) -> errors.DeadlineExceeded:
        state = self._view.get("state")
        text = f"{self._path[4:]} {self.id} " + (f"is still {state}" if state else "has no answer")
        return errors.DeadlineExceeded(f"{text} ({why.message})" if why else text)

    def cancel(self, reason: str = "") -> None:
        """Asks for it to end; Conflict when it has already."""
        self._client.post(f"{self._path}/{quote(self.id, safe='')}:cancel",
                          {"reason": reason} if reason else {})

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id}>"


class WorkHandle(_Handle):
    """A work item that was accepted."""

    _path = "/v1/work"
    _ended = WORK_ENDED

    def result(self, timeout: Optional[float] = None) -> Any:
        """The output, once it is there; WorkFailed when the item ended otherwise."""
        view = self.wait(timeout)
        if view["state"] == "succeeded":
            return view.get("output")
        raise WorkFailed(_reason("work item", view), view)


class RunHandle(_Handle):
    """One execution of a pipeline."""

    _path = "/v1/runs"
    _ended = RUN_ENDED

    def result(self, timeout: Optional[float] = None) -> Dict[str, Any]:
        """The view of a run that succeeded, if need be degraded; else WorkFailed."""
        view = self.wait(timeout)
        if view["state"] in ("succeeded", "degraded"):
            return view
        raise WorkFailed(_reason("run", view), view)


def _reason(kind: str, view: Mapping[str, Any]) -> str:
    error = view.get("error") or {}
    text = f"{kind} {view.get('id', '')} ended as {view.get('state')}"
    return f"{text}: {error['message']}" if error.get("message") else text


def _agent_path(name: str) -> str:
    return f"/v1/agents/{quote(name, safe='')}"


def _put(body: Dict[str, Any], name: str, value: Any) -> None:
    if value is not None:
        body[name] = value


def duration_text(value: Optional[Seconds]) -> Optional[str]:
    """Seconds or a timedelta as the daemon writes durations: "1500ms"."""
    if value is None:
        return None
    seconds = value.total_seconds() if isinstance(value, datetime.timedelta) else float(value)
    if seconds < 0:
        raise ValueError(f"a duration must not be negative, got {value!r}")
    return f"{round(seconds * 1000)}ms"


def time_text(name: str, value: Optional[datetime.datetime]) -> Optional[str]:
    """RFC 3339 in UTC; a time without a zone is refused, it could mean any."""
    if value is None:
        return None
    if value.tzinfo is None:
        raise ValueError(f"{name}: expected a time with a zone, such as "
                         f"datetime.now(timezone.utc), got {value!r}")
    text = value.astimezone(datetime.timezone.utc).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")
