"""Finds frames, and posts that fit a template, in what an HTTP/2 client sends."""

from collections.abc import Iterator

from testbed.stand_in.http2_frames import (
    ACK,
    END_HEADERS,
    HEAD,
    HEAD_BYTES,
    MAX_STREAM_ID,
    PADDED,
    PREFACE,
    PRIORITISED,
    PRIORITY_BYTES,
    ErrorCode,
    Http2Error,
    Kind,
    Setting,
)
from testbed.stand_in.http2_settings import Announced
from testbed.stand_in.http2_template import START_BYTES, QuickPost, Template

MAX_BLOCK_BYTES = 64 * 1024

Frame = tuple[int, int, int, bytes]
"""Kind, flags, stream and payload. A header block comes whole and without padding."""


class FrameReader:
    """The bytes of one connection, however they are split."""

    def __init__(self, announced: Announced) -> None:
        self._announced = announced
        self._buffer = b""
        self._has_begun = False
        self._has_settings = False
        self._block: Frame | None = None
        self._templates: dict[bytes, Template] = {}

    def keep(self, template: Template) -> None:
        """Read posts by a template from now on."""
        self._templates[template.start] = template

    def forget_templates(self) -> None:
        """Read posts the long way: what was known of them may mean something else by now."""
        self._templates.clear()

    def feed(self, data: bytes) -> Iterator[Frame | tuple[Template, list[QuickPost]]]:
        """Yield what has come as a whole. Raises Http2Error."""
        buffer = self._buffer + data if self._buffer else data
        if not self._has_begun and not self._take_preface(buffer):
            self._buffer = buffer
            return
        position, end = 0 if self._has_begun else len(PREFACE), len(buffer)
        self._has_begun = True
        while end - position >= HEAD_BYTES:
            template = self._templates.get(buffer[position : position + START_BYTES])
            posts = template.read(buffer, position) if template else None
            if template and posts:
                position += template.size_bytes * len(posts)
                yield template, posts
                continue
            found = self._read_frame(buffer, position, end)
            if found is None:
                break
            frame, position = found
            whole = self._complete(frame)
            if whole is not None:
                yield whole
        self._buffer = buffer[position:]

    def _take_preface(self, buffer: bytes) -> bool:
        if not buffer.startswith(PREFACE[: len(buffer)]):
            raise Http2Error(ErrorCode.PROTOCOL_ERROR, "expected the preface of HTTP/2")
        return len(buffer) >= len(PREFACE)

    def _read_frame(self, buffer: bytes, position: int, end: int) -> tuple[Frame, int] | None:
        """Return the frame at a position, and where it ends; None when it is not whole."""
        first, flags, stream_id = HEAD.unpack_from(buffer, position)
        begin = position + HEAD_BYTES
        stop = begin + (first >> 8)
        most = self._announced.values[Setting.MAX_FRAME_SIZE]
        if stop - begin > most:
            raise Http2Error(ErrorCode.FRAME_SIZE_ERROR, f"expected frames up to {most} bytes")
        if stop > end:
            return None
        return (first & 0xFF, flags, stream_id & MAX_STREAM_ID, buffer[begin:stop]), stop

    def _complete(self, frame: Frame) -> Frame | None:
        """Return a frame that can be used; None for a header block that is not whole."""
        kind, flags, stream_id, payload = frame
        if not self._has_settings and (kind != Kind.SETTINGS or flags & ACK):
            raise Http2Error(ErrorCode.PROTOCOL_ERROR, "expected SETTINGS first")
        self._has_settings = True
        if self._block is not None:
            return self._continue(self._block, frame)
        if kind == Kind.CONTINUATION:
            raise Http2Error(ErrorCode.PROTOCOL_ERROR, "expected CONTINUATION after HEADERS only")
        if kind == Kind.DATA:
            return kind, flags, stream_id, payload  # all of it counts for the windows
        if kind != Kind.HEADERS:
            return frame
        return self._whole((kind, flags, stream_id, content_of(flags, payload)))

    def _continue(self, begun: Frame, frame: Frame) -> Frame | None:
        kind, flags, stream_id, payload = frame
        if (kind, stream_id) != (Kind.CONTINUATION, begun[2]):
            raise Http2Error(ErrorCode.PROTOCOL_ERROR, "expected CONTINUATION of the header block")
        block = begun[3] + payload
        if len(block) > MAX_BLOCK_BYTES:
            raise Http2Error(
                ErrorCode.ENHANCE_YOUR_CALM, f"expected header blocks up to {MAX_BLOCK_BYTES} bytes"
            )
        return self._whole((Kind.HEADERS, begun[1] | flags & END_HEADERS, stream_id, block))

    def _whole(self, headers: Frame) -> Frame | None:
        is_whole = bool(headers[1] & END_HEADERS)
        self._block = None if is_whole else headers
        return headers if is_whole else None


def content_of(flags: int, payload: bytes) -> bytes:
    """Return what DATA or HEADERS hold, without padding and priority. Raises Http2Error."""
    begin, end = 0, len(payload)
    if flags & PADDED:
        begin, end = 1, end - (payload[0] if payload else 0)
    if flags & PRIORITISED:
        begin += PRIORITY_BYTES
    if begin > end:
        raise Http2Error(ErrorCode.PROTOCOL_ERROR, "expected less padding than the frame's length")
    return payload[begin:end]
