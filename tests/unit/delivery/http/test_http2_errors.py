"""RFC 9113's errors, one by one: what the server sends, and what becomes of each post.

Stream 1 was given up, 3 was answered; 5 and 7 are under way, as posts "a" and "b", and of 7 the
status has come. Stream 9 and all after it were never opened.
"""

import pytest

from delivery.http import http2_frames as wire
from delivery.http.connection import MalformedAnswerError, Response
from delivery.http.http2_frame_reader import MAX_BLOCK_BYTES, MAX_FRAMES_IN_VAIN
from delivery.http.http2_frames import ErrorCode, Http2Error, Setting
from delivery.http.http2_settings import STREAM_WINDOW_BYTES
from tests.support.http2_wire import GONE_BLOCK, NO_BODY, Client, data, headers

GIVEN_UP, ANSWERED, OPEN, BEGUN, IDLE, EVEN = 1, 3, 5, 7, 9, 2
HEAD = wire.END_HEADERS
LARGEST = wire.LEAST_MAX_FRAME_BYTES
LOST = ConnectionError("lost")
PROTOCOL_ERROR, FLOW_CONTROL_ERROR = ErrorCode.PROTOCOL_ERROR, ErrorCode.FLOW_CONTROL_ERROR
FRAME_SIZE_ERROR, STREAM_CLOSED = ErrorCode.FRAME_SIZE_ERROR, ErrorCode.STREAM_CLOSED
COMPRESSION_ERROR, CALM = ErrorCode.COMPRESSION_ERROR, ErrorCode.ENHANCE_YOUR_CALM


def _client() -> Client:
    client = Client()
    client.post("given up", now=0.0)
    client.post("answered")
    client.post("a", "b", body=b"x" * 33_000)
    assert client.core.give_up(0.5, LOST) == [("given up", LOST)]
    assert len(client.feed(headers(ANSWERED), headers(BEGUN, GONE_BLOCK, HEAD))) == 1
    client.sent()
    return client


def _frame(kind: int, stream_id: int, payload: bytes = b"", flags: int = 0) -> bytes:
    return wire.frame(kind, flags, stream_id, payload)


def _continued(stream_id: int, *parts: bytes) -> bytes:
    """Return a header block without an end."""
    first, *others = parts
    more = [_frame(wire.CONTINUATION, stream_id, part) for part in others]
    return b"".join((_frame(wire.HEADERS, stream_id, first, wire.END_STREAM), *more))


def _setting(name: int, value: int) -> bytes:
    return _frame(wire.SETTINGS, 0, name.to_bytes(2) + value.to_bytes(4))


