"""What goes to the server keeps to its windows and frame sizes: another implementation judges."""

from typing import Any

import pytest
from h2.settings import SettingCodes
from hypothesis import given
from hypothesis import strategies as st

from delivery.http import http2_frames as wire
from delivery.http.http2_frames import ErrorCode, Http2Error, Setting
from delivery.http.http2_sender import WINDOW_BYTES, Sender
from delivery.http.http2_settings import OURS, StreamLimit
from delivery.http.http2_stream import Stream
from tests.support.http2_oracle import Oracle
from tests.support.http2_wire import LITTLE, Sent, frames_in, request, template

WIDE = 2**20
BODIES = st.sampled_from([0, 1, 2, 99, 16_384, 16_385, 65_535, 65_536, 127 * 1024])
SIZES = st.sampled_from([1, 2, 50, 16_384, 65_535, 100_000, WIDE])
SETTINGS = st.dictionaries(
    st.just(SettingCodes.INITIAL_WINDOW_SIZE),
    st.sampled_from([0, 1, 98, 65_535, 2**20]),
    max_size=1,
).flatmap(
    lambda windows: st.fixed_dictionaries(
        {},
        optional={
            SettingCodes.HEADER_TABLE_SIZE: st.sampled_from([0, 60, 1_000, 4_096, 65_536]),
            SettingCodes.MAX_FRAME_SIZE: st.sampled_from([16_384, 16_385, 2**20, 2**24 - 1]),
        },
    ).map(lambda others: others | windows)
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("post"), BODIES, st.integers(0, 8_000)),
        st.tuples(st.just("settings"), SETTINGS, st.just(0)),
        st.tuples(st.just("connection"), SIZES, st.just(0)),
        st.tuples(st.just("stream"), SIZES, st.integers(0, 9)),
    ),
    max_size=25,
)


def _take(oracle: Oracle, step: tuple[str, Any, int], sent: dict[int, bytes]) -> None:
    kind, value, number = step
    waiting = [stream_id for stream_id in sent if stream_id not in oracle.ended]
    if kind == "post" and oracle.core.room:
        stream_id = 1 + 2 * len(sent)
        sent[stream_id] = bytes((stream_id % 251,)) * value
        oracle.post(str(stream_id), sent[stream_id], session_token="t" * number)
    elif kind == "settings" and value:
        oracle.settings(value)
    elif kind == "connection":
        oracle.server.increment_flow_control_window(value)
    elif kind == "stream" and waiting:
        oracle.server.increment_flow_control_window(value, waiting[number % len(waiting)])
    oracle.exchange()


@given(STEPS)
def test_sender_keeps_to_what_the_server_allows(steps: list[tuple[str, Any, int]]) -> None:
    """Windows of any size, widened in any order, lowered below zero; frames and tables of any."""
    oracle, sent = Oracle(), dict[int, bytes]()

    for step in steps:
        _take(oracle, step, sent)
    oracle.settings({SettingCodes.INITIAL_WINDOW_SIZE: WIDE})
    oracle.server.increment_flow_control_window(WIDE * 4)
    for waiting in [one for one in sent if one not in oracle.ended]:
        oracle.server.increment_flow_control_window(2**24, waiting)
    oracle.exchange()

    assert oracle.bodies == sent
    assert sorted(oracle.ended) == list(sent)
    assert oracle.core.sender._blocked == {}
    lengths = [fields["content-length"] for fields in oracle.fields.values()]
    assert lengths == [str(len(body)) for body in sent.values()]


def _sender(*settings: tuple[Setting, int]) -> Sender:
    """Return a sender whose preface has been sent."""
    sender = Sender(is_tls=True, limit=StreamLimit())
    sender.take_settings(wire.settings_frame(settings)[wire.HEAD_BYTES :])
    sender.take()
    return sender


def _begin(sender: Sender, stream_id: int, body: bytes, token: str = "") -> Stream[str]:
    stream = Stream("a", 0.0)
    sender.begin(stream_id, stream, request(template(body, token=token)))
    return stream


def _shapes(sent: bytes) -> list[tuple[int, int, int, int]]:
    """Return each frame's type, flags, stream and size."""
    return [(*frame[:3], len(frame.payload)) for frame in frames_in(sent)]


