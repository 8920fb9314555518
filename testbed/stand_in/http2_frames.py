"""HTTP/2 frames as the stand-in writes them, and what their numbers mean. RFC 9113, 4, 6 and 7.

All of the stand-in's HTTP/2 is its own: a mistake that it shared with the client would not show.
"""

import struct
from collections.abc import Iterable
from enum import IntEnum

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEAD = struct.Struct(">IBI")
"""The first four bytes of a frame are its length and, in the lowest byte, its kind."""

HEAD_BYTES = 9
NUMBER = struct.Struct(">I")
SETTING = struct.Struct(">HI")
GOAWAY_HEAD = struct.Struct(">II")

MAX_STREAM_ID = 2**31 - 1
MAX_WINDOW_BYTES = 2**31 - 1
USUAL_WINDOW_BYTES = 65_535
USUAL_FRAME_BYTES = 16_384
USUAL_TABLE_BYTES = 4_096
PING_BYTES = 8
PRIORITY_BYTES = 5

END_STREAM = ACK = 0x1
END_HEADERS = 0x4
PADDED = 0x8
PRIORITISED = 0x20


class Kind(IntEnum):
    """What a frame is."""

    DATA = 0
    HEADERS = 1
    PRIORITY = 2
    RST_STREAM = 3
    SETTINGS = 4
    PUSH_PROMISE = 5
    PING = 6
    GOAWAY = 7
    WINDOW_UPDATE = 8
    CONTINUATION = 9


class ErrorCode(IntEnum):
    """Why a stream or a connection ends."""

    NO_ERROR = 0
    PROTOCOL_ERROR = 1
    INTERNAL_ERROR = 2
    FLOW_CONTROL_ERROR = 3
    SETTINGS_TIMEOUT = 4
    STREAM_CLOSED = 5
    FRAME_SIZE_ERROR = 6
    REFUSED_STREAM = 7
    CANCEL = 8
    COMPRESSION_ERROR = 9
    CONNECT_ERROR = 10
    ENHANCE_YOUR_CALM = 11
    INADEQUATE_SECURITY = 12
    HTTP_1_1_REQUIRED = 13


class Setting(IntEnum):
    """What a side announces of itself."""

    HEADER_TABLE_SIZE = 1
    ENABLE_PUSH = 2
    MAX_CONCURRENT_STREAMS = 3
    INITIAL_WINDOW_SIZE = 4
    MAX_FRAME_SIZE = 5
    MAX_HEADER_LIST_SIZE = 6


class Http2Error(Exception):
    """The client broke the protocol: its connection ends with a code, or only one stream does."""

    def __init__(self, code: ErrorCode, reason: str, *, stream_id: int = 0) -> None:
        super().__init__(f"{code.name}: {reason}")
        self.code = code
        self.reason = reason
        self.stream_id = stream_id


def frame(kind: Kind, flags: int, stream_id: int, payload: bytes = b"") -> bytes:
    """Return the bytes of one frame."""
    return HEAD.pack(len(payload) << 8 | kind, flags, stream_id) + payload


def settings_frame(settings: Iterable[tuple[int, int]]) -> bytes:
    """Return the frame that announces settings."""
    return frame(Kind.SETTINGS, 0, 0, b"".join(SETTING.pack(*one) for one in settings))


def rst_stream_frame(stream_id: int, code: int) -> bytes:
    """Return the frame that ends a stream."""
    return frame(Kind.RST_STREAM, 0, stream_id, NUMBER.pack(code))


def goaway_frame(last_stream_id: int, code: int, reason: str = "") -> bytes:
    """Return the frame that says which stream is the last one that is processed."""
    return frame(Kind.GOAWAY, 0, 0, GOAWAY_HEAD.pack(last_stream_id, code) + reason.encode())


def window_update_frame(stream_id: int, size: int) -> bytes:
    """Return the frame that lets the client send more; stream 0 is the connection."""
    return frame(Kind.WINDOW_UPDATE, 0, stream_id, NUMBER.pack(size))


def expect_size(payload: bytes, size: int) -> None:
    """Raise Http2Error unless the payload of a frame has its size."""
    if len(payload) != size:
        raise Http2Error(ErrorCode.FRAME_SIZE_ERROR, f"expected {size} bytes")


def expect_stream(stream_id: int) -> None:
    """Raise Http2Error unless a frame is one of a stream."""
    if not stream_id:
        raise Http2Error(ErrorCode.PROTOCOL_ERROR, "expected a stream")


def expect_connection(stream_id: int) -> None:
    """Raise Http2Error unless a frame is one of the connection."""
    if stream_id:
        raise Http2Error(ErrorCode.PROTOCOL_ERROR, "expected a frame of the connection")
