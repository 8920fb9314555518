"""What an HTTP/2 client must not do: the stand-in ends its stream or its connection with a code.

The bytes are written by hand, frame by frame.
"""

import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from hpack import Encoder

from testbed.stand_in.behaviour import Behaviour
from testbed.stand_in.certificate import ServerCertificate
from testbed.stand_in.http2_frames import PREFACE, ErrorCode, Kind, Setting, frame, settings_frame
from testbed.stand_in.http2_settings import Http2Limits
from testbed.stand_in.reaction import Answer, Silence
from testbed.stand_in.report import Report
from testbed.stand_in.server import StandIn
from tests.support.http2_client import Http2Client, fields, tls_socket
from tests.support.wire_client import always

_HEADERS = 0x4
_WHOLE = 0x5
_PADDED = 0x8
_PRIORITISED = 0x20


def _block(connection_id: str = "one=", size_bytes: int = 5, **more: str) -> bytes:
    """Return a header block that uses no table."""
    encoder = Encoder()
    wanted = [(name, value, True) for name, value in fields(connection_id, size_bytes, **more)]
    block: bytes = encoder.encode(wanted, huffman=False)
    return block


def _post(stream_id: int) -> bytes:
    head = frame(Kind.HEADERS, _HEADERS, stream_id, _block())
    return head + frame(Kind.DATA, 0x1, stream_id, b"hello")


def _head(stream_id: int, **more: str) -> bytes:
    return frame(Kind.HEADERS, _WHOLE, stream_id, _block(size_bytes=0, **more))


OPEN = frame(Kind.HEADERS, _HEADERS, 1, _block())
"""A post whose body has not come yet."""


@contextmanager
def _client(
    certificate: ServerCertificate, limits: Http2Limits | None = None, *, is_silent: bool = False
) -> Iterator[tuple[Http2Client, Callable[[], Report]]]:
    script = always(Silence() if is_silent else Answer(200))
    with (
        StandIn(script, tls=certificate, limits=limits) as stand_in,
        Http2Client(stand_in.url, certificate.ca_path) as client,
    ):
        yield client, stand_in.report


