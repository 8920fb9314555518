"""Both directions of one HTTP/2 connection as frames, for tests of the client's core."""

from collections.abc import Sequence
from typing import NamedTuple

from delivery.http import http2_frames as wire
from delivery.http.connection import Ending
from delivery.http.http2_protocol import Http2Protocol
from delivery.http.request import Request, RequestTemplate

HOST = "api.example"
PATH = "/prod/@connections/"
SIGNED = "AWS4-HMAC-SHA256 Credential=key, Signature=0123"
SERVER_SETTINGS = wire.settings_frame(())
"""A server's first frame."""

OK_BLOCK, NO_BODY = b"\x88", wire.END_HEADERS | wire.END_STREAM
GONE_BLOCK = b"\x08\x03410"
LITTLE = b"hi"


def template(body: bytes = LITTLE, *, token: str = "") -> RequestTemplate:
    """Return what posts share."""
    fields = (("host", HOST), ("x-amz-date", "20261126T000000Z"))
    return RequestTemplate((*fields, ("x-amz-security-token", token)) if token else fields, body)


def request(shared: RequestTemplate, connection_id: str = "a") -> Request:
    """Return a post to one connection."""
    return Request(shared, PATH + connection_id, SIGNED)


def headers(stream_id: int, block: bytes = OK_BLOCK, flags: int = NO_BODY) -> bytes:
    """Return a response's head; by default all of a response."""
    return wire.frame(wire.HEADERS, flags, stream_id, block)


def data(stream_id: int, content: bytes, flags: int = wire.END_STREAM) -> bytes:
    """Return a part of a response's body; by default the last one."""
    return wire.frame(wire.DATA, flags, stream_id, content)


class Sent(NamedTuple):
    """A frame as its receiver finds it."""

    kind: int
    flags: int
    stream_id: int
    payload: bytes


def frames_in(sent: bytes) -> list[Sent]:
    """Return the frames that are whole; a client's preface is skipped."""
    position = len(wire.PREFACE) if sent.startswith(wire.PREFACE) else 0
    found = []
    while len(sent) - position >= wire.HEAD_BYTES:
        size, kind = int.from_bytes(sent[position : position + 3]), sent[position + 3]
        flags, stream_id = sent[position + 4], int.from_bytes(sent[position + 5 : position + 9])
        position += wire.HEAD_BYTES + size
        if position > len(sent):
            break
        payload = sent[position - size : position]
        found.append(Sent(kind, flags, stream_id & wire.MAX_STREAM_ID, payload))
    return found


class Client:
    """The core of one connection, whose preface has been sent, and whose server is known."""

    def __init__(self, *settings: tuple[wire.Setting, int]) -> None:
        self.core: Http2Protocol[str] = Http2Protocol(is_tls=True)
        self.feed(wire.settings_frame(settings))
        self.sent()

    def post(self, *tokens: str, body: bytes = LITTLE, now: float = 1.0) -> None:
        """Begin posts."""
        shared = template(body)
        for token in tokens:
            self.core.begin(token, request(shared, token), now)

    def feed(self, *frames: bytes) -> Sequence[Ending[str]]:
        """Take what the server has sent."""
        return self.core.feed(b"".join(frames))

    def sent(self) -> list[Sent]:
        """Return what was sent since the last call."""
        return frames_in(self.core.sender.take())
