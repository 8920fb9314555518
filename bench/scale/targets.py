"""The targets of what a broadcast costs."""

from collections.abc import Mapping, Sequence

from bench.scale.result import MOST_ADDED_SECONDS, Added, Broadcast
from bench.target import Limit, Target

_REQUESTS = Limit("≤", 30)
_MEMORY_GROWTH = Limit("≤", 1.15, "x")
_COST = Limit("≤", 3, "%")
_SMALL, _LARGE = 3_000, 1_000_000

_ADDED = "added to 3,000 by ledger, lease and checkpoints"

BySize = Mapping[int, Broadcast]


def judge(broadcasts: Sequence[Broadcast], added: Added | None = None) -> list[Target]:
    """Return the targets, with a figure where the sizes that it takes were measured."""
    by_size = {one.connections: one for one in broadcasts}
    most_ms = round(added.most_ms, 1) if added else 1000 * MOST_ADDED_SECONDS
    added_ms = round(1000 * added.added_seconds, 1) if added else None
    return [
        _REQUESTS.judge("DynamoDB and SQS requests for 3,000", _requests(by_size)),
        _MEMORY_GROWTH.judge("peak memory at 1,000,000 against 3,000", _growth(by_size)),
        _COST.judge("cost of 1,000,000 over the messages'", _percent(by_size)),
        Limit("≤", most_ms, "ms").judge(_ADDED, added_ms),
    ]


def _requests(by_size: BySize) -> int | None:
    if _SMALL not in by_size:
        return None
    use = by_size[_SMALL].use
    return use.dynamodb_requests + use.queue_requests


def _growth(by_size: BySize) -> float | None:
    if not {_SMALL, _LARGE} <= by_size.keys():
        return None
    return by_size[_LARGE].peak_memory_bytes / by_size[_SMALL].peak_memory_bytes


def _percent(by_size: BySize) -> float | None:
    return 100 * by_size[_LARGE].cost.share if _LARGE in by_size else None
