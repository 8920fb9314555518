"""Frames as bytes, with another implementation as the judge, and what is wrong with some."""

import pytest
from hyperframe.frame import Frame as OracleFrame
from hypothesis import given
from hypothesis import strategies as st

from delivery.http import http2_frames as wire
from delivery.http.http2_frames import ErrorCode, Http2Error, Setting

STREAMS = st.integers(1, wire.MAX_STREAM_ID)
CODES = st.sampled_from(ErrorCode)


def _read(frame: bytes) -> OracleFrame:
    """Return a frame as another implementation reads it."""
    read, size = OracleFrame.parse_frame_header(memoryview(frame[: wire.HEAD_BYTES]))
    assert len(frame) == wire.HEAD_BYTES + size
    read.parse_body(memoryview(frame[wire.HEAD_BYTES :]))
    return read


@given(STREAMS, st.binary(max_size=300), st.booleans())
def test_frame_is_read_by_another_implementation(
    stream_id: int,
    content: bytes,
    is_end: bool,  # noqa: FBT001 - a parameter of Hypothesis's
) -> None:
    """Type, flags, stream and payload."""
    read = _read(wire.frame(wire.DATA, wire.END_STREAM * is_end, stream_id, content))

    assert read.serialize() == wire.frame(wire.DATA, wire.END_STREAM * is_end, stream_id, content)
    assert (read.stream_id, getattr(read, "data", None)) == (stream_id, content)
    assert ("END_STREAM" in read.flags) is is_end


@given(st.dictionaries(st.sampled_from(Setting), st.integers(0, 2**32 - 1)))
def test_settings_frame_is_read_by_another_implementation(settings: dict[Setting, int]) -> None:
    """Names and values; and we read it, too."""
    frame = wire.settings_frame(settings.items())

    assert getattr(_read(frame), "settings", None) == settings
    assert dict(wire.settings_in(frame[wire.HEAD_BYTES :])) == settings


@given(STREAMS, CODES, st.integers(1, wire.MAX_WINDOW_BYTES))
def test_control_frame_is_read_by_another_implementation(
    stream_id: int, code: ErrorCode, size: int
) -> None:
    """RST_STREAM, GOAWAY and WINDOW_UPDATE."""
    reset, leave = _read(wire.rst_stream_frame(stream_id, code)), _read(wire.goaway_frame(code))
    widened = _read(wire.window_update_frame(stream_id, size))

    assert (reset.stream_id, getattr(reset, "error_code", None)) == (stream_id, code)
    assert (leave.stream_id, getattr(leave, "error_code", None)) == (0, code)
    assert getattr(leave, "last_stream_id", None) == 0
    assert (widened.stream_id, getattr(widened, "window_increment", None)) == (stream_id, size)


def test_number_is_read_from_four_bytes_only() -> None:
    """RST_STREAM and WINDOW_UPDATE hold one number."""
    assert wire.number_of(b"\x00\x00\x01\x02") == 258
    for payload in (b"", b"\x00" * 3, b"\x00" * 5):
        with pytest.raises(Http2Error, match="a frame of 4 bytes") as caught:
            wire.number_of(payload)
        assert caught.value.code == ErrorCode.FRAME_SIZE_ERROR


def test_goaway_is_read_without_its_reserved_bit_and_debug_data() -> None:
    """What is left is a stream, and a code: RFC 9113, 6.8."""
    payload = b"\xff\xff\xff\xff\x00\x00\x00\x0btoo many"

    assert wire.last_stream_and_code(payload) == (wire.MAX_STREAM_ID, ErrorCode.ENHANCE_YOUR_CALM)
    with pytest.raises(Http2Error, match="a frame of 8 bytes"):
        wire.last_stream_and_code(payload[:7])


@pytest.mark.parametrize("size", [1, 5, 7])
def test_settings_that_are_cut_off_are_an_error(size: int) -> None:
    """Each takes six bytes: RFC 9113, 6.5."""
    with pytest.raises(Http2Error) as caught:
        wire.settings_in(b"\x00" * size)

    assert caught.value.code == ErrorCode.FRAME_SIZE_ERROR


def test_error_code_has_a_name_whatever_its_number() -> None:
    """A peer may send any: RFC 9113, 7."""
    assert wire.name_of(0xB) == "ENHANCE_YOUR_CALM"
    assert wire.name_of(0xFFFF_FFFF) == "code 4294967295"


@pytest.mark.parametrize(
    ("flags", "payload", "content"),
    [
        (0, b"", b""),
        (0, b"abc", b"abc"),
        (wire.PADDED, b"\x00abc", b"abc"),
        (wire.PADDED, b"\x02abc\x00\x00", b"abc"),
        (wire.PADDED, b"\x02\x00\x00", b""),
        (wire.HAS_PRIORITY, b"\x00\x00\x00\x00\x10abc", b"abc"),
        (wire.PADDED | wire.HAS_PRIORITY, b"\x01\x00\x00\x00\x00\x10abc\x00", b"abc"),
    ],
)
def test_content_is_what_is_no_padding_and_no_priority(
    flags: int, payload: bytes, content: bytes
) -> None:
    """DATA may be padded, HEADERS may have both: RFC 9113, 6.1 and 6.2."""
    assert wire.content_of(flags, payload) == content


@pytest.mark.parametrize(
    ("flags", "payload", "code"),
    [
        (wire.PADDED, b"", ErrorCode.FRAME_SIZE_ERROR),
        (wire.HAS_PRIORITY, b"\x00" * 4, ErrorCode.FRAME_SIZE_ERROR),
        (wire.PADDED | wire.HAS_PRIORITY, b"\x00" * 5, ErrorCode.FRAME_SIZE_ERROR),
        (wire.PADDED, b"\x01", ErrorCode.PROTOCOL_ERROR),
        (wire.PADDED, b"\x04abc", ErrorCode.PROTOCOL_ERROR),
        (wire.PADDED | wire.HAS_PRIORITY, b"\x01" + b"\x00" * 5, ErrorCode.PROTOCOL_ERROR),
    ],
)
def test_content_is_an_error_when_the_frame_is_too_small(
    flags: int, payload: bytes, code: ErrorCode
) -> None:
    """Too small for what must be there, or for its padding: RFC 9113, 4.2 and 6.1."""
    with pytest.raises(Http2Error) as caught:
        wire.content_of(flags, payload)

    assert caught.value.code == code
