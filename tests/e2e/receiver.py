"""A receiver of webhooks that can fail, hang and recover."""

import http.server
import json
import threading


class Receiver:
    """Keeps what it took. `mode`: "take", a status to answer with, or "hang"."""

    def __init__(self, port):
        self.port, self.mode = port, "take"
        self.taken, self.tries = [], 0
        self.headers = {}
        self.lock, self.released = threading.Lock(), threading.Event()
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.on_message(self, body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    @property
    def url(self):
        return "http://127.0.0.1:%d" % self.port

    def on_message(self, handler, body):
        with self.lock:
            self.tries += 1
            mode = self.mode
        if mode == "hang":
            self.released.wait(60)
            handler.close_connection = True
            return
        if mode == "take":
            with self.lock:
                self.taken.append((handler.path, json.loads(body)))
                self.raw = body
                self.headers = {k.lower(): v for k, v in handler.headers.items()}
        handler.send_response(200 if mode == "take" else int(mode))
        handler.send_header("content-length", "2")
        handler.end_headers()
        handler.wfile.write(b"ok")

    def alerts(self):
        """Of our own kind of webhook: (status, kind, subject), in the order they came."""
        with self.lock:
            return [(a["status"], a["kind"], a["subject"]) for _, m in self.taken for a in m["alerts"]]

    def bodies(self):
        with self.lock:
            return [m for _, m in self.taken]

    def close(self):
        self.released.set()
        self.server.shutdown()
        self.server.server_close()
