"""The channels of a connection: their names in its `self` row, and a row in each channel.

The names are written first and deleted last: what has to be deleted with a connection is known
whatever dies in between. A connection has 50 channels at most.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final, cast

from botocore.exceptions import BotoCoreError, ClientError

from broadcasting.channel_rows import channel_item, channel_key
from broadcasting.connection import Connection
from broadcasting.door_rows import CHANNELS
from broadcasting.items import EXPIRY, PARTITION_KEY, Attribute, Item, attribute_of, key_attributes
from broadcasting.self_row import channels_of
from broadcasting.user_rows import self_key
from storage.errors import BusyError, WriteError
from storage.ledger_refusals import is_busy
from storage.patience import Patience
from storage.row_batches import RowBatches

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

MOST_CHANNELS: Final = 50
"""How many channels a connection has at most."""

_REFUSED: Final = "ConditionalCheckFailedException"
_MOST_LOOKS: Final = 4
"""How often the names are looked at: other requests of the same client may change them."""


class SubscriptionsTable:
    """Subscribes connections to channels, and unsubscribes them; all may be done again.

    `ends_at` is when the last request may begin, on the monotonic clock. Each method raises
    WriteError when not all is done; the same call again does the remainder.
    """

    def __init__(self, client: "DynamoDBClient", name: str, *, patience: Patience) -> None:
        self._client = client
        self._name = name
        self._rows = RowBatches(client, name)
        self._patience = patience

    def add(
        self,
        connection: Connection,
        channels: Sequence[str],
        *,
        expires_seconds: int,
        ends_at: float,
    ) -> bool:
        """Subscribe a connection to 1 to 25 channels; its rows are of no use after the expiry.

        Return False, and write nothing, when it would have more than 50 channels.
        """
        if not self._add_names(connection.id, set(channels), expires_seconds, ends_at):
            return False
        rows = [channel_item(one, connection, expires_seconds) for one in channels]
        self._patience.until_all(self._rows.put, rows, ends_at=ends_at)
        return True

    def remove(self, connection_id: str, channels: Sequence[str], *, ends_at: float) -> None:
        """Unsubscribe a connection from 1 to 25 channels, those too that it does not have."""
        self._delete_rows(connection_id, channels, ends_at)
        self._patience.until_done(
            lambda: self._update(
                connection_id,
                UpdateExpression="DELETE #channels :names",
                ConditionExpression=f"attribute_exists({PARTITION_KEY})",
                ExpressionAttributeNames={"#channels": CHANNELS},
                ExpressionAttributeValues={":names": _names(channels)},
            ),
            ends_at=ends_at,
        )

    def take_back(self, connection_id: str, channels: Sequence[str], *, ends_at: float) -> None:
        """Delete what was written of these channels for a connection that is gone.

        Whatever else its `self` row lists is deleted, too: no other request will read it. The row
        of its user is not ours to delete; a broadcast to the user finds it.
        """
        self._delete_rows(connection_id, channels, ends_at)
        old = self._patience.until_done(
            lambda: self._rows.delete_one(self_key(connection_id)), ends_at=ends_at
        )
        if others := set(channels_of(old)) - set(channels):
            self._delete_rows(connection_id, sorted(others), ends_at)

    def _add_names(
        self, connection_id: str, names: set[str], expires_seconds: int, ends_at: float
    ) -> bool:
        """Write the names of channels into the `self` row; tell whether there is room for them.

        The row is not read before: the first write tells what is there, if that stands in its way.
        """
        there: set[str] = set()
        for _ in range(_MOST_LOOKS):
            new = names - there
            if not new:
                return True
            if len(there) + len(new) > MOST_CHANNELS:
                return False
            update = _adding(names, expires_seconds, most_before=MOST_CHANNELS - len(new))
            found = self._patience.until_done(
                lambda update=update: self._update(connection_id, **update),  # type: ignore[misc]
                ends_at=ends_at,
            )
            if found is None:
                return True
            there = set(channels_of(found))
        raise BusyError("the channels of a connection changed each time")

    def _update(self, connection_id: str, **update: Any) -> Item | None:
        """Change the `self` row; return what it is if it does not meet the condition."""
        try:
            self._client.update_item(
                TableName=self._name, Key=key_attributes(self_key(connection_id)), **update
            )
        except (ClientError, BotoCoreError) as error:
            if isinstance(error, ClientError) and error.response["Error"]["Code"] == _REFUSED:
                response: Any = error.response
                return cast("Item", response.get("Item", {}))
            kind = BusyError if is_busy(error) else WriteError
            raise kind(f"the channels of {connection_id} not written: {error}") from error
        return None

    def _delete_rows(self, connection_id: str, channels: Iterable[str], ends_at: float) -> None:
        keys = [channel_key(one, connection_id) for one in channels]
        self._patience.until_all(self._rows.delete, keys, ends_at=ends_at)


def _adding(names: Iterable[str], expires_seconds: int, *, most_before: int) -> dict[str, Any]:
    """Return the update that adds names, unless the row has more than `most_before`."""
    return {
        "UpdateExpression": f"ADD #channels :names SET {EXPIRY} = :expiry",
        "ConditionExpression": "attribute_not_exists(#channels) OR size(#channels) <= :most",
        "ExpressionAttributeNames": {"#channels": CHANNELS},
        "ExpressionAttributeValues": {
            ":names": _names(names),
            ":expiry": attribute_of(expires_seconds),
            ":most": attribute_of(most_before),
        },
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }


def _names(names: Iterable[str]) -> Attribute:
    return {"SS": sorted(names)}
