"""What the server of an HTTP/2 connection sends, frame by frame. No I/O. RFC 9113, 6 and 8.1.

What is wrong with one stream ends that stream; what is wrong with the connection is raised, with
the code that the server is to be told. The file has more than 200 lines because there is a method
for each kind of frame.
"""

from collections.abc import Callable
from typing import Any, Final, Generic

from delivery.http import http2_frames as wire
from delivery.http.connection import MalformedAnswerError, NotProcessedError, Response, Token
from delivery.http.http2_frame_reader import FrameReader
from delivery.http.http2_frames import ErrorCode, Http2Error
from delivery.http.http2_response import status_of
from delivery.http.http2_sender import WINDOW_BYTES, Sender
from delivery.http.http2_stream import Stream, StreamTable

MAX_BODY_BYTES: Final = 64 * 1024
"""The service's own errors are some hundred bytes; the rest of a larger body is not needed."""

_SWITCHING_PROTOCOLS: Final = 101
_FIRST_FINAL: Final = 200
_PING_BYTES: Final = 8
_PING: Final = b"crier..."

_Taker = Callable[[int, int, bytes], None]
"""Takes a frame of one kind: its flags, its stream, its payload."""


class StreamResetError(ConnectionError):
    """The server gave up a stream before it had answered."""


