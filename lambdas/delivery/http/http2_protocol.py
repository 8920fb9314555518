"""The client's side of one HTTP/2 connection, without I/O. RFC 9113.

`begin` and `feed` queue in `sender` what is to be sent; the shell around it, http2_connection.py,
sends that. What is wrong with one stream ends that stream; what is wrong with the connection is
raised, with the code that the server is to be told.
"""

from collections.abc import Sequence
from itertools import takewhile
from typing import Final, Generic

from delivery.http import http2_frames as wire
from delivery.http.connection import (
    Ending,
    NotProcessedError,
    Response,
    Token,
)
from delivery.http.http2_frame_reader import FrameReader
from delivery.http.http2_receiver import Receiver
from delivery.http.http2_sender import Sender
from delivery.http.http2_settings import StreamLimit
from delivery.http.http2_stream import StreamTable
from delivery.http.request import Request

MAX_STREAMS: Final = 128
"""No more streams are opened on one connection, whatever the server allows."""

MAX_ID: Final = 2**30
MAX_GIVEN_UP: Final = 256
"""Beyond this id, or with this many streams given up, a connection takes no more posts."""

_DELIVERED_FIELD: Final = b"\x88"
"""`:status: 200`, as it stands in the static table: RFC 7541, appendix A."""

_DELIVERED: Final = Response(200)


class Http2Protocol(Generic[Token]):
    """One connection: requests in, frames out; frames in, responses out."""

    __slots__ = ("_has_left", "_reader", "_receiver", "_streams", "sender")

    def __init__(self, *, is_tls: bool, limit: StreamLimit | None = None) -> None:
        """Take what is known of the server from earlier connections."""
        self.sender = Sender(is_tls=is_tls, limit=limit or StreamLimit())
        self._reader = FrameReader()
        self._streams: StreamTable[Token] = StreamTable()
        self._receiver = Receiver(self._streams, self.sender, self._reader)
        self._has_left = False

    @property
    def is_calmed(self) -> bool:
        """Whether the server has asked for calm: it has got more than it takes."""
        return self._receiver.is_calmed

    @property
    def is_pinging(self) -> bool:
        """Whether nothing has come since a ping of ours."""
        return self._receiver.is_pinging

    @property
    def is_leaving(self) -> bool:
        """Whether no more requests can begin, now or later."""
        streams = self._streams
        is_worn_out = streams.next_id > MAX_ID or streams.given_up > MAX_GIVEN_UP
        return self._has_left or self._receiver.has_left or is_worn_out

    @property
    def under_way(self) -> int:
        """How many requests have not ended."""
        return len(self._streams.open)

    @property
    def room(self) -> int:
        """How many requests can begin now."""
        if self.is_leaving:
            return 0
        streams = min(self.sender.settings.max_streams, MAX_STREAMS) - len(self._streams.open)
        return max(0, min(streams, self.sender.room))

    @property
    def is_usable(self) -> bool:
        """Whether requests can begin now or later, or are under way."""
        return not self.is_leaving or bool(self._streams.open)

    def begin(self, token: Token, request: Request, now: float) -> None:
        """Begin a request, in monotonic seconds; there must be room."""
        stream_id, stream = self._streams.begin(token, now)
        self.sender.begin(stream_id, stream, request)

    def feed(self, data: bytes) -> Sequence[Ending[Token]]:
        """Take what the server has sent; return the requests that have ended.

        Raises Http2Error; what had ended before is then returned by `end`.
        """
        streams, end = self._streams.open, self._streams.end
        self._receiver.is_pinging = False  # any byte shows that the server is alive
        for kind, flags, stream_id, payload in self._reader.feed(data):
            if (
                kind == wire.HEADERS
                and flags & wire.END_STREAM
                and payload[:1] == _DELIVERED_FIELD
                and (stream := streams.get(stream_id))
                and not (stream.status or stream.unsent)
            ):  # the hot path
                end(stream_id, _DELIVERED)
            else:
                self._receiver.take(kind, flags, stream_id, payload)
        return self._take_endings()

    def give_up(self, until: float, error: Exception) -> Sequence[Ending[Token]]:
        """Give up the requests begun by then; return their responses, `error` without a status."""
        streams = self._streams.open.items()
        late = list(takewhile(lambda begun: begun[1].begun_at <= until, streams))
        for stream_id, stream in late:
            self._receiver.give_up(stream_id, stream.response_or(error))
        return self._take_endings()

    def end(self, error: Exception) -> Sequence[Ending[Token]]:
        """Take the end of the connection; return all requests, as `give_up` does."""
        self._has_left = True
        for stream_id, stream in list(self._streams.open.items()):
            self._streams.end(stream_id, stream.response_or(error))
        return self._take_endings()

    def leave(self) -> None:
        """Begin no more requests."""
        self._has_left = True

    @property
    def next_id(self) -> int:
        """The id of the stream of the next request."""
        return self._streams.next_id

    def end_unprocessed(self, first_id: int, error: NotProcessedError) -> None:
        """Take note that the server has not processed the requests from `first_id` on."""
        self._receiver.end_unprocessed(first_id, error)

    def ping(self) -> None:
        """Ask the server for a sign of life."""
        self._receiver.ping()

    def _take_endings(self) -> Sequence[Ending[Token]]:
        endings = self._streams.take_endings()
        if endings:
            self._reader.answered()
        return endings