def test_sender_begins_with_the_preface() -> None:
    """Our settings, and a wide window for all responses together; nothing twice."""
    sender = Sender(is_tls=True, limit=StreamLimit())

    sent = sender.take()

    assert sent.startswith(wire.PREFACE)
    assert frames_in(sent) == [
        Sent(wire.SETTINGS, 0, 0, wire.settings_frame(OURS)[wire.HEAD_BYTES :]),
        Sent(wire.WINDOW_UPDATE, 0, 0, (WINDOW_BYTES - wire.FIRST_WINDOW_BYTES).to_bytes(4)),
    ]
    assert (sender.has_unsent, sender.take()) == (False, b"")


def test_sender_sends_a_post_in_two_frames() -> None:
    """Head and body; nothing waits."""
    sender = _sender()

    stream = _begin(sender, 1, LITTLE)

    assert sender.has_unsent
    head, body = frames_in(sender.take())
    assert head[:3] == (wire.HEADERS, wire.END_HEADERS, 1)
    assert body == (wire.DATA, wire.END_STREAM, 1, LITTLE)
    assert not stream.unsent


def test_sender_sends_a_post_without_a_body_in_one_frame() -> None:
    """The head ends the request."""
    sender = _sender()

    _begin(sender, 1, b"")

    ((kind, flags, stream_id, _),) = frames_in(sender.take())
    assert (kind, flags, stream_id) == (wire.HEADERS, wire.END_HEADERS | wire.END_STREAM, 1)


@pytest.mark.parametrize("body", [b"", LITTLE])
def test_sender_continues_a_head_that_is_larger_than_a_frame(body: bytes) -> None:
    """RFC 9113, 6.10: nothing comes between, and its end is in the first frame."""
    sender = _sender()

    _begin(sender, 1, body, token="t" * 40_000)

    end = 0 if body else wire.END_STREAM
    shapes = _shapes(sender.take())
    assert [shape[:3] for shape in shapes[:3]] == [
        (wire.HEADERS, end, 1),
        (wire.CONTINUATION, 0, 1),
        (wire.CONTINUATION, wire.END_HEADERS, 1),
    ]
    assert [size for *_, size in shapes[:2]] == [wire.LEAST_MAX_FRAME_BYTES] * 2
    assert shapes[3:] == ([(wire.DATA, wire.END_STREAM, 1, 2)] if body else [])


def test_sender_splits_a_body_and_waits_for_the_streams_window() -> None:
    """A frame of ours is larger than the window that every stream begins with."""
    sender = _sender()

    stream = _begin(sender, 1, b"x" * 70_000)
    sender.widen(WIDE)
    first = [size for kind, _, _, size in _shapes(sender.take()) if kind == wire.DATA]
    is_of_use = sender.widen_stream(1, 1)
    second = _shapes(sender.take())
    sender.widen_stream(1, 10_000)
    last = _shapes(sender.take())

    assert first == [16_384, 16_384, 16_384, 16_383]
    assert (is_of_use, second) == (True, [(wire.DATA, 0, 1, 1)])
    assert last == [(wire.DATA, wire.END_STREAM, 1, 70_000 - 65_536)]
    assert not stream.unsent


def test_sender_sends_larger_frames_when_the_server_takes_them() -> None:
    """RFC 9113, 6.5.2: up to 16 MiB."""
    sender = _sender((Setting.MAX_FRAME_SIZE, 2**16))

    _begin(sender, 1, b"x" * 65_535)

    assert _shapes(sender.take())[1] == (wire.DATA, wire.END_STREAM, 1, 65_535)


def test_sender_waits_for_the_connections_window_the_oldest_stream_first() -> None:
    """It is for all streams together."""
    sender = _sender()
    _begin(sender, 1, b"x" * 65_535)
    streams = {stream_id: _begin(sender, stream_id, b"abc") for stream_id in (3, 5)}
    sender.take()

    room, is_of_use = sender.room, sender.widen(4)
    sent = frames_in(sender.take())

    assert (room, is_of_use, sender.room) == (0, True, 0)
    assert sent == [(wire.DATA, wire.END_STREAM, 3, b"abc"), (wire.DATA, 0, 5, b"a")]
    assert not streams[3].unsent
    assert bytes(streams[5].unsent) == b"bc"