CONNECTION_ERRORS = {
    "4.1 and 4.2: a frame larger than we allow": (
        wire.HEAD.pack(LARGEST + 1 << 8 | 0x77, 0, 0),
        FRAME_SIZE_ERROR,
    ),
    "4.2: DATA larger than we allow": (
        wire.HEAD.pack(LARGEST + 1 << 8 | wire.DATA, 0, OPEN),
        FRAME_SIZE_ERROR,
    ),
    "4.3: a block that is no HPACK": (headers(OPEN, b"\xff"), COMPRESSION_ERROR),
    "4.3: a place in a table that we do not allow": (headers(OPEN, b"\xbe"), COMPRESSION_ERROR),
    "4.3.1: a table that we do not allow": (headers(OPEN, b"\x3f\xe1\x1f\x88"), COMPRESSION_ERROR),
    "5.1, idle: HEADERS": (headers(IDLE), PROTOCOL_ERROR),
    "5.1, idle: DATA": (data(IDLE, b"x"), PROTOCOL_ERROR),
    "5.1, idle: RST_STREAM": (_frame(wire.RST_STREAM, IDLE, bytes(4)), PROTOCOL_ERROR),
    "5.1, idle: WINDOW_UPDATE": (wire.window_update_frame(IDLE, 1), PROTOCOL_ERROR),
    "5.1, closed: HEADERS": (headers(ANSWERED), STREAM_CLOSED),
    "5.1, closed: DATA": (data(ANSWERED, b"x"), STREAM_CLOSED),
    "5.1, given up, its end has come: HEADERS": (headers(GIVEN_UP) * 2, STREAM_CLOSED),
    "5.1.1: a stream that only a server could open": (headers(EVEN), PROTOCOL_ERROR),
    "6.1: DATA of the connection": (data(0, b"x"), PROTOCOL_ERROR),
    "6.1: DATA with padding and nothing else": (
        _frame(wire.DATA, OPEN, b"", wire.PADDED),
        FRAME_SIZE_ERROR,
    ),
    "6.1: DATA with padding past its end": (
        _frame(wire.DATA, BEGUN, b"\x04abc", wire.PADDED),
        PROTOCOL_ERROR,
    ),
    "6.2: HEADERS of the connection": (headers(0), PROTOCOL_ERROR),
    "6.2: HEADERS with padding past its end": (
        headers(OPEN, b"\x02\x88", NO_BODY | wire.PADDED),
        PROTOCOL_ERROR,
    ),
    "6.2: HEADERS too small for their priority": (
        headers(OPEN, b"\x88", NO_BODY | wire.HAS_PRIORITY),
        FRAME_SIZE_ERROR,
    ),
    "6.2: HEADERS that are not continued": (
        _continued(OPEN, b"\x88") + _frame(wire.PING, 0, bytes(8)),
        PROTOCOL_ERROR,
    ),
    "6.2: HEADERS that another stream continues": (
        _continued(OPEN, b"\x88") + _frame(wire.CONTINUATION, BEGUN, b"", HEAD),
        PROTOCOL_ERROR,
    ),
    "6.3: PRIORITY of the connection": (_frame(wire.PRIORITY, 0, bytes(5)), PROTOCOL_ERROR),
    "6.3: PRIORITY of another size": (_frame(wire.PRIORITY, OPEN, bytes(4)), FRAME_SIZE_ERROR),
    "6.4: RST_STREAM of the connection": (_frame(wire.RST_STREAM, 0, bytes(4)), PROTOCOL_ERROR),
    "6.4: RST_STREAM of another size": (_frame(wire.RST_STREAM, OPEN, bytes(5)), FRAME_SIZE_ERROR),
    "6.4: RST_STREAM of a stream of the server's": (
        _frame(wire.RST_STREAM, EVEN, bytes(4)),
        PROTOCOL_ERROR,
    ),
    "6.5: SETTINGS of a stream": (_frame(wire.SETTINGS, OPEN), PROTOCOL_ERROR),
    "6.5: an acknowledgement of a stream": (
        _frame(wire.SETTINGS, OPEN, b"", wire.ACK),
        PROTOCOL_ERROR,
    ),
    "6.5: an acknowledgement that sets something": (
        _frame(wire.SETTINGS, 0, bytes(6), wire.ACK),
        FRAME_SIZE_ERROR,
    ),
    "6.5: SETTINGS that are cut off": (_frame(wire.SETTINGS, 0, bytes(7)), FRAME_SIZE_ERROR),
    "6.5.2: push enabled by the server": (_setting(Setting.ENABLE_PUSH, 1), PROTOCOL_ERROR),
    "6.5.2: a window that is too wide": (
        _setting(Setting.INITIAL_WINDOW_SIZE, 2**31),
        FLOW_CONTROL_ERROR,
    ),
    "6.5.2: frames that are too small": (_setting(Setting.MAX_FRAME_SIZE, 16_383), PROTOCOL_ERROR),
    "6.5.2: frames that are too large": (_setting(Setting.MAX_FRAME_SIZE, 2**24), PROTOCOL_ERROR),
    "6.6: PUSH_PROMISE, which we have disabled": (
        _frame(wire.PUSH_PROMISE, OPEN, b"\x00\x00\x00\x02\x82", HEAD),
        PROTOCOL_ERROR,
    ),
    "6.7: PING of a stream": (_frame(wire.PING, OPEN, bytes(8)), PROTOCOL_ERROR),
    "6.7: PING of another size": (_frame(wire.PING, 0, bytes(7)), FRAME_SIZE_ERROR),
    "6.7: an answer to PING of another size": (
        _frame(wire.PING, 0, bytes(9), wire.ACK),
        FRAME_SIZE_ERROR,
    ),
    "6.8: GOAWAY of a stream": (_frame(wire.GOAWAY, OPEN, bytes(8)), PROTOCOL_ERROR),
    "6.8: GOAWAY that is cut off": (_frame(wire.GOAWAY, 0, bytes(7)), FRAME_SIZE_ERROR),
    "6.9: WINDOW_UPDATE of another size": (
        _frame(wire.WINDOW_UPDATE, 0, bytes(3)),
        FRAME_SIZE_ERROR,
    ),
    "6.9: a stream's WINDOW_UPDATE of another size": (
        _frame(wire.WINDOW_UPDATE, OPEN, bytes(5)),
        FRAME_SIZE_ERROR,
    ),
    "6.9: the connection's window wider by 0": (wire.window_update_frame(0, 0), PROTOCOL_ERROR),
    "6.9: wider by 0, with the reserved bit": (
        _frame(wire.WINDOW_UPDATE, 0, b"\x80\x00\x00\x00"),
        PROTOCOL_ERROR,
    ),
    "6.9.1: the connection's window too wide": (
        wire.window_update_frame(0, wire.MAX_WINDOW_BYTES) * 2,
        FLOW_CONTROL_ERROR,
    ),
    "6.9.1: more DATA than a stream's window": (
        headers(GIVEN_UP, flags=HEAD)
        + data(GIVEN_UP, b"x" * LARGEST, 0) * (STREAM_WINDOW_BYTES // LARGEST)
        + data(GIVEN_UP, b"x", 0),
        FLOW_CONTROL_ERROR,
    ),
    "6.9.2: a waiting stream's window too wide by SETTINGS": (
        wire.window_update_frame(OPEN, 1)
        + wire.window_update_frame(BEGUN, wire.MAX_WINDOW_BYTES - wire.FIRST_WINDOW_BYTES)
        + _setting(Setting.INITIAL_WINDOW_SIZE, wire.MAX_WINDOW_BYTES),
        FLOW_CONTROL_ERROR,
    ),
    "6.10: CONTINUATION of nothing": (
        _frame(wire.CONTINUATION, OPEN, b"\x88", HEAD),
        PROTOCOL_ERROR,
    ),
    "6.10: CONTINUATION after the end of a block": (
        headers(OPEN) + _frame(wire.CONTINUATION, OPEN, b"", HEAD),
        PROTOCOL_ERROR,
    ),
    "6.10: CONTINUATION of the connection": (_frame(wire.CONTINUATION, 0), PROTOCOL_ERROR),
}
"""What ends the connection, and the code that the server is told: RFC 9113, 5.4.1."""

LATER = {"6.10: CONTINUATION after the end of a block": Response(200)}
"""What became of post "a" before the error, where it had ended."""


@pytest.mark.parametrize(
    ("sent", "code", "of_a"),
    [
        pytest.param(*case, LATER.get(name, LOST), id=name)
        for name, case in CONNECTION_ERRORS.items()
    ],
)
def test_connection_error_ends_all_posts(
    sent: bytes, code: ErrorCode, of_a: Response | Exception
) -> None:
    """With the status that has come, else with the reason; the server is told the code."""
    client = _client()

    with pytest.raises(Http2Error) as caught:
        client.feed(sent)
    endings = client.core.end(LOST)

    assert caught.value.code == code
    assert sorted(endings, key=lambda one: one[0]) == [("a", of_a), ("b", Response(410))]


STREAM_ERRORS = {
    "6.1 and 8.1: DATA before the status": (data(OPEN, b"x", 0), PROTOCOL_ERROR),
    "8.1: DATA, and the end, before the status": (data(OPEN, b"x"), PROTOCOL_ERROR),
    "8.1: DATA after news of a response": (
        headers(OPEN, b"\x08\x03103", HEAD) + data(OPEN, b"x"),
        PROTOCOL_ERROR,
    ),
    "8.1: a response that ends with news of itself": (
        headers(OPEN, b"\x08\x03100", NO_BODY),
        PROTOCOL_ERROR,
    ),
    "8.1: the end without a response": (data(OPEN, b""), PROTOCOL_ERROR),
    "8.2 and 8.3: a field before the status": (headers(OPEN, b"\x5f\x01x\x88"), PROTOCOL_ERROR),
    "8.2.1: a name in upper case": (headers(OPEN, b"\x00\x07:Status\x03200"), PROTOCOL_ERROR),
    "8.3.2: a request in place of a response": (headers(OPEN, b"\x82\x84\x87"), PROTOCOL_ERROR),
    "8.1.1: an empty block": (headers(OPEN, b""), PROTOCOL_ERROR),
    "8.3.2: no status": (headers(OPEN, b"\x76\x03abc"), PROTOCOL_ERROR),
    "8.3.2: a status that is no number": (headers(OPEN, b"\x08\x03abc"), PROTOCOL_ERROR),
    "8.6: 101 Switching Protocols": (headers(OPEN, b"\x08\x03101", HEAD), PROTOCOL_ERROR),
    "6.9: a stream's window wider by 0": (wire.window_update_frame(OPEN, 0), PROTOCOL_ERROR),
}
"""What ends stream 5, and the code that the server is told: RFC 9113, 5.4.2."""


def _codes(client: Client) -> list[tuple[int, int]]:
    resets = [frame for frame in client.sent() if frame.kind == wire.RST_STREAM]
    return [(frame.stream_id, int.from_bytes(frame.payload)) for frame in resets]


@pytest.mark.parametrize(
    ("sent", "code"),
    [pytest.param(*case, id=name) for name, case in STREAM_ERRORS.items()],
)
def test_stream_error_ends_its_post_only(sent: bytes, code: ErrorCode) -> None:
    """The others go on; what still comes of that stream is skipped."""
    client = _client()

    ((token, error),) = client.feed(sent)
    codes = _codes(client)
    others = client.feed(data(BEGUN, b"it is gone"))

    assert (token, isinstance(error, MalformedAnswerError)) == ("a", True)
    assert codes == [(OPEN, code)]
    assert others == [("b", Response(410, b"it is gone"))]
    assert client.core.is_usable


def test_stream_error_ends_a_post_whose_window_gets_too_wide() -> None:
    """6.9.1: it waits for the connection's window, while its own gets wider for ever."""
    client = _client()

    widest = wire.window_update_frame(BEGUN, wire.MAX_WINDOW_BYTES)
    endings = client.feed(widest)

    assert endings == [("b", Response(410))]
    assert _codes(client) == [(BEGUN, FLOW_CONTROL_ERROR)]
    assert client.feed(headers(OPEN)) == [("a", Response(200))]


@pytest.mark.parametrize(
    "late",
    [
        headers(OPEN, b"\x82", HEAD),
        headers(OPEN, GONE_BLOCK, HEAD),
        headers(OPEN, b"\x82"),
        data(OPEN, b"x", 0),
        data(OPEN, b"x"),
        wire.rst_stream_frame(OPEN, ErrorCode.STREAM_CLOSED),
        wire.window_update_frame(OPEN, 1),
        wire.window_update_frame(OPEN, 0),
        _frame(wire.PRIORITY, OPEN, bytes(5)),
    ],
)
def test_stream_that_was_given_up_may_hear_more(late: bytes) -> None:
    """The server may not know yet: RFC 9113, 5.1. Its post has ended already."""
    client = _client()
    assert len(client.feed(data(OPEN, b"x", 0))) == 1
    client.sent()

    assert client.feed(late) == []

    assert client.sent() == []


@pytest.mark.parametrize(
    "late",
    [
        wire.rst_stream_frame(ANSWERED, ErrorCode.NO_ERROR),
        wire.window_update_frame(ANSWERED, 1),
        _frame(wire.PRIORITY, ANSWERED, bytes(5)),
    ],
)
def test_stream_that_was_answered_may_hear_a_little_more(late: bytes) -> None:
    """These may have been on their way: RFC 9113, 5.1."""
    client = _client()

    assert client.feed(late) == []

    assert client.sent() == []


def test_stream_refuses_more_heads_than_one() -> None:
    """8.1: what follows the body is a trailer, and ends the stream. Its status counts."""
    client = _client()

    endings = client.feed(headers(BEGUN, b"\x88", HEAD))

    assert endings == [("b", Response(410))]
    assert _codes(client) == [(BEGUN, PROTOCOL_ERROR)]


FLOODS = {
    "PING": _frame(wire.PING, 0, bytes(8)),
    "answers to PING": _frame(wire.PING, 0, bytes(8), wire.ACK),
    "SETTINGS": _frame(wire.SETTINGS, 0),
    "SETTINGS that open and close windows": _setting(Setting.INITIAL_WINDOW_SIZE, 0)
    + _setting(Setting.INITIAL_WINDOW_SIZE, 1),
    "acknowledgements": _frame(wire.SETTINGS, 0, b"", wire.ACK),
    "empty DATA": data(BEGUN, b"", 0),
    "DATA that is padding": _frame(wire.DATA, BEGUN, b"\x00", wire.PADDED),
    "empty DATA of a stream that was given up": data(GIVEN_UP, b"", 0),
    "DATA of a stream that was given up": data(GIVEN_UP, b"x", 0),
    "CONTINUATION": _frame(wire.CONTINUATION, OPEN),
    "large CONTINUATION": _frame(wire.CONTINUATION, OPEN, b"x" * LARGEST),
    "RST_STREAM": wire.rst_stream_frame(ANSWERED, ErrorCode.CANCEL),
    "news of a response": headers(OPEN, b"\x08\x03103", HEAD),
    "HEADERS of a stream that was given up": headers(GIVEN_UP, flags=HEAD),
    "WINDOW_UPDATE": wire.window_update_frame(0, 1),
    "WINDOW_UPDATE of a stream": wire.window_update_frame(BEGUN, 1),
    "WINDOW_UPDATE of a stream that was answered": wire.window_update_frame(ANSWERED, 1),
    "PRIORITY": _frame(wire.PRIORITY, OPEN, bytes(5)),
    "GOAWAY": _frame(wire.GOAWAY, 0, (99).to_bytes(4) + bytes(4)),
    "frames of unknown types": _frame(0x77, 0),
}
ONCE = {"CONTINUATION": _continued(OPEN, b"\x88"), "large CONTINUATION": _continued(OPEN, b"\x88")}
"""What comes before a flood."""


@pytest.mark.parametrize("name", FLOODS)
def test_flood_ends_the_connection(name: str) -> None:
    """What is kept of it is bounded, and so is what is queued in answer."""
    client, piece = _client(), FLOODS[name] * 100
    client.core.feed(ONCE.get(name, b""))
    kept = []

    with pytest.raises(Http2Error) as caught:  # noqa: PT012 - a piece at a time, as it is read
        for _ in range(MAX_FRAMES_IN_VAIN // 100 + 99):
            assert client.feed(piece) == []
            kept.append(len(client.core._reader._buffer) + len(client.core.sender._queue))

    assert caught.value.code == CALM
    assert max(kept, default=0) <= MAX_FRAMES_IN_VAIN
    assert len(client.core._reader._block or b"") <= MAX_BLOCK_BYTES
    assert {token for token, _ in client.core.end(LOST)} == {"a", "b"}


def test_flood_of_posts_that_get_on_is_none() -> None:
    """A window that opens by the byte, and a body that comes by the byte, are slow, not hostile."""
    client, size = Client((Setting.INITIAL_WINDOW_SIZE, 0)), MAX_FRAMES_IN_VAIN + 9
    client.post("a", body=b"x" * size)

    for _ in range(size):
        client.feed(wire.window_update_frame(0, 1), wire.window_update_frame(1, 1))
    client.feed(headers(1, flags=HEAD))
    for _ in range(size):
        client.feed(data(1, b"y", 0))

    assert client.feed(data(1, b"")) == [("a", Response(200, b"y" * size))]
