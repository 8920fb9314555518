"""An audience to which servers that are not ours answer in every way, by the connections' names."""

from collections.abc import Iterable, Mapping

from broadcasting.connection import Connection
from broadcasting.outcome import Outcome
from tests.support.posting import OLD_MS, TRIES, Delivery

THOUSANDS = 3_000

_OUTCOMES = {
    "gone": Outcome.GONE,
    "wrong": Outcome.FAILED,
    "full": Outcome.PENDING,
    "down": Outcome.PENDING,
}
"""How connections end, by the beginnings of their names; all others are delivered."""

_PLACES = {7: "gone", 27: "wrong", 47: "full", 67: "down"}
_PLACES_EACH = 80


def mixed_audience(number_of: int = THOUSANDS) -> list[Connection]:
    """Return a number of connections; one in twenty is not delivered to."""
    kinds = (_PLACES.get(number % _PLACES_EACH, "c") for number in range(number_of))
    return [Connection(f"{kind}{number}=", OLD_MS) for number, kind in enumerate(kinds)]


def named(kind: str, number_of: int) -> list[Connection]:
    """Return a number of connections of one kind."""
    return [Connection(f"{kind}{number}=", OLD_MS) for number in range(number_of)]


def outcome_of(connection_id: str) -> Outcome:
    """Return how a connection ends."""
    kinds = (kind for kind in _OUTCOMES if connection_id.startswith(kind))
    return _OUTCOMES.get(next(kinds, ""), Outcome.DELIVERED)


def times_posted(connections: Iterable[Connection]) -> Mapping[str, int]:
    """Return how often each is posted to: as often as makes sense, where no try succeeds."""
    return {one.id: TRIES if outcome_of(one.id) is Outcome.PENDING else 1 for one in connections}


def check_outcomes(delivery: Delivery) -> None:
    """Assert that each connection has ended as its name says, after as many tries."""
    assert delivery.error is None
    ended = {one.connection.id: (one.outcome, one.tries) for one in delivery.settlements}
    times = times_posted(delivery.taken)
    assert ended == {name: (outcome_of(name), tries) for name, tries in times.items()}
