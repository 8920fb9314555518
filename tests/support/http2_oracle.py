"""A server without I/O whose HTTP/2 is not ours: the `h2` package reads and writes.

What breaks the protocol makes it raise: a window that is passed, a frame that is too large, a
header block without the size updates that are due.
"""

from collections.abc import Mapping
from typing import Any

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, Event, RequestReceived, StreamEnded, StreamReset

from delivery.http import http2_frames as wire
from delivery.http.connection import Ending
from delivery.http.http2_protocol import Http2Protocol
from tests.support.http2_wire import LITTLE, frames_in, request, template


class Oracle:
    """The core of a connection, and a server around it; what each sends, the other takes at once.

    `bodies` has what has come of each stream, `fields` its header fields; `ended` the streams whose
    request is whole, `given_up` those that were reset.
    """

    def __init__(self) -> None:
        self.core: Http2Protocol[str] = Http2Protocol(is_tls=True)
        self.server = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        self.server.initiate_connection()
        self.fields: dict[int, dict[str, str]] = {}
        self.bodies: dict[int, bytes] = {}
        self.ended: list[int] = []
        self.given_up: list[int] = []
        self.endings = list[Ending[str]]()
        self.exchange()

    def exchange(self, piece_bytes: int = 2**20) -> None:
        """Let both ends take all that the other one has sent, the client's in pieces."""
        while (to_client := self.server.data_to_send()) or self.core.sender.has_unsent:
            for at in range(0, len(to_client), piece_bytes):
                self.endings += self.core.feed(to_client[at : at + piece_bytes])
            for frame in _frame_by_frame(self.core.sender.take()):
                for event in self.server.receive_data(frame):
                    self._take(event)

    def post(self, token: str, body: bytes = LITTLE, *, session_token: str = "") -> None:
        """Begin a post of a template of its own; each token is a connection's id, too."""
        self.core.begin(token, request(template(body, token=session_token), token), 1.0)

    def settings(self, settings: Mapping[Any, int]) -> None:
        """Let the server announce settings."""
        self.server.update_settings(dict(settings))
        self.exchange()

    def respond(self, stream_id: int, status: int, body: bytes = b"", **fields: str) -> None:
        """Let the server queue a response, its body in one frame."""
        head = [(":status", str(status)), *fields.items()]
        self.server.send_headers(stream_id, head, end_stream=not body)
        if body:
            self.server.send_data(stream_id, body, end_stream=True)

    def _take(self, event: Event) -> None:
        if isinstance(event, RequestReceived):
            self.fields[event.stream_id] = dict(event.headers or ())  # type: ignore[arg-type]
            self.bodies[event.stream_id] = b""
        elif isinstance(event, DataReceived):
            self.bodies[event.stream_id] += event.data
        elif isinstance(event, StreamEnded):
            self.ended.append(event.stream_id)
        elif isinstance(event, StreamReset):
            self.given_up.append(event.stream_id)


def _frame_by_frame(sent: bytes) -> list[bytes]:
    """Return what was sent in pieces: `h2` takes larger frames from the next piece on only."""
    preface = [wire.PREFACE] if sent.startswith(wire.PREFACE) else []
    return preface + [wire.frame(*frame) for frame in frames_in(sent)]
