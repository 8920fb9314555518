"""What a demo proves: which client received what, and which rows remain. Pure counting."""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from crier.wording import counted


@dataclass(frozen=True, slots=True)
class DemoResult:
    """The figures of a demo: its JSON has these keys.

    `targeted` to `failed` come from the app's own ledger, and so does `settled_per_second`: the
    connections that ended, divided by the seconds from the broadcast's opening to its end. All
    other figures are counted from outside. `received` clients had the right frame exactly once;
    `duplicates` are further copies of the right frame, `wrong` are frames with other content, and
    `missing` clients had no right frame. Times are from enqueuing to the arrival at a client.
    `stale_rows_left` are rows of ghosts, `live_rows_lost` are rows of clients that are missing in
    the table.
    """

    connections: int
    ghosts: int
    targeted: int
    delivered: int
    gone: int
    failed: int
    received: int
    duplicates: int
    missing: int
    wrong: int
    first_seconds: float
    last_seconds: float
    settled_per_second: float
    stale_rows_left: int
    live_rows_lost: int

    @property
    def complaints(self) -> list[str]:
        """What is not as promised, in words; an empty list when all is well."""
        ghosts = counted(self.stale_rows_left, "row of a ghost", "rows of ghosts")
        found = {
            f"{counted(self.missing, 'client')} did not receive the message": self.missing,
            f"{counted(self.duplicates, 'frame')} too many": self.duplicates,
            f"{counted(self.wrong, 'frame')} with other content": self.wrong,
            f"{ghosts} left": self.stale_rows_left,
            f"{counted(self.live_rows_lost, 'live row')} lost": self.live_rows_lost,
            f"{counted(self.failed, 'connection')} failed": self.failed,
            f"delivered is {self.delivered}, expected {self.connections}": (
                self.delivered != self.connections
            ),
            f"gone is {self.gone}, expected {self.ghosts}": self.gone != self.ghosts,
        }
        return [complaint for complaint, is_so in found.items() if is_so]

    def as_json(self) -> dict[str, Any]:
        """Return the figures under their names."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Reception:
    """What all clients received, as in `DemoResult`. Times are in seconds since enqueuing."""

    received: int
    duplicates: int
    missing: int
    wrong: int
    first_seconds: float
    last_seconds: float


def receptions(
    frames_by_client: Sequence[Sequence[tuple[float, Any]]], expected: Any, sent_at: float
) -> Reception:
    """Compare what clients received with the one message that each should have.

    A frame is a pair: its time in monotonic seconds, and the message in it.
    """
    right = [[at for at, message in frames if message == expected] for frames in frames_by_client]
    times = [times[0] - sent_at for times in right if times]
    return Reception(
        received=sum(len(times) == 1 for times in right),
        duplicates=sum(max(0, len(times) - 1) for times in right),
        missing=sum(not times for times in right),
        wrong=sum(map(len, frames_by_client)) - sum(map(len, right)),
        first_seconds=min(times, default=0.0),
        last_seconds=max(times, default=0.0),
    )


@dataclass(frozen=True, slots=True)
class Rows:
    """Which rows remain after a broadcast, as in `DemoResult`."""

    stale_left: int
    live_lost: int


def compare_rows(before: Collection[str], after: Collection[str], ghosts: Collection[str]) -> Rows:
    """Compare the connection ids in the table before and after the ghosts should have gone."""
    live = set(before) - set(ghosts)
    return Rows(stale_left=len(set(after) & set(ghosts)), live_lost=len(live - set(after)))
