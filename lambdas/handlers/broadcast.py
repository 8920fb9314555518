"""The broadcast function: takes broadcasts and slices from SQS, and delivers each by itself."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from broadcasting.attributes import REDRIVEN, Attributes, text_of
from broadcasting.backlog import whole_backlog
from broadcasting.dead_letter import Letter, Note, letter_of
from broadcasting.errors import GaveUpError, RejectedError
from broadcasting.frame import encode_frame
from broadcasting.ledger import LeaseLostError, Refusal
from broadcasting.ledger_opening import NewBroadcast
from broadcasting.ledger_rows import ROOT, Lease
from broadcasting.message import identity_of, parse_broadcast
from broadcasting.slice_message import encode_slice_message, parse_slice_message
from early_building import build_in_lambda
from handlers.broadcast_log import log_report
from handlers.events import Record, records_of
from log import logger
from metrics import publish_lease, publish_rejected
from slices.report import InvocationReport
from slices.worker import SWEEP_SECONDS
from wiring import BroadcastWiring, broadcast_wiring

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

RESERVED_SECONDS = SWEEP_SECONDS + 8.0
"""Kept back of an invocation's time: for the last write, the hand-over and the deletes."""

LEASE_GRACE_MS = 5_000
"""How long a lease outlives its invocation: more than the clocks of two workers differ."""


class TimeLimits(NamedTuple):
    """How long an invocation may work, by the monotonic clock, and how long its leases last."""

    deadline: float
    lease_until_ms: int


def handler(event: Mapping[str, Any], context: "LambdaContext") -> dict[str, Any]:
    """Deliver what a batch of messages asks for; name those that SQS shall deliver again.

    Raises EventError, and touches nothing, when the event is not of SQS.
    """
    records = records_of(event)
    return serve(records, broadcast_wiring(), context.get_remaining_time_in_millis())


def serve(records: Sequence[Record], wired: BroadcastWiring, remaining_ms: int) -> dict[str, Any]:
    """Deliver what messages ask for, in the remaining time; return the answer to SQS."""
    limits = TimeLimits(
        deadline=wired.clock.monotonic() + remaining_ms / 1000 - RESERVED_SECONDS,
        lease_until_ms=wired.clock.epoch_ms() + remaining_ms + LEASE_GRACE_MS,
    )
    failed = [record for record in records if not _settle(record, wired, limits)]
    return {"batchItemFailures": [{"itemIdentifier": record.message_id} for record in failed]}


def _settle(record: Record, wired: BroadcastWiring, limits: TimeLimits) -> bool:
    """Return whether SQS may forget the message. One bad record never holds up another."""
    try:
        try:
            held = _lease(record, wired, limits)
        except RejectedError as error:
            _reject(record, error, wired)
            return True
        if isinstance(held, Refusal):
            return _skip(record, held, wired)
        with suppress(Exception):  # whatever it is, it must not stand before the work
            _report_lease(held)
        report = wired.worker.deliver(held, limits.deadline)
        is_done = _conclude(record, report, wired)
    except Exception:  # noqa: BLE001 - whatever it is, the message must not be lost
        logger.exception("message goes back to the queue", message_id=record.message_id)
        return False
    return is_done


def _conclude(record: Record, report: InvocationReport, wired: BroadcastWiring) -> bool:
    """Report what was done; return whether SQS may forget the message.

    Raises what makes the message come again.
    """
    try:
        log_report(report)
    except Exception:  # noqa: BLE001 - it is delivered: SQS must not deliver it again
        logger.exception("delivered, but not reported", broadcast_id=report.summary.id)
    if report.failure:
        raise report.failure
    if report.given_up:
        note = Note(report.given_up, record.message_id, is_given_up=True)
        body = encode_slice_message(report.summary.id, report.slice_id)
        wired.slice_dead_letters.send(_letter(body, note, record, wired))
    # Another worker may be working on this same message: it is not to be deleted then.
    return not isinstance(report.stopped_by, LeaseLostError)


