"""The page's server: HTTP on a loopback port, in threads that end with the process."""

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from crier.errors import CrierError
from crier.local.environment import HOST
from crier.local.page.answers import HEADERS, Answer, Asked, refused

Respond = Callable[[Asked, int], Answer]
"""Answers a request that came to a port."""

_READ_SECONDS = 10.0
_LENGTH = re.compile("[0-9]{1,4}")


class _Server(ThreadingHTTPServer):
    request_queue_size = 128  # a browser opens many at once; one that finds no room waits a second

    def __init__(self, port: int, respond: Respond) -> None:
        super().__init__((HOST, port), _Handler)
        self.respond = respond

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of a browser that has gone away, as it does when a page is loaded again."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class _Handler(BaseHTTPRequestHandler):
    timeout = _READ_SECONDS  # a client that says nothing keeps no thread

    def do_GET(self) -> None:
        self._send(self._answer(b""))

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not _LENGTH.fullmatch(length):
            self._send(refused(413, f"found {length!r:.20} bytes, expected at most 9999"))
            return
        self._send(self._answer(self.rfile.read(int(length))))

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Refuse what is no GET or POST, or no HTTP, with the headers of every answer, too."""
        self._send(refused(code, message or explain or "expected a request of HTTP"))

    def version_string(self) -> str:
        return "crier"

    def log_message(self, *_: object) -> None:
        """Say nothing: the screen has the functions' lines."""

    def _answer(self, body: bytes) -> Answer:
        assert isinstance(self.server, _Server)
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = Asked(self.command, self.path, headers, body)
        return self.server.respond(asked, self.server.server_port)

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Cache-Control", answer.caching)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)


@contextmanager
def served(respond: Respond, *, port: int) -> Iterator[str]:
    """Serve until the block ends, and yield the URL; port 0 takes a free one. Raises CrierError."""
    try:
        server = _Server(port, respond)
    except OSError as error:
        raise CrierError(
            f"port {port} of {HOST} cannot be used for the page ({error.strerror}): choose "
            "another with --page-port, or leave --page-port out to take a free one"
        ) from error
    thread = Thread(target=server.serve_forever, args=(0.1,), daemon=True)
    thread.start()
    try:
        yield f"http://{HOST}:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
