"""Where a client is in channels: counters and frames, read until the answer is full."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from broadcasting.client_request import Since
from broadcasting.clock import Clock
from broadcasting.counter_items import counter_of, is_usable
from broadcasting.items import Item
from broadcasting.numbering import Counter
from broadcasting.position import Position
from broadcasting.replay import Found, Viewer, numbers_wanted, position_of
from storage.frames import FrameReader
from storage.numbered_stream import NumberedStream
from storage.patience import Patience


class Channel(NamedTuple):
    """A channel as the client names it, its stream, and from where on the client wants frames."""

    name: str
    stream: str
    since: Since


class PositionReader:
    """Makes positions of counters that were read, and of the frames behind them.

    `stream_of` returns a stream by its name. Nothing is replayed when `replay_seconds` is 0.
    """

    def __init__(
        self,
        frames: FrameReader,
        stream_of: Callable[[str], NumberedStream],
        *,
        patience: Patience,
        replay_seconds: int,
        replay_frames: int,
    ) -> None:
        self._frames = frames
        self._stream_of = stream_of
        self._patience = patience
        self._replay_seconds = replay_seconds
        self._replay_frames = replay_frames

    def read(
        self,
        channels: Sequence[Channel],
        counters: Mapping[str, Item],
        ids: frozenset[str],
        *,
        room_bytes: int,
        ends_at: float,
    ) -> dict[str, Position]:
        """Return a position for each channel; the first ones have the room for their frames.

        `counters` are rows that were read strongly consistently, by their streams; `ids` are the
        connections of the client. Raises StorageError.
        """
        positions: dict[str, Position] = {}
        for channel in channels:
            counter = self._counter(channel, counters.get(channel.stream), ends_at)
            viewer = Viewer(ids, self._now_ms, self._replay_frames, room_bytes)
            found = self._found(channel, counter, room_bytes, ends_at)
            position = position_of(counter, channel.since, found, viewer)
            room_bytes -= position.frames_bytes
            positions[channel.name] = position
        return positions

    def _counter(self, channel: Channel, item: Item | None, ends_at: float) -> Counter:
        """Return a channel's counter; it begins if there is none, and is freed of old marks.

        An old mark would hide all later numbers from a client that comes back.
        """
        stream = self._stream_of(channel.stream)
        if item is None or not is_usable(item, channel.stream, self._now_ms):
            return self._begin(stream, ends_at, item or {})
        counter = counter_of(item)
        if channel.since and stream.close_stale(counter, ends_at=ends_at):
            return self._begin(stream, ends_at)
        return counter

    def _begin(self, stream: NumberedStream, ends_at: float, found: Item | None = None) -> Counter:
        """Return a counter as it is now, begun if it is not there; `found` is its row, if read."""
        return self._patience.until_done(
            lambda: stream.counters.begin(stream.name, found), ends_at=ends_at
        )

    def _found(self, channel: Channel, counter: Counter, room_bytes: int, ends_at: float) -> Found:
        """Read the frames that a client may have missed; none when none is replayed."""
        numbers = numbers_wanted(counter, channel.since, most_frames=self._replay_frames)
        if not self._replay_seconds:
            return Found({}, counter.last)
        stream = channel.stream
        found = self._frames.read(
            stream, counter.epoch, numbers, most_bytes=room_bytes, ends_at=ends_at
        )
        unread = range(found.until + 1, numbers.stop)
        has_gap = len(found.rows) < found.until + 1 - numbers.start
        if unread and has_gap and found.until > counter.known_until:
            newest = self._frames.newest(stream, unread, ends_at=ends_at)
            return Found({**found.rows, **newest}, found.until)
        return found

    @property
    def _clock(self) -> Clock:
        return self._patience.clock

    @property
    def _now_ms(self) -> int:
        return self._clock.epoch_ms()
