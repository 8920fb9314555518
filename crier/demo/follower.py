"""One channel as a client of the demo follows it, and a record of what came of it."""

from collections.abc import Mapping
from typing import Any

from broadcasting.followed_channel import Event, FollowedChannel, Frame, Gap, Message

_NOW_MS = 0.0
"""The demo's client waits for gaps by itself, so that no time passes here."""


class Follower:
    """What a client has of a channel.

    `taken` are its frames in order, `copies` counts those that came again, `lost` are the ranges
    that the server could not give.
    """

    def __init__(self) -> None:
        self.taken: list[Message] = []
        self.copies = 0
        self.lost: list[Gap] = []
        self._channel = FollowedChannel(lambda: 0.0)
        self._ahead: set[int] = set()
        """The numbers that have come of those above the client's."""

    @property
    def number(self) -> int:
        """The number up to which the client has all that was meant for it; 0 before an answer."""
        return self._channel.position

    @property
    def has_gap(self) -> bool:
        """Whether frames are held, because some may be missing before them."""
        return self._channel.asks_at is not None

    @property
    def since(self) -> Frame | None:
        """What a client asks for that comes back; None for one that comes for the first time."""
        return self._channel.since

    def come_back(self) -> None:
        """Note that the client joins again: no old answer comes any more."""
        self._channel.come_back()

    def come(self, frame: Frame) -> None:
        """Take note of a frame that has come live."""
        seq = int(frame["seq"])
        is_known = self._channel.epoch is not None and seq <= self.number
        self.copies += is_known or seq in self._ahead
        self._ahead.add(seq)
        self._note(self._channel.frame(frame, _NOW_MS))

    def answered(self, position: Mapping[str, Any]) -> bool:
        """Take note of an answer about the channel; return whether to ask for more."""
        self._note(self._channel.answer(position, _NOW_MS))
        asks_at = self._channel.asks_at
        if asks_at is None or asks_at > _NOW_MS:
            return False
        self._channel.ask()
        return True

    def _note(self, events: list[Event]) -> None:
        self.taken += [one for one in events if isinstance(one, Message)]
        self.lost += [one for one in events if isinstance(one, Gap)]
        self._ahead = {seq for seq in self._ahead if seq > self.number}
