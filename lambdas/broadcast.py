"""The broadcast function: takes broadcasts and slices from SQS and settles each by itself."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from broadcasting.errors import RejectedError
from broadcasting.frame import encode_frame
from broadcasting.message import parse_broadcast
from broadcasting.slice import Slice, open_slice, parse_slice
from events import Record, records_of
from metrics import publish_receipt, publish_rejected
from observability import logger
from wiring import BroadcastWiring, broadcast_wiring
from worker import SWEEP_SECONDS, Carried

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

RESERVED_SECONDS = SWEEP_SECONDS + 8.0
"""Kept back of an invocation's time: for the hand-over and the deletes."""


def handler(event: Mapping[str, Any], context: "LambdaContext") -> dict[str, Any]:
    """Settle a batch of messages; name those that SQS shall deliver again."""
    wired = broadcast_wiring()
    remaining_seconds = context.get_remaining_time_in_millis() / 1000
    deadline = wired.clock.monotonic() + remaining_seconds - RESERVED_SECONDS
    failed = [record for record in records_of(event) if not _settle(record, wired, deadline)]
    return {"batchItemFailures": [{"itemIdentifier": record.message_id} for record in failed]}


def _settle(record: Record, wired: BroadcastWiring, deadline: float) -> bool:
    """Return whether SQS may forget the message. One bad record never holds up another."""
    try:
        try:
            piece = _slice_of(record, wired)
        except RejectedError as error:
            _reject(record, error, wired)
            return True
        carried = wired.worker.carry(piece, deadline)
    except Exception:  # noqa: BLE001 - whatever it is, the message must not be lost
        logger.exception("message goes back to the queue", message_id=record.message_id)
        return False
    try:
        _report(piece, carried, wired)
    except Exception:  # noqa: BLE001 - it is delivered: SQS must not deliver it again
        logger.exception("delivered, but not reported", broadcast_id=piece.broadcast_id)
    return True


def _slice_of(record: Record, wired: BroadcastWiring) -> Slice:
    if record.queue_arn == wired.settings.slice_queue_arn:
        return parse_slice(record.body)
    broadcast = parse_broadcast(record.body, record.message_id)
    sent_at = wired.clock.epoch_ms()
    return open_slice(broadcast.id, encode_frame(broadcast, sent_at), sent_at)


def _reject(record: Record, error: RejectedError, wired: BroadcastWiring) -> None:
    is_slice = record.queue_arn == wired.settings.slice_queue_arn
    dead_letters = wired.slice_dead_letters if is_slice else wired.dead_letters
    logger.error("rejected", message_id=record.message_id, reason=error.reason)
    dead_letters.send(record.body, message_id=record.message_id, reason=error.reason)
    publish_rejected()


def _report(piece: Slice, carried: Carried, wired: BroadcastWiring) -> None:
    milliseconds = wired.clock.epoch_ms() - piece.sent_at
    if carried.stopped_by:
        logger.error("stopped early", broadcast_id=piece.broadcast_id, reason=carried.stopped_by)
    logger.info(
        "settled" if carried.is_settled else "handed over",
        broadcast_id=piece.broadcast_id,
        hops=piece.hops,
        milliseconds=milliseconds,
        unread_shards=carried.unread_shards,
        stale_rows_left=carried.stale_rows_left,
        receipt=asdict(carried.receipt),
    )
    publish_receipt(carried.receipt, milliseconds if carried.is_settled else None)
