"""The accounts of broadcasts, read from the ledger: how far each is, and how it ended."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from broadcasting.message import EVERYONE
from crier.account import SUMMARY, Account, FailedConnection, account_of, failed_of
from crier.account_rows import EXPIRY, Item, text, unexpired
from crier.account_slices import SLICE, OpenSlices, open_slices_of
from crier.deployment import Deployment
from crier.errors import explained

_READS = 5
"""How often an account is read anew because slices were closed meanwhile."""

_BATCH = 100
"""As many rows as DynamoDB reads at once.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html
"""


class Accounts:
    """The ledger of a stack, to read only; rows that have expired are none.

    `epoch_seconds` is the time. Each method raises CrierError when the ledger cannot be read.
    """

    def __init__(
        self, client: Any, table_name: str, *, epoch_seconds: Callable[[], float] = time.time
    ) -> None:
        self._client = client
        self._table_name = table_name
        self._epoch_seconds = epoch_seconds

    @classmethod
    def of(cls, deployment: Deployment) -> "Accounts":
        """Return the accounts of a stack."""
        return cls(deployment.client("dynamodb"), deployment.broadcasts_table_name)

    def find(self, broadcast_id: str) -> Account | None:
        """Return a broadcast's account as it is now, None when the ledger does not know it.

        The sums of closed slices are in the summary, those of open ones in their own rows. When
        one is closed between two reads it would be counted twice, or not at all: then all is read
        again, a few times.
        """
        account = self._summary(broadcast_id)
        for _ in range(_READS):
            if account is None or account.is_settled:
                return account
            slices = self._open_slices(broadcast_id)
            found, account = account, self._summary(broadcast_id)
            if account is not None and account.version == found.version:
                break
        if account is None or account.is_settled:
            return account
        return account.with_open(slices)

    def recent(self, limit: int) -> list[Account]:
        """Return the accounts of the last broadcasts, the newest first."""
        rows = self._query(f"channel#{EVERYONE}", "seq#", ("broadcast_id",), limit=limit)
        ids = list(dict.fromkeys(text(row, "broadcast_id") for row in rows))
        summaries = {account.id: account for account in self._summaries(ids)}
        found = (summaries.get(one) for one in ids)
        now = (one if one is None or one.is_settled else self.find(one.id) for one in found)
        return [one for one in now if one is not None]

    def failed(self, broadcast_id: str) -> Iterator[FailedConnection]:
        """Yield the connections that have failed so far."""
        for row in self._query(f"broadcast#{broadcast_id}", "failed#", ("failed",)):
            yield from failed_of(row)

    def _summary(self, broadcast_id: str) -> Account | None:
        with explained(f"broadcast {broadcast_id} was not read"):
            answer = self._client.get_item(
                TableName=self._table_name,
                Key=_summary_key(broadcast_id),
                ConsistentRead=True,
                **_only(SUMMARY),
            )
        items = [answer["Item"]] if "Item" in answer else []
        return next(map(account_of, self._unexpired(items)), None)

    def _summaries(self, ids: Sequence[str]) -> Iterator[Account]:
        for start in range(0, len(ids), _BATCH):
            keys = [_summary_key(one) for one in ids[start : start + _BATCH]]
            wanted = {self._table_name: {"Keys": keys, "ConsistentRead": True, **_only(SUMMARY)}}
            while wanted:
                with explained("the broadcasts were not read"):
                    answer = self._client.batch_get_item(RequestItems=wanted)
                found = answer["Responses"].get(self._table_name, [])
                yield from map(account_of, self._unexpired(found))
                wanted = answer["UnprocessedKeys"]
                time.sleep(0.1 if wanted else 0)

    def _open_slices(self, broadcast_id: str) -> OpenSlices:
        """Return what the slices add that are not closed."""
        return open_slices_of(self._query(f"broadcast#{broadcast_id}", "slice#", SLICE))

    def _unexpired(self, items: Iterable[Item]) -> Iterator[Item]:
        return unexpired(items, self._epoch_seconds())

    def _query(
        self, pk: str, prefix: str, names: Sequence[str], *, limit: int | None = None
    ) -> Iterable[Item]:
        """Yield the rows whose sort keys begin so: all of them, or the last ones."""
        only = _only((*names, EXPIRY))
        only["ExpressionAttributeNames"] |= {"#pk": "pk", "#sk": "sk"}
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table_name,
            KeyConditionExpression="#pk = :pk AND begins_with(#sk, :prefix)",
            ExpressionAttributeValues={":pk": {"S": pk}, ":prefix": {"S": prefix}},
            ScanIndexForward=limit is None,
            ConsistentRead=True,
            PaginationConfig={"MaxItems": limit, "PageSize": limit},
            **only,
        )
        with explained(f"the rows of {pk} were not read"):
            for page in pages:
                yield from self._unexpired(page["Items"])


def watch(
    accounts: Accounts,
    broadcast_id: str,
    *,
    until: float,
    on_account: Callable[[Account], None] = lambda _: None,
) -> Account | None:
    """Read an account again and again until it is settled or `until`, in monotonic seconds.

    Returns the last one, None when the broadcast was not opened.
    """
    pause_seconds = 0.1
    while True:
        account = accounts.find(broadcast_id)
        if account is not None:
            on_account(account)
        left_seconds = until - time.monotonic()
        if (account is not None and account.is_settled) or left_seconds <= 0:
            return account
        time.sleep(min(pause_seconds, left_seconds))
        pause_seconds = min(1.0, pause_seconds * 1.2)


def _summary_key(broadcast_id: str) -> Item:
    return {"pk": {"S": f"broadcast#{broadcast_id}"}, "sk": {"S": "summary"}}


def _only(names: Sequence[str]) -> dict[str, Any]:
    """Ask for some attributes; each under another name, as some are reserved words."""
    others = {f"#{number}": name for number, name in enumerate(names)}
    return {"ProjectionExpression": ", ".join(others), "ExpressionAttributeNames": others}
