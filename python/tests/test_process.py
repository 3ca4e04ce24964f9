"""An agent as a process: signals, exit codes, and what it prints."""
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import threading

import grpc
import pytest

import mainstay
from link_server import TOKEN, LinkServer

PACKAGE = str(pathlib.Path(mainstay.__file__).parents[1])
PROGRAM = """
import mainstay, sys, time
agent = mainstay.Agent("p", grace=10)

@agent.capability("wait")
def wait(item, ctx):
    ctx.progress(0.1, "in")
    ctx.wait_cancelled(float(item.input))
    return "done"

@agent.capability("hold")
def hold(item, ctx):
    str(7 ** 800000)  # one call of C, for seconds: nothing else of Python runs meanwhile
    return True

@agent.capability("spawn")
def spawn(item, ctx):
    import subprocess
    return subprocess.run(["echo", "hi"], capture_output=True, text=True).stdout

@agent.capability("elsewhere")
def elsewhere(item, ctx):
    import signal, threading
    signal.pthread_kill(threading.get_ident(), signal.SIGTERM)

@agent.capability("fork_terminated")
def fork_terminated(item, ctx):
    import multiprocessing
    here, there = multiprocessing.Pipe()

    def ready():
        there.send("ready")
        time.sleep(60)
    child = multiprocessing.get_context("fork").Process(target=ready)
    child.start()
    here.recv()  # a signal just after the fork Python itself throws away
    child.terminate()
    child.join(20)
    return child.exitcode
@agent.capability("fork")
def fork(item, ctx):
    import os
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    ctx.log.info("from the child")
    ctx.progress(0.5)
    if item.input is None:
        return "twice?"
    sys.exit(item.input)

@agent.capability("fork_async")
async def fork_async(item, ctx):
    return fork(item, ctx)

@agent.capability("pool")
def pool(item, ctx):
    import multiprocessing
    with multiprocessing.get_context("fork").Pool(2) as workers:
        return workers.map(abs, [-1, -2])

agent.run()
print("after run")
"""


class Process:
    def __init__(self, **env):
        base = {k: v for k, v in os.environ.items() if not k.startswith("MAINSTAY_")}
        self.popen = subprocess.Popen(
            [sys.executable, "-X", "int_max_str_digits=0", "-c", PROGRAM],
            env={**base, "PYTHONPATH": PACKAGE, **env}, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def end(self, number=None):
        """(exit code, stdout, stderr)"""
        if number is not None:
            self.popen.send_signal(number)
        out, err = self.popen.communicate(timeout=60)
        return self.popen.returncode, out, err


@pytest.fixture
def spawn(link):
    started = []

    def make(**env):
        defaults = {"MAINSTAY_LINK": link.target, "MAINSTAY_TOKEN": TOKEN}
        started.append(Process(**{**defaults, **env}))
        return started[-1]
    yield make
    for process in started:
        if process.popen.poll() is None:
            process.popen.kill()
        process.popen.communicate(timeout=60)


def wait_started(link):
    link.wait_for(lambda: any(m.progress for m in link.messages))


def test_sigterm_lets_the_work_finish_and_says_goodbye(spawn, link):
    process = spawn()
    work = link.assign("wait", b"0.3")
    wait_started(link)
    connection = link.wait_connection()
    code, out, err = process.end(signal.SIGTERM)
    assert (code, out, err) == (0, "after run\n", "")
    assert json.loads(link.wait_result(work).output_json) == "done"
    assert link.wait_for(lambda: connection.goodbye)


def test_ctrl_c_is_clean(spawn, link):
    process = spawn()
    link.wait_connection()
    assert process.end(signal.SIGINT) == (130, "", "")


def test_a_signal_is_heard_at_any_moment_of_the_start(spawn, link):
    chance = random.Random(20)
    for _ in range(12):
        process = spawn()
        link.wait_connection()
        threading.Event().wait(chance.random() * 0.004)
        assert process.end(signal.SIGTERM) == (0, "after run\n", "")
        link.connections.clear()


def test_a_signal_that_another_thread_took_is_heard(spawn, link):
    """As one is that comes just before the main thread waits: nothing interrupts its wait."""
    process = spawn()
    link.assign("elsewhere", b"null")
    assert process.end() == (0, "after run\n", "")


def test_a_child_that_a_handler_forked_can_be_terminated(spawn, link):
    spawn()
    assert link.wait_result(link.assign("fork_terminated", b"null")).output_json == b"-15"


def test_a_second_signal_means_now(spawn, link):
    process = spawn()
    link.assign("wait", b"60")
    wait_started(link)
    waiting = link.assign("wait", b"60")
    process.popen.send_signal(signal.SIGTERM)
    link.wait_result(waiting)  # given back: the first signal was taken
    code, _, _ = process.end(signal.SIGTERM)
    assert code == 128 + signal.SIGTERM


def test_sigterm_without_a_daemon_ends_soon(spawn, link):
    process = spawn()
    link.wait_connection()
    link.stop()
    assert process.end(signal.SIGTERM)[0] == 0


def test_a_refused_token_exits_with_77(spawn, link):
    process = spawn(MAINSTAY_TOKEN="wrong", MAINSTAY_AGENT="scout")
    code, out, err = process.end()
    assert code == 77 and out == ""
    assert err == ("mainstay: agent scout: the daemon refuses this agent's token: "
                   "the token is not of this start\n")


def test_a_refused_hello_exits_with_78(spawn, link):
    link.reject = (grpc.StatusCode.INVALID_ARGUMENT, "no such agent")
    code, _, err = spawn().end()
    assert code == 78 and "no such agent" in err and "Traceback" not in err


def test_outside_of_mainstay_it_says_what_to_do():
    code, _, err = Process().end()
    assert code == 78
    assert "MAINSTAY_LINK and MAINSTAY_TOKEN not set" in err and "mainstay up" in err


def test_a_handler_may_start_processes(spawn, link):
    spawn()
    assert json.loads(link.wait_result(link.assign("spawn")).output_json) == "hi\n"


@pytest.mark.parametrize("capability", ["fork", "fork_async"])
def test_a_child_that_a_handler_forked_is_no_second_agent(spawn, link, capability):
    process = spawn()
    for given, code in ((b"7", 7), (b"0", 0), (b"null", 0)):
        work = link.assign(capability, given)
        assert json.loads(link.wait_result(work).output_json) == code
        assert len(link.results[work]) == 1
    code, _, err = process.end(signal.SIGTERM)
    assert code == 0
    assert err.count("from the child") == 3 and err.count("came back from the handler") == 1


def test_a_handler_may_use_a_pool_of_forked_processes(spawn, link):
    spawn()
    assert json.loads(link.wait_result(link.assign("pool")).output_json) == [1, 2]


def test_keepalive_is_answered_while_the_interpreter_is_held(link, spawn):
    """A handler that keeps the GIL for seconds is busy, not dead."""
    link.stop()
    server = LinkServer(link.target, options=(("grpc.keepalive_time_ms", 500),
                                              ("grpc.keepalive_timeout_ms", 4000))).start()
    try:
        spawn()
        work = server.assign("hold")
        assert json.loads(server.wait_result(work, 120).output_json) is True
        assert sum(m.HasField("hello") for m in server.messages) == 1
    finally:
        server.stop()
