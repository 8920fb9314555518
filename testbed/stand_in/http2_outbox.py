"""What goes to an HTTP/2 client: frames, and bodies as far as its windows allow. RFC 9113, 6.9."""

from testbed.stand_in.http2_frames import (
    ACK,
    END_STREAM,
    MAX_WINDOW_BYTES,
    SETTING,
    USUAL_FRAME_BYTES,
    USUAL_TABLE_BYTES,
    USUAL_WINDOW_BYTES,
    ErrorCode,
    Http2Error,
    Kind,
    Setting,
    frame,
)


class Outbox:
    """Frames that wait to be written, and the rest of bodies for which there is no window yet."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.owes_size_update = False
        """Whether the next header block has to say that there is no table: RFC 7541, 4.2."""
        self.window_bytes = USUAL_WINDOW_BYTES
        self._stream_window_bytes = USUAL_WINDOW_BYTES
        self._max_frame_bytes = USUAL_FRAME_BYTES
        self._credits: dict[int, int] = {}
        self.waiting: dict[int, bytes] = {}
        """The rest of each body that is being sent; its end is the stream's end."""

    def take(self) -> bytes:
        """Return what waits to be written."""
        data = b"".join(self.frames)
        self.frames.clear()
        return data

    def send_body(self, stream_id: int, body: bytes, *, parts: int = 1) -> None:
        """Send a body in this many parts at least, now or as the client's windows allow."""
        self.waiting[stream_id] = body
        self._send_on(stream_id, most=-(-len(body) // parts))

    def forget(self, stream_id: int) -> None:
        """Take note that a stream is over."""
        self.waiting.pop(stream_id, None)
        self._credits.pop(stream_id, None)

    def widen(self, stream_id: int, size: int) -> None:
        """Take the client's leave to send more; 0 is the connection. Raises Http2Error."""
        if not size:
            raise Http2Error(
                ErrorCode.PROTOCOL_ERROR, "expected a wider window", stream_id=stream_id
            )
        if stream_id:
            self._credits[stream_id] = self._credits.get(stream_id, 0) + size
            wide = self._credits[stream_id] + self._stream_window_bytes
        else:
            self.window_bytes += size
            wide = self.window_bytes
        if wide > MAX_WINDOW_BYTES:
            raise Http2Error(
                ErrorCode.FLOW_CONTROL_ERROR, f"found a window of {wide}", stream_id=stream_id
            )
        for waiting in [stream_id] if stream_id in self.waiting else list(self.waiting):
            self._send_on(waiting)

    def take_settings(self, payload: bytes) -> None:
        """Obey the client's settings and acknowledge them. Raises Http2Error."""
        if len(payload) % SETTING.size:
            raise Http2Error(ErrorCode.FRAME_SIZE_ERROR, "expected whole settings")
        for name, value in SETTING.iter_unpack(payload):
            self._take_setting(name, value)
        self.frames.append(frame(Kind.SETTINGS, ACK, 0))
        for waiting in list(self.waiting):
            self._send_on(waiting)

    def _take_setting(self, name: int, value: int) -> None:
        if name == Setting.HEADER_TABLE_SIZE and value < USUAL_TABLE_BYTES:
            self.owes_size_update = True
        elif name == Setting.ENABLE_PUSH and value > 1:
            raise Http2Error(ErrorCode.PROTOCOL_ERROR, f"found ENABLE_PUSH {value}")
        elif name == Setting.INITIAL_WINDOW_SIZE:
            if value > MAX_WINDOW_BYTES:
                raise Http2Error(ErrorCode.FLOW_CONTROL_ERROR, f"found a window of {value}")
            self._stream_window_bytes = value
        elif name == Setting.MAX_FRAME_SIZE:
            if not USUAL_FRAME_BYTES <= value < 2**24:
                raise Http2Error(ErrorCode.PROTOCOL_ERROR, f"found frames of {value} bytes")
            self._max_frame_bytes = value

    def _send_on(self, stream_id: int, *, most: int = MAX_WINDOW_BYTES) -> None:
        body = self.waiting[stream_id]
        while body:
            window = self._stream_window_bytes + self._credits.get(stream_id, 0)
            size = min(len(body), self.window_bytes, window, self._max_frame_bytes, most)
            if size <= 0:
                self.waiting[stream_id] = body
                return
            part, body = body[:size], body[size:]
            self.window_bytes -= size
            self._credits[stream_id] = self._credits.get(stream_id, 0) - size
            self.frames.append(frame(Kind.DATA, 0 if body else END_STREAM, stream_id, part))
        self.forget(stream_id)
