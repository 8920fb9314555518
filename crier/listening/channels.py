"""The channels that a client follows, and what it is told of them. Pure."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from broadcasting.audience import EVERYONE, LISTED, OWN
from broadcasting.followed_channel import Event, FollowedChannel, Frame, Message
from crier.listening.effects import Followed, Outbox
from crier.listening.waits import Waits

KEEP_ALIVE: Final = {"type": "keep-alive"}
"""The message of a broadcast that only keeps connections in use: docs/operator/running.md."""

_KNOWN_IDS: Final = 256

Some = Mapping[str, FollowedChannel]


class Channels:
    """What a client wants to follow, by name; everyone's channel is always among it.

    Frames of its user's channel, when that is not followed, and those to listed connections have no
    position: they are told once each, by their ids.
    """

    def __init__(self, waits: Waits, outbox: Outbox, *, is_ordered: bool) -> None:
        self._waits, self._outbox, self._is_ordered = waits, outbox, is_ordered
        self._all: dict[str, FollowedChannel] = {}
        self._ids = {name: deque[str](maxlen=_KNOWN_IDS) for name in (OWN, LISTED)}
        self.follow(EVERYONE, None)

    def __iter__(self) -> Iterator[tuple[str, FollowedChannel]]:
        return iter(tuple(self._all.items()))

    def __contains__(self, name: str) -> bool:
        return name in self._all

    def __getitem__(self, name: str) -> FollowedChannel:
        return self._all[name]

    def follow(self, name: str, first: Frame | None) -> None:
        """Follow a channel, from `first` on."""
        self._all[name] = FollowedChannel(
            self._waits.jitter,
            is_ordered=self._is_ordered,
            first=first,
            gap_wait_ms=self._waits.gap_wait_ms,
        )

    def leave(self, name: str) -> bool:
        """Follow a channel no more; return whether it was followed."""
        return self._all.pop(name, None) is not None

    def come_back(self, joined: Some) -> None:
        """Note that the client will join again with all channels but those in `joined`."""
        for name, one in self._all.items():
            if joined.get(name) is not one:
                one.come_back()

    def is_wanted(self, name: str, channel: FollowedChannel) -> bool:
        """Whether a channel is still followed: it may have been left, and followed anew."""
        return self._all.get(name) is channel

    def frame(self, frame: Frame, now_ms: float) -> None:
        """Take a frame that has come live; one of a channel that is not followed is dropped."""
        name = frame["channel"]
        if channel := self._all.get(name):
            self._tell(name, channel.frame(frame, now_ms))
        elif self._is_new(frame):
            self._tell(name, [Message(frame, is_replayed=False)])

    def answer(
        self, name: str, channel: FollowedChannel, position: Mapping[str, Any], now_ms: float
    ) -> None:
        """Take what an answer says of a channel."""
        self._tell(name, channel.answer(position, now_ms))

    def pong(self, newest: Mapping[str, int], now_ms: float) -> None:
        """Take the newest numbers."""
        for name, number in newest.items():
            if channel := self._all.get(name):
                channel.pong(number, now_ms)

    def _is_new(self, frame: Frame) -> bool:
        ids = self._ids.get(frame["channel"])
        if ids is None or frame["id"] in ids:
            return False
        ids.append(frame["id"])
        return True

    def _tell(self, name: str, events: Iterable[Event]) -> None:
        for one in events:
            if not isinstance(one, Message) or one.frame.get("message") != KEEP_ALIVE:
                self._outbox.append(Followed(name, one))
