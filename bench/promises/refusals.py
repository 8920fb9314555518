"""Some connections of 3,000 are always refused: how long until all others have received it."""

import secrets
from collections.abc import Iterator
from threading import Thread
from time import perf_counter, sleep

from bench.promises.laboratory import Bench, Function, Laboratory
from bench.promises.repeats import ratio
from bench.target import Target
from testbed.stand_in.behaviour import Behaviour
from testbed.stand_in.process import StandInProcess

_CONNECTIONS = 3_000
_REFUSED = (1, 3, 30)
_LIMIT = 1.2
_POLL_SECONDS = 0.004
_REFUSING = Behaviour(latency_median_seconds=0.02, forbidden_share=0.05)


def refusals(laboratory: Laboratory) -> Iterator[Target]:
    """Yield a figure for each number of connections that are refused."""
    for count in _REFUSED:
        yield _refusal(laboratory, count)


def _refusal(laboratory: Laboratory, count: int) -> Target:
    with StandInProcess(_REFUSING) as stand_in, laboratory.app() as bench:
        bench.post_to(stand_in.url, stand_in.ca_path)
        bench.patch.setenv("POSTS_IN_FLIGHT", "512")
        refused = _names(count, is_refused=True)
        bench.app.connect_as(_names(_CONNECTIONS - count, is_refused=False))
        settled = True

        def among(extra: list[str]) -> float:
            nonlocal settled
            bench.app.connect_as(extra)
            stand_in.behave(_REFUSING)
            seconds, broadcast_id = _others_received(bench, stand_in, _CONNECTIONS - count)
            settled &= bench.app.account(broadcast_id).is_settled
            bench.app.disconnect(extra)
            return seconds

        found, words = ratio(lambda: among(refused), lambda: among([]))
    return Target(
        name=f"{count} of 3,000 always refused: all others have received it",
        target=f"≤ {_LIMIT} x, settled",
        source="timed",
        figure=f"{words}, {'settled' if settled else 'open'}",
        met=found <= _LIMIT and settled,
    )


def _names(count: int, *, is_refused: bool) -> list[str]:
    """Return connection ids that the stand-in refuses, or that it does not."""
    names: list[str] = []
    while len(names) < count:
        name = f"c-{secrets.token_hex(6)}"
        if _REFUSING.is_forbidden(name) == is_refused:
            names.append(name)
    return names


def _others_received(bench: Bench, stand_in: StandInProcess, others: int) -> tuple[float, str]:
    """Broadcast; return the seconds until the others had received it, and the broadcast's id."""
    received_at: list[float] = []

    def watch() -> None:
        while stand_in.report().connections_reached < others:
            sleep(_POLL_SECONDS)
        received_at.append(perf_counter())

    watching = Thread(target=watch, name="watch", daemon=True)
    function = Function(bench.app)
    broadcast_id = bench.app.send()
    began = perf_counter()
    watching.start()
    bench.app.run(function)
    watching.join(timeout=5.0)
    return (received_at[0] if received_at else perf_counter()) - began, broadcast_id
