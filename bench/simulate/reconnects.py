"""Which cuts of all clients are simulated, and the targets that ours have to meet."""

from collections.abc import Iterator, Mapping

from bench.simulate.backoffs import BACKOFFS, OURS
from bench.simulate.cut import Reconnects, reconnect
from bench.simulate.herd import CLIENTS
from bench.target import Limit, Target

WARNED_SECONDS = 60.0
SEEDS = range(3)


def judge_reconnects(every: Mapping[str, Reconnects]) -> tuple[Target, ...]:
    """Return the targets, by the worst of ours in which refused connects are free."""
    ours = {
        name: one for name, one in every.items() if one.backoff == OURS and not one.refused_count
    }
    cut = {name: one.seconds for name, one in ours.items() if not one.is_warned}
    warned = {name: one.seconds for name, one in ours.items() if one.is_warned}
    at_once = {name: float(one.worst_second) for name, one in ours.items() if one.is_warned}
    cut_of_all = f"{CLIENTS:,} clients cut at once"
    return (
        _judge_worst(f"{cut_of_all}: all back", Limit("≤", 120, "s"), cut),
        _judge_worst(f"{cut_of_all}, told a minute before: all back", Limit("≤", 75, "s"), warned),
        _judge_worst("connects tried then in one second", Limit("≤", 600), at_once),
    )


def run_reconnects() -> dict[str, Reconnects]:
    """Simulate each backoff with several seeds; ours with a warning, and in either reading, too."""
    return dict(_named())


def _named() -> Iterator[tuple[str, Reconnects]]:
    for seed in SEEDS:
        for backoff in BACKOFFS:
            yield f"{backoff}, seed {seed}", reconnect(seed, backoff=backoff)
        warned = reconnect(seed, warned_seconds=WARNED_SECONDS)
        yield f"{OURS}, told before, seed {seed}", warned
        counted = reconnect(seed, refused_count=True)
        yield f"{OURS}, refused connects count, seed {seed}", counted


def _judge_worst(name: str, limit: Limit, figures: Mapping[str, float]) -> Target:
    worst = max(figures, key=lambda one: figures[one])
    return limit.judge(name, figures[worst], worst_run=worst)
