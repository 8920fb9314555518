"""The client's side of one HTTP/2 connection, without I/O. RFC 9113.

`begin` and `feed` queue in `sender` what is to be sent; the shell around it, http2_connection.py,
sends that. What is wrong with one stream ends that stream; what is wrong with the connection is
raised, with the code that the server is to be told.
"""

from collections.abc import Callable, Sequence
from itertools import takewhile
from typing import Any, Final, Generic

from delivery.http import http2_frames as wire
from delivery.http.connection import (
    Ending,
    MalformedAnswerError,
    NotProcessedError,
    Response,
    Token,
)
from delivery.http.http2_frame_reader import FrameReader
from delivery.http.http2_frames import ErrorCode, Http2Error
from delivery.http.http2_response import status_of
from delivery.http.http2_sender import WINDOW_BYTES, Sender
from delivery.http.http2_settings import StreamLimit
from delivery.http.http2_stream import Stream, StreamTable
from delivery.http.request import Request

MAX_BODY_BYTES: Final = 64 * 1024
"""The service's own errors are some hundred bytes; the rest of a larger body is not needed."""

MAX_STREAMS: Final = 128
"""No more streams are opened on one connection, whatever the server allows."""

MAX_ID: Final = 2**30
MAX_GIVEN_UP: Final = 256
"""Beyond this id, or with this many streams given up, a connection takes no more posts."""

_DELIVERED_FIELD: Final = b"\x88"
"""`:status: 200`, as it stands in the static table: RFC 7541, appendix A."""

_DELIVERED: Final = Response(200)
_SWITCHING_PROTOCOLS: Final = 101
_FIRST_FINAL: Final = 200
_PING_BYTES: Final = 8
_PING: Final = b"crier..."


class StreamResetError(ConnectionError):
    """The server gave up a stream before it had answered."""