def test_sender_takes_a_window_that_gets_negative() -> None:
    """It was lowered after more had been sent: that must be made up for first. RFC 9113, 6.9.2."""
    sender = _sender()
    sender.widen(WIDE)
    _begin(sender, 1, b"x" * 65_536)
    sender.take()

    sender.take_settings(wire.settings_frame([(Setting.INITIAL_WINDOW_SIZE, 0)])[9:])
    acknowledged = frames_in(sender.take())
    is_of_use = [sender.widen_stream(1, size) for size in (65_534, 1, 1)]
    sent = _shapes(sender.take())

    assert acknowledged == [(wire.SETTINGS, wire.ACK, 0, b"")]
    assert is_of_use == [False, False, True]
    assert sent == [(wire.DATA, wire.END_STREAM, 1, 1)]


def test_sender_goes_on_when_settings_widen_the_windows() -> None:
    """They apply to the streams that are open, after the acknowledgement."""
    sender = _sender((Setting.INITIAL_WINDOW_SIZE, 0))
    _begin(sender, 1, b"abc")
    sender.take()

    sender.take_settings(wire.settings_frame([(Setting.INITIAL_WINDOW_SIZE, 2)])[9:])

    assert frames_in(sender.take()) == [
        (wire.SETTINGS, wire.ACK, 0, b""),
        (wire.DATA, 0, 1, b"ab"),
    ]


@pytest.mark.parametrize("ending", ["forget", "reset"])
def test_sender_sends_nothing_more_of_a_stream_that_has_ended(ending: str) -> None:
    """By the server, or by us."""
    sender = _sender((Setting.INITIAL_WINDOW_SIZE, 0))
    _begin(sender, 1, b"abc")
    sender.take()

    if ending == "reset":
        sender.reset(1, ErrorCode.CANCEL)
    else:
        sender.forget(1)
    is_of_use = sender.widen_stream(1, 99), sender.widen(99)

    reset = [(wire.RST_STREAM, 0, 1, b"\x00\x00\x00\x08")] if ending == "reset" else []
    assert is_of_use == (False, False)
    assert frames_in(sender.take()) == reset


def test_sender_sends_control_frames() -> None:
    """Pings and their answers, leave to send more, and why the connection ends."""
    sender = _sender()

    sender.ping(b"12345678", is_answer=False)
    sender.ping(b"87654321", is_answer=True)
    sender.allow(99)
    sender.go_away(ErrorCode.PROTOCOL_ERROR)

    assert frames_in(sender.take()) == [
        (wire.PING, 0, 0, b"12345678"),
        (wire.PING, wire.ACK, 0, b"87654321"),
        (wire.WINDOW_UPDATE, 0, 0, (99).to_bytes(4)),
        (wire.GOAWAY, 0, 0, bytes(7) + b"\x01"),
    ]


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        (Setting.ENABLE_PUSH, 1, ErrorCode.PROTOCOL_ERROR),
        (Setting.ENABLE_PUSH, 2, ErrorCode.PROTOCOL_ERROR),
        (Setting.INITIAL_WINDOW_SIZE, 2**31, ErrorCode.FLOW_CONTROL_ERROR),
        (Setting.MAX_FRAME_SIZE, 2**14 - 1, ErrorCode.PROTOCOL_ERROR),
        (Setting.MAX_FRAME_SIZE, 2**24, ErrorCode.PROTOCOL_ERROR),
    ],
)
def test_sender_refuses_settings_out_of_bounds(name: Setting, value: int, code: ErrorCode) -> None:
    """RFC 9113, 6.5.2; the connection ends."""
    with pytest.raises(Http2Error, match=rf"{value}.*expected {name.name} from") as caught:
        _sender((name, value))

    assert caught.value.code == code


def test_sender_skips_settings_that_it_does_not_know() -> None:
    """RFC 9113, 6.5.2: they must be ignored, and the frame acknowledged."""
    sender = Sender(is_tls=True, limit=StreamLimit())
    before = [getattr(sender.settings, name) for name in ("max_streams", "window_bytes")]
    sender.take()

    sender.take_settings(b"\x00\x08\x00\x00\x00\x01" + b"\xff\xff\xff\xff\xff\xff")

    assert frames_in(sender.take()) == [(wire.SETTINGS, wire.ACK, 0, b"")]
    assert [getattr(sender.settings, name) for name in ("max_streams", "window_bytes")] == before


