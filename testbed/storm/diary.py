"""What one client of a storm was told, by its callback: frames, gaps, and where it is. Pure."""

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from broadcasting.followed_channel import Gap, Message
from crier.listening.effects import Changed, Followed, State, Trouble
from crier.listening.listener import Event


class Heard(NamedTuple):
    """A frame that the client was given."""

    id: str
    seq: int
    is_replayed: bool = False


@dataclass(slots=True, eq=False)
class Diary:
    """One client's; `channels` are those that it follows from its first join on.

    `joined_at` is when that was, on the monotonic clock; `joins` counts the joins that ended a time
    without a connection. `ended` says why the client stays away, if it does.
    """

    user: str
    channels: frozenset[str]
    joined_at: float | None = None
    joins: int = 0
    heard: dict[str, list[Heard]] = field(default_factory=dict)
    """What it was given as frames of each channel, in the order in which it came."""
    gaps: list[str] = field(default_factory=list)
    troubles: Counter[str] = field(default_factory=Counter)
    ended: str = ""

    def take(self, event: Event, now: float) -> None:
        """Note down what the client was told."""
        match event:
            case Followed(channel, Message(frame, is_replayed)):
                one = Heard(frame["id"], frame["seq"], is_replayed)
                self.heard.setdefault(channel, []).append(one)
            case Followed(channel, Gap(start, end, reason)):
                self.gaps.append(f"{channel} after {start} up to {end} ({reason})")
            case Changed(state=State.CONNECTED):
                self.joined_at = now if self.joined_at is None else self.joined_at
                self.joins += 1
            case Changed(state=State.CLOSED, reason=reason):
                self.ended = reason
            case Trouble(code=code):
                self.troubles[code] += 1

    @property
    def received(self) -> int:
        """How many frames it was given."""
        return sum(map(len, self.heard.values()))

    @property
    def replayed(self) -> int:
        """How many of its frames an answer has had."""
        return sum(one.is_replayed for frames in self.heard.values() for one in frames)