class Http2Protocol(Generic[Token]):
    """One connection: requests in, frames out; frames in, responses out."""

    __slots__ = (
        "_is_leaving",
        "_reader",
        "_streams",
        "_takers",
        "_used_window_bytes",
        "is_calmed",
        "is_pinging",
        "sender",
    )

    def __init__(self, *, is_tls: bool, limit: StreamLimit | None = None) -> None:
        """Take what is known of the server from earlier connections."""
        self.sender = Sender(is_tls=is_tls, limit=limit or StreamLimit())
        self.is_calmed = False
        """Whether the server has asked for calm: it has got more than it takes."""
        self.is_pinging = False
        """Whether a ping of ours is not answered yet."""
        self._reader = FrameReader()
        self._streams: StreamTable[Token] = StreamTable()
        self._is_leaving = False
        self._used_window_bytes = 0
        """What the server has used of the connection's window since it was last widened."""
        self._takers: Final[dict[int, Callable[[int, int, bytes], None]]] = {
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
        """What takes each frame. Frames of other kinds are skipped: RFC 9113, 4.1."""

    @property
    def under_way(self) -> int:
        """How many requests have not ended."""
        return len(self._streams.open)

    @property
    def room(self) -> int:
        """How many requests can begin now."""
        if self._is_leaving or not self.sender.is_open:
            return 0
        return max(0, min(self.sender.settings.max_streams, MAX_STREAMS) - len(self._streams.open))

    @property
    def is_usable(self) -> bool:
        """Whether requests can begin now or later, or are under way."""
        return not self._is_leaving or bool(self._streams.open)

    def begin(self, token: Token, request: Request, now: float) -> None:
        """Begin a request, in monotonic seconds; there must be room."""
        stream_id, stream = self._streams.begin(token, now)
        self.sender.begin(stream_id, stream, request)
        if stream_id >= MAX_ID:
            self._is_leaving = True

    def feed(self, data: bytes) -> Sequence[Ending[Token]]:
        """Take what the server has sent; return the requests that have ended.

        Raises Http2Error; what had ended before is then returned by `end`.
        """
        streams, end = self._streams.open, self._streams.end
        for kind, flags, stream_id, payload in self._reader.feed(data):
            if (
                kind == wire.HEADERS
                and flags & wire.END_STREAM
                and payload[:1] == _DELIVERED_FIELD
                and (stream := streams.get(stream_id))
                and not (stream.status or stream.unsent)
            ):  # the hot path
                end(stream_id, _DELIVERED)
            elif take := self._takers.get(kind):
                take(flags, stream_id, payload)
        return self._take_endings()

    def give_up(self, until: float, error: Exception) -> Sequence[Ending[Token]]:
        """Give up the requests begun by then; return their responses, `error` without a status."""
        streams = self._streams.open.items()
        late = list(takewhile(lambda begun: begun[1].begun_at <= until, streams))
        for stream_id, stream in late:
            self._give_up(stream_id, stream.response_or(error))
        return self._take_endings()

    def end(self, error: Exception) -> Sequence[Ending[Token]]:
        """Take the end of the connection; return all requests, as `give_up` does."""
        self._is_leaving = True
        for stream_id, stream in list(self._streams.open.items()):
            self._streams.end(stream_id, stream.response_or(error))
        return self._take_endings()

    def leave(self) -> None:
        """Begin no more requests."""
        self._is_leaving = True

    @property
    def next_id(self) -> int:
        """The id of the stream of the next request."""
        return self._streams.next_id

    def end_unprocessed(self, first_id: int, error: NotProcessedError) -> None:
        """Take note that the server has not processed the requests from `first_id` on."""
        for stream_id, stream in list(self._streams.open.items()):
            if stream_id >= first_id:
                self.sender.forget(stream_id)
                self._streams.end(stream_id, stream.response_or(error))

    def ping(self) -> None:
        """Ask the server for a sign of life."""
        self.is_pinging = True
        self.sender.ping(_PING, is_answer=False)

    def _take_endings(self) -> Sequence[Ending[Token]]:
        endings = self._streams.take_endings()
        if endings:
            self._reader.answered()
        return endings

    def _finish(self, stream_id: int) -> None:
        """Take the end of a stream; one that is still open has its whole response by now."""
        stream = self._streams.open.get(stream_id)
        if stream is None:
            self._streams.forget(stream_id)
            return
        if stream.unsent:  # the server needs no more of the request
            self.sender.reset(stream_id, ErrorCode.CANCEL)
        self._streams.end(stream_id, stream.result())

    def _give_up(
        self,
        stream_id: int,
        result: Response | Exception,
        code: ErrorCode = ErrorCode.CANCEL,
    ) -> None:
        """End a stream on which more may come, and tell the server."""
        self.sender.reset(stream_id, code)
        self._streams.give_up(stream_id, result)
        if self._streams.given_up > MAX_GIVEN_UP:
            self._is_leaving = True

    # What the server may send

    def _take_headers(self, flags: int, stream_id: int, block: bytes) -> None:
        stream = self._streams.find(stream_id)
        is_end = bool(flags & wire.END_STREAM)
        if stream:
            try:
                _take_block(stream, block, is_end=is_end)
            except Http2Error:
                raise
            except MalformedAnswerError as error:
                self._give_up(stream_id, stream.response_or(error), ErrorCode.PROTOCOL_ERROR)
        if is_end:
            self._finish(stream_id)

    def _take_data(self, flags: int, stream_id: int, payload: bytes) -> None:
        stream = self._streams.find(stream_id)
        self._streams.use_window(stream_id, len(payload))
        self._use_window(len(payload))
        content = wire.content_of(flags & wire.PADDED, payload)
        if stream and not stream.status:
            error = MalformedAnswerError(payload, "the status of a response before its body")
            self._give_up(stream_id, error, ErrorCode.PROTOCOL_ERROR)
        elif stream and content:
            stream.body = stream.body or bytearray()
            stream.body += content
            self._reader.got_on()
        if flags & wire.END_STREAM:
            self._finish(stream_id)
        elif stream and stream.received_bytes > MAX_BODY_BYTES:
            self._give_up(stream_id, stream.result())

    def _use_window(self, size: int) -> None:
        """Take note of bytes on the connection's window, which is kept open."""
        self._used_window_bytes += size
        if self._used_window_bytes > WINDOW_BYTES // 2:
            self.sender.allow(self._used_window_bytes)
            self._used_window_bytes = 0

    def _take_rst_stream(self, _flags: int, stream_id: int, payload: bytes) -> None:
        code = wire.number_of(payload)
        self._streams.require_begun(stream_id)
        self._streams.forget(stream_id)
        stream = self._streams.open.get(stream_id)
        if stream is None:
            return
        self.sender.forget(stream_id)
        self._observe(code)
        reason = f"the server reset the stream: {wire.name_of(code)}"
        is_refused = code == ErrorCode.REFUSED_STREAM
        error = NotProcessedError(reason) if is_refused else StreamResetError(reason)
        self._streams.end(stream_id, stream.response_or(error))

    def _take_settings(self, flags: int, stream_id: int, payload: bytes) -> None:
        _require_connection(stream_id)
        if not flags & wire.ACK:
            self.sender.take_settings(payload)
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
            self.sender.ping(payload, is_answer=True)
        elif payload == _PING:
            self.is_pinging = False

    def _take_goaway(self, _flags: int, stream_id: int, payload: bytes) -> None:
        """Take leave: what the server has not processed is posted elsewhere, the rest awaited."""
        _require_connection(stream_id)
        last_id, code = wire.last_stream_and_code(payload)
        self._is_leaving = True
        self._observe(code)
        error = NotProcessedError(f"the server leaves: {wire.name_of(code)}")
        self.end_unprocessed(last_id + 1, error)

    def _take_window_update(self, _flags: int, stream_id: int, payload: bytes) -> None:
        size = wire.number_of(payload) & wire.MAX_WINDOW_BYTES
        if not stream_id:
            is_of_use = self.sender.widen(size)
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
            return self.sender.widen_stream(stream_id, size)
        except Http2Error as error:
            self._give_up(stream_id, stream.response_or(error), error.code)
            return False

    def _observe(self, code: int) -> None:
        """Take the reason why something has ended: some are meant for all of the connection."""
        if code == ErrorCode.ENHANCE_YOUR_CALM:
            self.is_calmed = self._is_leaving = True


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
