"""HTTP/1.1 with JSON bodies to the daemon: connections are kept and reused, requests that may be
sent again are, and problem details become the exceptions of `mainstay.errors`.

Any number of threads may use one Transport; each request has a connection of its own meanwhile.
"""
from __future__ import annotations

import http.client
import json
import os
import random
import socket
import threading
import time
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple
from urllib.parse import urlencode

from . import errors, plain_json
from .project import Endpoint

MAX_KEPT = 8
BACKOFF_MIN = 0.05
BACKOFF_MAX = 2.0
LEAST_PAUSE = 0.02
MAX_REPLY_BYTES = 64 << 20
#: The daemon's own limit is below it, and a setting.
MAX_BODY_BYTES = 64 << 20
READ_BYTES = 1 << 20


class Transport:
    """Requests to the daemon that `locate` finds; it is asked again after a lost connection."""

    def __init__(self, locate: Callable[[], Endpoint], retry_for: float, timeout: float) -> None:
        """`retry_for`: seconds in which a request that failed in a way that may pass is repeated.
        `timeout`: seconds to wait for the answer to one request, waiting it asked for excluded."""
        self._locate = locate
        self._retry_for = retry_for
        self._timeout = timeout
        self._lock = threading.Lock()
        self._kept: List[Tuple[Endpoint, http.client.HTTPConnection]] = []
        self._process = os.getpid()

    def request(self, method: str, path: str, *, query: Optional[Mapping[str, str]] = None,
                body: Any = None, wait: float = 0.0, give_up: Optional[float] = None) -> Any:
        """The JSON of the answer. `wait`: seconds that the daemon may take over it by design.
        `give_up`: when, on `time.monotonic()`, DeadlineExceeded is raised, whatever is under way.

        Every request may be repeated: reads and cancels by nature, submits by their key.
        """
        target = f"{path}?{urlencode(query)}" if query else path
        data = None if body is None else encoded(body)
        until = time.monotonic() + self._retry_for
        tries = 0
        while True:
            try:
                return self._once(method, target, data, wait, give_up)
            except errors.MainstayError as error:
                if not error.retryable:
                    raise
                now = time.monotonic()
                left = None if give_up is None else give_up - now
                pause = random.random() * min(BACKOFF_MAX, BACKOFF_MIN * 2.0 ** min(tries, 10))
                if left is not None:
                    pause = min(pause, max(left / 2, LEAST_PAUSE))  # the last try is near the end
                pause = max(pause, float(error.fields.get("retry_after") or 0))  # type: ignore
                if left is not None and pause >= left:
                    raise out_of_time(method, target, error) from error
                if now + pause >= until:
                    raise
            time.sleep(pause)
            tries += 1

    def close(self) -> None:
        """Closes the kept connections; the next request opens a new one."""
        with self._lock:
            kept, self._kept = self._kept, []
        for _, connection in kept:
            connection.close()

    def _once(self, method: str, target: str, data: Optional[bytes], wait: float,
              give_up: Optional[float]) -> Any:
        endpoint = self._locate()
        headers = {"Authorization": f"Bearer {endpoint.token}", "Accept": "application/json"}
        if data is not None:
            headers["Content-Type"] = "application/json"
        end = time.monotonic() + self._timeout + wait
        end = end if give_up is None else min(end, give_up)
        connection = self._take(endpoint)
        kept = connection.sock is not None
        try:
            if connection.sock is None:
                connection.timeout = left_until(end)
                connection.connect()
                connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.sock.settimeout(left_until(end))
            connection.request(method, target, data, headers)
            reply, text = self._read(connection, end)
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            if kept and isinstance(error, (ConnectionError, http.client.RemoteDisconnected)):
                self.close()  # closed while idle, and its fellows probably too: now a new one
                return self._once(method, target, data, wait, give_up)
            raise errors.NotRunning(
                f"{method} {target} to {endpoint.host}:{endpoint.port}: "
                f"{str(error) or type(error).__name__}") from error
        except BaseException:
            connection.close()
            raise
        if reply.will_close or len(text) > MAX_REPLY_BYTES:
            connection.close()
        else:
            self._keep(endpoint, connection)
        return self._judge(method, target, reply, text)

    def _read(self, connection: http.client.HTTPConnection,
              end: float) -> Tuple[http.client.HTTPResponse, bytes]:
        """The answer and its body; a timeout when it is not complete by `end`."""
        sock = connection.sock  # the connection forgets it when the answer says that it closes
        reply = connection.getresponse()
        parts: List[bytes] = []
        size = 0
        while size <= MAX_REPLY_BYTES:
            if not reply.isclosed() and sock.fileno() >= 0:
                sock.settimeout(left_until(end))
            part = reply.read(READ_BYTES)
            if not part:
                break
            parts.append(part)
            size += len(part)
        if reply.length and size <= MAX_REPLY_BYTES:  # cut off; `read` says nothing of it
            raise http.client.IncompleteRead(b"", reply.length)
        return reply, b"".join(parts)

    def _judge(self, method: str, target: str, reply: http.client.HTTPResponse,
               text: bytes) -> Any:
        if len(text) > MAX_REPLY_BYTES:
            raise errors.PayloadTooLarge(f"{method} {target}: the answer is over "
                                         f"{MAX_REPLY_BYTES} bytes")
        try:
            value = json.loads(text) if text else None
        except ValueError:
            value = None
            if reply.status < 400:
                raise errors.InternalError(f"{method} {target}: the answer is not JSON") from None
        if reply.status < 400:
            return value
        raise problem(reply.status, value if isinstance(value, dict) else {},
                      reply.headers.get("Retry-After"))

    def _take(self, endpoint: Endpoint) -> http.client.HTTPConnection:
        if os.getpid() != self._process:  # forked: these sockets are the parent's to use
            self._lock, self._kept, self._process = threading.Lock(), [], os.getpid()
        with self._lock:
            for index in range(len(self._kept) - 1, -1, -1):
                if self._kept[index][0] == endpoint:
                    return self._kept.pop(index)[1]
        return http.client.HTTPConnection(endpoint.host, endpoint.port)

    def _keep(self, endpoint: Endpoint, connection: http.client.HTTPConnection) -> None:
        with self._lock:
            self._kept.append((endpoint, connection))
            surplus = self._kept.pop(0)[1] if len(self._kept) > MAX_KEPT else None
        if surplus is not None:
            surplus.close()


