"""Finds the frames in what the server sends, however it is cut. No I/O. RFC 9113, 4 and 6.10."""

from collections.abc import Iterator
from typing import Final

from delivery.http.http2_frames import (
    ACK,
    CONTINUATION,
    END_HEADERS,
    END_STREAM,
    HEAD,
    HEAD_BYTES,
    HEADERS,
    LEAST_MAX_FRAME_BYTES,
    MAX_STREAM_ID,
    SETTINGS,
    ErrorCode,
    Http2Error,
    content_of,
)

MAX_BLOCK_BYTES: Final = 64 * 1024
MAX_FRAMES_IN_VAIN: Final = 10_000
"""A server that sends more frames than this while no post gets on would do so for ever."""

FRAMES_PER_STEP: Final = 10
"""How many others each frame pays for by which a post gets on.

A server that opens two windows by a byte at a time, or sends a body so, is slow, not hostile.
"""

Frame = tuple[int, int, int, bytes]
"""Its type, its flags, its stream, and its payload."""

_ANSWER: Final = END_HEADERS | END_STREAM
"""The flags of a response without a body."""


class FrameReader:
    """Takes the bytes of one connection.

    Header blocks come out whole, as HEADERS without padding and priority; DATA comes as it is.
    """

    __slots__ = ("_block", "_buffer", "_is_first", "_others")

    def __init__(self) -> None:
        self._buffer = b""
        self._is_first = True
        self._block: Frame | None = None
        """A header block that is to be continued: nothing else may come before its end."""
        self._others = 0
        """How many frames have come by which no post got on."""

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Yield the frames that are whole now. Raises Http2Error."""
        buffer = self._buffer + data if self._buffer else data
        position, end = 0, len(buffer)
        while end - position >= HEAD_BYTES:
            head, flags, stream_id = HEAD.unpack_from(buffer, position)
            kind, start = head & 0xFF, position + HEAD_BYTES
            stop = start + (head >> 8)
            if stop - start > LEAST_MAX_FRAME_BYTES:
                expected = f"frames of up to {LEAST_MAX_FRAME_BYTES} bytes"
                raise Http2Error(ErrorCode.FRAME_SIZE_ERROR, buffer[position:], expected)
            if stop > end:
                break
            frame = kind, flags, stream_id & MAX_STREAM_ID, buffer[start:stop]
            position = stop
            if kind == HEADERS and flags == _ANSWER and not (self._block or self._is_first):
                yield frame  # the hot path
            elif whole := self._complete(frame):
                yield whole
        self._buffer = buffer[position:]

    def answered(self) -> None:
        """Take note that posts have been answered by what was fed."""
        self._others = 0

    def got_on(self) -> None:
        """Take note that a post has got on by the last frame: by a byte at least."""
        self._others = max(0, self._others - FRAMES_PER_STEP)

    def _complete(self, frame: Frame) -> Frame | None:
        """Return a frame as it can be used; None for a header block that is to be continued."""
        kind, flags, stream_id, payload = frame
        self._others += 1
        if self._others > MAX_FRAMES_IN_VAIN:
            expected = f"fewer than {MAX_FRAMES_IN_VAIN} frames by which no post gets on"
            raise Http2Error(ErrorCode.ENHANCE_YOUR_CALM, payload, expected)
        if self._is_first:
            if kind != SETTINGS or flags & ACK:
                raise _out_of_place(frame, "SETTINGS first")
            self._is_first = False
        if self._block:
            return self._continue(self._block, frame)
        if kind == CONTINUATION:
            raise _out_of_place(frame, "CONTINUATION after HEADERS only")
        if kind != HEADERS:
            return frame
        return self._whole((kind, flags, stream_id, content_of(flags, payload)))

    def _continue(self, begun: Frame, frame: Frame) -> Frame | None:
        _, begun_flags, stream_id, block = begun
        kind, flags, its_stream_id, payload = frame
        if (kind, its_stream_id) != (CONTINUATION, stream_id):
            raise _out_of_place(frame, f"CONTINUATION of stream {stream_id}")
        if len(block) + len(payload) > MAX_BLOCK_BYTES:
            expected = f"header blocks of up to {MAX_BLOCK_BYTES} bytes"
            raise Http2Error(ErrorCode.ENHANCE_YOUR_CALM, payload, expected)
        return self._whole((HEADERS, begun_flags | flags & END_HEADERS, stream_id, block + payload))

    def _whole(self, headers: Frame) -> Frame | None:
        is_whole = headers[1] & END_HEADERS
        self._block = None if is_whole else headers
        return headers if is_whole else None


def _out_of_place(frame: Frame, expected: str) -> Http2Error:
    kind, flags, stream_id, payload = frame
    found = f"frame {kind} of stream {stream_id}, flags {flags:#x}: ".encode() + payload
    return Http2Error(ErrorCode.PROTOCOL_ERROR, found, expected)
