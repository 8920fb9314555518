"""The ledger's writes are refused for a while: how many receive a broadcast twice."""

from collections.abc import Iterator

from bench.promises.laboratory import Laboratory, Outage
from bench.target import Target
from testbed.wire_faults import WireFault

THROTTLED_SECONDS = (0.2, 0.5, 1.0, 2.0, 10.0)
_NEVER = Outage(how="reset", seconds=1, after_posts=1_000_000)
_CLOSING = '{"S": "settled"}'
_POSTS_PER_SECOND = 300
_IN_FLIGHT = 64


def closings(laboratory: Laboratory) -> Iterator[Target]:
    """Yield a figure for each time that the closing transaction is throttled for."""
    for seconds in THROTTLED_SECONDS:
        yield _closing(laboratory, seconds)


def _closing(laboratory: Laboratory, seconds: float) -> Target:
    with laboratory.app() as bench:
        here, app = bench.suffer(_NEVER), bench.app
        app.connect(300)
        app.faults = [
            WireFault(
                operation="TransactWriteItems",
                body=_CLOSING,
                kind="cancel",
                reasons=("ThrottlingError",),
                for_seconds=seconds,
            )
        ]
        broadcast_id, _ = bench.broadcast()
        twice, invocations = here.report().duplicates, app.invocations
        is_settled = app.account(broadcast_id).is_settled
    return Target(
        name=f"closing throttled for {seconds:g} s, 300 connections",
        target="0 twice, 1 invocation",
        source="counted",
        figure=f"{twice} twice, {invocations} invocations",
        met=is_settled and not twice and invocations == 1,
    )


def checkpoints(laboratory: Laboratory) -> Iterator[Target]:
    """Yield a figure for a worker that lives, and one for a worker that dies at the end."""
    yield _checkpoint(laboratory, most=0, dies=False)
    yield _checkpoint(laboratory, most=_POSTS_PER_SECOND + _IN_FLIGHT, dies=True)


def _checkpoint(laboratory: Laboratory, *, most: int, dies: bool) -> Target:
    refused = WireFault(
        operation="PutItem",
        body="slice#0",
        kind="throttle",
        code="ProvisionedThroughputExceededException",
        after_seconds=0.5,
        for_seconds=6.0,
        times=5 if dies else 0,
    )
    death = WireFault(
        operation="PutItem", body="slice#0", kind="kill_before", after_seconds=3, times=1
    )
    with laboratory.app() as bench:
        app = bench.app
        app.posts_per_second = _POSTS_PER_SECOND
        here = bench.suffer(_NEVER)
        app.connect(3_000)
        app.faults = [refused, death] if dies else [refused]
        broadcast_id, _ = bench.broadcast()
        twice, is_settled = here.report().duplicates, app.account(broadcast_id).is_settled
    return Target(
        name=f"checkpoint refused for 6 s, the worker then {'dies' if dies else 'lives'}",
        target=f"≤ {most} twice",
        source="counted",
        figure=f"{twice} twice",
        met=is_settled and twice <= most,
    )
