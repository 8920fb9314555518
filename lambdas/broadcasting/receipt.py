"""The account of a broadcast: every connection in exactly one of delivered, gone, failed."""

from dataclasses import dataclass

from broadcasting.outcome import Outcome, Settlement

MAX_FAILED_LISTED = 100
"""How many failed connections a receipt names; it counts them all."""


@dataclass(frozen=True, slots=True)
class FailedConnection:
    """A connection that could not be reached, and why."""

    id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """The account of one invocation, in connections; `throttled` counts 429 answers.

    `targeted` are those met for the first time, `left` those handed over to a later invocation.
    Over all invocations of a broadcast targeted = delivered + gone + failed, exactly.
    """

    targeted: int
    delivered: int
    gone: int
    failed: int
    left: int
    throttled: int
    failed_connections: tuple[FailedConnection, ...] = ()


class Tally:
    """Counts settlements as they come in."""

    def __init__(self) -> None:
        self._counts = dict.fromkeys(Outcome, 0)
        self._failed: list[FailedConnection] = []
        self._throttled = 0

    def count(self, settlement: Settlement) -> None:
        """Take one settlement into the account."""
        self._counts[settlement.outcome] += 1
        self._throttled += settlement.throttles
        if settlement.outcome is Outcome.FAILED and len(self._failed) < MAX_FAILED_LISTED:
            self._failed.append(FailedConnection(settlement.connection.id, settlement.reason))

    def receipt(self, *, targeted: int, left: int) -> Receipt:
        """Return the account so far."""
        return Receipt(
            targeted=targeted,
            delivered=self._counts[Outcome.DELIVERED],
            gone=self._counts[Outcome.GONE],
            failed=self._counts[Outcome.FAILED],
            left=left,
            throttled=self._throttled,
            failed_connections=tuple(self._failed),
        )
