"""Frames in bytes that come in any pieces; what is out of place; what would never end."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery.http import http2_frames as wire
from delivery.http.http2_frame_reader import (
    FRAMES_PER_STEP,
    MAX_BLOCK_BYTES,
    MAX_FRAMES_IN_VAIN,
    Frame,
    FrameReader,
)
from delivery.http.http2_frames import ErrorCode, Http2Error
from tests.support.http2_wire import NO_BODY, SERVER_SETTINGS, data, headers

PING = wire.frame(wire.PING, 0, 0, b"x" * 8)
CONTINUED = wire.frame(wire.HEADERS, wire.END_STREAM, 1, b"\x88")
KINDS = st.integers(0, 255).filter(lambda kind: kind not in {wire.HEADERS, wire.CONTINUATION})
FRAMES = st.tuples(KINDS, st.integers(0, 255), st.integers(0, 2**31 - 1), st.binary(max_size=40))
BLOCKS = st.lists(st.binary(max_size=20), min_size=1, max_size=4)


def _read(*pieces: bytes) -> list[Frame]:
    reader = FrameReader()
    return [frame for piece in (SERVER_SETTINGS, *pieces) for frame in reader.feed(piece)][1:]


def _begun() -> FrameReader:
    """Return a reader that has read the server's first frame."""
    reader = FrameReader()
    assert len(list(reader.feed(SERVER_SETTINGS))) == 1
    return reader


def _block(stream_id: int, parts: list[bytes], padding: int) -> bytes:
    """Return a header block in as many frames, the first one padded and with a priority."""
    first = bytes((padding,)) + b"\x00" * 5 + parts[0] + b"\x00" * padding
    flags = wire.END_STREAM | wire.PADDED | wire.HAS_PRIORITY
    kinds = [(wire.HEADERS, flags, first)] + [(wire.CONTINUATION, 0, part) for part in parts[1:]]
    *others, (kind, flags, last) = kinds
    sent = [wire.frame(kind, flags, stream_id, payload) for kind, flags, payload in others]
    return b"".join((*sent, wire.frame(kind, flags | wire.END_HEADERS, stream_id, last)))


@given(st.data(), st.lists(FRAMES, max_size=6))
def test_reader_finds_the_frames_however_they_are_cut(
    any_data: st.DataObject, frames: list[Frame]
) -> None:
    """Frames of any type, unknown ones among them."""
    sent = b"".join(wire.frame(*frame) for frame in frames)
    cuts = sorted(any_data.draw(st.lists(st.integers(0, len(sent)), max_size=8)))

    found = _read(*(sent[start:end] for start, end in pairwise((0, *cuts, len(sent)))))

    assert found == frames


@given(st.lists(st.tuples(BLOCKS, st.integers(0, 30)), min_size=1, max_size=4), st.integers(1, 99))
def test_reader_returns_header_blocks_whole(
    blocks: list[tuple[list[bytes], int]], piece_bytes: int
) -> None:
    """Without padding and priority, whatever the number of frames, and with the first one's end."""
    sent = b"".join(_block(1, parts, padding) for parts, padding in blocks)

    found = _read(*(sent[at : at + piece_bytes] for at in range(0, len(sent), piece_bytes)))

    assert [payload for *_, payload in found] == [b"".join(parts) for parts, _ in blocks]
    assert all(kind == wire.HEADERS and flags & NO_BODY == NO_BODY for kind, flags, *_ in found)


def test_reader_skips_the_reserved_bit_of_a_stream() -> None:
    """RFC 9113, 4.1: it must be ignored."""
    assert _read(wire.frame(wire.DATA, 0, 2**31 + 3, b"x")) == [(wire.DATA, 0, 3, b"x")]


@pytest.mark.parametrize(
    "first", [PING, headers(1), wire.frame(wire.SETTINGS, wire.ACK, 0), data(1, b"x")]
)
def test_reader_wants_settings_first(first: bytes) -> None:
    """RFC 9113, 3.4; an acknowledgement is none."""
    with pytest.raises(Http2Error, match="expected SETTINGS first") as caught:
        list(FrameReader().feed(first))

    assert caught.value.code == ErrorCode.PROTOCOL_ERROR


def test_reader_refuses_what_is_no_http2_before_all_of_it_has_come() -> None:
    """A server that speaks HTTP/1.1 after all: its text would be a frame of 4.7 million bytes."""
    with pytest.raises(Http2Error, match=r"HTTP/1\.1 400 Bad") as caught:
        list(FrameReader().feed(b"HTTP/1.1 400 Bad Request\r\n\r\n"))

    assert caught.value.code == ErrorCode.FRAME_SIZE_ERROR


