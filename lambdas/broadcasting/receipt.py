"""The sums of a broadcast or a slice: each connection is counted in exactly one of its ends."""

from dataclasses import dataclass, fields

from broadcasting.outcome import Outcome, Settlement


@dataclass(frozen=True, slots=True)
class Receipt:
    """Connections met, and how they ended; `throttled` counts 429 answers.

    `expired` counts those that were not posted to because the broadcast was too old. `excluded`
    counts those that were met and that the broadcast leaves out: they are not in `targeted`.
    """

    targeted: int = 0
    delivered: int = 0
    gone: int = 0
    failed: int = 0
    expired: int = 0
    throttled: int = 0
    excluded: int = 0

    def __add__(self, other: "Receipt") -> "Receipt":
        return Receipt(
            *(getattr(self, one.name) + getattr(other, one.name) for one in fields(Receipt))
        )

    def __sub__(self, other: "Receipt") -> "Receipt":
        return Receipt(
            *(getattr(self, one.name) - getattr(other, one.name) for one in fields(Receipt))
        )

    @property
    def ended(self) -> int:
        """How many connections have ended."""
        return self.delivered + self.gone + self.failed + self.expired

    @property
    def throttled_share(self) -> float:
        """About which part of the answers were 429; other answers seldom lead to another try."""
        answers = self.delivered + self.gone + self.failed + self.throttled
        return self.throttled / answers if answers else 0.0


class Tally:
    """Adds what happens to what was counted before."""

    def __init__(self, before: Receipt) -> None:
        self._before = before
        self._ends = dict.fromkeys(Outcome, 0)
        self._targeted = 0
        self._throttled = 0

    def meet(self) -> None:
        """Count a connection that is met for the first time."""
        self._targeted += 1

    def forget(self, connections: int) -> None:
        """Take connections back that were met: another slice counts them."""
        self._targeted -= connections

    def settle(self, settlement: Settlement) -> None:
        """Count one settlement."""
        self._ends[settlement.outcome] += 1
        self._throttled += settlement.throttles

    @property
    def counts(self) -> Receipt:
        """The sums as they are now."""
        return self._before + Receipt(
            self._targeted,
            self._ends[Outcome.DELIVERED],
            self._ends[Outcome.GONE],
            self._ends[Outcome.FAILED],
            self._ends[Outcome.EXPIRED],
            self._throttled,
        )
