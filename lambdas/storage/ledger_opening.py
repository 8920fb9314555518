"""Openings: a broadcast that is new gets its number, its frame and its rows, all at once."""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from broadcasting.errors import RejectedError
from broadcasting.ledger import ROOT, SliceRow, Summary
from broadcasting.work import Work
from storage.ledger_items import FrameRow, Recent, Sequence, sequence_key, sequence_of
from storage.ledger_lease import Lease, Leasing, Refusal
from storage.ledger_rows import next_version
from storage.ledger_table import LedgerTable


class Opening(NamedTuple):
    """A broadcast to be opened. `frame_of` makes its frame from its number in the channel."""

    id: str
    digest: str
    channel: str
    frame_of: Callable[[int], str]
    opened_ms: int
    expires_ms: int
    work: Work


class Opener(NamedTuple):
    """Opens one broadcast for an owner, who holds its first slice until `until_ms`."""

    table: LedgerTable
    leasing: Leasing
    opening: Opening
    owner: str
    until_ms: int
    anew: bool

    def attempt(self) -> Lease | Refusal:
        """Open the broadcast, or go on with it when it is open; its frame is made for a new one.

        Raises ConflictError when another was faster: the next attempt reads what has changed.
        """
        summary = self.leasing.find(self.opening.id)
        if summary is None:
            return self._open()
        _require_same(summary, self.opening)
        return self.leasing.take_root(
            summary, owner=self.owner, until_ms=self.until_ms, anew=self.anew
        )

    def _open(self) -> Lease:
        opening = self.opening
        item = self.table.get(sequence_key(opening.channel))
        counter = sequence_of(item) if item else Sequence(opening.channel)
        counter = replace(counter, last=counter.last + 1)
        summary = _summary(opening, counter.last)
        fresh = SliceRow(opening.id, ROOT, opening.work)
        piece = self.leasing.leased(fresh, owner=self.owner, until_ms=self.until_ms)
        recent = Recent(opening.channel, counter.last, opening.id, opening.opened_ms)
        frame = FrameRow(opening.channel, counter.last, opening.frame_of(counter.last))
        self.table.write(summary, piece, counter, recent, frame)
        return Lease(next_version(summary), next_version(piece), frame.frame)


def _summary(opening: Opening, seq: int) -> Summary:
    return Summary(
        id=opening.id,
        digest=opening.digest,
        channel=opening.channel,
        seq=seq,
        opened_ms=opening.opened_ms,
        expires_ms=opening.expires_ms,
    )


def _require_same(found: Summary, opening: Opening) -> None:
    if found.digest != opening.digest:
        raise RejectedError(
            f"id {opening.id} belongs to another broadcast, number {found.seq} of channel "
            f"{found.channel}; expected the same content, or an id of its own"
        )