_CONNECTION_ERRORS: dict[str, tuple[bytes, ErrorCode]] = {
    "even stream": (_post(2), ErrorCode.PROTOCOL_ERROR),
    "stream that goes back": (_post(5) + _post(3), ErrorCode.PROTOCOL_ERROR),
    "headers of stream 0": (frame(Kind.HEADERS, _HEADERS, 0, _block()), ErrorCode.PROTOCOL_ERROR),
    "data of stream 0": (frame(Kind.DATA, 0, 0, b"x"), ErrorCode.PROTOCOL_ERROR),
    "data of an idle stream": (frame(Kind.DATA, 0, 1, b"x"), ErrorCode.PROTOCOL_ERROR),
    "padding past the end": (
        OPEN + frame(Kind.DATA, _PADDED, 1, b"\x09hello"),
        ErrorCode.PROTOCOL_ERROR,
    ),
    "headers with nothing but padding": (
        frame(Kind.HEADERS, _HEADERS | _PADDED, 1, b"\x01"),
        ErrorCode.PROTOCOL_ERROR,
    ),
    "a lone continuation": (
        frame(Kind.CONTINUATION, _HEADERS, 1, _block()),
        ErrorCode.PROTOCOL_ERROR,
    ),
    "a ping within a header block": (
        frame(Kind.HEADERS, 0, 1, _block()[:9]) + frame(Kind.PING, 0, 0, bytes(8)),
        ErrorCode.PROTOCOL_ERROR,
    ),
    "a continuation of another stream": (
        frame(Kind.HEADERS, 0, 1, _block()[:9]) + frame(Kind.CONTINUATION, _HEADERS, 3, b""),
        ErrorCode.PROTOCOL_ERROR,
    ),
    "a header block without end": (
        frame(Kind.HEADERS, 0, 1, bytes(16_384))
        + 4 * frame(Kind.CONTINUATION, 0, 1, bytes(16_384)),
        ErrorCode.ENHANCE_YOUR_CALM,
    ),
    "a frame that is too large": (
        frame(Kind.HEADERS, _HEADERS, 1, bytes(16_385)),
        ErrorCode.FRAME_SIZE_ERROR,
    ),
    "a short ping": (frame(Kind.PING, 0, 0, b"x"), ErrorCode.FRAME_SIZE_ERROR),
    "a ping of a stream": (frame(Kind.PING, 0, 1, bytes(8)), ErrorCode.PROTOCOL_ERROR),
    "a short reset": (OPEN + frame(Kind.RST_STREAM, 0, 1, b"x"), ErrorCode.FRAME_SIZE_ERROR),
    "a reset of an idle stream": (
        frame(Kind.RST_STREAM, 0, 1, bytes(4)),
        ErrorCode.PROTOCOL_ERROR,
    ),
    "a reset of stream 0": (frame(Kind.RST_STREAM, 0, 0, bytes(4)), ErrorCode.PROTOCOL_ERROR),
    "a short priority": (frame(Kind.PRIORITY, 0, 1, b"x"), ErrorCode.FRAME_SIZE_ERROR),
    "a priority of stream 0": (frame(Kind.PRIORITY, 0, 0, bytes(5)), ErrorCode.PROTOCOL_ERROR),
    "cut settings": (frame(Kind.SETTINGS, 0, 0, b"12345"), ErrorCode.FRAME_SIZE_ERROR),
    "settings of a stream": (frame(Kind.SETTINGS, 0, 1), ErrorCode.PROTOCOL_ERROR),
    "an acknowledgement with settings": (
        frame(Kind.SETTINGS, 0x1, 0, bytes(6)),
        ErrorCode.FRAME_SIZE_ERROR,
    ),
    "push neither on nor off": (
        settings_frame([(Setting.ENABLE_PUSH, 2)]),
        ErrorCode.PROTOCOL_ERROR,
    ),
    "a window that is too wide": (
        settings_frame([(Setting.INITIAL_WINDOW_SIZE, 2**31)]),
        ErrorCode.FLOW_CONTROL_ERROR,
    ),
    "frames that are too small": (
        settings_frame([(Setting.MAX_FRAME_SIZE, 1)]),
        ErrorCode.PROTOCOL_ERROR,
    ),
    "push": (frame(Kind.PUSH_PROMISE, 0, 1, bytes(4)), ErrorCode.PROTOCOL_ERROR),
    "a cut goaway": (frame(Kind.GOAWAY, 0, 0, b"x"), ErrorCode.FRAME_SIZE_ERROR),
    "a goaway of a stream": (frame(Kind.GOAWAY, 0, 1, bytes(8)), ErrorCode.PROTOCOL_ERROR),
    "a short window update": (
        frame(Kind.WINDOW_UPDATE, 0, 0, b"x"),
        ErrorCode.FRAME_SIZE_ERROR,
    ),
    "a window update of 0": (
        frame(Kind.WINDOW_UPDATE, 0, 0, bytes(4)),
        ErrorCode.PROTOCOL_ERROR,
    ),
    "a window update of an idle stream": (
        frame(Kind.WINDOW_UPDATE, 0, 1, struct.pack(">I", 1)),
        ErrorCode.PROTOCOL_ERROR,
    ),
    "a connection's window that is too wide": (
        frame(Kind.WINDOW_UPDATE, 0, 0, struct.pack(">I", 2**31 - 1)),
        ErrorCode.FLOW_CONTROL_ERROR,
    ),
    "an index of nothing": (
        frame(Kind.HEADERS, _WHOLE, 1, b"\xff\x80\x01"),
        ErrorCode.COMPRESSION_ERROR,
    ),
    "a cut header block": (
        frame(Kind.HEADERS, _WHOLE, 1, _block()[:-1]),
        ErrorCode.COMPRESSION_ERROR,
    ),
    "a size update past the limit": (
        frame(Kind.HEADERS, _WHOLE, 1, b"\x3f\xe2\x1f" + _block()),
        ErrorCode.COMPRESSION_ERROR,
    ),
    "a size update after a field": (
        frame(Kind.HEADERS, _WHOLE, 1, _block() + b"\x20"),
        ErrorCode.COMPRESSION_ERROR,
    ),
    "wrong padding of a text": (
        frame(Kind.HEADERS, _WHOLE, 1, b"\x04\x81\x00"),
        ErrorCode.COMPRESSION_ERROR,
    ),
    "an integer without end": (
        frame(Kind.HEADERS, _WHOLE, 1, b"\xff" * 12),
        ErrorCode.COMPRESSION_ERROR,
    ),
}


