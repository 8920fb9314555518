"""Openings: a broadcast that is new gets its number, its frame and its rows, all at once."""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from broadcasting.backlog import Backlog
from broadcasting.errors import RejectedError
from broadcasting.ledger import ROOT, SliceRow, Summary
from broadcasting.ledger_items import (
    ChannelCounter,
    ChannelEntry,
    FrameRow,
    counter_key,
    counter_of,
    entry_key,
    frame_key,
)
from storage.errors import ConflictError
from storage.ledger_lease import Lease, Leasing, Refusal
from storage.ledger_rows import next_version, over_leftover
from storage.ledger_table import LedgerTable


class NewBroadcast(NamedTuple):
    """A broadcast to be opened. `frame_of` makes its frame from its number in the channel."""

    id: str
    digest: str
    channel: str
    frame_of: Callable[[int], str]
    opened_ms: int
    expires_ms: int
    work: Backlog


class Owner(NamedTuple):
    """The worker that takes a slice up, and holds it until `until_ms`; see `Ledger.lease`."""

    id: str
    until_ms: int


class Opener:
    """Opens one broadcast for an owner."""

    def __init__(
        self, table: LedgerTable, leasing: Leasing, opening: NewBroadcast, owner: Owner
    ) -> None:
        self._table = table
        self._leasing = leasing
        self._opening = opening
        self._owner = owner
        self._met: ChannelCounter | None = None
        """The counter from which the last attempt was made, if that met a conflict."""

    def attempt(self) -> Lease | Refusal:
        """Open the broadcast, or go on with it when it is open; its frame is made for a new one.

        Raises ConflictError when another was faster: the next attempt reads what has changed.
        """
        summary = self._leasing.find(self._opening.id)
        if summary is None:
            return self._open()
        _require_same(summary, self._opening)
        owner, until_ms = self._owner
        return self._leasing.take_root(summary, owner=owner, until_ms=until_ms)

    def _open(self) -> Lease:
        opening, owner = self._opening, self._owner
        item = self._table.get(counter_key(opening.channel))
        found = counter_of(item) if item else ChannelCounter(opening.channel)
        counter = replace(found, last=self._number_after(found))
        summary = _summary(opening, counter.last)
        fresh = SliceRow(opening.id, ROOT, opening.work)
        slice_row = self._leasing.leased(fresh, owner=owner.id, until_ms=owner.until_ms)
        recent = ChannelEntry(opening.channel, counter.last, opening.id, opening.opened_ms)
        frame = FrameRow(opening.channel, counter.last, opening.frame_of(counter.last))
        if found == self._met:  # no other was faster: something else is in the way
            slice_row = over_leftover(self._table, slice_row)
        try:
            self._table.write(summary, slice_row, counter, recent, frame)
        except ConflictError:
            self._met = found
            raise
        return Lease(next_version(summary), next_version(slice_row), frame.frame)

    def _number_after(self, found: ChannelCounter) -> int:
        """Return the number that is next; one that is another's, if the counter was lost, is not.

        An open broadcast posts the frame of its number: nothing is ever written over that.
        """
        number, step = found.last + 1, 1
        while found == self._met and self._is_taken(number):
            number, step = number + step, 2 * step
        return number

    def _is_taken(self, number: int) -> bool:
        """Tell whether a broadcast that has not expired has a number."""
        channel = self._opening.channel
        keys = frame_key(channel, number), entry_key(channel, number)
        return any(self._table.get(key) is not None for key in keys)


def _summary(opening: NewBroadcast, seq: int) -> Summary:
    return Summary(
        id=opening.id,
        digest=opening.digest,
        channel=opening.channel,
        seq=seq,
        opened_ms=opening.opened_ms,
        expires_ms=opening.expires_ms,
    )


def _require_same(found: Summary, opening: NewBroadcast) -> None:
    if found.digest != opening.digest:
        raise RejectedError(
            f"id {opening.id} belongs to another broadcast, number {found.seq} of channel "
            f"{found.channel}; expected the same content, or an id of its own"
        )
