"""What goes to the server: posts, as far as its windows allow, and control frames. No I/O.

RFC 9113, 5.2 and 6.9
"""

from typing import Any, Final

from delivery.http import http2_frames as wire
from delivery.http.http2_frames import HEAD, ErrorCode, Http2Error, Setting
from delivery.http.http2_request import BlockWriter
from delivery.http.http2_settings import OURS, ServerSettings, StreamLimit
from delivery.http.http2_stream import Stream
from delivery.http.request import Request

WINDOW_BYTES: Final = 16 * 1024 * 1024
"""How much of all responses together the server may send before it waits for us."""


class Sender:
    """Queues what is to be sent on one connection; `take` returns it."""

    __slots__ = ("_blocked", "_due", "_limit", "_queue", "_window_bytes", "_writer", "settings")

    def __init__(self, *, is_tls: bool, limit: StreamLimit) -> None:
        self.settings = ServerSettings(limit)
        self._limit = limit
        self._writer = BlockWriter(is_tls=is_tls)
        self._window_bytes = wire.FIRST_WINDOW_BYTES
        self._blocked: dict[int, Stream[Any]] = {}
        """The streams whose request waits for a window, the oldest first."""
        self._due: dict[int, tuple[memoryview, int]] = {}
        """What the windows have let go of a request since the last `take`: what was unsent by then,
        and how many bytes of it."""
        widened = wire.window_update_frame(0, WINDOW_BYTES - wire.FIRST_WINDOW_BYTES)
        self._queue = [wire.PREFACE, wire.settings_frame(OURS), widened]

    @property
    def room(self) -> int:
        """How many bodies like the last one may be sent now; one may begin in any open window."""
        if self._window_bytes <= 0:
            return 0
        return max(1, self._window_bytes // self._limit.body_bytes)

    @property
    def has_unsent(self) -> bool:
        """Whether `take` would return anything."""
        return bool(self._queue or self._due)

    def take(self) -> bytes:
        """Return all that is to be sent now."""
        self._queue_due()
        queued = b"".join(self._queue)
        self._queue.clear()
        return queued

    def begin(self, stream_id: int, stream: Stream[Any], request: Request) -> None:
        """Send a request; what finds no room in the windows waits in `stream.unsent`."""
        block, body, settings = self._writer.write(request), request.template.body, self.settings
        size, most = len(body), settings.max_frame_bytes
        self._limit.body_bytes = size or 1
        has_room = 0 < size <= self._window_bytes and size <= settings.window_bytes
        if has_room and size <= most and len(block) <= most:  # the hot path
            self._window_bytes -= size
            self._queue += (
                HEAD.pack(len(block) << 8 | wire.HEADERS, wire.END_HEADERS, stream_id),
                block,
                HEAD.pack(size << 8 | wire.DATA, wire.END_STREAM, stream_id),
                body,
            )
            return
        self._send_block(stream_id, block, 0 if body else wire.END_STREAM)
        if body:
            stream.unsent, stream.window_bytes = memoryview(body), settings.window_bytes
            self._blocked[stream_id] = stream
            self._send_on(stream_id, stream)

    def forget(self, stream_id: int) -> None:
        """Send nothing more of a request."""
        self._queue_due()
        self._blocked.pop(stream_id, None)

    def reset(self, stream_id: int, code: ErrorCode) -> None:
        """End a stream."""
        self.forget(stream_id)
        self._queue.append(wire.rst_stream_frame(stream_id, code))

    def ping(self, payload: bytes, *, is_answer: bool) -> None:
        """Send a ping, or answer one."""
        self._queue.append(wire.frame(wire.PING, wire.ACK if is_answer else 0, 0, payload))

    def go_away(self, code: ErrorCode) -> None:
        """Tell the server why the connection ends."""
        self._queue.append(wire.goaway_frame(code))

    def allow(self, size: int) -> None:
        """Let the server send `size` more bytes on the connection."""
        self._queue.append(wire.window_update_frame(0, size))

    def take_settings(self, payload: bytes) -> None:
        """Take the server's settings, and acknowledge them. Raises Http2Error."""
        self._queue_due()  # what the old settings allow must go before the acknowledgement
        before = self.settings.window_bytes
        for name, value in wire.settings_in(payload):
            self.settings.take(name, value)
            if name == Setting.HEADER_TABLE_SIZE:
                self._writer.limit_table(value)
        wider_by = self.settings.window_bytes - before
        for stream in self._blocked.values():  # a window may become negative: 6.9.2
            stream.window_bytes = _within_limit(stream.window_bytes + wider_by)
        self._queue.append(wire.frame(wire.SETTINGS, wire.ACK, 0))
        self._send_all()

    def widen(self, size: int) -> bool:
        """Take the server's leave to send more on the connection; tell whether that was of use.

        Raises Http2Error.
        """
        was_shut = self._window_bytes <= 0
        self._window_bytes = before = _wider(self._window_bytes, size)
        if was_shut:  # else each request that waits does so for its stream's window
            self._send_all()
        return self._window_bytes < before

    def widen_stream(self, stream_id: int, size: int) -> bool:
        """Take the server's leave to send more on a stream; tell whether that was of use.

        Raises Http2Error for that stream.
        """
        stream, before = self._blocked.get(stream_id), self._window_bytes
        window_bytes = _wider(stream.window_bytes if stream else 0, size)
        if stream:
            stream.window_bytes = window_bytes
            self._send_on(stream_id, stream)
        return self._window_bytes < before

    def _send_block(self, stream_id: int, block: bytes, flags: int) -> None:
        """Send a header block in as many frames as it takes: RFC 9113, 6.10."""
        most, kind = self.settings.max_frame_bytes, wire.HEADERS
        for start in range(0, len(block), most):
            is_last = start + most >= len(block)
            ends = wire.END_HEADERS if is_last else 0
            part = block[start : start + most]
            self._queue.append(wire.frame(kind, flags | ends, stream_id, part))
            kind, flags = wire.CONTINUATION, 0

    def _send_all(self) -> None:
        for stream_id, stream in list(self._blocked.items()):
            if self._window_bytes <= 0:
                return
            self._send_on(stream_id, stream)

    def _send_on(self, stream_id: int, stream: Stream[Any]) -> None:
        """Send of a request what the windows allow."""
        size = min(self._window_bytes, stream.window_bytes, len(stream.unsent))
        if size <= 0:
            return
        unsent, due = self._due.get(stream_id, (memoryview(stream.unsent), 0))
        self._due[stream_id] = unsent, due + size
        stream.unsent = stream.unsent[size:]
        self._window_bytes -= size
        stream.window_bytes -= size
        if not stream.unsent:
            del self._blocked[stream_id]

    def _queue_due(self) -> None:
        """Queue what the windows have let go: of each request in as few frames as it takes.

        A server may give back the bytes of each frame by a frame of its own. If each of those let
        a frame go at once, these frames would be cut ever smaller, by the ends of requests and of
        windows, down to one byte.
        """
        most = self.settings.max_frame_bytes
        for stream_id, (unsent, due) in self._due.items():
            for start in range(0, due, most):
                end = min(start + most, due)
                flags = wire.END_STREAM if end == len(unsent) else 0
                self._queue.append(wire.frame(wire.DATA, flags, stream_id, unsent[start:end]))
        self._due.clear()


def _wider(window_bytes: int, size: int) -> int:
    """Return the size of a window that gets wider. Raises Http2Error."""
    if not size:
        raise Http2Error(ErrorCode.PROTOCOL_ERROR, b"0 bytes", "a window that gets wider")
    return _within_limit(window_bytes + size)


def _within_limit(window_bytes: int) -> int:
    if window_bytes > wire.MAX_WINDOW_BYTES:
        found, most = str(window_bytes).encode(), wire.MAX_WINDOW_BYTES
        raise Http2Error(ErrorCode.FLOW_CONTROL_ERROR, found, f"a window of up to {most} bytes")
    return window_bytes
