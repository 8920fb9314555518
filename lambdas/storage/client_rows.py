"""What is read to answer a client's frame: counters of streams, and the connection's own row."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from botocore.exceptions import BotoCoreError, ClientError

from broadcasting.connection_row import connection_key
from broadcasting.items import Item, Key, key_attributes
from broadcasting.ledger_items import counter_key
from storage.errors import BusyError
from storage.ledger_refusals import unread
from storage.patience import Patience
from storage.row_batches import key_of_item

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_Wanted = dict[str, list[Key]]


class ClientRows(NamedTuple):
    """The counters that there are, by their streams; the connection's row, None if there is none.

    Rows that have expired are among them.
    """

    counters: dict[str, Item]
    connection: Item | None = None


class ClientRowsReader:
    """Reads rows of both tables with one BatchGetItem; what is left unprocessed is read again."""

    def __init__(
        self,
        client: "DynamoDBClient",
        *,
        connections_table: str,
        broadcasts_table: str,
        patience: Patience,
    ) -> None:
        self._client = client
        self._connections = connections_table
        self._broadcasts = broadcasts_table
        self._patience = patience

    def read(
        self,
        streams: Iterable[str],
        *,
        connection_id: str | None = None,
        is_consistent: bool,
        ends_at: float,
    ) -> ClientRows:
        """Return the counters of streams, and the row of a connection if an id is given.

        The read is strongly consistent if it is to be. Raises ReadError, and BusyError after
        `ends_at`.
        """
        keys = {counter_key(stream): stream for stream in streams}
        own = [] if connection_id is None else [connection_key(connection_id)]
        pending = {self._connections: own, self._broadcasts: list(keys)}
        found: dict[Key, Item] = {}

        def read() -> None:
            nonlocal pending
            if not any(pending.values()):
                return
            items, pending = self._read(pending, is_consistent=is_consistent)
            found.update((key_of_item(item), item) for item in items)
            if any(pending.values()):
                raise BusyError("rows were left unprocessed")

        self._patience.until_done(read, ends_at=ends_at)
        counters = {stream: found[key] for key, stream in keys.items() if key in found}
        return ClientRows(counters, found.get(own[0]) if own else None)

    def _read(self, wanted: _Wanted, *, is_consistent: bool) -> tuple[list[Item], _Wanted]:
        """Read rows once; return those that there are, and what was left unprocessed."""
        request: Any = {
            table: {"Keys": _attributes(keys), "ConsistentRead": is_consistent}
            for table, keys in wanted.items()
            if keys
        }
        try:
            answer: Any = self._client.batch_get_item(RequestItems=request)
        except (ClientError, BotoCoreError) as error:
            raise unread("counters", error) from error
        items = [item for rows in answer.get("Responses", {}).values() for item in rows]
        left = {
            table: [key_of_item(key) for key in one["Keys"]]
            for table, one in answer.get("UnprocessedKeys", {}).items()
        }
        return cast("list[Item]", items), left


def _attributes(keys: Sequence[Key]) -> list[Item]:
    return [key_attributes(key) for key in keys]
