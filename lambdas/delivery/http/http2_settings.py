"""What the server announces of itself, and what we announce. No I/O. RFC 9113, 6.5."""

from typing import Final

from delivery.http.http2_frames import (
    FIRST_WINDOW_BYTES,
    LEAST_MAX_FRAME_BYTES,
    MAX_WINDOW_BYTES,
    MOST_MAX_FRAME_BYTES,
    ErrorCode,
    Http2Error,
    Setting,
)

STREAM_WINDOW_BYTES: Final = 128 * 1024
"""How much of one response the server may send: twice what is read of a body."""

OURS: Final = (
    (Setting.HEADER_TABLE_SIZE, 0),
    (Setting.ENABLE_PUSH, 0),
    (Setting.INITIAL_WINDOW_SIZE, STREAM_WINDOW_BYTES),
)
"""What we announce. Without a table each response's header block stands for itself."""

_FIRST_STREAMS = 100
"""How many streams are opened before the server has told its limit: RFC 9113, 6.5.2 says that a
limit is no lower than this."""

_BOUNDS: Final[dict[int, tuple[int, int, ErrorCode]]] = {
    Setting.ENABLE_PUSH: (0, 0, ErrorCode.PROTOCOL_ERROR),
    Setting.INITIAL_WINDOW_SIZE: (0, MAX_WINDOW_BYTES, ErrorCode.FLOW_CONTROL_ERROR),
    Setting.MAX_FRAME_SIZE: (
        LEAST_MAX_FRAME_BYTES,
        MOST_MAX_FRAME_BYTES,
        ErrorCode.PROTOCOL_ERROR,
    ),
}

_KNOWN: Final = frozenset(Setting)
_ANY: Final = (0, 2**32 - 1, ErrorCode.NO_ERROR)


class StreamLimit:
    """How many streams a server allows on one connection, as it has told last; 100 before that.

    A new connection begins with it: posts leave before the server's settings of that connection
    have come, and would all be refused but for a few where the server allows only a few.
    `body_bytes` is the size of the last request's body, or of the next ones if that is known: a
    window has room for a number of them.
    """

    __slots__ = ("body_bytes", "streams")

    def __init__(self) -> None:
        self.streams = _FIRST_STREAMS
        self.body_bytes = 1

    def take(self, streams: int) -> None:
        """Take what the server has told. Where it allows none for now, the next one tries one."""
        self.streams = max(1, streams)


class ServerSettings:
    """The server's settings as of now, on one connection."""

    __slots__ = ("_limit", "max_frame_bytes", "max_streams", "told", "window_bytes")

    def __init__(self, limit: StreamLimit) -> None:
        """Take what the server has told on earlier connections; later ones are told by it, too."""
        self._limit = limit
        self.told: dict[Setting, int] = {}
        """What the server has told on this connection."""
        self.max_streams = limit.streams
        self.window_bytes = FIRST_WINDOW_BYTES
        self.max_frame_bytes = LEAST_MAX_FRAME_BYTES

    def take(self, name: int, value: int) -> None:
        """Take one setting; unknown ones are skipped. Raises Http2Error."""
        least, most, code = _BOUNDS.get(name, _ANY)
        if not least <= value <= most:
            expected = f"{Setting(name).name} from {least} to {most}"
            raise Http2Error(code, str(value).encode(), expected)
        if name in _KNOWN:
            self.told[Setting(name)] = value
        if name == Setting.MAX_CONCURRENT_STREAMS:
            self.max_streams = value
            self._limit.take(value)
        elif name == Setting.INITIAL_WINDOW_SIZE:
            self.window_bytes = value
        elif name == Setting.MAX_FRAME_SIZE:
            self.max_frame_bytes = value
