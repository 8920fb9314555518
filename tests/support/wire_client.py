"""A hand-written HTTP client: it sends the bytes it is told to, and says what it got."""

import socket
import ssl
from collections.abc import Callable, Mapping
from http.client import HTTPResponse, parse_headers
from pathlib import Path
from typing import BinaryIO, Self
from urllib.parse import quote, urlsplit

from testbed.stand_in.reaction import Answer, Post, Reaction

TIMEOUT_SECONDS = 10.0
DATE = "20260102T030405Z"
HEADERS = {
    "Host": "127.0.0.1",
    "X-Amz-Date": DATE,
    "Authorization": (
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260102/eu-central-1/execute-api/aws4_request, "
        f"SignedHeaders=host;x-amz-date, Signature={'0123456789abcdef' * 4}"
    ),
}


def post_bytes(
    connection_id: str = "one=", body: bytes = b"hello", headers: Mapping[str, str] | None = None
) -> bytes:
    """Return the bytes of one post; headers are added, replaced, or left out when empty."""
    wanted = {**HEADERS, "Content-Length": str(len(body)), **(headers or {})}
    lines = [
        f"POST /prod/@connections/{quote(connection_id, safe='')} HTTP/1.1",
        *(f"{name}: {value}" for name, value in wanted.items() if value),
    ]
    return "\r\n".join([*lines, "\r\n"]).encode() + body


def always(reaction: Reaction) -> Callable[[Post], Reaction]:
    """Return a script that knows one reaction."""
    return lambda _post: reaction


def first_then_ok(reaction: Reaction) -> Callable[[Post], Reaction]:
    """Return a script with a reaction to a connection's first post, and 200 after that."""
    return lambda post: reaction if post.attempt == 1 else Answer(200)


def _read_body(stream: BinaryIO) -> bytes:
    stream.readline()
    return stream.read(int(parse_headers(stream)["Content-Length"]))


class Client:
    """One HTTP connection to a stand-in."""

    def __init__(self, url: str, ca_path: Path | None = None, *, name: str = "127.0.0.1") -> None:
        port = urlsplit(url).port
        assert port is not None
        self.tcp = socket.create_connection(("127.0.0.1", port), TIMEOUT_SECONDS)
        self.socket: socket.socket = self.tcp
        if ca_path is not None:
            context = ssl.create_default_context(cafile=str(ca_path))
            try:
                self.socket = context.wrap_socket(
                    self.tcp, server_hostname=name, suppress_ragged_eofs=False
                )
            except OSError:
                self.tcp.close()
                raise

    def send(self, data: bytes) -> None:
        """Send all of the bytes."""
        self.socket.sendall(data)

    def answer(self) -> tuple[int, bytes, dict[str, str]]:
        """Read one answer: its status, body and headers by lower-case name."""
        response = HTTPResponse(self.socket, method="POST")
        response.begin()
        headers = {name.lower(): value for name, value in response.getheaders()}
        return response.status, response.read(), headers

    def bodies(self, count: int) -> list[bytes]:
        """Read a number of answers that came without a pause; return their bodies."""
        with self.socket.makefile("rb") as stream:
            return [_read_body(stream) for _ in range(count)]

    def post(self, connection_id: str = "one=", body: bytes = b"hello") -> int:
        """Post, and return the answer's status."""
        self.send(post_bytes(connection_id, body))
        return self.answer()[0]

    def remainder(self) -> bytes:
        """Read until the end."""
        pieces = []
        while piece := self.socket.recv(65536):
            pieces.append(piece)
        return b"".join(pieces)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()
