"""Clients that are slow, silent or speak no HTTP: rows G4, H1 and H2 on the real daemon."""
from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import time

import pytest

from fleet_project import FleetProject, wait_until

SMUGGLED = b"GET /v1/agents HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture
def fleet(project: FleetProject) -> FleetProject:
    project.write("mainstay.yaml", 'http: {listen: "127.0.0.1:0", header_timeout: 4s}\n'
                                   'link: {listen: ""}\n')
    project.python_fleet()
    project.up()
    project.wait_agents()
    return project


def connect(project: FleetProject) -> socket.socket:
    host, port = project.daemon_info()["http_address"].rsplit(":", 1)
    s = socket.create_connection((host, int(port)), timeout=60)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return s


def rest_of(s: socket.socket) -> bytes:
    data = b""
    try:
        while chunk := s.recv(65536):
            data += chunk
    except ConnectionResetError:
        pass
    return data


def test_g4_slow_and_silent_clients_are_cut_off_and_nobody_else_notices(fleet: FleetProject):
    """Silent ones, heads that trickle, bodies that trickle: 750 at once, for all of their time."""
    work = b"POST /v1/work HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " \
        + fleet.token().encode() + b"\r\nContent-Length: 100000\r\n\r\n"
    everybody: list[socket.socket] = []

    def begun(text: bytes) -> socket.socket:
        everybody.append(connect(fleet))
        everybody[-1].sendall(text)
        return everybody[-1]

    try:
        heads = [begun(b"GET /healthz HTTP/1.1\r\nHost:") for _ in range(250)]
        bodies = [begun(work) for _ in range(250)]
        silent = [begun(b"") for _ in range(250)]
        slowest = 0.0
        began = time.monotonic()
        left = set(everybody)
        answers: dict[socket.socket, bytes] = {}
        while left and time.monotonic() - began < 90:
            asked = time.monotonic()
            item = fleet.submit("echo", {"n": 1})
            assert fleet.wait_work(item)["state"] == "succeeded"
            slowest = max(slowest, time.monotonic() - asked)
            for s in left.intersection(heads + bodies):
                with contextlib.suppress(OSError):
                    s.send(b" ")
            ready, _, _ = select.select(list(left), [], [], 0.1)
            for s in ready:
                answers[s] = rest_of(s)
                left.discard(s)
        assert not left, f"{len(left)} are still served"
        assert all(answers[s].startswith(b"HTTP/1.1 408 ") for s in heads)
        assert all(answers[s].startswith(b"HTTP/1.1 408 ") for s in bodies)
        assert all(answers[s] == b"" for s in silent)
        # The slow ones hold their places for more than ten seconds.
        assert slowest < 8, "others are served in time all along"
        assert fleet.metric("mainstay_http_timeouts_total") == 500
    finally:
        for s in everybody:
            s.close()


def test_g4_idle_connections_beyond_the_limit_give_way(project: FleetProject):
    """Under a low limit of descriptors there is always room for those who speak."""
    project.python_fleet()
    project.up(prefix=("/bin/sh", "-c", 'ulimit -n 400; exec "$@"', "sh"))
    project.wait_agents()
    idle = []
    try:
        for _ in range(800):
            idle.append(connect(project))
        for _ in range(20):
            item = project.submit("echo", {"n": 1})
            assert project.wait_work(item)["state"] == "succeeded"
        assert project.metric("mainstay_http_connections") < 400
        pid = project.wait_agents()["worker"]["pid"]
        os.kill(pid, signal.SIGKILL)  # and for agents, which need some too
        wait_until(lambda: project.agents()["worker"]["pid"] not in (None, pid), 60, "restarted")
    finally:
        for s in idle:
            s.close()


TOKEN = b"the operator's token"
CHUNKED = b"Transfer-Encoding: chunked\r\n"


def post(fields: bytes, body: bytes = b"") -> bytes:
    return (b"POST /v1/work HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + TOKEN +
            b"\r\n" + fields + b"\r\n" + body)