def encoded(body: Any) -> bytes:
    """A request's body as JSON, or InvalidArgument that says what in it JSON cannot carry."""
    try:
        return plain_json.encode(body, MAX_BODY_BYTES)
    except plain_json.Unfit as error:
        raise errors.InvalidArgument(f"the request cannot be sent as JSON: {error}") from None


def left_until(end: float) -> float:
    """Seconds for a socket's timeout; TimeoutError when there are none."""
    left = end - time.monotonic()
    if left <= 0:
        raise TimeoutError("timed out")
    return left


def out_of_time(method: str, target: str, error: errors.MainstayError) -> errors.DeadlineExceeded:
    late = errors.DeadlineExceeded(f"{method} {target}: no answer in the time given; the last try: "
                                   f"{error.message}")
    late.hint = error.hint
    return late


_BY_STATUS = {401: errors.Unauthenticated, 403: errors.Forbidden, 404: errors.NotFound,
              409: errors.Conflict, 413: errors.PayloadTooLarge, 429: errors.Overloaded,
              503: errors.Unavailable}


def problem(status: int, details: Mapping[str, Any],
            retry_after: Optional[str]) -> errors.MainstayError:
    """The exception for a problem document (RFC 9457), by its code or else its HTTP status."""
    kind = errors.BY_CODE.get(str(details.get("code", "")))
    if kind is None:
        other = errors.InvalidArgument if status < 500 else errors.InternalError
        kind = _BY_STATUS.get(status, other)
    message = str(details.get("detail") or details.get("title") or f"HTTP status {status}")
    named = details.get("fields")
    fields = {str(k): v for k, v in named.items()} if isinstance(named, dict) else {}
    fields.update(status=status, title=str(details.get("title") or ""))
    if details.get("causes"):
        fields["causes"] = details["causes"]
    if retry_after and retry_after.isdigit():
        fields["retry_after"] = int(retry_after)
    error = kind(message)
    error.fields = fields
    if details.get("hint"):
        error.hint = str(details["hint"])
    return error
