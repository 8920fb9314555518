"""Settlements of one round: how it ends for each connection, and why connections are pending."""

from collections.abc import Iterable
from dataclasses import replace

from broadcasting.outcome import Outcome, Settlement, Verdict
from broadcasting.reasons import count_reasons, plain_reason
from broadcasting.retry import MAX_ROUNDS
from broadcasting.trouble import Pending


def end_round(settlement: Settlement) -> Settlement:
    """Return a settlement with its round counted: after the last round it has failed."""
    connection = replace(settlement.connection, rounds=settlement.connection.rounds + 1)
    outcome = Outcome.FAILED if connection.rounds >= MAX_ROUNDS else Outcome.PENDING
    return settlement._replace(connection=connection, outcome=outcome)


def pending_of(tried: Iterable[Settlement]) -> Pending:
    """Count connections that were tried in vain, by their last answers."""
    verdicts = [one.verdict for one in tried]
    return Pending(
        refused=verdicts.count(Verdict.FORBIDDEN),
        throttled=verdicts.count(Verdict.THROTTLED),
        lost=verdicts.count(Verdict.LOST),
    )


def reasons_of(pending: Iterable[Settlement]) -> dict[str, int]:
    """Count why connections have not ended, by reason."""
    return count_reasons(
        plain_reason(one.reason, one.connection.id) for one in pending if one.reason
    )