def get(line: bytes = b"GET /healthz HTTP/1.1", fields: bytes = b"") -> bytes:
    return line + b"\r\nHost: localhost\r\n" + fields + b"\r\n"


# What could be read in two ways, or is not HTTP/1.1; with the status of the one answer.
MALFORMED = {
    "length and chunks": (post(b"Content-Length: 5\r\n" + CHUNKED, b"0\r\n\r\n"), 400),
    "two lengths": (post(b"Content-Length: 5\r\nContent-Length: 6\r\n", b"hello"), 400),
    "one length twice": (post(b"Content-Length: 5\r\nContent-Length: 5\r\n", b"hello"), 400),
    "length with plus": (post(b"Content-Length: +5\r\n", b"hello"), 400),
    "negative length": (post(b"Content-Length: -5\r\n"), 400),
    "hexadecimal length": (post(b"Content-Length: 0x5\r\n", b"hello"), 400),
    "length beyond 64 bits": (post(b"Content-Length: 99999999999999999999\r\n"), 400),
    "space before the colon": (post(b"Content-Length : 5\r\n", b"hello"), 400),
    "unknown coding": (post(b"Transfer-Encoding: gzip, chunked\r\n"), 501),
    "coding in quotes": (post(b'Transfer-Encoding: "chunked"\r\n'), 501),
    "hexadecimal prefix of a chunk": (post(CHUNKED, b"0x5\r\nhello\r\n0\r\n\r\n"), 400),
    "chunk without end": (post(CHUNKED, b"5\r\nhelloX\r\n0\r\n\r\n"), 400),
    "endless chunk size": (post(CHUNKED, b"f" * 17 + b"\r\n"), 413),
    "chunk extension without end": (post(CHUNKED, b"5;" + b"a" * 9000), 400),
    "bare line feeds": (b"GET /healthz HTTP/1.1\nHost: localhost\n\n", 400),
    "bare carriage return": (get(fields=b"X: a\rb\r\n"), 400),
    "folded field": (get(fields=b"X: a\r\n b\r\n"), 400),
    "null in a field": (get(fields=b"X: a\0b\r\n"), 400),
    "null in the path": (get(b"GET /health\0z HTTP/1.1"), 400),
    "no host": (b"GET /healthz HTTP/1.1\r\n\r\n", 400),
    "two hosts": (get(fields=b"Host: localhost\r\n"), 400),
    "field without a name": (get(fields=b": x\r\n"), 400),
    "field without a colon": (get(fields=b"hello\r\n"), 400),
    "space in the path": (get(b"GET /health z HTTP/1.1"), 505),
    "bytes over 127 in the path": (get(b"GET /\xc3\xa9 HTTP/1.1"), 400),
    "absolute path of another": (get(b"GET http://evil.example/healthz HTTP/1.1"), 400),
    "a proxy's method": (get(b"CONNECT localhost:22 HTTP/1.1"), 400),
    "a later version": (get(b"GET /healthz HTTP/2.0"), 505),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    "empty line first": (b"\r\n" + get(), 400),
    "head too large": (get(fields=b"X: " + b"x" * 100_000 + b"\r\n"), 431),
    "too many fields": (get(fields=b"a: b\r\n" * 1000), 431),
    "an expectation of its own": (post(b"Content-Length: 1\r\nExpect: 200-ok\r\n"), 417),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_h1_there_is_one_reading_or_none(fleets: FleetProject, name: str):
    text, status = MALFORMED[name]
    with connect(fleets) as s:
        # What follows would be the smuggled request. The refusal may come before all is sent.
        with contextlib.suppress(ConnectionError):
            s.sendall(text.replace(TOKEN, fleets.token().encode()) + SMUGGLED)
        answer = rest_of(s)
    assert answer.startswith(f"HTTP/1.1 {status} ".encode()), answer[:200]
    assert answer.count(b"HTTP/1.1 ") == 1, "nothing behind it is read"
    assert fleets.raw("GET", "/healthz")[0] == 200


def test_h1_pipelined_requests_are_answered_in_order(fleets: FleetProject):
    asked = b"".join(get(f"GET /{'healthz' if n % 2 else 'readyz'} HTTP/1.1".encode())
                     for n in range(200))
    with connect(fleets) as s:
        s.sendall(asked)
        s.shutdown(socket.SHUT_WR)
        answers = rest_of(s)
    assert answers.count(b"HTTP/1.1 200 OK") == 200
    said = [part for part in answers.split(b'{"status":"')[1:]]
    assert [part.split(b'"')[0] for part in said] == [b"ready", b"ok"] * 100


@pytest.fixture(scope="module")
def fleets(binary: str, tmp_path_factory: pytest.TempPathFactory):
    """One daemon for the tables of this file."""
    made = FleetProject(binary, tmp_path_factory.mktemp("tables"))
    made.python_fleet()
    try:
        made.up()
        made.wait_agents()
        yield made
    finally:
        made.clean_up()


ITEM = '{"capability":"echo","description":"x","input":%s}'
BAD_JSON = {
    "cut off": b"{",
    "no object": b"[]",
    "empty": b"",
    "a key twice": b'{"capability":"echo","capability":"hold","description":"x"}',
    "a key twice, escaped": b'{"capability":"echo","\\u0063apability":"x","description":"x"}',
    "a key twice within the input": (ITEM % '{"a":{"b":1,"b":2}}').encode(),
    "a million levels": (ITEM % ("[" * 1_000_000)).encode(),
    "65 levels, closed": (ITEM % ("[" * 65 + "]" * 65)).encode(),
    "a number without bounds": (ITEM % "1e400").encode(),
    "an integer without bounds": (ITEM % ("1" * 5000)).encode(),
    "NaN": (ITEM % "NaN").encode(),
    "a leading zero": (ITEM % "007").encode(),
    "a comment": (ITEM % "1 /* one */").encode(),
    "a trailing comma": (ITEM % "[1,]").encode(),
    "more behind it": (ITEM % "1").encode() + b"{}",
    "no UTF-8": b'{"capability":"echo","description":"\xff\xfe"}',
    "overlong UTF-8": b'{"capability":"echo","description":"\xc0\x80"}',
    "half of a surrogate": (ITEM % '"\\ud800"').encode(),
    "a control character": (ITEM % '"a\nb"').encode(),
    "a byte order mark": b"\xef\xbb\xbf" + (ITEM % "1").encode(),
}


@pytest.mark.parametrize("name", BAD_JSON)
def test_h2_json_that_is_not_strict_is_refused(fleets: FleetProject, name: str):
    headers = {"Authorization": f"Bearer {fleets.token()}", "Content-Type": "application/json"}
    status, body, _ = fleets.raw("POST", "/v1/work", BAD_JSON[name], headers)
    assert status == 400, body
    problem = json.loads(body)
    assert problem["code"] == "invalid_argument" and problem["retryable"] is False
    assert fleets.raw("GET", "/healthz")[0] == 200


@pytest.mark.parametrize("text", ["1" * 300, "-0.0", "1e-400", "9007199254740993",
                                  "0." + "3" * 3000, '"\\u0000"', '"\\ud83d\\ude00"'],
                         ids=lambda text: text[:12])
def test_h2_json_at_the_edges_is_kept_as_it_was_written(fleets: FleetProject, text: str):
    headers = {"Authorization": f"Bearer {fleets.token()}", "Content-Type": "application/json"}
    status, body, _ = fleets.raw("POST", "/v1/work", (ITEM % text).encode(), headers)
    assert status == 201, body
    item = json.loads(body)["id"]
    kept = fleets.raw("GET", f"/v1/work/{item}", headers=headers)[1].decode()
    assert f'"input":{text}' in kept
    assert fleets.wait_work(item)["state"] in ("succeeded", "failed")
