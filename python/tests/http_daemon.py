"""A small HTTP server with the daemon's routes for work and runs, for tests of the client."""
from __future__ import annotations

import json
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Dict, List, Optional, Tuple
from urllib.parse import parse_qs, urlsplit

TOKEN = "ms_op_test"


class HttpDaemon:
    """Answers like the daemon. `next_answers` come first, one per request: (status, body,
    headers), or None to cut the connection without an answer, after doing what was asked."""

    def __init__(self, port: int = 0) -> None:
        self.requests: List[Tuple[str, str, Dict[str, str], Any]] = []
        self.next_answers: List[Optional[Tuple[int, Any, Dict[str, str]]]] = []
        self.things: Dict[str, Dict[str, Any]] = {}
        self.by_key: Dict[str, str] = {}
        self.connections = 0
        self.changed = threading.Condition()
        daemon = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 20

            def setup(self) -> None:
                daemon.connections += 1
                super().setup()

            def do_GET(self) -> None:
                daemon._answer(self)

            do_POST = do_GET

            def log_message(self, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self._thread = threading.Thread(target=self.server.serve_forever, args=(0.01,),
                                        daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self._thread.join()

    def finish(self, thing_id: str, **fields: Any) -> None:
        with self.changed:
            self.things[thing_id].update(fields)
            self.changed.notify_all()

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        length = int(request.headers.get("Content-Length") or 0)
        body = json.loads(request.rfile.read(length)) if length else None
        headers = {k.lower(): v for k, v in request.headers.items()}
        self.requests.append((request.command, request.path, headers, body))
        status, value, extra = self._route(request, headers, body)
        if self.next_answers:
            scripted = self.next_answers.pop(0)
            if scripted is None:
                request.close_connection = True
                return
            status, value, extra = scripted
        text = json.dumps(value).encode()
        request.send_response(status)
        for name, said in extra.items():
            request.send_header(name, said)
        if "Content-Length" not in extra:  # else: one that is cut off
            request.send_header("Content-Length", str(len(text)))
        request.end_headers()
        request.wfile.write(text)

    def _route(self, request: BaseHTTPRequestHandler, headers: Dict[str, str],
               body: Any) -> Tuple[int, Any, Dict[str, str]]:
        url = urlsplit(request.path)
        if headers.get("authorization") != f"Bearer {TOKEN}":
            return problem(401, "unauthenticated", "no valid token")
        if request.command == "POST" and url.path in ("/v1/work", "/v1/runs"):
            return 202, self._accept(headers, body), {}
        if url.path == "/v1/agents":
            return 200, {"agents": [{"name": "a", "state": "healthy"}]}, {}
        thing = self.things.get(url.path.split("/")[-1].split(":")[0])
        if thing is None:
            return problem(404, "not_found", f"there is no {url.path}")
        if url.path.endswith(":cancel"):
            self.finish(thing["id"], state="cancelled")
        wait = parse_qs(url.query).get("wait", ["0ms"])[0]
        with self.changed:
            self.changed.wait_for(lambda: thing["state"] not in ("queued", "running"),
                                  int(wait[:-2]) / 1000)
            return 200, dict(thing), {}

    def _accept(self, headers: Dict[str, str], body: Any) -> Dict[str, Any]:
        with self.changed:
            key = body["idempotency_key"]
            made = self.by_key.setdefault(key, str(uuid.UUID(int=time.monotonic_ns())))
            return self.things.setdefault(made, {"id": made, "state": "queued", "asked": body})


def problem(status: int, code: str, detail: str, retryable: bool = False,
            **headers: str) -> Tuple[int, Any, Dict[str, str]]:
    return status, {"type": f"errors/{code}", "status": status, "code": code, "detail": detail,
                    "hint": "do better", "retryable": retryable}, headers
