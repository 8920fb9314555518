"""One client's HTTP connection: posts in, reactions out, in order."""

from functools import partial
from selectors import EVENT_READ, EVENT_WRITE
from typing import assert_never

from testbed.stand_in.errors import error_answer
from testbed.stand_in.post_stream import PostStream
from testbed.stand_in.reaction import (
    Announce,
    Answer,
    Garbage,
    GoAway,
    HalfAnswer,
    Raw,
    Reaction,
    Reset,
    Silence,
    StreamReset,
)
from testbed.stand_in.request_head import MalformedError
from testbed.stand_in.server_context import ServerContext
from testbed.stand_in.wire import Wire

_LINGER_SECONDS = 1.0
_NO_STATUS = 0
_OK = Answer(200)


class HttpConnection:
    """Reads a post, performs its reaction, and only then reads the next."""

    __slots__ = (
        "_answers",
        "_is_busy",
        "_is_ending",
        "_is_open",
        "_is_refused",
        "_posts",
        "_server_context",
        "_wire",
    )

    def __init__(self, wire: Wire, server_context: ServerContext) -> None:
        self._wire = wire
        self._server_context = server_context
        self._posts = PostStream(server_context.reader)
        self._answers = 0
        self._is_open = True
        self._is_busy = False  # a post waits for its reaction, or no more posts are read
        self._is_ending = False  # to be closed as soon as all is sent
        self._is_refused = False  # told 400: what it still sends is dropped
        server_context.selector.register(wire, EVENT_READ, self.handle)

    def handle(self, events: int) -> None:
        """Do what the socket is ready for."""
        try:
            if events & EVENT_WRITE:
                self._flush()
            if events & EVENT_READ and self._is_open:
                self.take(self._wire.receive())
        except (OSError, EOFError):
            self.close()

    def close(self) -> None:
        """Close at once; after that nothing happens any more."""
        if self._leave():
            self._wire.close()

    def take(self, data: bytes) -> None:
        """Take what the client has sent. Raises OSError."""
        if not data or self._is_refused:
            return
        self._posts.feed(data)
        if self._posts.is_too_long:
            self._reset()
        else:
            self._advance()

    def _advance(self) -> None:
        """Read posts until one waits for its reaction, or the next is not whole.

        A client that does not read its answers is not asked for more posts.
        """
        while not self._is_busy and not self._wire.has_unsent:
            try:
                request = self._posts.next()
            except MalformedError as error:
                self._refuse(str(error))
                return
            if request is None:
                return
            self._is_busy = True
            self._begin(self._server_context.post_handler.react(request))

    def _begin(self, reaction: Reaction) -> None:
        if reaction.delay_seconds:
            self._server_context.timers.push(
                reaction.delay_seconds, partial(self._perform_late, reaction)
            )
        else:
            self._perform(reaction)

    def _perform_late(self, reaction: Reaction) -> None:
        """Perform a reaction that was due later, then read what has come meanwhile."""
        if not self._is_open:
            return
        try:
            self._perform(reaction)
            self._advance()
        except OSError:
            self.close()

    def _perform(self, reaction: Reaction) -> None:
        match reaction:
            case Answer():
                data = self._server_context.writer.write(reaction)
                self._answer(data, reaction.status, close=reaction.close)
            case Raw():
                data = reaction.data(0) if callable(reaction.data) else reaction.data
                self._answer(data, reaction.status, close=reaction.close)
            case Garbage():
                self._answer(reaction.data, _NO_STATUS, close=False)
            case HalfAnswer():
                self._send_half()
            case Silence():
                pass
            case Reset() | StreamReset():
                self._reset_when(reaction.when)
            case GoAway() | Announce():
                raise TypeError(f"{reaction} is for HTTP/2 only, this connection is HTTP/1.1")
            case _:
                assert_never(reaction)

    def _answer(self, data: bytes, status: int, *, close: bool) -> None:
        """Count and send an answer; then read on, or close as soon as all is sent."""
        post_handler = self._server_context.post_handler
        if status != _NO_STATUS:
            post_handler.tally.answers[status] += 1  # before the client can see the answer
            self._answers += 1
        self._send(data)
        self._is_ending = close or 0 < post_handler.close_after_answers <= self._answers
        self._is_busy = self._is_ending
        if self._is_ending and not self._wire.has_unsent:
            self.close()

    def _refuse(self, reason: str) -> None:
        """Answer 400, then drop what still comes for a moment.

        Closing at once would reset the connection of a client that is still sending, and it
        would never read the answer.
        """
        self._is_busy = self._is_refused = True
        tally = self._server_context.post_handler.tally
        tally.malformed += 1
        tally.answers[400] += 1
        self._server_context.timers.push(_LINGER_SECONDS, self.close)
        self._send(self._server_context.writer.write(error_answer(400, reason, close=True)))
        if not self._wire.has_unsent:
            self._wire.finish()

    def _send(self, data: bytes) -> None:
        self._wire.send(data)
        if self._wire.has_unsent:
            self._server_context.selector.modify(self._wire, EVENT_READ | EVENT_WRITE, self.handle)

    def _flush(self) -> None:
        self._wire.flush()
        if self._wire.has_unsent:
            return
        self._server_context.selector.modify(self._wire, EVENT_READ, self.handle)
        if self._is_refused:
            self._wire.finish()
        elif self._is_ending:
            self.close()
        else:
            self._advance()

    def _send_half(self) -> None:
        data = self._server_context.writer.write(_OK)
        self._send(data[: len(data) // 2])

    def _reset_when(self, when: str) -> None:
        if when == "during":
            self._send_half()
        elif when == "after":
            self._server_context.post_handler.tally.answers[_OK.status] += 1
            self._send(self._server_context.writer.write(_OK))
        self._reset()

    def _reset(self) -> None:
        if self._leave():
            self._wire.reset()

    def _leave(self) -> bool:
        """Stop listening to the wire, once; returns whether this was the time."""
        was_open, self._is_open, self._is_busy = self._is_open, False, True
        if was_open:
            self._server_context.selector.unregister(self._wire)
        return was_open
