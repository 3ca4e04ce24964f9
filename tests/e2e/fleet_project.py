"""A project folder with a daemon that tests start, talk to, kill and clean up after."""
from __future__ import annotations

import contextlib
import http.client
import json
import os
import pathlib
import signal
import sqlite3
import subprocess
import time
from typing import Any, Callable, Optional, Union

ROOT = pathlib.Path(__file__).resolve().parents[2]

#: How many times longer everything may take. conftest.py raises it for a daemon that a sanitizer
#: slows down; limits are there for what hangs.
patience = 1.0

# An agent whose handlers do what the item says; used by most tests.
AGENT = '''
import os, signal, subprocess, sys, threading
import mainstay

agent = mainstay.Agent()

@agent.capability("echo")
def echo(item, ctx):
    return {"echo": item.input, "attempt": item.attempt, "pid": os.getpid()}

@agent.capability("fail")
def fail(item, ctx):
    raise ValueError("asked to fail")

@agent.capability("flaky")
def flaky(item, ctx):
    if item.attempt < item.input["succeeds_at"]:
        raise mainstay.Retryable("not yet")
    return {"attempt": item.attempt}

@agent.capability("hold")
def hold(item, ctx):
    """Works until a file appears (bounded), so that tests decide how long."""
    done = threading.Event()
    for _ in range(int(item.input.get("seconds", 120) * 50)):
        if os.path.exists(item.input["until"]) or ctx.cancelled:
            break
        done.wait(0.02)
    ctx.raise_if_cancelled()
    return {"held": True, "attempt": item.attempt}

@agent.capability("crash")
def crash(item, ctx):
    os.kill(os.getpid(), signal.SIGKILL)

agent.run()
'''


class Problem(Exception):
    """An answer of the API that is not 2xx."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(f"{status}: {body}")
        self.status = status
        self.body = body


def wait_until(condition: Callable[[], Any], seconds: float = 60,
               what: Union[str, Callable[[], str]] = "") -> Any:
    """Polls until the condition gives something true; fails the test after `seconds`."""
    deadline = time.monotonic() + seconds * patience
    while True:
        late = time.monotonic() > deadline  # before the look: a machine that stood still gets one
        value = condition()
        if value:
            return value
        if late:
            said = what() if callable(what) else what
            raise AssertionError(f"not within {seconds * patience} s: {said or condition}")
        time.sleep(0.02)


class FleetProject:
    def __init__(self, binary: str, folder: pathlib.Path) -> None:
        self.binary = binary
        self.folder = folder
        self.daemon: Optional[subprocess.Popen] = None
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("MAINSTAY_")}
        self.env["PATH"] = "/usr/bin:/bin:/usr/sbin:/sbin"
        self.write("mainstay.yaml", 'http: {listen: "127.0.0.1:0"}\nlink: {listen: ""}\n')
        self.write("agent.py", AGENT)

    # ---- files ----------------------------------------------------------------------------

    def write(self, name: str, text: str) -> pathlib.Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def fleet(self, text: str) -> None:
        self.write("fleet.yaml", text)

    def python_fleet(self, replicas: int = 1, more: str = "", pipelines: str = "",
                     options: str = "") -> None:
        self.fleet(f"""
