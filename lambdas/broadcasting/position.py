"""Where a client is in a channel: the numbers whose frames it has all been given. Pure."""

from dataclasses import dataclass
from enum import Enum


class Reason(Enum):
    """Why a range cannot be given."""

    EXPIRED = "expired"
    """Its frames are not kept any more, at least one of them."""
    TOO_MANY = "too-many"
    EPOCH = "epoch"
    """The client's number is of another epoch, or of none that was given yet."""


@dataclass(frozen=True, slots=True)
class Lost:
    """The numbers after `start`, up to `end`, which a client is not given, and why."""

    start: int
    end: int
    reason: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """What a client is given of a channel.

    All that was meant for it of the numbers after `start`, up to `end`, is in `frames`; some of
    higher numbers may be there, too. `seq` is the last number of which all up to it are known.
    With `more` the client has to ask again from `end`. What is `lost` has no frames.
    """

    epoch: str
    seq: int
    start: int
    end: int
    frames: tuple[str, ...] = ()
    more: bool = False
    lost: Lost | None = None

    def __post_init__(self) -> None:
        """Refuse a position that is partial. Raises ValueError."""
        if self.lost is None and self.start > self.end:
            raise ValueError(f"found {self.start} to {self.end}, expected an end behind the start")
        if self.lost is not None and (self.frames or self.more):
            raise ValueError("found frames of what is lost, expected none")

    @property
    def frames_bytes(self) -> int:
        """What its frames take of an answer, with a comma for each, in bytes of UTF-8."""
        return sum(map(frame_bytes, self.frames))


def frame_bytes(frame: str) -> int:
    """Return what a frame takes of an answer, with a comma, in bytes of UTF-8."""
    return len(frame.encode()) + 1