class Receiver(Generic[Token]):
    """Takes frames: changes the streams, and has the sender answer."""

    __slots__ = (
        "_reader",
        "_sender",
        "_streams",
        "_takers",
        "_used_window_bytes",
        "has_left",
        "is_calmed",
        "is_pinging",
    )

    def __init__(self, streams: StreamTable[Token], sender: Sender, reader: FrameReader) -> None:
        """Take the reader that is told when a post gets on."""
        self._streams = streams
        self._sender = sender
        self._reader = reader
        self.has_left = False
        """Whether the server takes no more requests on this connection."""
        self.is_calmed = False
        """Whether the server has asked for calm: it has got more than it takes."""
        self.is_pinging = False
        """Whether nothing has come since a ping of ours."""
        self._used_window_bytes = 0
        """What the server has used of the connection's window since it was last widened."""
        self._takers: dict[int, _Taker] = {
            wire.DATA: self._take_data,
            wire.HEADERS: self._take_headers,
            wire.PRIORITY: self._take_priority,
            wire.RST_STREAM: self._take_rst_stream,
            wire.SETTINGS: self._take_settings,
            wire.PUSH_PROMISE: self._refuse_push,
            wire.PING: self._take_ping,
            wire.GOAWAY: self._take_goaway,
            wire.WINDOW_UPDATE: self._take_window_update,
        }

    def take(self, kind: int, flags: int, stream_id: int, payload: bytes) -> None:
        """Take a frame. Raises Http2Error; kinds that are not known are skipped: RFC 9113, 4.1."""
        take = self._takers.get(kind)
        if take:
            take(flags, stream_id, payload)

    def ping(self) -> None:
        """Ask the server for a sign of life."""
        self.is_pinging = True
        self._sender.ping(_PING, is_answer=False)

    def end_unprocessed(self, first_id: int, error: NotProcessedError) -> None:
        """Take note that the server has not processed the requests from `first_id` on."""
        for stream_id, stream in list(self._streams.open.items()):
            if stream_id >= first_id:
                self._sender.forget(stream_id)
                self._streams.end(stream_id, stream.response_or(error))

    def give_up(
        self,
        stream_id: int,
        result: Response | Exception,
        code: ErrorCode = ErrorCode.CANCEL,
    ) -> None:
        """End a stream on which more may come, and tell the server."""
        self._sender.reset(stream_id, code)
        self._streams.give_up(stream_id, result)

    def _finish(self, stream_id: int) -> None:
        """Take the end of a stream; one that is still open has its whole response by now."""
        stream = self._streams.open.get(stream_id)
        if stream is None:
            self._streams.forget(stream_id)
            return
        if stream.unsent:  # the server needs no more of the request
            self._sender.reset(stream_id, ErrorCode.CANCEL)
        self._streams.end(stream_id, stream.result())

    def _take_headers(self, flags: int, stream_id: int, block: bytes) -> None:
        stream = self._streams.find(stream_id)
        is_end = bool(flags & wire.END_STREAM)
        if stream:
            try:
                _take_block(stream, block, is_end=is_end)
            except Http2Error:
                raise
            except MalformedAnswerError as error:
                self.give_up(stream_id, stream.response_or(error), ErrorCode.PROTOCOL_ERROR)
        if is_end:
            self._finish(stream_id)

    def _take_data(self, flags: int, stream_id: int, payload: bytes) -> None:
        stream = self._streams.find(stream_id)
        self._streams.use_window(stream_id, len(payload))
        self._use_window(len(payload))
        content = wire.content_of(flags & wire.PADDED, payload)
        if stream and not stream.status:
            error = MalformedAnswerError(payload, "the status of a response before its body")
            self.give_up(stream_id, error, ErrorCode.PROTOCOL_ERROR)
        elif stream and content:
            stream.body = stream.body or bytearray()
            stream.body += content
            self._reader.got_on()
        if flags & wire.END_STREAM:
            self._finish(stream_id)
        elif stream and stream.received_bytes > MAX_BODY_BYTES:
            self.give_up(stream_id, stream.result())

    def _use_window(self, size: int) -> None:
        """Take note of bytes on the connection's window, which is kept open."""
        self._used_window_bytes += size
        if self._used_window_bytes > WINDOW_BYTES // 2:
            self._sender.allow(self._used_window_bytes)
            self._used_window_bytes = 0

    def _take_rst_stream(self, _flags: int, stream_id: int, payload: bytes) -> None:
        code = wire.number_of(payload)
        self._streams.require_begun(stream_id)
        self._streams.forget(stream_id)
        stream = self._streams.open.get(stream_id)
        if stream is None:
            return
        self._sender.forget(stream_id)
        self._observe(code)
        reason = f"the server reset the stream: {wire.name_of(code)}"
        is_refused = code == ErrorCode.REFUSED_STREAM
        error = NotProcessedError(reason) if is_refused else StreamResetError(reason)
        self._streams.end(stream_id, stream.response_or(error))

    def _take_settings(self, flags: int, stream_id: int, payload: bytes) -> None:
        _require_connection(stream_id)
        if not flags & wire.ACK:
            self._sender.take_settings(payload)
        elif payload:
            raise wire.wrong_size(payload, 0)

    def _take_priority(self, _flags: int, stream_id: int, payload: bytes) -> None:
        """Skip advice on what to send first: there is nothing to choose."""
        if not stream_id:
            raise Http2Error(ErrorCode.PROTOCOL_ERROR, payload, "PRIORITY of a stream")
        if len(payload) != wire.PRIORITY_BYTES:
            raise wire.wrong_size(payload, wire.PRIORITY_BYTES)

    def _refuse_push(self, _flags: int, stream_id: int, _payload: bytes) -> None:
        found = f"PUSH_PROMISE on stream {stream_id}".encode()
        raise Http2Error(ErrorCode.PROTOCOL_ERROR, found, "none: we have disabled push")

    def _take_ping(self, flags: int, stream_id: int, payload: bytes) -> None:
        _require_connection(stream_id)
        if len(payload) != _PING_BYTES:
            raise wire.wrong_size(payload, _PING_BYTES)
        if not flags & wire.ACK:
            self._sender.ping(payload, is_answer=True)

    def _take_goaway(self, _flags: int, stream_id: int, payload: bytes) -> None:
        """Take leave: what the server has not processed is posted elsewhere, the rest awaited."""
        _require_connection(stream_id)
        last_id, code = wire.last_stream_and_code(payload)
        self.has_left = True
        self._observe(code)
        error = NotProcessedError(f"the server leaves: {wire.name_of(code)}")
        self.end_unprocessed(last_id + 1, error)

    def _take_window_update(self, _flags: int, stream_id: int, payload: bytes) -> None:
        size = wire.number_of(payload) & wire.MAX_WINDOW_BYTES
        if not stream_id:
            is_of_use = self._sender.widen(size)
        else:
            self._streams.require_begun(stream_id)
            is_of_use = self._widen_stream(stream_id, size)
        if is_of_use:
            self._reader.got_on()

    def _widen_stream(self, stream_id: int, size: int) -> bool:
        stream = self._streams.open.get(stream_id)
        if stream is None:
            return False
        try:
            return self._sender.widen_stream(stream_id, size)
        except Http2Error as error:
            self.give_up(stream_id, stream.response_or(error), error.code)
            return False

    def _observe(self, code: int) -> None:
        """Take the reason why something has ended: some are meant for all of the connection."""
        if code == ErrorCode.ENHANCE_YOUR_CALM:
            self.is_calmed = self.has_left = True


def _take_block(stream: Stream[Any], block: bytes, *, is_end: bool) -> None:
    """Take a response's header block, news of it (1xx), or what follows its body.

    Raises MalformedAnswerError.
    """
    if stream.status:
        if not is_end:
            raise MalformedAnswerError(block, "nothing but a trailer after a response's head")
        return
    status = status_of(block)
    if status >= _FIRST_FINAL:
        stream.status = status
    elif is_end or status == _SWITCHING_PROTOCOLS:
        raise MalformedAnswerError(block, "a response after what announces one")


def _require_connection(stream_id: int) -> None:
    if stream_id:
        found = f"stream {stream_id}".encode()
        raise Http2Error(ErrorCode.PROTOCOL_ERROR, found, "a frame of the whole connection")