@pytest.mark.parametrize("kind", [wire.DATA, wire.HEADERS, wire.CONTINUATION, 0x77])
def test_reader_refuses_a_frame_that_is_too_large(kind: int) -> None:
    """Its head is enough; the largest one that we allow is read: RFC 9113, 4.2."""
    largest = wire.frame(wire.DATA, 0, 1, b"x" * wire.LEAST_MAX_FRAME_BYTES)
    head = wire.HEAD.pack(wire.LEAST_MAX_FRAME_BYTES + 1 << 8 | kind, 0, 1)

    assert _read(largest) == [(wire.DATA, 0, 1, largest[wire.HEAD_BYTES :])]
    with pytest.raises(Http2Error, match="frames of up to 16384 bytes") as caught:
        _read(head)
    assert caught.value.code == ErrorCode.FRAME_SIZE_ERROR


@pytest.mark.parametrize(
    "sent",
    [
        wire.frame(wire.CONTINUATION, wire.END_HEADERS, 1, b"\x88"),
        headers(1) + wire.frame(wire.CONTINUATION, wire.END_HEADERS, 1),
        CONTINUED + PING,
        CONTINUED + headers(1),
        CONTINUED + data(1, b"x"),
        CONTINUED + wire.frame(0x77, 0, 1),
        CONTINUED + wire.frame(wire.CONTINUATION, wire.END_HEADERS, 3),
    ],
)
def test_reader_refuses_a_header_block_with_anything_within(sent: bytes) -> None:
    """RFC 9113, 6.10: nothing comes between, and no CONTINUATION comes by itself."""
    with pytest.raises(Http2Error, match="CONTINUATION") as caught:
        _read(sent)

    assert caught.value.code == ErrorCode.PROTOCOL_ERROR


def test_reader_ends_a_header_block_that_grows_for_ever() -> None:
    """The flood of 2024: what it keeps is bounded."""
    reader, more = _begun(), wire.frame(wire.CONTINUATION, 0, 1, b"x" * 10_000)
    assert list(reader.feed(CONTINUED + more * (MAX_BLOCK_BYTES // 10_000))) == []

    with pytest.raises(Http2Error, match=f"up to {MAX_BLOCK_BYTES} bytes") as caught:
        list(reader.feed(more))

    assert caught.value.code == ErrorCode.ENHANCE_YOUR_CALM


@pytest.mark.parametrize(
    "frame", [PING, data(1, b"", flags=0), wire.frame(0x77, 0, 0), headers(1, flags=4)]
)
def test_reader_ends_what_answers_nothing_for_ever(frame: bytes) -> None:
    """A post that is answered begins the count anew."""
    reader, flood = _begun(), frame * (MAX_FRAMES_IN_VAIN - 1)
    assert len(list(reader.feed(flood))) == MAX_FRAMES_IN_VAIN - 1

    reader.answered()
    count = len(list(reader.feed(flood + frame)))
    with pytest.raises(Http2Error, match="frames by which no post gets on") as caught:
        list(reader.feed(frame))

    assert count == MAX_FRAMES_IN_VAIN
    assert caught.value.code == ErrorCode.ENHANCE_YOUR_CALM


def test_reader_allows_some_frames_for_each_by_which_a_post_gets_on() -> None:
    """A slow server may go on for ever; one that sends more besides may not."""
    reader, few, many = _begun(), PING * FRAMES_PER_STEP, PING * (FRAMES_PER_STEP + 100)

    for _ in range(MAX_FRAMES_IN_VAIN // FRAMES_PER_STEP + 9):
        list(reader.feed(few))
        reader.got_on()
    with pytest.raises(Http2Error) as caught:  # noqa: PT012 - a step at a time
        for _ in range(MAX_FRAMES_IN_VAIN // 100 + 1):
            list(reader.feed(many))
            reader.got_on()

    assert caught.value.code == ErrorCode.ENHANCE_YOUR_CALM


def test_reader_ends_empty_continuations_for_ever() -> None:
    """They make no block larger, and no frame comes out."""
    reader, empty = _begun(), wire.frame(wire.CONTINUATION, 0, 1)

    with pytest.raises(Http2Error) as caught:
        list(reader.feed(CONTINUED + empty * MAX_FRAMES_IN_VAIN))

    assert caught.value.code == ErrorCode.ENHANCE_YOUR_CALM


def test_reader_counts_no_answers_without_a_body() -> None:
    """These are what a connection is for: each ends a post, or the connection."""
    answers = headers(1) * 100

    reader = _begun()

    assert sum(len(list(reader.feed(answers))) for _ in range(200)) == 20_000