@pytest.mark.parametrize(
    ("data", "code"), _CONNECTION_ERRORS.values(), ids=_CONNECTION_ERRORS.keys()
)
def test_stand_in_ends_the_connection_of_a_client_that_breaks_the_protocol(
    certificate: ServerCertificate, data: bytes, code: ErrorCode
) -> None:
    """It says why, and counts it."""
    with _client(certificate) as (client, report):
        client.socket.sendall(data)
        found = client.goaway()[1]
        client.wait_for_end()
        malformed = report().malformed

    assert (found, malformed) == (code, 1)


_STREAM_ERRORS: dict[str, tuple[bytes, ErrorCode]] = {
    "an upper-case name": (_head(1, **{"X-Amz": "1"}), ErrorCode.PROTOCOL_ERROR),
    "a connection's field": (_head(1, connection="close"), ErrorCode.PROTOCOL_ERROR),
    "a te": (_head(1, te="gzip"), ErrorCode.PROTOCOL_ERROR),
    "another host": (_head(1, host="elsewhere"), ErrorCode.PROTOCOL_ERROR),
    "no path": (_head(1, **{":path": ""}), ErrorCode.PROTOCOL_ERROR),
    "an unknown pseudo-header field": (_head(1, **{":status": "200"}), ErrorCode.PROTOCOL_ERROR),
    "a line break in a value": (_head(1, x="a\nb"), ErrorCode.PROTOCOL_ERROR),
    "a length that is none": (_head(1, **{"content-length": "x"}), ErrorCode.PROTOCOL_ERROR),
    "another length": (_head(1, **{"content-length": "3"}), ErrorCode.PROTOCOL_ERROR),
    "more than the length": (
        frame(Kind.HEADERS, _HEADERS, 1, _block(size_bytes=4)) + frame(Kind.DATA, 0x1, 1, b"hello"),
        ErrorCode.PROTOCOL_ERROR,
    ),
    "a window update of 0": (
        OPEN + frame(Kind.WINDOW_UPDATE, 0, 1, bytes(4)),
        ErrorCode.PROTOCOL_ERROR,
    ),
    "a window that is too wide": (
        OPEN + frame(Kind.WINDOW_UPDATE, 0, 1, struct.pack(">I", 2**31 - 1)),
        ErrorCode.FLOW_CONTROL_ERROR,
    ),
    "trailers that do not end": (
        OPEN + frame(Kind.HEADERS, _HEADERS, 1, b"\x00\x01a\x01b"),
        ErrorCode.PROTOCOL_ERROR,
    ),
}


@pytest.mark.parametrize(("data", "code"), _STREAM_ERRORS.values(), ids=_STREAM_ERRORS.keys())
def test_stand_in_resets_a_stream_that_breaks_the_protocol(
    certificate: ServerCertificate, data: bytes, code: ErrorCode
) -> None:
    """The connection goes on: the next post is answered."""
    with _client(certificate) as (client, report):
        client.socket.sendall(data + _post(3))
        _wait_for(client, 3)
        resets = [one for one in client.frames() if one[0] == Kind.RST_STREAM]
        malformed, delivered = report().malformed, report().delivered

    assert resets == [(Kind.RST_STREAM, 0, 1, struct.pack(">I", code))]
    assert (malformed, delivered) == (1, 1)


def _wait_for(client: Http2Client, stream_id: int) -> None:
    """Read until a stream has ended, of which the client's protocol knows nothing."""
    while stream_id not in client.ended():
        client.receive_raw()


def test_stand_in_refuses_streams_above_its_limit(certificate: ServerCertificate) -> None:
    """As soon as the limit is acknowledged; each one counts as malformed."""
    with _client(certificate, Http2Limits(max_streams=2), is_silent=True) as (client, report):
        client.until(lambda: client.protocol.remote_settings.max_concurrent_streams == 2)
        client.socket.sendall(b"".join(_post(stream_id) for stream_id in (1, 3, 5, 7)))
        while len(refused := [one[2] for one in client.frames() if one[0] == Kind.RST_STREAM]) < 2:
            client.receive_raw()
        found = report()

    assert refused == [5, 7]
    assert (found.posts, found.malformed, found.most_streams) == (2, 2, 2)


