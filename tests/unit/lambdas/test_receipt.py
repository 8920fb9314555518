"""The account of an invocation."""

from broadcasting.audience import Connection
from broadcasting.outcome import Outcome, Settlement
from broadcasting.receipt import MAX_FAILED_LISTED, FailedConnection, Tally


def test_tally_counts_each_settlement_once() -> None:
    """Outcomes and throttles add up."""
    tally, one = Tally(), Connection("a", 0)

    for outcome, count in zip(Outcome, (4, 3, 2, 1), strict=True):
        for _ in range(count):
            tally.count(Settlement(one, outcome, 1, throttles=2, reason="why"))
    receipt = tally.receipt(targeted=10, left=1)

    assert (receipt.delivered, receipt.gone, receipt.failed, receipt.left) == (4, 3, 2, 1)
    assert (receipt.targeted, receipt.throttled) == (10, 20)
    assert receipt.failed_connections == (FailedConnection("a", "why"),) * 2


def test_tally_names_at_most_a_hundred_failed_and_counts_them_all() -> None:
    """A receipt stays small."""
    tally = Tally()

    for number in range(MAX_FAILED_LISTED + 5):
        tally.count(Settlement(Connection(str(number), 0), Outcome.FAILED))
    receipt = tally.receipt(targeted=0, left=0)

    assert receipt.failed == MAX_FAILED_LISTED + 5
    assert len(receipt.failed_connections) == MAX_FAILED_LISTED
