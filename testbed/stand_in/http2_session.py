"""What an HTTP/2 client's frames mean, without I/O. RFC 9113, 5 and 6."""

from collections.abc import Callable, Iterable

from testbed.stand_in.errors import error_answer
from testbed.stand_in.http2_frame_reader import Frame, FrameReader
from testbed.stand_in.http2_frames import (
    ACK,
    END_STREAM,
    GOAWAY_HEAD,
    MAX_STREAM_ID,
    NUMBER,
    PING_BYTES,
    PRIORITY_BYTES,
    USUAL_WINDOW_BYTES,
    ErrorCode,
    Http2Error,
    Kind,
    Setting,
    expect_connection,
    expect_size,
    expect_stream,
    frame,
    goaway_frame,
)
from testbed.stand_in.http2_inbox import Inbox
from testbed.stand_in.http2_outbox import Outbox
from testbed.stand_in.http2_posts import Posts
from testbed.stand_in.http2_settings import Announced
from testbed.stand_in.http2_streams import Channel
from testbed.stand_in.http2_template import QuickPost, Template
from testbed.stand_in.request import Request
from testbed.stand_in.request_head import MalformedError
from testbed.stand_in.server_context import ServerContext


class Http2Session:
    """One connection's frames: those that come, and in `outbox` those that go."""

    def __init__(self, channel: Channel, server_context: ServerContext) -> None:
        self._channel = channel
        self._server_context = server_context
        self._announced = Announced()
        self.outbox = Outbox()
        self._reader = FrameReader(self._announced)
        self._inbox = Inbox(self._announced, self._reader, self.outbox.frames)
        self._posts = Posts(channel, server_context, self._inbox, self.outbox, self.announce)
        self._takers: dict[int, Callable[[int, int, bytes], None]] = {
            Kind.DATA: self._take_data,
            Kind.HEADERS: self._take_headers,
            Kind.PRIORITY: self._take_priority,
            Kind.RST_STREAM: self._take_rst_stream,
            Kind.SETTINGS: self._take_settings,
            Kind.PUSH_PROMISE: self._refuse_push,
            Kind.PING: self._take_ping,
            Kind.GOAWAY: self._take_goaway,
            Kind.WINDOW_UPDATE: self._take_window_update,
        }
        """What takes each kind of frame; others are skipped."""
        self.announce(server_context.limits.pairs())
        wider_by_bytes = server_context.limits.connection_window_bytes - USUAL_WINDOW_BYTES
        if wider_by_bytes:
            self._inbox.widen(wider_by_bytes)

    @property
    def is_busy(self) -> bool:
        """Whether a post is under way."""
        return bool(self._posts.under_way)

    def announce(self, settings: Iterable[tuple[Setting, int]]) -> None:
        """Change the connection's settings."""
        self.outbox.frames.append(self._announced.announce(settings))
        self._inbox.hold_to_settings()

    def feed(self, data: bytes) -> None:
        """Take what has come, and perform what is due at once."""
        self._posts.begin_turn()
        try:
            for item in self._reader.feed(data):
                if len(item) == 2:
                    self._take_quick(*item)
                else:
                    self._take_frame(item)
        except Http2Error as error:
            self._server_context.post_handler.tally.malformed += 1
            code, reason = error.code, error.reason
            self.outbox.frames.append(goaway_frame(self._inbox.last_id, code, reason))
            self._channel.end()
        self._posts.end_turn()

    def _take_quick(self, template: Template, posts: list[QuickPost]) -> None:
        """Take posts that came together: all that is the same for them is done once."""
        self._inbox.use(template.body_bytes * len(posts))
        self._inbox.open_all([post[0] for post in posts])
        posts = self._admitted(posts)
        handler = self._server_context.post_handler
        if handler.verifies:
            for stream_id, connection_id, signature, body in posts:
                self._take_request(stream_id, template.request(connection_id, signature, body))
            return
        decide = handler.decide
        self._posts.begin_all(
            [
                (stream_id, connection_id, decide(connection_id, body))
                for stream_id, connection_id, _, body in posts
            ]
        )

    def _admitted(self, posts: list[QuickPost]) -> list[QuickPost]:
        """Return the posts that count; the others are refused or skipped."""
        room = self._room
        if len(posts) <= room and self._posts.last_id == MAX_STREAM_ID:
            return posts
        counting = [post for post in posts if post[0] <= self._posts.last_id]
        for stream_id, *_ in counting[room:]:
            self._refuse_stream(stream_id)
        return counting[:room]

    @property
    def _room(self) -> int:
        """How many streams more the client may open."""
        most = self._announced.values[Setting.MAX_CONCURRENT_STREAMS]
        return max(0, most - self._posts.under_way)

    def _take_frame(self, found: Frame) -> None:
        """Take any frame. What is wrong with one stream ends that stream only."""
        kind, flags, stream_id, payload = found
        take = self._takers.get(kind)
        if take is None:
            return
        try:
            take(flags, stream_id, payload)
        except MalformedError as error:
            self._refuse(stream_id, str(error), is_whole=bool(flags & END_STREAM))
        except Http2Error as error:
            if not error.stream_id:
                raise
            self._server_context.post_handler.tally.malformed += 1
            self._posts.reset_stream(error.stream_id, error.code)

    def _take_headers(self, flags: int, stream_id: int, block: bytes) -> None:
        if self._inbox.has(stream_id):
            self._take_request(stream_id, self._inbox.end(stream_id, block, flags))
            return
        self._inbox.open(stream_id)
        if self._admits(stream_id):
            self._take_request(stream_id, self._inbox.begin(stream_id, flags, block))
        else:
            self._inbox.decode(block)  # the table goes on

    def _take_data(self, flags: int, stream_id: int, payload: bytes) -> None:
        self._take_request(stream_id, self._inbox.take_data(stream_id, flags, payload))

    def _take_request(self, stream_id: int, request: Request | None) -> None:
        if request is not None:
            reaction = self._server_context.post_handler.react(request)
            self._posts.begin_all([(stream_id, request.connection_id, reaction)])

    def _admits(self, stream_id: int) -> bool:
        """Whether a new stream counts. One too many is refused, one after GOAWAY is skipped."""
        if stream_id > self._posts.last_id:
            return False
        if self._room:
            return True
        self._refuse_stream(stream_id)
        return False

    def _refuse_stream(self, stream_id: int) -> None:
        self._server_context.post_handler.tally.malformed += 1
        self._posts.reset_stream(stream_id, ErrorCode.REFUSED_STREAM)

    def _refuse(self, stream_id: int, reason: str, *, is_whole: bool) -> None:
        """Answer 400 to what is no post; the rest of it is not needed."""
        self._server_context.post_handler.tally.malformed += 1
        self._posts.answer(stream_id, error_answer(400, reason))
        if not is_whole:
            self._posts.reset_stream(stream_id, ErrorCode.NO_ERROR)

    def _take_priority(self, _flags: int, stream_id: int, payload: bytes) -> None:
        expect_stream(stream_id)
        expect_size(payload, PRIORITY_BYTES)

    def _take_rst_stream(self, _flags: int, stream_id: int, payload: bytes) -> None:
        expect_size(payload, NUMBER.size)
        expect_stream(stream_id)
        self._expect_opened(stream_id)
        self._posts.forget(stream_id)

    def _take_settings(self, flags: int, stream_id: int, payload: bytes) -> None:
        expect_connection(stream_id)
        if not flags & ACK:
            self.outbox.take_settings(payload)
            return
        expect_size(payload, 0)
        if not self._announced.acknowledge():
            raise Http2Error(ErrorCode.PROTOCOL_ERROR, "expected no acknowledgement")
        self._inbox.hold_to_settings()

    def _refuse_push(self, _flags: int, _stream_id: int, _payload: bytes) -> None:
        raise Http2Error(ErrorCode.PROTOCOL_ERROR, "expected no PUSH_PROMISE of a client")

    def _take_ping(self, flags: int, stream_id: int, payload: bytes) -> None:
        expect_connection(stream_id)
        expect_size(payload, PING_BYTES)
        if not flags & ACK:
            self.outbox.frames.append(frame(Kind.PING, ACK, 0, payload))

    def _take_goaway(self, _flags: int, stream_id: int, payload: bytes) -> None:
        """Let the client leave: it closes the connection itself."""
        expect_connection(stream_id)
        if len(payload) < GOAWAY_HEAD.size:
            raise Http2Error(ErrorCode.FRAME_SIZE_ERROR, "expected a whole GOAWAY")

    def _take_window_update(self, _flags: int, stream_id: int, payload: bytes) -> None:
        expect_size(payload, NUMBER.size)
        self._expect_opened(stream_id)
        if not stream_id or self._posts.is_under_way(stream_id):
            self.outbox.widen(stream_id, NUMBER.unpack(payload)[0] & MAX_STREAM_ID)

    def _expect_opened(self, stream_id: int) -> None:
        if stream_id > self._inbox.last_id or (stream_id and not stream_id & 1):
            raise Http2Error(ErrorCode.PROTOCOL_ERROR, "expected a stream that was opened")
