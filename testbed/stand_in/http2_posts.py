"""The posts of one HTTP/2 connection: they wait for their reactions, which then happen."""

from functools import partial
from time import monotonic

from testbed.stand_in.http2_frames import MAX_STREAM_ID, ErrorCode
from testbed.stand_in.http2_reactions import perform
from testbed.stand_in.http2_streams import AT_ONCE, Streams
from testbed.stand_in.reaction import Reaction


class Posts(Streams):
    """Performs reactions as they are due, all of one millisecond together."""

    def begin_turn(self) -> None:
        """Take note of the time."""
        self.now_ms = monotonic() * 1000

    def end_turn(self) -> None:
        """Perform what is due at once."""
        tally, under_way = self.server_context.post_handler.tally, self.under_way
        tally.most_streams = max(tally.most_streams, under_way)
        self._end_turn()

    def begin_all(self, posts: list[tuple[int, str, Reaction]]) -> None:
        """Take posts that were handled: their reactions happen after their delays."""
        self.server_context.post_handler.tally.posts_over_http2 += len(posts)
        waiting, due, now_ms = self.waiting, self.due, self.now_ms
        for stream_id, connection_id, reaction in posts:  # as `wait` does, without a call for each
            waiting[stream_id] = connection_id, reaction
            delay_seconds = reaction.delay_seconds
            due_ms = int(now_ms + delay_seconds * 1000) + 1 if delay_seconds else AT_ONCE
            stream_ids = due.get(due_ms)
            if stream_ids is None:
                self.schedule(due_ms, stream_id)
            else:
                stream_ids.append(stream_id)

    def schedule(self, due_ms: int, stream_id: int) -> None:
        """Let the first stream wait for a millisecond; 0 is at once."""
        super().schedule(due_ms, stream_id)
        if due_ms:
            self.server_context.timers.push_at(due_ms, partial(self._perform_late, due_ms))

    def _perform_late(self, due_ms: int) -> None:
        if self.channel.is_open:
            self.now_ms = monotonic() * 1000
            self._perform_due(due_ms)
            self._end_turn()
            self.channel.touch()

    def _perform_due(self, due_ms: int) -> None:
        """Perform what is due: the usual answers here, all else the long way."""
        writer, waiting, frames = self.server_context.http2_writer, self.waiting, self.outbox.frames
        answers = self.server_context.post_handler.tally.answers
        known, numbers = writer.known, writer.numbers
        writer.tick()
        for stream_id in self.due.pop(due_ms):
            post = waiting.pop(stream_id, None)
            if post is None:
                continue  # the client has given up
            found = known.get(id(post[1]))
            if found is None or self.outbox.owes_size_update:
                perform(self, stream_id, *post)
                continue
            answers[found[0].status] += 1
            self.answers += 1
            frames.append(found[1].write(stream_id, next(numbers)))

    def _end_turn(self) -> None:
        """Perform what is due at once; end the connection if it was to end after that."""
        while AT_ONCE in self.due:  # a reaction may begin another one
            self._perform_due(AT_ONCE)
        limit = self.server_context.post_handler.close_after_answers
        if self.last_id == MAX_STREAM_ID and 0 < limit <= self.answers:
            self.go_away(ErrorCode.NO_ERROR)
        if self.last_id != MAX_STREAM_ID and not self.under_way:
            self.channel.end()
