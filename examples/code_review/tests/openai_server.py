"""A local server in the shape of OpenAI's chat completions, for tests of the critic."""
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TEXT = "Split `alpha` first: <b>it</b> does two things.\nThen look at beta."
USAGE = {"prompt_tokens": 321, "completion_tokens": 45, "total_tokens": 366,
         "prompt_tokens_details": {"cached_tokens": 12},
         "completion_tokens_details": {"reasoning_tokens": 7}}


class OpenAiServer:
    """`scripted` answers come first: (status, body); `raw` is sent in place of any answer.

    With `hold` set an answer waits for `stop`. `location` goes with a redirect.
    """

    def __init__(self):
        self.requests = []
        self.scripted = []
        self.raw = None
        self.hold = False
        self.location = ""
        self._stopping = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.requests.append((self.path, dict(self.headers), body))
                if outer.hold:
                    outer._stopping.wait(60)
                    return
                if outer.raw is not None:
                    self.wfile.write(outer.raw)
                    return
                status, answer = outer.scripted.pop(0) if outer.scripted else (200, {
                    "model": body["model"] + "-2024", "usage": USAGE,
                    "choices": [{"message": {"role": "assistant", "content": TEXT}}]})
                text = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                if outer.location:
                    self.send_header("Location", outer.location)
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *args):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def stop(self):
        self._stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