def test_stand_in_verifies_the_signatures_of_posts_that_it_reads_the_fast_way(
    certificate: ServerCertificate,
) -> None:
    """All posts but the first one are alike, and so are read."""
    behaviour = Behaviour(
        latency_median_seconds=0.0, verify_signatures=True, access_key="AKIDEXAMPLE", secret_key="x"
    )
    with (
        StandIn.of(behaviour, tls=certificate) as stand_in,
        Http2Client(stand_in.url, certificate.ca_path) as client,
    ):
        client.socket.sendall(b"".join(_post(stream_id) for stream_id in (1, 3, 5)))
        _wait_for(client, 5)
        report = stand_in.report()

    assert (report.unsigned, report.answers) == (3, {403: 3})


def test_stand_in_resets_a_stream_that_sends_past_its_window(
    certificate: ServerCertificate,
) -> None:
    """It was four bytes wide."""
    with _client(certificate, Http2Limits(window_bytes=4)) as (client, _):
        client.until(lambda: client.protocol.remote_settings.initial_window_size == 4)
        client.socket.sendall(OPEN + frame(Kind.DATA, 0, 1, b"hello"))
        while not (codes := _codes(client)):
            client.receive_raw()

    assert codes == [ErrorCode.FLOW_CONTROL_ERROR]


def _codes(client: Http2Client) -> list[int]:
    resets = [payload for kind, *_, payload in client.frames() if kind == Kind.RST_STREAM]
    return [struct.unpack(">I", payload)[0] for payload in resets]


def test_stand_in_reads_posts_in_unusual_frames(certificate: ServerCertificate) -> None:
    """Padding, priority, continuations, empty DATA, trailers, unknown frames: all are right."""
    block, size = _block(), len(_block())
    data = b"".join(
        (
            frame(
                Kind.HEADERS,
                _HEADERS | _PADDED | _PRIORITISED,
                1,
                b"\x03" + bytes(5) + block + b"pad",
            ),
            frame(Kind.DATA, 0, 1),
            frame(Kind.DATA, _PADDED, 1, b"\x02hel\x00\x00"),
            frame(Kind.DATA, 0x1, 1, b"lo"),
            frame(Kind.PRIORITY, 0, 1, bytes(5)),
            b"\x00\x00\x01\xee\xff\x00\x00\x00\x00x",
            frame(Kind.HEADERS, 0, 3, block[: size // 2]),
            frame(Kind.CONTINUATION, 0, 3, block[size // 2 : size - 1]),
            frame(Kind.CONTINUATION, _HEADERS, 3, block[size - 1 :]),
            frame(Kind.DATA, 0, 3, b"hello"),
            frame(Kind.HEADERS, _WHOLE, 3, b"\x00\x01a\x01b"),
            frame(Kind.HEADERS, _WHOLE, 5, _block(size_bytes=0, **{"content-length": ""})),
        )
    )
    with _client(certificate) as (client, report):
        for place in range(0, len(data), 7):
            client.socket.sendall(data[place : place + 7])
        for stream_id in (1, 3, 5):
            _wait_for(client, stream_id)
        found = report()

    assert (found.posts, found.malformed, found.answers) == (3, 0, {200: 3})


def test_stand_in_insists_on_the_preface(certificate: ServerCertificate) -> None:
    """What begins with anything else is not HTTP/2, and ends."""
    with StandIn(always(Answer(200)), tls=certificate) as stand_in:
        with Http2Client(stand_in.url, certificate.ca_path) as client:
            client.status(client.post())
        with _raw(stand_in, certificate, b"GET / HTTP/1.1\r\n\r\n") as data:
            assert data.endswith(b"expected the preface of HTTP/2")
        with _raw(stand_in, certificate, PREFACE + frame(Kind.PING, 0, 0, bytes(8))) as data:
            assert data.endswith(b"expected SETTINGS first")


@contextmanager
def _raw(stand_in: StandIn, certificate: ServerCertificate, sent: bytes) -> Iterator[bytes]:
    with tls_socket(stand_in.url, certificate.ca_path, "h2") as client:
        client.sendall(sent)
        received = b""
        while data := client.recv(65_536):
            received += data
        yield received
