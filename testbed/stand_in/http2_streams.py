"""The open streams of one HTTP/2 connection, and all that can happen to them."""

from collections.abc import Callable, Iterable
from typing import Protocol

from testbed.stand_in.http2_frames import (
    MAX_STREAM_ID,
    Setting,
    goaway_frame,
    rst_stream_frame,
)
from testbed.stand_in.http2_inbox import Inbox
from testbed.stand_in.http2_outbox import Outbox
from testbed.stand_in.reaction import Answer, Reaction, Silence
from testbed.stand_in.server_context import ServerContext

_SILENCE = Silence()

AT_ONCE = 0
"""In place of a millisecond: what is due in this turn."""


class Channel(Protocol):
    """What the posts ask of their connection."""

    @property
    def is_open(self) -> bool:
        """Whether anything can still be written."""
        ...

    def touch(self) -> None:
        """Have what is new in the outbox written."""
        ...

    def end(self) -> None:
        """Close when all is written."""
        ...

    def reset(self) -> None:
        """Reset the TCP connection when all is written."""
        ...


class Streams:
    """The posts that were read and are not answered, and what reactions do to them."""

    def __init__(
        self,
        channel: Channel,
        server_context: ServerContext,
        inbox: Inbox,
        outbox: Outbox,
        announce: Callable[[Iterable[tuple[Setting, int]]], None],
    ) -> None:
        self.channel = channel
        self.outbox = outbox
        self.announce = announce
        self.last_id = MAX_STREAM_ID
        """The last stream that counts: a lower one once the client was told to go away."""
        self.server_context = server_context
        self._inbox = inbox
        self.waiting: dict[int, tuple[str, Reaction]] = {}
        """By stream: the post's connection, and what is to happen."""
        self.due: dict[int, list[int]] = {}
        """Streams by the millisecond in which their reactions are due."""
        self.now_ms = 0.0
        """When this turn of the server began."""
        self.answers = 0

    @property
    def under_way(self) -> int:
        """How many streams are open."""
        return len(self.waiting) + len(self._inbox) + len(self.outbox.waiting)

    def is_under_way(self, stream_id: int) -> bool:
        """Whether a stream is open."""
        is_coming = self._inbox.has(stream_id)
        return is_coming or stream_id in self.waiting or stream_id in self.outbox.waiting

    def wait(self, stream_id: int, connection_id: str, reaction: Reaction) -> None:
        """Let a reaction happen after its delay."""
        self.waiting[stream_id] = connection_id, reaction
        due_ms = AT_ONCE
        if reaction.delay_seconds:
            due_ms = int(self.now_ms + reaction.delay_seconds * 1000) + 1
        stream_ids = self.due.get(due_ms)
        if stream_ids is None:
            self.schedule(due_ms, stream_id)
        else:
            stream_ids.append(stream_id)

    def schedule(self, due_ms: int, stream_id: int) -> None:
        """Let the first stream wait for a millisecond; 0 is at once."""
        self.due[due_ms] = [stream_id]

    def keep(self, stream_id: int, connection_id: str) -> None:
        """Let a stream stay open for ever."""
        self.waiting[stream_id] = connection_id, _SILENCE

    def answer(self, stream_id: int, answer: Answer) -> None:
        """Send a whole answer, and count it."""
        self.count(answer.status)
        self.outbox.frames.append(self.head(stream_id, answer))
        if answer.body:
            self.outbox.send_body(stream_id, answer.body, parts=2 if answer.chunked else 1)

    def head(self, stream_id: int, answer: Answer) -> bytes:
        """Return an answer's head; it ends the stream unless there is a body."""
        writer = self.server_context.http2_writer
        form = writer.form(answer)
        number = next(writer.numbers)
        if not self.outbox.owes_size_update:
            return form.write(stream_id, number)
        self.outbox.owes_size_update = False
        return form.write_without_table(stream_id, number)

    def count(self, status: int) -> None:
        """Count an answer: before the client can see it."""
        self.server_context.post_handler.tally.answers[status] += 1
        self.answers += 1

    def reset_stream(self, stream_id: int, code: int) -> None:
        """End a stream with a code."""
        self.outbox.frames.append(rst_stream_frame(stream_id, code))
        self.forget(stream_id)

    def forget(self, stream_id: int) -> None:
        """Take note that a stream is over."""
        self.waiting.pop(stream_id, None)
        self._inbox.forget(stream_id)
        self.outbox.forget(stream_id)

    def go_away(self, code: int, last_id: int | None = None) -> None:
        """Take no more posts, and close when the streams up to `last_id` (None: all) are over.

        Those above it do not count as delivered.
        """
        self.last_id = self._inbox.last_id if last_id is None else last_id
        self.outbox.frames.append(goaway_frame(self.last_id, code))
        self._inbox.forget_above(self.last_id)
        self._take_back_above(self.last_id)

    def reset(self) -> None:
        """Reset the TCP connection: the posts that wait are lost with it, and not delivered."""
        self._take_back_above(0)
        self.channel.reset()

    def _take_back_above(self, last_id: int) -> None:
        for stream_id in [one for one in self.waiting if one > last_id]:
            self.server_context.post_handler.take_back(*self.waiting.pop(stream_id))