def test_sender_refuses_windows_that_get_too_wide() -> None:
    """2^31 - 1 bytes are the most, whether by WINDOW_UPDATE or by settings: RFC 9113, 6.9.1."""
    sender = _sender()
    _begin(sender, 1, b"x" * wire.FIRST_WINDOW_BYTES)
    _begin(sender, 3, b"it waits for the connection's window")
    sender.widen_stream(3, wire.MAX_WINDOW_BYTES - wire.FIRST_WINDOW_BYTES)
    wider = wire.settings_frame([(Setting.INITIAL_WINDOW_SIZE, wire.FIRST_WINDOW_BYTES + 1)])

    with pytest.raises(Http2Error) as of_stream:
        sender.widen_stream(3, 1)
    with pytest.raises(Http2Error) as of_settings:
        sender.take_settings(wider[wire.HEAD_BYTES :])
    sender.forget(3)
    sender.widen(wire.MAX_WINDOW_BYTES)
    with pytest.raises(Http2Error) as of_connection:
        sender.widen(1)

    codes = [caught.value.code for caught in (of_connection, of_stream, of_settings)]
    assert codes == [ErrorCode.FLOW_CONTROL_ERROR] * 3


def test_sender_refuses_windows_that_get_no_wider() -> None:
    """RFC 9113, 6.9: by 0 bytes; also for a stream that waits for nothing."""
    sender = _sender()

    with pytest.raises(Http2Error, match="a window that gets wider") as of_connection:
        sender.widen(0)
    with pytest.raises(Http2Error, match="a window that gets wider") as of_stream:
        sender.widen_stream(1, 0)

    codes = {of_connection.value.code, of_stream.value.code}
    assert codes == {ErrorCode.PROTOCOL_ERROR}


def test_sender_copies_no_body_while_a_window_opens_by_the_byte() -> None:
    """The posts of a frame share its body, however slowly each one gets on."""
    sender, body = _sender((Setting.INITIAL_WINDOW_SIZE, 0)), b"x" * 127 * 1024
    stream = Stream("a", 0.0)
    sender.begin(1, stream, request(template(body)))

    for _ in range(10):
        sender.widen_stream(1, 1)

    assert isinstance(stream.unsent, memoryview)
    assert stream.unsent.obj is body
    assert len(stream.unsent) == len(body) - 10


def test_sender_cuts_bodies_into_few_frames_when_the_bytes_of_each_are_given_back() -> None:
    """By a frame for the connection and one for the stream: no window is left in bits."""
    sender, waiting, sizes = _sender(), range(1, 41, 2), list[int]()
    for stream_id in waiting:
        _begin(sender, stream_id, b"x" * 127 * 1024)

    while sender.has_unsent:
        came = [frame for frame in frames_in(sender.take()) if frame.kind == wire.DATA]
        for frame in came:
            sizes.append(len(frame.payload))
            sender.widen(sizes[-1])
            sender.widen_stream(frame.stream_id, sizes[-1])

    assert sum(sizes) == len(waiting) * 127 * 1024
    assert len(sizes) <= 2 * sum(sizes) / wire.LEAST_MAX_FRAME_BYTES


def test_sender_sends_what_the_old_settings_allow_before_it_acknowledges_new_ones() -> None:
    """The server counts by its new windows from the acknowledgement on: RFC 9113, 6.9.2."""
    sender = _sender((Setting.INITIAL_WINDOW_SIZE, 1))
    _begin(sender, 1, b"abcd")
    sender.take()

    sender.widen_stream(1, 2)
    sender.take_settings(wire.settings_frame([(Setting.INITIAL_WINDOW_SIZE, 0)])[9:])
    sent = frames_in(sender.take())

    assert sent == [(wire.DATA, 0, 1, b"bc"), (wire.SETTINGS, wire.ACK, 0, b"")]


def test_sender_sends_what_the_windows_allow_before_it_resets_a_stream() -> None:
    """It counts on the connection's window, and nothing may follow the reset: RFC 9113, 5.1."""
    sender = _sender((Setting.INITIAL_WINDOW_SIZE, 1))
    _begin(sender, 1, b"abcd")
    sender.take()

    sender.widen_stream(1, 2)
    sender.reset(1, ErrorCode.CANCEL)
    kinds = [frame.kind for frame in frames_in(sender.take())]

    assert kinds == [wire.DATA, wire.RST_STREAM]
