"""Tells what one invocation did for a slice: log lines and metrics.

The account is logged at every level; what stopped the work is an error.
"""

from dataclasses import asdict
from typing import Any

from broadcasting.ledger import LeaseLostError, Summary
from metrics import publish_carried
from observability import log_receipt, logger
from slices.report import Carried


def report_carried(carried: Carried) -> None:
    """Log and publish what was done, as far as it was written down."""
    _log_trouble(carried)
    log_receipt(
        "carried" if carried.is_closed else "broken off" if carried.failure else "handed over",
        broadcast_id=carried.summary.id,
        slice_id=carried.slice_id,
        counts=asdict(carried.counts),
        throttled_share=round(carried.counts.throttled_share, 4),
        left=carried.left,
        reasons=dict(carried.reasons),
        unread_shards=carried.unread_shards,
        slices_handed_over=carried.handed_over,
        stale_rows_left=carried.stale_rows_left,
    )
    if carried.is_closed and carried.summary.is_settled:
        _log_settled(carried.summary)
    publish_carried(carried)


def _log_trouble(carried: Carried) -> None:
    """Log what stopped the work early, and what everyone heard."""
    facts: dict[str, Any] = {"broadcast_id": carried.summary.id, "slice_id": carried.slice_id}
    if carried.stopped_by:
        is_lost = isinstance(carried.stopped_by, LeaseLostError)
        message = "lease lost" if is_lost else "stopped early"
        logger.error(message, **facts, reason=carried.stopped_by)
    if carried.given_up:
        logger.error("gave up", **facts, reason=carried.given_up)
    elif carried.trouble:
        reason = carried.trouble_reason
        logger.error("stopped early", **facts, trouble=carried.trouble.value, reason=reason)


def _log_settled(summary: Summary) -> None:
    log_receipt(
        "settled",
        broadcast_id=summary.id,
        seq=summary.seq,
        slices=summary.slices,
        milliseconds=summary.settled_ms - summary.opened_ms,
        throttled_share=round(summary.counts.throttled_share, 4),
        receipt=asdict(summary.counts),
    )
