"""The promises, checked from outside: the ledger's sums against what was received."""

from broadcasting.receipt import Receipt
from crier.deployed.account import Account
from testbed.function.app import App
from testbed.stand_in.report import Report


def expect_kept(
    app: App, broadcast_id: str, report: Report, audience: set[str], *, duplicates: int = 0
) -> Receipt:
    """Check that a broadcast has settled, its account is exact, and each connection received it.

    At most `duplicates` connections received it twice. Returns the sums.
    """
    account = app.account(broadcast_id)
    expect_exact(account)
    assert account.counts.targeted == len(audience)
    assert account.counts.delivered == len(audience)
    assert set(report.received) == audience
    assert report.duplicates <= duplicates
    return account.counts


def expect_exact(account: Account) -> None:
    """Check that a broadcast has settled with sums that add up."""
    assert account.is_settled, account
    assert account.open_slices == 0
    assert account.counts.targeted == account.counts.ended
