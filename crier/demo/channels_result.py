"""What the demo of channels proves: who received what, in which order. Pure counting."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from crier.wording import counted


@dataclass(frozen=True, slots=True)
class Reception:
    """How the frames that clients received compare with those that were meant for them.

    `right` came in order, and once. `missing` did not come, `repeated` came again, `misplaced`
    came in another order than that of their numbers, `wrong` were not meant for the client.
    """

    right: int = 0
    missing: int = 0
    repeated: int = 0
    misplaced: int = 0
    wrong: int = 0

    def __add__(self, other: "Reception") -> "Reception":
        mine, theirs = asdict(self), asdict(other)
        return Reception(**{name: mine[name] + theirs[name] for name in mine})


def compared(received: Sequence[str], expected: Sequence[str]) -> Reception:
    """Compare the ids of what one client received of one channel with what it should have."""
    wanted, times = set(expected), Counter(received)
    first = [one for one in dict.fromkeys(received) if one in wanted]
    in_order = [one for one in expected if one in times]
    misplaced = sum(one != other for one, other in zip(first, in_order, strict=True))
    repeated = {one: count - 1 for one, count in times.items() if one in wanted}
    return Reception(
        right=sum(times[one] == 1 for one in first) - misplaced,
        missing=len(wanted) - len(first),
        repeated=sum(repeated.values()),
        misplaced=misplaced,
        wrong=sum(count for one, count in times.items() if one not in wanted),
    )


@dataclass(frozen=True, slots=True)
class ChannelsResult:
    """The figures of a demo of channels: its JSON has these keys.

    `expected` is the number of frames that were meant for clients, each counted for each client;
    `reception` is how they came. `excluded` is the number of connections that were left out by the
    app's own accounts, of `to_exclude`. `missed` frames were sent while a client was away, and
    `replayed` of them came with the answer to its return, in `seconds_to_catch_up` from its join.
    `lost` ranges could not be given. `copies` came again, and were dropped by their number.
    `miscounted` are broadcasts whose account is another than what was received, `refused` is
    whether a channel that the ticket does not allow was refused. `rows_left` are the rows when all
    clients have gone.
    """

    clients: int
    users: int
    channels: int
    broadcasts: int
    expected: int
    reception: Reception
    to_exclude: int
    excluded: int
    missed: int
    replayed: int
    lost: int
    copies: int
    miscounted: int
    refused: bool
    seconds_to_catch_up: float
    rows_left: int

    @property
    def complaints(self) -> list[str]:
        """What is not as promised, in words; an empty list when all is well."""
        came = self.reception
        found = {
            f"{counted(came.missing, 'frame')} missing": came.missing,
            f"{counted(came.repeated, 'frame')} too many": came.repeated,
            f"{counted(came.misplaced, 'frame')} out of order": came.misplaced,
            f"{counted(came.wrong, 'frame')} not meant for the client": came.wrong,
            f"{came.right:,} frames are right, expected {self.expected:,}": (
                came.right != self.expected
            ),
            f"{self.excluded} connections were left out, expected {self.to_exclude}": (
                self.excluded != self.to_exclude
            ),
            f"{self.replayed} frames were replayed, expected {self.missed}": (
                self.replayed != self.missed
            ),
            f"{counted(self.lost, 'range')} of frames could not be given": self.lost,
            f"the accounts of {counted(self.miscounted, 'broadcast')} are wrong": self.miscounted,
            "a channel that is not allowed was not refused": not self.refused,
            f"{counted(self.rows_left, 'row')} left when all clients have gone": self.rows_left,
        }
        return [complaint for complaint, is_so in found.items() if is_so]

    def as_json(self) -> dict[str, Any]:
        """Return the figures under their names, those of the reception among them."""
        figures = asdict(self)
        reception: dict[str, int] = figures.pop("reception")
        return figures | reception