def _lease(record: Record, wired: BroadcastWiring, limits: TimeLimits) -> Lease | Refusal:
    """Open the broadcast of a message, or go on with the slice that it names."""
    deadline, until_ms = limits
    if _is_of_slices(record, wired):
        broadcast_id, slice_id = parse_slice_message(record.body)
        anew = bool(text_of(record.attributes, REDRIVEN))  # no producer may send to this queue
        return wired.ledger.lease(
            broadcast_id, slice_id, until_ms=until_ms, deadline=deadline, anew=anew
        )
    try:
        broadcast = parse_broadcast(record.body, record.message_id)
    except RejectedError:  # an open broadcast goes on, whatever a later release refuses
        known = identity_of(record.body, record.message_id)
        held = None
        if known:
            held = wired.ledger.resume(*known, until_ms=until_ms, deadline=deadline)
        if held is None or held is Refusal.CLOSED:
            raise
        return held
    now_ms = wired.clock.epoch_ms()
    ttl_ms = (broadcast.ttl_seconds or 0) * 1000
    opening = NewBroadcast(
        id=broadcast.id,
        digest=broadcast.digest,
        audience=broadcast.audience,
        frame_of=partial(encode_frame, broadcast, now_ms),
        opened_ms=now_ms,
        expires_ms=record.sent_ms + ttl_ms if ttl_ms else 0,
        backlog=whole_backlog(broadcast.audience),
    )
    return wired.ledger.open(opening, until_ms=until_ms, deadline=deadline)


def _skip(record: Record, refusal: Refusal, wired: BroadcastWiring) -> bool:
    """Skip a slice that is closed; the message of one that is under way elsewhere comes again."""
    broadcast_id, slice_id = _slice_of(record, wired)
    logger.info(
        "skipped",
        message_id=record.message_id,
        broadcast_id=broadcast_id,
        slice_id=slice_id,
        slice_is=refusal.name.lower(),
    )
    return refusal is Refusal.CLOSED


def _slice_of(record: Record, wired: BroadcastWiring) -> tuple[str | None, str]:
    """Return the broadcast and the slice of a message that was found right."""
    if _is_of_slices(record, wired):
        return parse_slice_message(record.body)
    known = identity_of(record.body, record.message_id)
    return known[0] if known else None, ROOT


def _reject(record: Record, error: RejectedError, wired: BroadcastWiring) -> None:
    is_slice = _is_of_slices(record, wired)
    dead_letters = wired.slice_dead_letters if is_slice else wired.dead_letters
    note = Note(error.reason, record.message_id, is_given_up=isinstance(error, GaveUpError))
    letter = _letter(record.body, note, record, wired)
    logger.error(
        "rejected",
        message_id=record.message_id,
        reason=error.reason,
        attributes_left_out=[one.name for one in letter.left_out],
    )
    dead_letters.send(letter)
    publish_rejected()


def _letter(body: str, note: Note, record: Record, wired: BroadcastWiring) -> Letter:
    """Return a dead letter with the attributes of the message that led to it."""
    theirs: Attributes = record.attributes
    if _is_of_slices(record, wired):  # the mark is Crier's there, and has been acted upon
        theirs = {name: one for name, one in theirs.items() if name != REDRIVEN}
    return letter_of(body, note, theirs)


def _is_of_slices(record: Record, wired: BroadcastWiring) -> bool:
    return record.queue_arn == wired.settings.slice_queue_arn


def _report_lease(held: Lease) -> None:
    slice_row = held.slice_row
    is_resumed = slice_row.hops > 1
    is_opened = slice_row.id == ROOT and not is_resumed
    logger.info(
        "opened" if is_opened else "resumed" if is_resumed else "taken up",
        broadcast_id=slice_row.broadcast_id,
        slice_id=slice_row.id,
        channel=held.summary.channel,
    )
    publish_lease(is_opened=is_opened, is_resumed=is_resumed)


build_in_lambda(broadcast_wiring)
