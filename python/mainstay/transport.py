"""HTTP/1.1 with JSON bodies to the daemon: connections are kept and reused, requests that may be
sent again are, and problem details become the exceptions of `mainstay.errors`.

Any number of threads may use one Transport; each request has a connection of its own meanwhile.
"""
from __future__ import annotations

import http.client
import json
import random
import socket
import threading
import time
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple
from urllib.parse import urlencode

from . import errors
from .project import Endpoint

MAX_KEPT = 8
BACKOFF_MIN = 0.05
BACKOFF_MAX = 2.0
MAX_REPLY_BYTES = 64 << 20


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

    def request(self, method: str, path: str, *, query: Optional[Mapping[str, str]] = None,
                body: Any = None, headers: Optional[Mapping[str, str]] = None,
                wait: float = 0.0) -> Any:
        """The JSON of the answer. `wait`: seconds that the daemon may take over it by design.

        Every request may be repeated: reads and cancels by nature, submits by their key.
        """
        target = f"{path}?{urlencode(query)}" if query else path
        data = None if body is None else json.dumps(body, allow_nan=False).encode()
        give_up = time.monotonic() + self._retry_for
        tries = 0
        while True:
            try:
                return self._once(method, target, data, dict(headers or {}), wait)
            except errors.MainstayError as error:
                pause = random.random() * min(BACKOFF_MAX, BACKOFF_MIN * 2.0 ** min(tries, 10))
                pause = max(pause, float(error.fields.get("retry_after") or 0))  # type: ignore
                if not error.retryable or time.monotonic() + pause >= give_up:
                    raise
            time.sleep(pause)
            tries += 1

    def close(self) -> None:
        """Closes the kept connections; the next request opens a new one."""
        with self._lock:
            kept, self._kept = self._kept, []
        for _, connection in kept:
            connection.close()

    def _once(self, method: str, target: str, data: Optional[bytes], headers: Dict[str, str],
              wait: float) -> Any:
        endpoint = self._locate()
        headers["Authorization"] = f"Bearer {endpoint.token}"
        headers["Accept"] = "application/json"
        if data is not None:
            headers["Content-Type"] = "application/json"
        connection = self._take(endpoint)
        kept = connection.sock is not None
        try:
            if connection.sock is None:
                connection.timeout = self._timeout + wait
                connection.connect()
                connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.sock.settimeout(self._timeout + wait)
            connection.request(method, target, data, headers)
            reply = connection.getresponse()
            text = reply.read(MAX_REPLY_BYTES + 1)
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            if kept and isinstance(error, (ConnectionError, http.client.RemoteDisconnected)):
                self.close()  # closed while idle, and its fellows probably too: now a new one
                return self._once(method, target, data, headers, wait)
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
