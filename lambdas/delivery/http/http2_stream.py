"""The streams of an HTTP/2 connection, one for each post. No I/O. RFC 9113, 5.1."""

from collections.abc import Sequence
from typing import Final, Generic

from delivery.http.connection import Ending, MalformedAnswerError, Response, Token
from delivery.http.http2_frames import ErrorCode, Http2Error
from delivery.http.http2_settings import STREAM_WINDOW_BYTES

_DELIVERED: Final = 200


class Stream(Generic[Token]):
    """A post from its request to the end of its response."""

    __slots__ = (
        "begun_at",
        "body",
        "received_bytes",
        "status",
        "token",
        "unsent",
        "window_bytes",
    )

    def __init__(self, token: Token, begun_at: float) -> None:
        self.token = token
        self.begun_at = begun_at
        self.unsent: bytes | memoryview = b""
        """What of the request's body waits for a window. Its last byte ends the request."""
        self.window_bytes = 0
        """How much the server allows to be sent of what is unsent."""
        self.status = 0
        """The status of the response, 0 while it has not come."""
        self.body: bytes | bytearray = b""
        self.received_bytes = 0
        """How much of its window the server has used, padding included."""

    def response_or(self, error: Exception) -> Response | Exception:
        """Return the response as far as it is known, `error` when nothing is known that counts.

        A response to half a post may be a refusal, but is no delivery.
        """
        if not self.status or (self.unsent and self.status == _DELIVERED):
            return error
        return Response(self.status, bytes(self.body))

    def result(self) -> Response | Exception:
        """Return the response, of which all has come that is needed."""
        found, expected = str(self.status).encode(), "no such answer before the whole post was sent"
        return self.response_or(MalformedAnswerError(found, expected))


class StreamTable(Generic[Token]):
    """All streams of a connection: those that are open, and those that were given up."""

    __slots__ = ("_endings", "_given_up", "next_id", "open")

    def __init__(self) -> None:
        self.open: dict[int, Stream[Token]] = {}
        self.next_id = 1
        self._given_up: dict[int, int] = {}
        """How many bytes the server may still send on each stream that we gave up."""
        self._endings: list[Ending[Token]] = []

    @property
    def given_up(self) -> int:
        """How many streams the server may still believe to be open."""
        return len(self._given_up)

    def begin(self, token: Token, now: float) -> tuple[int, Stream[Token]]:
        """Open a stream; return its id, too."""
        stream_id = self.next_id
        self.next_id = stream_id + 2
        stream = self.open[stream_id] = Stream(token, now)
        return stream_id, stream

    def find(self, stream_id: int) -> Stream[Token] | None:
        """Return the stream that a part of a response is for; None when it was given up.

        Raises Http2Error for a stream on which nothing may come.
        """
        stream = self.open.get(stream_id)
        if stream is None and stream_id not in self._given_up:
            self.require_begun(stream_id)
            raise Http2Error(ErrorCode.STREAM_CLOSED, _shown(stream_id), "a stream that is open")
        return stream

    def require_begun(self, stream_id: int) -> None:
        """Raise Http2Error unless a stream with this id is or was open."""
        if not (stream_id % 2 and stream_id < self.next_id):
            raise Http2Error(
                ErrorCode.PROTOCOL_ERROR, _shown(stream_id), "a stream that was opened by a post"
            )

    def use_window(self, stream_id: int, size: int) -> None:
        """Take note that the server has sent `size` bytes. Raises Http2Error past the window."""
        stream = self.open.get(stream_id)
        if stream:
            stream.received_bytes += size
            is_past = stream.received_bytes > STREAM_WINDOW_BYTES
        else:
            self._given_up[stream_id] -= size
            is_past = self._given_up[stream_id] < 0
        if is_past:
            expected = f"up to {STREAM_WINDOW_BYTES} bytes of one response"
            raise Http2Error(ErrorCode.FLOW_CONTROL_ERROR, _shown(stream_id), expected)

    def end(self, stream_id: int, result: Response | Exception) -> None:
        """End a stream on which nothing will come any more."""
        self._endings.append((self.open.pop(stream_id).token, result))

    def give_up(self, stream_id: int, result: Response | Exception) -> None:
        """End a stream on which more may come; that is skipped."""
        self._given_up[stream_id] = STREAM_WINDOW_BYTES - self.open[stream_id].received_bytes
        self.end(stream_id, result)

    def forget(self, stream_id: int) -> None:
        """Take note that on a stream that was given up nothing will come any more."""
        self._given_up.pop(stream_id, None)

    def take_endings(self) -> Sequence[Ending[Token]]:
        """Return the posts that have ended since the last call."""
        endings, self._endings = self._endings, []
        return endings


def _shown(stream_id: int) -> bytes:
    return f"stream {stream_id}".encode()