fleet: test
agents:
  worker:
    command: [/usr/bin/python3, agent.py]
    replicas: {replicas}
    capabilities: [echo, fail, flaky, hold, crash]
    {options}
{more}
{pipelines}
""")

    # ---- the daemon -----------------------------------------------------------------------

    def up(self, *, ready: bool = True, env: Optional[dict] = None, seconds: float = 60,
           prefix: tuple = ()) -> subprocess.Popen:
        log = open(self.folder / "daemon.log", "ab")
        self.daemon = subprocess.Popen(
            [*prefix, self.binary, "up"], cwd=self.folder, env={**self.env, **(env or {})},
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        log.close()
        if ready:
            wait_until(self.is_ready, seconds, self.with_log("daemon ready"))
        return self.daemon

    def is_ready(self) -> bool:
        if self.daemon is not None and self.daemon.poll() is not None:
            raise AssertionError(f"the daemon ended with {self.daemon.returncode}:\n"
                                 f"{self.log_text()}")
        try:
            info = self.daemon_info()
            return info["pid"] == self.daemon.pid and self.raw("GET", "/readyz")[0] == 200
        except (OSError, ValueError, KeyError, http.client.HTTPException):
            return False

    def with_log(self, what: str) -> Callable[[], str]:
        """For a failure's text: the log as it is by then."""
        return lambda: f"{what}; the daemon's log:\n{self.log_text()}"

    def log_text(self) -> str:
        path = self.folder / "daemon.log"
        return path.read_text(errors="replace")[-4000:] if path.exists() else ""

    def kill(self) -> None:
        """SIGKILL, as a crash would have it; agents live on."""
        self.daemon.send_signal(signal.SIGKILL)
        self.daemon.wait(60)

    def down(self, seconds: float = 60) -> int:
        self.daemon.send_signal(signal.SIGTERM)
        return self.daemon.wait(seconds * patience)

    def clean_up(self) -> None:
        if self.daemon is not None and self.daemon.poll() is None:
            self.daemon.send_signal(signal.SIGTERM)
            try:
                self.daemon.wait(15 * patience)
            except subprocess.TimeoutExpired:
                self.daemon.kill()
                self.daemon.wait(60)
        self.kill_detached()
        for pid in self.agent_pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def kill_detached(self) -> None:
        """A daemon of `up --detach` that a test which failed has left would start agents anew."""
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            pid = self.daemon_info()["pid"]
            if os.readlink(f"/proc/{pid}/cwd") == str(self.folder):
                os.kill(pid, signal.SIGKILL)

    def agent_pids(self) -> list[int]:
        """Every process that belongs to this project's fleet, however it hides.

        One whose first thread ended looks like a zombie while its others still run.
        """
        marker = f"MAINSTAY_PROJECT={self.folder}\0".encode()
        pids = []
        for entry in pathlib.Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            if any(marker in environment_of(thread) for thread in threads_of(entry)):
                pids.append(int(entry.name))
        if self.daemon is not None and self.daemon.pid in pids:
            pids.remove(self.daemon.pid)
        return pids

    # ---- the API --------------------------------------------------------------------------

    def daemon_info(self) -> dict:
        return json.loads((self.folder / ".mainstay" / "daemon.json").read_text())

    def token(self) -> str:
        return (self.folder / ".mainstay" / "operator.token").read_text().strip()

    def raw(self, method: str, path: str, body: Optional[bytes] = None,
            headers: Optional[dict] = None, seconds: float = 60) -> tuple[int, bytes, dict]:
        host, port = self.daemon_info()["http_address"].rsplit(":", 1)
        connection = http.client.HTTPConnection(host, int(port), timeout=seconds * patience)
        try:
            connection.request(method, path, body=body, headers=headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read(), dict(answer.getheaders())
        finally:
            connection.close()

    def api(self, method: str, path: str, body: Any = None, headers: Optional[dict] = None,
            seconds: float = 60) -> Any:
        sent = {"Authorization": f"Bearer {self.token()}", **(headers or {})}
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            sent["Content-Type"] = "application/json"
        status, text, _ = self.raw(method, path, data, sent, seconds)
        value = json.loads(text) if text else None
        if status >= 300:
            raise Problem(status, value)
        return value

    def metrics(self) -> dict[str, str]:
        """By name and labels, as they are written."""
        headers = {"Authorization": f"Bearer {self.token()}"}
        text = self.raw("GET", "/metrics", headers=headers)[1].decode()
        return dict(line.rsplit(" ", 1) for line in text.splitlines() if line[:1] not in ("", "#"))

    def metric(self, name: str) -> int:
        """The value of a metric that has no labels."""
        return int(self.metrics()[name])

    def answered(self, operation: str) -> int:
        """How many requests for it the daemon has done and answered."""
        labels = f'operation="{operation}",class="2xx"'
        return int(self.metrics().get(f"mainstay_http_answers_total{{{labels}}}", 0))

    def submit(self, capability: str, value: Any = None, **fields: Any) -> str:
        body = {"capability": capability, "description": f"test of {capability}",
                "input": value if value is not None else {}, **fields}
        return self.api("POST", "/v1/work", body)["id"]

    def wait_work(self, work_id: str, seconds: float = 90) -> dict:
        return wait_until(
            lambda: self.finished(f"/v1/work/{work_id}?wait=5s"), seconds, f"item {work_id}")

    def wait_state(self, work_id: str, state: str, seconds: float = 60) -> dict:
        def there() -> Optional[dict]:
            item = self.api("GET", f"/v1/work/{work_id}")
            return item if item["state"] == state else None
        return wait_until(there, seconds, self.with_log(f"item {work_id} {state}"))

    def wait_run(self, run_id: str, seconds: float = 120) -> dict:
        return wait_until(
            lambda: self.finished(f"/v1/runs/{run_id}?wait=5s"), seconds, f"run {run_id}")

    def finished(self, path: str) -> Optional[dict]:
        thing = self.api("GET", path)
        return thing if thing["state"] not in ("queued", "delayed", "running") else None

    def agents(self) -> dict[str, dict]:
        return {a["name"]: a for a in self.api("GET", "/v1/agents")["agents"]}

    def wait_agent(self, name: str, state: str = "healthy", seconds: float = 60) -> dict:
        def there() -> Optional[dict]:
            agent = self.agents().get(name)
            return agent if agent and agent["state"] == state else None
        return wait_until(there, seconds, self.with_log(f"agent {name} {state}"))

    def wait_agents(self, state: str = "healthy", seconds: float = 60) -> dict[str, dict]:
        def all_there() -> Optional[dict]:
            agents = self.agents()
            return agents if agents and all(a["state"] == state for a in agents.values()) else None
        return wait_until(all_there, seconds, self.with_log(f"all agents {state}"))

    def journal_of(self, subject: str) -> list[dict]:
        """What the journal says about an agent, an item or a run, in order."""
        path = self.folder / ".mainstay" / "mainstay.db"
        database = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=60)
        try:
            rows = database.execute("SELECT kind, body FROM journal WHERE subject = ? "
                                    "ORDER BY seq", (subject,))
            return [{"kind": kind, **json.loads(body)} for kind, body in rows]
        finally:
            database.close()

    # ---- the CLI --------------------------------------------------------------------------

    def cli(self, *arguments: str, seconds: float = 60) -> subprocess.CompletedProcess:
        return subprocess.run([self.binary, *arguments], cwd=self.folder, env=self.env,
                              capture_output=True, text=True, timeout=seconds * patience,
                              stdin=subprocess.DEVNULL)


def threads_of(process: pathlib.Path) -> list[pathlib.Path]:
    try:
        return list((process / "task").iterdir())
    except OSError:
        return []


def environment_of(thread: pathlib.Path) -> bytes:
    try:
        return (thread / "environ").read_bytes() + b"\0"
    except OSError:
        return b""
