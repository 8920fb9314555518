"""The ledger: opens broadcasts, leases their slices, and keeps their account."""

import uuid
from collections.abc import Callable
from dataclasses import replace
from enum import Enum, auto
from typing import NamedTuple, TypeVar

from broadcasting.counts import Counts
from broadcasting.errors import RejectedError
from broadcasting.ledger import (
    ROOT,
    LeaseLostError,
    LedgerError,
    SliceRow,
    Summary,
    checkpoint,
    close,
    lease,
    release,
    split,
)
from broadcasting.work import Work
from storage.errors import ConflictError, WriteError
from storage.ledger_items import (
    FailedRow,
    Recent,
    Sequence,
    sequence_key,
    sequence_of,
    slice_key,
    slice_of,
    summary_key,
    summary_of,
)
from storage.ledger_table import LedgerTable

MAX_HOPS = 1_000
"""How often a slice may be taken up without anybody ending in it."""

CLOCK_SLACK_SECONDS = 3.0
"""By how much the clocks of two workers may differ before a slice's own message comes too soon."""

_Versioned = TypeVar("_Versioned", Summary, SliceRow)
_TRIES = 50
"""How often a write is made anew from what others have changed meanwhile."""

_FAILED_PER_ROW = 250
_REASON_CHARACTERS = 200
"""A row takes 400 KB, and JSON some 6 bytes for the worst of characters."""

Failed = tuple[tuple[str, str], ...]
"""Connections that have failed, and why."""


class Opening(NamedTuple):
    """A broadcast to be opened. `frame_of` makes its frame from its number in the channel."""

    id: str
    digest: str
    channel: str
    frame_of: Callable[[int], str]
    opened_ms: int
    expires_ms: int
    work: Work


class Lease(NamedTuple):
    """A slice that is ours until it is released or closed, or the lease has run out."""

    summary: Summary
    piece: SliceRow


class Refusal(Enum):
    """Why a slice is not leased."""

    CLOSED = auto()
    LEASED = auto()


