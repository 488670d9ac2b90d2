"""A server on Python's standard library, as its documentation has it: it says nothing of signals."""

import os
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LARGE = b"." * 64 * 1024 * 1024
REFUSED = b"." * 200 * 1024


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/slow":
            time.sleep(2)
            self.answer(200, b"done\n")
        elif self.path == "/large":
            self.answer(200, LARGE)
        else:
            self.answer(200, b"hello\n")

    def do_POST(self):
        self.answer(413, REFUSED)

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *args):
        pass


if __name__ == "__main__":
    address = ("127.0.0.1", int(os.environ["PORT"]))
    ThreadingHTTPServer(address, Handler).serve_forever()
