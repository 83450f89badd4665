"""A server on this machine that serves files, and fails in every way that servers do."""

import contextlib
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from polytensor.files import download


class Handler(BaseHTTPRequestHandler):
    """/KIND/NAME: the file NAME, served as KIND says."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_GET(self):
        kind, _, name = self.path[1:].partition("/")
        self.server.seen.append((self.path, self.headers.get("Range")))
        data = self.server.files.get(name)
        if kind == "redirect":
            self.send_response(302)
            self.send_header("Location", f"/good/{name}")
            self.send_header("Content-Length", "0")
            return self.end_headers()
        if kind == "missing" or data is None:
            return self.send_error(404)
        if kind == "wrong":
            data = bytes(len(data))
        start, asked = 0, self.headers.get("Range")
        if asked and kind != "norange":
            start = int(re.fullmatch(r"bytes=(\d+)-", asked).group(1))
            if start >= len(data):
                return self.send_error(416)
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        else:
            self.send_response(200)
        rest = data[start:]
        self.send_header("Content-Length", str(len(rest)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        if kind in ("norange", "half"):  # half of what is left, then the end
            rest = rest[: max(1, len(rest) // 2)] if len(rest) > 40 or kind == "norange" else rest
        elif kind == "cut":  # never more than the first bytes
            rest = rest[: max(0, 10 - start)]
        elif kind == "stall":
            self.wfile.write(rest[: max(0, 10 - start)])
            self.wfile.flush()
            self.server.go.wait(20)
            return None
        self.wfile.write(rest)


@contextlib.contextmanager
def serving():
    """The server, with its files {name: bytes}, its address `at` and what was asked for, `seen`."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads, server.files, server.seen, server.go = True, {}, [], threading.Event()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    server.at = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield server
    finally:
        server.go.set()
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="module")
def server():
    with serving() as made:
        yield made


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(download, "TIMEOUT", 0.3)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