class Ledger:
    """Reads and writes accounts; every write is made from what was read, or not at all."""

    def __init__(self, table: LedgerTable, *, epoch_ms: Callable[[], int]) -> None:
        self._table = table
        self._epoch_ms = epoch_ms

    def open(self, opening: Opening, *, until_ms: int) -> Lease | Refusal:
        """Open a broadcast and lease its first slice; one that is open goes on.

        Raises RejectedError when the id belongs to another broadcast.
        """
        for _ in range(_TRIES):
            item = self._table.get(sequence_key(opening.channel))
            counter = sequence_of(item) if item else Sequence(opening.channel)
            counter = replace(counter, last=counter.last + 1)
            summary = _summary(opening, counter.last)
            piece = self._leased(SliceRow(opening.id, ROOT, opening.work), until_ms)
            recent = Recent(opening.channel, counter.last, opening.id, opening.opened_ms)
            try:
                self._table.write(summary, piece, counter, recent)
            except ConflictError:
                found = self._table.get(summary_key(opening.id))
                if found is None:
                    continue  # another broadcast took the number
                _require_same(summary_of(found), opening)
                return self.lease(opening.id, ROOT, until_ms=until_ms)
            return Lease(_next(summary), _next(piece))
        raise WriteError(f"broadcast {opening.id} not opened: too many others are being opened")

    def lease(self, broadcast_id: str, slice_id: str, *, until_ms: int) -> Lease | Refusal:
        """Lease a slice, if it is free. Raises RejectedError when the ledger does not know it."""
        summary, piece = self._read(broadcast_id, slice_id)
        if piece.is_closed:
            return Refusal.CLOSED
        if piece.hops >= MAX_HOPS:
            raise RejectedError(f"taken up {piece.hops} times without coming to an end")
        if not piece.is_free(self._epoch_ms()):
            return Refusal.LEASED
        try:
            leased = self._leased(piece, until_ms)
        except LedgerError as error:
            raise RejectedError(f"its row is wrong: {error}") from error
        try:
            self._table.write(leased)
        except ConflictError:
            return Refusal.LEASED
        return Lease(summary, _next(leased))

    def work_of(self, broadcast_id: str, slice_id: str) -> Work:
        """Return what is still to do for a slice. Raises RejectedError for one that is unknown."""
        return self._read(broadcast_id, slice_id)[1].work

    def checkpoint(self, held: Lease, work: Work, counts: Counts, failed: Failed) -> Lease:
        """Write down how far we have come. Raises LeaseLostError."""
        return self._write_piece(held, checkpoint(held.piece, work, counts), failed)

    def release(
        self,
        held: Lease,
        work: Work,
        counts: Counts,
        failed: Failed,
        *,
        rest_seconds: float = 0.0,
    ) -> Lease:
        """Write down how far we have come, for whoever goes on, after a rest if need be.

        A message that comes again meanwhile does not cut the rest short. Raises LeaseLostError.
        """
        done = checkpoint(held.piece, work, counts)
        rests_until_ms = self._rests_until_ms(rest_seconds)
        return self._write_piece(held, release(done, rests_until_ms=rests_until_ms), failed)

    def split(
        self,
        held: Lease,
        kept: Work,
        counts: Counts,
        failed: Failed,
        parts: tuple[Work, ...],
        *,
        rest_seconds: float = 0.0,
    ) -> Lease:
        """Write down how far we have come, and make slices of parts. Raises LeaseLostError."""
        rests_until_ms = self._rests_until_ms(rest_seconds)
        for _ in range(_TRIES):
            summary, piece, children = split(
                held.summary, held.piece, kept, counts, parts, rests_until_ms=rests_until_ms
            )
            piece, rows = _with_failed(piece, failed)
            try:
                self._table.write(summary, piece, *children, *rows)
            except ConflictError:
                held = self._again(held)
                continue
            return Lease(_next(summary), _next(piece))
        raise WriteError(f"{held.piece.id} of {held.summary.id} not split: too many conflicts")

    def close(self, held: Lease, counts: Counts, failed: Failed) -> Lease:
        """End a slice whose work is done; the last one settles the broadcast.

        Raises LeaseLostError, and LedgerError when the sums do not add up.
        """
        for _ in range(_TRIES):
            done, rows = _with_failed(checkpoint(held.piece, Work(), counts), failed)
            summary, piece = close(held.summary, done, now_ms=self._epoch_ms())
            try:
                self._table.write(summary, piece, *rows)
            except ConflictError:
                held = self._again(held)
                continue
            return Lease(_next(summary), _next(piece))
        raise WriteError(f"{held.piece.id} of {held.summary.id} not closed: too many conflicts")

    def _rests_until_ms(self, rest_seconds: float) -> int:
        """Return the end of a rest; a little early, as its message may come by another clock."""
        milliseconds = int((rest_seconds - CLOCK_SLACK_SECONDS) * 1000)
        return self._epoch_ms() + milliseconds if milliseconds > 0 else 0

    def _leased(self, piece: SliceRow, until_ms: int) -> SliceRow:
        return lease(piece, uuid.uuid4().hex, now_ms=self._epoch_ms(), until_ms=until_ms)

    def _write_piece(self, held: Lease, piece: SliceRow, failed: Failed) -> Lease:
        piece, rows = _with_failed(piece, failed)
        for _ in range(_TRIES):
            try:
                self._table.write(piece, *rows)
            except ConflictError:
                held = self._again(held)
                continue
            return Lease(held.summary, _next(piece))
        raise WriteError(f"{piece.id} of {piece.broadcast_id} not written: too many conflicts")

    def _again(self, held: Lease) -> Lease:
        """Return the summary as it is now. Raises LeaseLostError when the slice has changed."""
        summary, piece = self._read(held.summary.id, held.piece.id)
        if piece.version != held.piece.version:
            raise LeaseLostError(f"slice {piece.id} of {piece.broadcast_id}")
        return Lease(summary, held.piece)

    def _read(self, broadcast_id: str, slice_id: str) -> tuple[Summary, SliceRow]:
        summary = self._table.get(summary_key(broadcast_id))
        piece = self._table.get(slice_key(broadcast_id, slice_id))
        if summary is None or piece is None:
            raise RejectedError(
                f"the ledger knows no slice {slice_id} of broadcast {broadcast_id}: it is forged, "
                "or its broadcast was opened more than 7 days ago"
            )
        try:
            return summary_of(summary), slice_of(piece)
        except (KeyError, TypeError, ValueError) as error:
            raise RejectedError(f"its row in the ledger cannot be read: {error!r}") from error


def _summary(opening: Opening, seq: int) -> Summary:
    return Summary(
        id=opening.id,
        digest=opening.digest,
        channel=opening.channel,
        seq=seq,
        frame=opening.frame_of(seq),
        opened_ms=opening.opened_ms,
        expires_ms=opening.expires_ms,
    )


def _require_same(found: Summary, opening: Opening) -> None:
    if found.digest != opening.digest:
        raise RejectedError(
            f"id {opening.id} belongs to another broadcast, number {found.seq} of channel "
            f"{found.channel}; expected the same content, or an id of its own"
        )


def _with_failed(piece: SliceRow, failed: Failed) -> tuple[SliceRow, tuple[FailedRow, ...]]:
    """Return what to write besides a slice for connections that have failed."""
    shown = tuple((id_, reason[:_REASON_CHARACTERS]) for id_, reason in failed)
    rows = tuple(
        FailedRow(
            piece.broadcast_id,
            piece.id,
            piece.failed_rows + number,
            shown[start : start + _FAILED_PER_ROW],
        )
        for number, start in enumerate(range(0, len(shown), _FAILED_PER_ROW))
    )
    return replace(piece, failed_rows=piece.failed_rows + len(rows)), rows


def _next(row: _Versioned) -> _Versioned:
    """Return a row as it is once it has been written."""
    return replace(row, version=row.version + 1)
