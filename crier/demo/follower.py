"""One channel as a client follows it: its frames in the order of their numbers, each once. Pure.

A client knows from an answer up to which number it has all that was meant for it. Frames that come
live move that number on one by one; one that is further ahead is held until what lies before it
has come, or until an answer says that no more will come of it.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from broadcasting.position import Reason

Frame = Mapping[str, Any]
"""A broadcast's frame, read from its JSON."""


class Taken(NamedTuple):
    """A frame that a client takes note of, and whether an answer had it or it came live."""

    frame: Frame
    is_replayed: bool


class Follower:
    """What a client has of a channel.

    `taken` are its frames in order, `copies` counts those that came again, `lost` are the ranges
    that the server could not give.
    """

    def __init__(self) -> None:
        self.taken: list[Taken] = []
        self.copies = 0
        self.lost: list[Any] = []
        self._held: dict[int, Taken] = {}
        self._number: int | None = None
        self._epoch = ""

    @property
    def number(self) -> int:
        """The number up to which the client has all that was meant for it; 0 before an answer."""
        return self._number or 0

    @property
    def has_gap(self) -> bool:
        """Whether frames are held, because some may be missing before them."""
        return self._number is not None and bool(self._held)

    @property
    def since(self) -> dict[str, Any] | None:
        """What a client asks for that comes back; None for one that comes for the first time."""
        return None if self._number is None else {"seq": self._number, "epoch": self._epoch}

    def come(self, frame: Frame) -> None:
        """Take note of a frame that has come live."""
        self._hold(Taken(frame, is_replayed=False))
        self._take_next()

    def answered(self, position: Mapping[str, Any]) -> bool:
        """Take note of an answer about the channel; return whether to ask for more.

        An answer that begins further on than the client is says nothing of what lies between. Only
        in another epoch does the client go back: any other answer may be late, and frames that
        have come live meanwhile stay taken.
        """
        is_first, before = self._number is None, self.number
        for frame in position["frames"]:
            self._hold(Taken(frame, is_replayed=True))
        if lost := position.get("lost"):
            self.lost.append(lost)
            before = 0 if lost["reason"] == Reason.EPOCH.value else before
        elif not is_first and position["from"] > before:
            return True
        self._epoch = position["epoch"]
        self._take_until(max(before, position["to"]), drop=is_first)
        self._take_next()
        return bool(position.get("more"))

    def _hold(self, taken: Taken) -> None:
        number = int(taken.frame["seq"])
        if number in self._held or (self._number is not None and number <= self._number):
            self.copies += 1
        else:
            self._held[number] = taken

    def _take_until(self, number: int, *, drop: bool) -> None:
        """Move on to a number: what is held up to it is taken, or was before the client came."""
        for one in sorted(one for one in self._held if one <= number):
            taken = self._held.pop(one)
            if taken.is_replayed or not drop:
                self.taken.append(taken)
        self._number = number

    def _take_next(self) -> None:
        while self._number is not None and self._number + 1 in self._held:
            self._take_until(self._number + 1, drop=False)
