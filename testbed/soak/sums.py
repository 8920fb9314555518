"""Holds a broadcast's account against what the connections received. Pure."""

from collections.abc import Collection, Iterable, Iterator

from broadcasting.receipt import Receipt
from testbed.soak.sent import Sent
from testbed.soak.session import Session


def wrong_sums(
    one: Sent, counts: Receipt, sessions: Iterable[Session], now: float
) -> Iterator[str]:
    """Yield a complaint for each sum that cannot be, and for connections that missed it."""
    sessions = list(sessions)
    stayed = [session for session in sessions if session.is_addressed(one, now)]
    left_out = {session.id for session in sessions if session.is_left_out(one, now)}
    if counts.targeted != counts.ended:
        yield f"{one.id}: the sums do not add up: {counts}"
    missed = [session for session in stayed if not session.times[one.id]]
    if missed:
        names = ", ".join(session.id or session.user for session in missed)
        yield f"{one.id} to {one.stream}: {names} were there throughout and missed it"
    if counts.delivered < len(stayed):
        yield f"{one.id}: {counts.delivered} delivered, {len(stayed)} were there throughout"
    yield from _wrong_excluded(one, counts, left_out)


def _wrong_excluded(one: Sent, counts: Receipt, left_out: Collection[str]) -> Iterator[str]:
    """Yield a complaint when not all are counted that were left out, or more than could be."""
    most = len(one.audience.exclude)
    if not len(left_out) <= counts.excluded <= most:
        yield f"{one.id}: {counts.excluded} excluded, expected {len(left_out)} to {most}"
