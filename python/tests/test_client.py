"""The client against an HTTP server with the daemon's routes."""
import datetime
import json
import socket
import threading
import time

import pytest

import mainstay
from http_daemon import TOKEN, HttpDaemon, problem
from mainstay import client as client_module
from mainstay import errors, project


@pytest.fixture
def daemon():
    server = HttpDaemon()
    yield server
    server.stop()


@pytest.fixture
def client(daemon):
    with mainstay.Client(daemon.url, TOKEN, retry_for=60.0, timeout=60.0) as made:
        yield made


def test_submit_says_everything_in_the_daemons_words(client, daemon):
    when = datetime.datetime(2030, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc)
    client.submit("a.b", {"x": 1}, description="d", priority=7, phase="build",
                  labels={"k": "v"}, timeout=1.5, max_attempts=2, deadline=when,
                  idle_timeout=datetime.timedelta(minutes=1), idempotency_key="mine")
    method, path, headers, body = daemon.requests[0]
    assert (method, path, body.pop("idempotency_key")) == ("POST", "/v1/work", "mine")
    assert headers["authorization"] == f"Bearer {TOKEN}"
    assert body == {"capability": "a.b", "description": "d", "input": {"x": 1}, "priority": 7,
                    "phase": "build", "labels": {"k": "v"}, "timeout": "1500ms",
                    "idle_timeout": "60000ms", "retry": {"max_attempts": 2},
                    "deadline": "2030-01-02T03:04:05.000Z"}


def test_result_waits_for_the_end(client, daemon):
    handle = client.submit("a")
    end = {"state": "succeeded", "output": [1]}
    threading.Timer(0.05, daemon.finish, [handle.id], end).start()
    assert handle.result(timeout=10) == [1]


def test_a_failed_item_raises_with_its_error(client, daemon):
    handle = client.submit("a")
    daemon.finish(handle.id, state="failed", error={"code": "ValueError", "message": "bad"})
    with pytest.raises(mainstay.WorkFailed) as failed:
        handle.result()
    assert failed.value.code == "ValueError" and "bad" in str(failed.value)
    assert failed.value.view["state"] == "failed"


def test_waiting_has_an_end(client):
    with pytest.raises(errors.DeadlineExceeded):
        client.submit("a").wait(timeout=0.05)


def test_cancel(client, daemon):
    handle = client.submit("a")
    handle.cancel()
    assert handle.state == "cancelled"


def test_a_busy_daemon_is_asked_again_with_the_same_key(client, daemon):
    daemon.next_answers = [problem(429, "overloaded", "full"), problem(503, "unavailable", "x")]
    handle = client.submit("a")
    keys = {r[3]["idempotency_key"] for r in daemon.requests}
    assert len(daemon.requests) == 3 and len(keys) == 1
    assert list(daemon.things) == [handle.id]


def test_an_answer_that_got_lost_gives_the_first_item_again(client, daemon):
    daemon.next_answers = [None]
    handle = client.submit("a")
    assert len(daemon.requests) == 2 and list(daemon.things) == [handle.id]


def test_retry_after_is_kept(daemon):
    daemon.next_answers = [problem(429, "overloaded", "full", **{"Retry-After": "9"})]
    with mainstay.Client(daemon.url, TOKEN, retry_for=2.0) as client:
        with pytest.raises(errors.Overloaded):  # 9 s would be over the time given
            client.submit("a")
    assert len(daemon.requests) == 1


@pytest.mark.parametrize("status, code, kind", [
    (422, "capability_unknown", errors.CapabilityUnknown),
    (409, "idempotency_conflict", errors.IdempotencyConflict),
    (404, "pipeline_unknown", errors.PipelineUnknown),
    (403, "newer_than_this_sdk", errors.Forbidden),
    (418, "newer_than_this_sdk", errors.InvalidArgument),
])
def test_problems_become_exceptions_and_are_not_repeated(client, daemon, status, code, kind):
    daemon.next_answers = [problem(status, code, "the detail")]
    with pytest.raises(kind) as raised:
        client.submit("a")
    assert str(raised.value) == "the detail" and raised.value.hint == "do better"
    assert raised.value.fields["status"] == status and len(daemon.requests) == 1


def test_connections_are_kept_and_reopened(client, daemon):
    for _ in range(5):
        client.agents()
    assert daemon.connections == 1
    client._transport._kept[0][1].sock.shutdown(2)  # as after an idle time at the other end
    assert client.agents() == [{"name": "a", "state": "healthy"}]
    assert daemon.connections == 2


def test_many_threads_share_a_client(client, daemon):
    results = []

    def work(n):
        handle = client.submit("a", n)
        daemon.finish(handle.id, state="succeeded", output=n)
        results.append(handle.result(timeout=10) == n)
    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert results == [True] * 8


def test_run_waits_and_tells_how_it_ended(client, daemon):
    daemon.next_answers = []
    handle = client.run("review", {"path": "."}, wait=False)
    body = daemon.requests[0][3]
    assert (body["pipeline"], body["input"]) == ("review", {"path": "."})
    daemon.finish(handle.id, state="degraded")
    assert handle.result()["state"] == "degraded"
    other = client.run("review", wait=False)
    daemon.finish(other.id, state="failed", error={"message": "scan failed"})
    with pytest.raises(mainstay.WorkFailed, match="scan failed"):
        other.result()


