"""The client against an HTTP server with the daemon's routes."""
import datetime
import json
import threading

import pytest

import mainstay
from http_daemon import TOKEN, HttpDaemon, problem
from mainstay import errors, project


@pytest.fixture
def daemon():
    server = HttpDaemon()
    yield server
    server.stop()


@pytest.fixture
def client(daemon):
    with mainstay.Client(daemon.url, TOKEN, retry_for=5.0) as made:
        yield made


def test_submit_says_everything_in_the_daemons_words(client, daemon):
    when = datetime.datetime(2030, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc)
    client.submit("a.b", {"x": 1}, description="d", priority=7, phase="build",
                  labels={"k": "v"}, timeout=1.5, max_attempts=2, deadline=when,
                  idle_timeout=datetime.timedelta(minutes=1), idempotency_key="mine")
    method, path, headers, body = daemon.requests[0]
    assert (method, path, headers["idempotency-key"]) == ("POST", "/v1/work", "mine")
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
    keys = {r[2]["idempotency-key"] for r in daemon.requests}
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
    assert daemon.requests[0][3] == {"pipeline": "review", "input": {"path": "."}}
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
    client = mainstay.Client(retry_for=10.0)
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
