"""HTTP/2 frames: how they are written, and what their numbers mean. No I/O. RFC 9113, 4 and 6."""

import struct
from collections.abc import Iterable
from enum import IntEnum
from typing import Final

from delivery.http.connection import MalformedAnswerError

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEAD_BYTES: Final = 9
HEAD: Final = struct.Struct(">IBI")
"""A frame's head: its length shifted left by 8 with its type, its flags, its stream."""

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS = 0x0, 0x1, 0x2, 0x3, 0x4
PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0x5, 0x6, 0x7, 0x8, 0x9

END_STREAM, ACK, END_HEADERS, PADDED, HAS_PRIORITY = 0x1, 0x1, 0x4, 0x8, 0x20

LEAST_MAX_FRAME_BYTES: Final = 2**14
"""Every peer takes frames of this size; we do not allow more: RFC 9113, 4.2."""

MOST_MAX_FRAME_BYTES: Final = 2**24 - 1
MAX_WINDOW_BYTES: Final = 2**31 - 1
MAX_STREAM_ID: Final = 2**31 - 1
FIRST_WINDOW_BYTES: Final = 65_535
"""Every window before it is changed: RFC 9113, 6.9.2."""

PRIORITY_BYTES: Final = 5
_NUMBER: Final = struct.Struct(">I")
_SETTING: Final = struct.Struct(">HI")
_GOAWAY: Final = struct.Struct(">II")


class ErrorCode(IntEnum):
    """Why a stream or a connection ends: RFC 9113, 7."""

    NO_ERROR = 0x0
    PROTOCOL_ERROR = 0x1
    INTERNAL_ERROR = 0x2
    FLOW_CONTROL_ERROR = 0x3
    SETTINGS_TIMEOUT = 0x4
    STREAM_CLOSED = 0x5
    FRAME_SIZE_ERROR = 0x6
    REFUSED_STREAM = 0x7
    CANCEL = 0x8
    COMPRESSION_ERROR = 0x9
    CONNECT_ERROR = 0xA
    ENHANCE_YOUR_CALM = 0xB
    INADEQUATE_SECURITY = 0xC
    HTTP_1_1_REQUIRED = 0xD


class Setting(IntEnum):
    """What a peer may announce: RFC 9113, 6.5.2."""

    HEADER_TABLE_SIZE = 0x1
    ENABLE_PUSH = 0x2
    MAX_CONCURRENT_STREAMS = 0x3
    INITIAL_WINDOW_SIZE = 0x4
    MAX_FRAME_SIZE = 0x5
    MAX_HEADER_LIST_SIZE = 0x6


class Http2Error(MalformedAnswerError):
    """The server broke the protocol: the connection ends, and `code` tells the server why."""

    def __init__(self, code: ErrorCode, found: bytes, expected: str) -> None:
        self.code = code
        super().__init__(found, expected)


def frame(kind: int, flags: int, stream_id: int, payload: bytes | memoryview = b"") -> bytes:
    """Return a whole frame."""
    return HEAD.pack(len(payload) << 8 | kind, flags, stream_id) + payload


def settings_frame(settings: Iterable[tuple[Setting, int]]) -> bytes:
    """Return a frame that announces settings."""
    return frame(SETTINGS, 0, 0, b"".join(_SETTING.pack(*setting) for setting in settings))


def rst_stream_frame(stream_id: int, code: ErrorCode) -> bytes:
    """Return a frame that ends one stream."""
    return frame(RST_STREAM, 0, stream_id, _NUMBER.pack(code))


def goaway_frame(code: ErrorCode) -> bytes:
    """Return a frame that ends a connection on which the peer has opened no stream."""
    return frame(GOAWAY, 0, 0, _GOAWAY.pack(0, code))


def window_update_frame(stream_id: int, size: int) -> bytes:
    """Return a frame that lets the peer send `size` more bytes; stream 0 is the connection."""
    return frame(WINDOW_UPDATE, 0, stream_id, _NUMBER.pack(size))


def wrong_size(payload: bytes, expected_bytes: int) -> Http2Error:
    """Return the error for a frame of another size than its type has."""
    return Http2Error(ErrorCode.FRAME_SIZE_ERROR, payload, f"a frame of {expected_bytes} bytes")


def number_of(payload: bytes) -> int:
    """Return the one number that a frame holds. Raises Http2Error when it holds anything else."""
    if len(payload) != _NUMBER.size:
        raise wrong_size(payload, _NUMBER.size)
    return int(_NUMBER.unpack(payload)[0])


def last_stream_and_code(payload: bytes) -> tuple[int, int]:
    """Return the last stream that GOAWAY promises to process, and its code. Raises Http2Error."""
    if len(payload) < _GOAWAY.size:
        raise wrong_size(payload, _GOAWAY.size)
    last_id, code = _GOAWAY.unpack_from(payload)
    return last_id & MAX_STREAM_ID, code


def name_of(code: int) -> str:
    """Return the name of an error code; a peer may send any number."""
    return ErrorCode(code).name if code in ErrorCode.__members__.values() else f"code {code}"


def settings_in(payload: bytes) -> Iterable[tuple[int, int]]:
    """Return the settings of a frame. Raises Http2Error when one is cut off."""
    if len(payload) % _SETTING.size:
        raise wrong_size(payload, len(payload) // _SETTING.size * _SETTING.size)
    return _SETTING.iter_unpack(payload)


def content_of(flags: int, payload: bytes) -> bytes:
    """Return what a DATA or HEADERS frame holds, without padding and priority.

    `flags` of a DATA frame must not include HAS_PRIORITY. Raises Http2Error.
    """
    start = bool(flags & PADDED) + PRIORITY_BYTES * bool(flags & HAS_PRIORITY)
    if start > len(payload):
        raise wrong_size(payload, start)
    end = len(payload) - (payload[0] if flags & PADDED else 0)
    if start > end:
        raise Http2Error(ErrorCode.PROTOCOL_ERROR, payload, "padding within the frame")
    return payload[start:end]
