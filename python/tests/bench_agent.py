"""How many no-op items one agent process takes, does and reports, over a real gRPC link.

    python3 tests/bench_agent.py [ITEMS] [SLOTS] [sync|async]

The server is in this process (Python too, and on the same cores), the agent in its own.
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import time
import uuid

FOLDER = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(FOLDER.parent), str(FOLDER)]

from link_server import TOKEN, LinkServer  # noqa: E402
from mainstay._proto import link_pb2 as pb  # noqa: E402

PROGRAM = """
import mainstay
agent = mainstay.Agent("bench")
agent.capability("sync")(lambda item, ctx: item.input)
@agent.capability("async")
async def noop(item, ctx):
    return item.input
agent.run()
"""
BATCH = 50


def measure(items: int, slots: int, capability: str) -> dict:
    """Keeps up to 4 x slots items at the agent until `items` are done."""
    with tempfile.TemporaryDirectory(prefix="ms-") as folder:
        server = LinkServer(f"unix:{folder}/link.sock", slots=slots).start()
        env = {**os.environ, "PYTHONPATH": str(FOLDER.parent), "MAINSTAY_TOKEN": TOKEN,
               "MAINSTAY_LINK": server.target}
        process = subprocess.Popen([sys.executable, "-c", PROGRAM], env=env)
        try:
            return drive(server, process.pid, items, slots, capability)
        finally:
            process.terminate()
            process.wait(20)
            server.stop()


def drive(server: LinkServer, pid: int, items: int, slots: int, capability: str) -> dict:
    connection = server.wait_connection()
    window = threading.Semaphore(max(4 * slots, BATCH))
    done = [0]

    def one_done(result: pb.AttemptResult) -> None:
        done[0] += 1
        window.release()
    server.on_result = one_done
    began, cpu = time.monotonic(), cpu_seconds(pid)
    for start in range(0, items, BATCH):
        batch = []
        for _ in range(min(BATCH, items - start)):
            window.acquire()
            batch.append(pb.Assignment(work_id=uuid.uuid4().bytes, epoch=1, attempt=1,
                                       capability=capability, input_json=b'{"n": 1}'))
            if window._value == 0:  # what fits goes out; the rest follows the results
                connection.send(assignments=batch)
                batch = []
        if batch:
            connection.send(assignments=batch)
    server.wait_for(lambda: len(server.results) >= items, 120)
    took = time.monotonic() - began
    return {"handler": capability, "items": items, "slots": slots,
            "items_per_s": round(items / took), "messages_up": len(server.messages),
            "agent_cpu_us_per_item": round((cpu_seconds(pid) - cpu) / items * 1e6, 1)}


def cpu_seconds(pid: int) -> float:
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    arguments = sys.argv[1:]
    count = int(arguments[0]) if arguments else 20_000
    parallel = int(arguments[1]) if len(arguments) > 1 else 4
    for kind in arguments[2:] or ["sync", "async"]:
        print(json.dumps(measure(count, parallel, kind)), flush=True)
