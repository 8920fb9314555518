"""An HTTP/2 client that is not ours: the `h2` package on a blocking socket, with TLS."""

import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote, urlsplit

import h2.connection
import h2.events
import h2.exceptions
from h2.config import H2Configuration

from testbed.stand_in.http2_frames import END_STREAM, GOAWAY_HEAD, HEAD, HEAD_BYTES, Kind
from tests.support.wire_client import HEADERS, TIMEOUT_SECONDS

Event = h2.events.Event


def tls_socket(url: str, ca_path: Path, *protocols: str) -> ssl.SSLSocket:
    """Return a TLS connection to a stand-in, for which protocols were offered by ALPN."""
    context = ssl.create_default_context(cafile=str(ca_path))
    if protocols:
        context.set_alpn_protocols(protocols)
    tcp = socket.create_connection(("127.0.0.1", urlsplit(url).port), TIMEOUT_SECONDS)
    try:
        return context.wrap_socket(tcp, server_hostname="127.0.0.1", suppress_ragged_eofs=False)
    except OSError:
        tcp.close()
        raise


def fields(connection_id: str, size_bytes: int, **more: str) -> list[tuple[str, str]]:
    """Return the fields of a post; `more` adds, replaces or, where empty, leaves out."""
    usual = {
        ":method": "POST",
        ":scheme": "https",
        ":authority": HEADERS["Host"],
        ":path": f"/prod/@connections/{quote(connection_id, safe='')}",
        "x-amz-date": HEADERS["X-Amz-Date"],
        "authorization": HEADERS["Authorization"],
        "content-length": str(size_bytes),
    }
    wanted = {**usual, **more}
    return [(name, value) for name, value in wanted.items() if value]


class Http2Client:
    """One HTTP/2 connection to a stand-in; `settings` are the client's own."""

    def __init__(
        self, url: str, ca_path: Path, *, settings: Mapping[int, int] | None = None
    ) -> None:
        self.socket = tls_socket(url, ca_path, "h2")
        config = H2Configuration(header_encoding="utf-8", validate_outbound_headers=False)
        self.protocol = h2.connection.H2Connection(config)
        self.protocol.initiate_connection()
        self.protocol.update_settings(dict(settings or {}))
        self.events: list[Event] = []
        self.is_closed = self.was_reset = False
        self.received = b""
        self.flush()

    def post(
        self, connection_id: str = "one=", body: bytes = b"hello", *, is_whole: bool = True
    ) -> int:
        """Send a post, whole or only its head; return its stream."""
        return self.request(fields(connection_id, len(body)), body if is_whole else None)

    def request(self, wanted: list[tuple[str, str]], body: bytes | None = b"") -> int:
        """Send any fields, and a body; None leaves the stream open."""
        stream_id = self.protocol.get_next_available_stream_id()
        self.protocol.send_headers(stream_id, wanted)
        if body is not None:
            self.send_body(stream_id, body)
        self.flush()
        return stream_id

    def send_body(self, stream_id: int, body: bytes) -> None:
        """Send a body, as the windows allow."""
        while body:
            window = self.protocol.local_flow_control_window(stream_id)
            size = min(window, self.protocol.max_outbound_frame_size, len(body))
            if size <= 0:
                self.receive()
                continue
            self.protocol.send_data(stream_id, body[:size])
            body = body[size:]
            self.flush()
        self.protocol.end_stream(stream_id)
        self.flush()

    def flush(self) -> None:
        """Send what the protocol wants to send."""
        self.socket.sendall(self.protocol.data_to_send())

    def receive(self) -> None:
        """Read once; note what has come.

        The package takes nothing after GOAWAY, though answers may follow: see `ended`.
        """
        try:
            data = self.socket.recv(65_536)
        except OSError:
            self.was_reset = True
            data = b""
        is_over = bool(self.goaways())
        self.received += data
        self.is_closed = not data
        if not data or is_over:
            return
        with suppress(h2.exceptions.ProtocolError):
            for event in self.protocol.receive_data(data):
                self._take(event)
        with suppress(OSError):  # what was read counts; the next read tells of the end
            self.flush()

    def _take(self, event: Event) -> None:
        self.events.append(event)
        if isinstance(event, h2.events.DataReceived):
            size = event.flow_controlled_length
            self.protocol.acknowledge_received_data(size, event.stream_id)

    def receive_raw(self) -> None:
        """Read once, of streams that the package knows nothing of: see `frames`."""
        self.received += self.socket.recv(65_536)

    def frames(self) -> Iterator[tuple[int, int, int, bytes]]:
        """Yield kind, flags, stream and payload of the frames that have come."""
        place = 0
        while place < len(self.received):
            head, flags, stream_id = HEAD.unpack_from(self.received, place)
            begin = place + HEAD_BYTES
            place = begin + (head >> 8)
            yield head & 0xFF, flags, stream_id, self.received[begin:place]

    def ended(self) -> set[int]:
        """Return the streams of which all has come, those after GOAWAY included."""
        parts = [one for one in self.frames() if one[0] in (Kind.DATA, Kind.HEADERS)]
        return {stream_id for _, flags, stream_id, _ in parts if flags & END_STREAM}

    def goaways(self) -> list[tuple[int, int]]:
        """Return last stream and code of all GOAWAYs."""
        payloads = [payload for kind, *_, payload in self.frames() if kind == Kind.GOAWAY]
        return [(last, code) for last, code in map(GOAWAY_HEAD.unpack_from, payloads)]

    def until(self, is_so: Callable[[], bool]) -> None:
        """Read until something is so, or fail when the connection closes before."""
        while not is_so():
            assert not self.is_closed, "closed too early"
            self.receive()

    def found(self, kind: type[Any], stream_id: int | None = None) -> list[Any]:
        """Return the events of a kind, those of one stream or all."""
        events = [event for event in self.events if isinstance(event, kind)]
        return [one for one in events if stream_id in (None, getattr(one, "stream_id", None))]

    def status(self, stream_id: int) -> int:
        """Wait for the end of an answer; return its status."""
        self.until(lambda: bool(self.found(h2.events.StreamEnded, stream_id)))
        return int(self.headers(stream_id)[":status"])

    def headers(self, stream_id: int) -> dict[str, str]:
        """Wait for the head of an answer; return its fields."""
        self.until(lambda: bool(self.found(h2.events.ResponseReceived, stream_id)))
        return dict(self.found(h2.events.ResponseReceived, stream_id)[0].headers)

    def body(self, stream_id: int) -> bytes:
        """Return what has come of an answer's body."""
        return b"".join(one.data for one in self.found(h2.events.DataReceived, stream_id))

    def reset_code(self, stream_id: int) -> int:
        """Wait until a stream is reset; return the code."""
        self.until(lambda: bool(self.found(h2.events.StreamReset, stream_id)))
        return int(self.found(h2.events.StreamReset, stream_id)[0].error_code)

    def goaway(self) -> tuple[int, int]:
        """Wait for GOAWAY; return its last stream and its code."""
        self.until(lambda: bool(self.goaways()))
        return self.goaways()[0]

    def wait_for_end(self) -> None:
        """Read until the server closes the connection."""
        while not self.is_closed:
            self.receive()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()
