"""Rows of a table, read and written 25 at a time: what DynamoDB has not done is given back."""

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from botocore.exceptions import BotoCoreError, ClientError

from broadcasting.items import PARTITION_KEY, SORT_KEY, Item, Key, key_attributes
from storage.errors import BusyError, ReadError, WriteError
from storage.ledger_refusals import is_busy

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

BATCH_ROWS: Final = 25
"""How many rows one BatchWriteItem takes.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html
"""

READ_ROWS: Final = 100
"""How many rows one BatchGetItem reads.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html
"""


class RowBatches(NamedTuple):
    """The table whose rows are read and written."""

    client: "DynamoDBClient"
    table: str

    def put(self, items: Sequence[Item]) -> list[Item]:
        """Write 1 to 25 rows; return those that were not written. Raises WriteError."""
        left = self._write([{"PutRequest": {"Item": item}} for item in items])
        return [one["PutRequest"]["Item"] for one in left]

    def delete(self, keys: Iterable[Key]) -> list[Key]:
        """Delete any number of rows, 25 with each request, in this order.

        Return the keys of those that were not deleted; a row that is not there counts as deleted.
        Raises WriteError; some may be deleted then.
        """
        every, left = iter(keys), []
        while batch := list(islice(every, BATCH_ROWS)):
            left += self._write([{"DeleteRequest": {"Key": key_attributes(key)}} for key in batch])
        return [key_of_item(one["DeleteRequest"]["Key"]) for one in left]

    def delete_one(self, key: Key) -> Item:
        """Delete a row; return what it was, empty when there was none. Raises WriteError."""
        try:
            answer = self.client.delete_item(
                TableName=self.table, Key=key_attributes(key), ReturnValues="ALL_OLD"
            )
        except (ClientError, BotoCoreError) as error:
            raise _write_error("a row", error) from error
        return cast("Item", answer.get("Attributes", {}))

    def read(
        self, keys: Sequence[Key], *, is_consistent: bool = False
    ) -> tuple[list[Item], list[Key]]:
        """Return the rows of 1 to 100 keys that there are, and the keys that were not looked up.

        The read is eventually consistent unless it is to be strongly so. Raises ReadError.
        """
        wanted: Any = {
            self.table: {
                "Keys": [key_attributes(key) for key in keys],
                "ConsistentRead": is_consistent,
            }
        }
        try:
            answer: Any = self.client.batch_get_item(RequestItems=wanted)
        except (ClientError, BotoCoreError) as error:
            raise ReadError(
                f"{len(keys)} rows of the connections table not read: {error}"
            ) from error
        left = answer.get("UnprocessedKeys", {}).get(self.table, {}).get("Keys", [])
        found = cast("list[Item]", answer.get("Responses", {}).get(self.table, []))
        return found, [key_of_item(key) for key in left]

    def _write(self, requests: list[Any]) -> list[Any]:
        """Write or delete 1 to 25 rows; return the requests that were not processed."""
        try:
            answer: Any = self.client.batch_write_item(RequestItems={self.table: requests})
        except (ClientError, BotoCoreError) as error:
            raise _write_error(f"{len(requests)} rows", error) from error
        left: list[Any] = answer.get("UnprocessedItems", {}).get(self.table, [])
        return left


def _write_error(what: str, error: ClientError | BotoCoreError) -> WriteError:
    kind = BusyError if is_busy(error) else WriteError
    return kind(f"{what} of the connections table: {error}")


def key_of_item(item: Item) -> Key:
    """Return the key of a row, or of what DynamoDB gives back of it."""
    return item[PARTITION_KEY]["S"], item[SORT_KEY]["S"]
