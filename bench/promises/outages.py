"""The endpoint is down for three minutes in the middle of a broadcast to 3,000."""

from collections.abc import Iterator

from bench.promises.laboratory import Laboratory, Outage
from bench.target import Target

_CONNECTIONS = 3_000
_SECONDS = 180.0
_MOST_POSTS = 5_000
_MOST_TWICE = _CONNECTIONS // 100
_DONE_WITHIN_SECONDS = 300.0


def outages(laboratory: Laboratory) -> Iterator[Target]:
    """Yield what came of it; its times are the app's, as delays are skipped."""
    with laboratory.app() as bench:
        here = bench.suffer(Outage(how="refused", seconds=_SECONDS, after_posts=_CONNECTIONS // 2))
        bench.app.connect(_CONNECTIONS)
        broadcast_id, _ = bench.broadcast()
        account, report = bench.app.account(broadcast_id), here.report()
    missed = _CONNECTIONS - len(report.received)
    late_seconds = account.settled_ms / 1000 - here.ends_at
    judged = (
        ("failed", "0", f"{account.counts.failed}", not account.counts.failed),
        ("missed", "0", f"{missed}", not missed),
        ("twice", f"≤ {_MOST_TWICE}", f"{report.duplicates}", report.duplicates <= _MOST_TWICE),
        (
            "done after it is back",
            f"≤ {_DONE_WITHIN_SECONDS:g} s",
            f"{late_seconds:.0f} s",
            account.is_settled and late_seconds <= _DONE_WITHIN_SECONDS,
        ),
        (
            "posts while down",
            f"≤ {_MOST_POSTS:,}",
            f"{here.posts_while_down:,}",
            here.posts_while_down <= _MOST_POSTS,
        ),
    )
    for what, target, figure, met in judged:
        yield Target(
            name=f"down for 3 minutes in the middle of 3,000: {what}",
            target=target,
            source="counted",
            figure=figure,
            met=met,
        )