def test_the_daemon_is_found_by_the_project_folder_and_again_after_a_restart(
        daemon, tmp_path, monkeypatch):
    for name in ("MAINSTAY_URL", "MAINSTAY_TOKEN", "MAINSTAY_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "fleet.yaml").write_text("fleet: x\n")
    data = tmp_path / ".mainstay"
    data.mkdir()
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    monkeypatch.chdir(inner)
    client = mainstay.Client(retry_for=60.0)
    with pytest.raises(errors.NotRunning, match="no daemon runs for"):
        mainstay.Client(retry_for=0.0).agents()
    (data / "operator.token").write_text(TOKEN + "\n")

    def write(url):
        (data / "daemon.json").write_text(json.dumps({"http_address": url[7:]}))
    write(daemon.url)
    assert client.agents()
    successor = HttpDaemon()
    try:
        daemon.server.shutdown()
        client._transport.close()
        daemon.server.server_close()
        threading.Timer(0.1, write, [successor.url]).start()
        assert client.agents()
        assert successor.requests
    finally:
        daemon._thread.join()
        successor.stop()
        daemon.stop = lambda: None


def test_no_project_folder_says_so(tmp_path, monkeypatch):
    for name in ("MAINSTAY_URL", "MAINSTAY_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(errors.EnvironmentInvalid, match="fleet.yaml"):
        mainstay.Client().agents()


@pytest.mark.parametrize("url", ["ftp://x:1", "localhost", "http://x:port", "x:70000"])
def test_a_bad_address_is_refused(url):
    with pytest.raises(errors.InvalidArgument, match="http://host:port"):
        project.split_address(url)


def test_a_time_without_a_zone_is_refused(client):
    with pytest.raises(ValueError, match="zone"):
        client.submit("a", deadline=datetime.datetime(2030, 1, 1))


@pytest.fixture
def silent():
    """Takes connections and says nothing, as a stopped daemon does."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def away():
    """An address where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
    return url


@pytest.mark.parametrize("where", ["silent", "away"])
def test_the_callers_limit_bounds_everything(request, where):
    with mainstay.Client(request.getfixturevalue(where), TOKEN, retry_for=60.0,
                         timeout=60.0) as client:
        began = time.monotonic()
        for ask in (lambda: client.work("w").wait(timeout=0.2),
                    lambda: client.work("w").result(timeout=0.2),
                    lambda: client.work("w").wait(timeout=0),
                    lambda: client.run_handle("r").result(timeout=0.2),
                    lambda: client.run("review", timeout=0.2, idempotency_key="mine")):
            with pytest.raises(errors.DeadlineExceeded) as late:
                ask()
        assert time.monotonic() - began < 30
        assert late.value.fields["idempotency_key"] == "mine"
        assert "last try" in late.value.message


def test_a_wait_with_time_left_says_not_running_once_retries_are_over(away):
    with mainstay.Client(away, TOKEN, retry_for=0.1) as client:
        with pytest.raises(errors.NotRunning):
            client.work("w").wait(timeout=60)
        with pytest.raises(errors.NotRunning):
            client.work("w").wait()


@pytest.fixture
def slow_answers(monkeypatch):
    """A short wait has time for one answer, however slow this machine is."""
    monkeypatch.setattr(client_module, "LEAST_WAIT_SECONDS", 60.0)


def test_a_wait_of_no_time_asks_once(slow_answers, client, daemon):
    handle = client.submit("a")
    with pytest.raises(errors.DeadlineExceeded, match="is still queued"):
        handle.wait(timeout=0)
    daemon.finish(handle.id, state="succeeded", output=2)
    assert handle.result(timeout=0) == 2


def test_a_late_answer_names_the_last_state(slow_answers, client, daemon):
    handle = client.submit("a")
    with pytest.raises(errors.DeadlineExceeded, match=f"work {handle.id} is still queued"):
        handle.wait(timeout=0.3)


def test_an_idempotency_key_may_be_any_text(client, daemon):
    key = "\u043a\u043b\u044e\u0447 \U0001f511"
    first = client.submit("a", idempotency_key=key)
    assert client.submit("a", idempotency_key=key).id == first.id
    assert client.run("review", wait=False, idempotency_key=key).id == first.id
    assert list(daemon.by_key) == [key]
    with pytest.raises(errors.InvalidArgument, match="at /idempotency_key: .*not valid Unicode"):
        client.submit("a", idempotency_key="\udcff")


def test_an_input_that_json_cannot_carry_is_refused_with_its_place(client, daemon):
    for value, text in (({"x": [float("nan")]}, "at /input/x/0: nan is no number"),
                        ({1: 2, "1": 3}, "at /input: the keys 1 and '1' are the same"),
                        ({"x": b"y"}, "at /input/x: bytes is binary")):
        with pytest.raises(errors.InvalidArgument, match=text):
            client.submit("a", value)
    assert not daemon.requests


def test_an_answer_cut_in_the_middle_is_asked_for_again(client, daemon):
    daemon.next_answers = [(200, {"agents": []}, {"Content-Length": "1000", "Connection": "close"})]
    assert client.agents() == [{"name": "a", "state": "healthy"}]
    assert len(daemon.requests) == 2


def test_a_forked_child_leaves_its_parents_connections_alone(client, daemon):
    client.agents()
    kept = client._transport._kept[0][1]
    client._transport._process = -1  # as it is in a child
    client.agents()
    assert daemon.connections == 2 and client._transport._kept[0][1] is not kept
