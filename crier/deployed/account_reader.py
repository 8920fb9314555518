"""The accounts of broadcasts, read from the ledger: how far each is, and how it ended."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from broadcasting.audience import EVERYONE
from broadcasting.items import PARTITION_KEY
from broadcasting.ledger_items import (
    ENTRIES,
    FAILED,
    SLICES,
    SUMMARY_ATTRIBUTES,
    frame_key,
    partition_of_broadcast,
    partition_of_channel,
    summary_key,
)
from broadcasting.ledger_rows import FailedConnection
from crier.deployed.account import Account, account_of, failed_of
from crier.deployed.addressed import IDS
from crier.deployed.contradictions import addressed_to, examined
from crier.deployed.deployment import Deployment
from crier.deployed.open_slices import SLICE, Slices, slices_of
from crier.deployed.row_values import Item, UnreadableError, UnreadableRow, read_row, text
from crier.deployed.table_reader import TableReader

_MOST_ID_BYTES = 2_048 - len(partition_of_broadcast(""))
"""More makes a key that DynamoDB does not take, and it would refuse all that is read with it.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
"""

_READS = 5
"""How often an account is read again, at most, because slices were closed meanwhile."""


class Recent(NamedTuple):
    """The last broadcasts, the newest first, and how many further ones the ledger has."""

    shown: list[Account | UnreadableRow]
    more: int


class AccountReader:
    """The ledger of a stack, to read only; rows that have expired are none.

    `epoch_seconds` is the time. Each method raises CrierError when the ledger cannot be read.
    """

    def __init__(
        self, client: Any, table_name: str, *, epoch_seconds: Callable[[], float] = time.time
    ) -> None:
        self._rows = TableReader(client, table_name, epoch_seconds=epoch_seconds)

    @classmethod
    def of(cls, deployment: Deployment) -> "AccountReader":
        """Return the reader of a stack's ledger."""
        return cls(deployment.client("dynamodb"), deployment.ledger_table_name)

    def find(self, broadcast_id: str) -> Account | None:
        """Return a broadcast's account as it is now, None when the ledger does not know it.

        The sums of closed slices are in the summary, those of open ones in their own rows. When
        one is closed between two reads it would be counted twice, or not at all: then all is read
        again, a few times; so it is when rows contradict each other, as a transaction shows its
        rows one by one. Raises UnreadableError when the summary cannot be read.
        """
        account, found = self._summary(broadcast_id), None
        for _ in range(_READS):
            if account is None or account.is_settled:
                return account
            slices = self._slices(broadcast_id)
            before, account = account, self._summary(broadcast_id)
            if account is None or account.is_settled:
                return account
            is_same = account.version == before.version
            found = (examined(account, slices) if is_same else account).with_open(slices)
            if is_same and not found.contradictions:
                break
        return found

    def examine(self, account: Account) -> Account:
        """Return an account with what its slices' rows contradict, if it is settled.

        An open one has been examined when it was found.
        """
        if not account.is_settled:
            return account
        slices = self._slices(account.id)
        return replace(examined(account, slices), unreadable=slices.unreadable)

    def with_audience(self, account: Account) -> Account:
        """Return an account with what the row of its frame tells of its audience, if it is there.

        The frame itself is not read. What the row contradicts is told, too.
        """
        row = self._rows.get(frame_key(account.addressed.stream, account.seq), IDS)
        found = None if row is None else read_row(row, account.addressed.with_ids)
        if isinstance(found, UnreadableRow):
            return replace(account, unreadable=(*account.unreadable, found))
        return account if found is None else addressed_to(account, found)

    def recent(self, limit: int, stream: str = EVERYONE) -> Recent:
        """Return the accounts of the last broadcasts of a stream."""
        entries = (partition_of_channel(stream), ENTRIES)
        rows = self._rows.query(*entries, ("broadcast_id",), limit=limit)
        named = [read_row(row, _broadcast_id_of) for row in rows]
        ids = list(dict.fromkeys(one for one in named if isinstance(one, str)))
        summaries = dict(self._summaries(ids))
        shown = [
            one if isinstance(one, UnreadableRow) else self._as_of_now(summaries.get(one))
            for one in dict.fromkeys(named)
        ]
        more = self._rows.count(*entries) - limit if len(named) == limit else 0
        return Recent([one for one in shown if one is not None], max(0, more))

    def failed(self, broadcast_id: str) -> Iterator[FailedConnection | UnreadableRow]:
        """Yield the connections that have failed so far, and the rows that cannot be read."""
        for row in self._rows.query(partition_of_broadcast(broadcast_id), FAILED, ("failed",)):
            found = failed_of(row)
            yield from [found] if isinstance(found, UnreadableRow) else found

    def _as_of_now(self, found: Account | UnreadableRow | None) -> Account | UnreadableRow | None:
        """Return the account of an open broadcast with its slices."""
        if not isinstance(found, Account) or found.is_settled:
            return found
        try:
            return self.find(found.id)
        except UnreadableError as error:
            return error.row

    def _summary(self, broadcast_id: str) -> Account | None:
        item = self._rows.get(summary_key(broadcast_id), SUMMARY_ATTRIBUTES)
        found = None if item is None else account_of(item)
        if isinstance(found, UnreadableRow):
            raise UnreadableError(found)
        return found and examined(found)

    def _summaries(self, ids: Sequence[str]) -> Iterator[tuple[str, Account | UnreadableRow]]:
        for item in self._rows.get_all([summary_key(one) for one in ids], SUMMARY_ATTRIBUTES):
            found = account_of(item)
            yield _id_of(item), examined(found) if isinstance(found, Account) else found

    def _slices(self, broadcast_id: str) -> Slices:
        return slices_of(self._rows.query(partition_of_broadcast(broadcast_id), SLICES, SLICE))


def watch(
    accounts: AccountReader,
    broadcast_id: str,
    *,
    until: float,
    on_account: Callable[[Account], None] = lambda _: None,
) -> Account | None:
    """Read an account again and again until it is settled, or until `until` in monotonic seconds.

    Returns the last account, also one that nothing can settle, or None when the broadcast was not
    opened.
    """
    pause_seconds = 0.1
    while True:
        account = accounts.find(broadcast_id)
        if account is not None:
            on_account(account)
        left_seconds = until - time.monotonic()
        if (account and (account.is_settled or account.is_stuck)) or left_seconds <= 0:
            return account
        time.sleep(min(pause_seconds, left_seconds))
        pause_seconds = min(1.0, pause_seconds * 1.2)


def _id_of(summary: Item) -> str:
    return str(summary[PARTITION_KEY]["S"]).removeprefix(partition_of_broadcast(""))


def _broadcast_id_of(row: Item) -> str:
    id_ = text(row, "broadcast_id")
    size_bytes = len(id_.encode())
    if size_bytes > _MOST_ID_BYTES:
        raise ValueError(
            f"broadcast_id has {size_bytes:,} bytes, expected at most {_MOST_ID_BYTES:,}"
        )
    return id_
