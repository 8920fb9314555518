"""Tells what one invocation did for a slice: log lines and metrics.

The account is logged at every level; what stopped the work is an error.
"""

from dataclasses import asdict
from typing import Any

from broadcasting.ledger import LeaseLostError
from broadcasting.ledger_rows import Summary
from log import log_receipt, logger
from metrics import publish_report
from slices.report import InvocationReport


def log_report(report: InvocationReport) -> None:
    """Log and publish what was done, as far as it was written down."""
    _log_trouble(report)
    log_receipt(
        "slice closed"
        if report.is_closed
        else "broken off"
        if report.failure
        else "slice handed over",
        broadcast_id=report.summary.id,
        slice_id=report.slice_id,
        counts=asdict(report.counts),
        throttled_share=round(report.counts.throttled_share, 4),
        pending=report.pending,
        reasons=dict(report.reasons),
        unread_shards=report.unread_shards,
        slices_handed_over=report.handed_over,
        stale_rows_left=report.stale_rows_left,
        protocol=report.protocol,
        **({"calmed": report.calmed} if report.calmed else {}),
    )
    if report.is_closed and report.summary.is_settled:
        _log_settled(report.summary)
    publish_report(report)


def _log_trouble(report: InvocationReport) -> None:
    """Log what stopped the work early, and what all posts were answered."""
    facts: dict[str, Any] = {"broadcast_id": report.summary.id, "slice_id": report.slice_id}
    if report.stopped_by:
        is_lost = isinstance(report.stopped_by, LeaseLostError)
        message = "lease lost" if is_lost else "stopped early"
        logger.error(message, **facts, reason=report.stopped_by)
    if report.given_up:
        logger.error("gave up", **facts, reason=report.given_up)
    elif report.trouble:
        reason = report.trouble_reason
        logger.error("stopped early", **facts, trouble=report.trouble.value, reason=reason)


def _log_settled(summary: Summary) -> None:
    log_receipt(
        "settled",
        broadcast_id=summary.id,
        channel=summary.channel,
        seq=summary.seq,
        slices=summary.slices,
        milliseconds=summary.settled_ms - summary.opened_ms,
        throttled_share=round(summary.counts.throttled_share, 4),
        receipt=asdict(summary.counts),
    )
