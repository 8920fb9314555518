"""The counters of streams in the broadcasts table: a number is taken with one write.

All writes are conditional, and none of them is a transaction: DynamoDB puts updates of one row in
an order and refuses none of them, some 1,000 a second.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html
"""

import secrets
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from botocore.exceptions import BotoCoreError, ClientError

from broadcasting.clock import Clock
from broadcasting.counter_items import EPOCH, LAST, NUMBER, TAKEN_AT, counter_of
from broadcasting.items import EXPIRY, SORT_KEY, Item, attribute_of, key_attributes
from broadcasting.ledger_items import ENTRIES, counter_key, partition_of_channel
from broadcasting.numbering import COUNTER_LIFE_SECONDS, Counter, Number, expires
from storage.errors import BusyError
from storage.ledger_refusals import refusal_of, unread

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_REFUSED: Final = "ConditionalCheckFailedException"
_MOST_BEGINNINGS: Final = 5
"""How often a counter that is not there is begun in a row: others begin it, too."""


class Taken(NamedTuple):
    """A number that a broadcast has, and the counter with its marks as of the write."""

    number: Number
    counter: Counter


class StreamCounters:
    """Takes numbers, and removes marks. Each method may raise BusyError, WriteError, ReadError.

    A write whose answer was lost is made again: a broadcast that has a mark keeps its number.
    """

    def __init__(self, client: "DynamoDBClient", name: str, *, clock: Clock) -> None:
        self._client = client
        self._name = name
        self._epoch_ms = clock.epoch_ms

    def take(self, stream: str, key: str) -> Taken:
        """Take the next number for a broadcast with this `mark_key`; its own if it has one."""
        for _ in range(_MOST_BEGINNINGS):
            found = self._count(
                stream, key, {}, f"attribute_not_exists(#number) AND {_alive(stream)}"
            )
            if isinstance(found, Taken):
                return found
            if _is_marked(found, key) and self._is_alive(stream, found):
                return _taken(found, key)
            self.begin(stream)
        raise BusyError(f"counter of {stream} not found after it was begun several times")

    def take_another(self, stream: str, key: str, number: int) -> Taken:
        """Take the next number in place of one that cannot be used."""
        seen = {":seen": attribute_of(number)}
        found = self._count(stream, key, seen, f"#number = :seen AND {_alive(stream)}")
        return found if isinstance(found, Taken) else self.take(stream, key)

    def remove_mark(self, stream: str, key: str, number: int) -> None:
        """Remove the mark of a broadcast; nothing happens if it has none, or another number.

        The counter is then not behind the number: it may have been lost since, and begun anew.
        """
        found = self._update(
            stream,
            UpdateExpression="REMOVE #number, #at",
            ConditionExpression="#number = :seen",
            ExpressionAttributeNames={"#number": NUMBER + key, "#at": TAKEN_AT + key},
            ExpressionAttributeValues={":seen": attribute_of(number)},
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
        if not found.is_written and found.item and counter_of(found.item).last < number:
            self._go_on_after(stream, number)

    def _go_on_after(self, stream: str, number: int) -> None:
        """Have a counter go on after a number of an earlier epoch, for which frames were posted.

        Clients that have them would be ahead of it; the others would not learn what they missed.
        """
        self._update(
            stream,
            UpdateExpression="SET #last = :number ADD version :one",
            ConditionExpression="#last < :number",
            ExpressionAttributeNames={"#last": LAST},
            ExpressionAttributeValues={
                ":number": attribute_of(number),
                ":one": attribute_of(1),
            },
        )

    def begin(self, stream: str, found: Item | None = None) -> Counter:
        """Return the counter of a stream; one that is not there begins with a new epoch.

        It goes on after the last number that any broadcast has: no number is given again while the
        rows of its broadcast are there. `found` is the counter's row, empty when there is none, if
        the caller has read it already: what it says holds, or the write is refused.
        """
        for _ in range(_MOST_BEGINNINGS):
            item, found = self._read(stream) if found is None else found, None
            is_alive = self._is_alive(stream, item)
            if is_alive and EPOCH in item:
                return counter_of(item)
            try:
                return self._begin(stream, item, is_alive=is_alive)
            except (ClientError, BotoCoreError) as error:
                if not _is_refused_condition(error):
                    raise refusal_of(f"counter of {stream}", error) from error
        raise BusyError(f"counter of {stream} not begun: others changed it each time")

    def _begin(self, stream: str, item: Item, *, is_alive: bool) -> Counter:
        """Write the beginning of a counter, and return it; the write may be refused."""
        epoch = attribute_of(secrets.token_hex(4))
        if is_alive:  # an earlier release has counted without an epoch
            answer = self._client.update_item(
                TableName=self._name,
                Key=key_attributes(counter_key(stream)),
                UpdateExpression=f"SET {EPOCH} = :epoch",
                ConditionExpression=f"attribute_exists(pk) AND attribute_not_exists({EPOCH})",
                ExpressionAttributeValues={":epoch": epoch},
                ReturnValues="ALL_NEW",
            )
            return counter_of(cast("Item", answer["Attributes"]))
        last = int(item[LAST]["N"]) if item else self._last_entry(stream)
        begun: Item = {
            **key_attributes(counter_key(stream)),
            "channel": attribute_of(stream),
            LAST: attribute_of(last),
            EPOCH: epoch,
            "version": attribute_of(1),
        }
        if expires(stream):
            begun[EXPIRY] = attribute_of(self._now_seconds + COUNTER_LIFE_SECONDS)
        self._client.put_item(
            TableName=self._name,
            Item=begun,
            ConditionExpression="attribute_not_exists(pk) OR expiresAt <= :now",
            ExpressionAttributeValues={":now": attribute_of(self._now_seconds)},
        )
        return counter_of(begun)

    def _count(self, stream: str, key: str, values: Item, condition: str) -> Taken | Item:
        """Take the next number, on a condition; return the row as it is when that is not met.

        The version counts, too: workers of an earlier release write the row on condition of it.
        """
        expiry = f", {EXPIRY} = :expiry" if expires(stream) else ""
        if expires(stream):
            values = values | {
                ":now": attribute_of(self._now_seconds),
                ":expiry": attribute_of(self._now_seconds + COUNTER_LIFE_SECONDS),
            }
        found = self._update(
            stream,
            UpdateExpression=(
                f"SET #last = #last + :one, #number = #last + :one, #at = :at{expiry} "
                "ADD version :one"
            ),
            ConditionExpression=condition,
            ExpressionAttributeNames={
                "#last": LAST,
                "#number": NUMBER + key,
                "#at": TAKEN_AT + key,
            },
            ExpressionAttributeValues={
                **values,
                ":one": attribute_of(1),
                ":at": attribute_of(self._epoch_ms()),
            },
            ReturnValues="ALL_NEW",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
        return _taken(found.item, key) if found.is_written else found.item

    def _update(self, stream: str, **update: Any) -> "_Updated":
        try:
            answer = self._client.update_item(
                TableName=self._name, Key=key_attributes(counter_key(stream)), **update
            )
        except (ClientError, BotoCoreError) as error:
            if not _is_refused_condition(error):
                raise refusal_of(f"counter of {stream}", error) from error
            return _Updated(_found_by(error), is_written=False)
        return _Updated(cast("Item", answer.get("Attributes", {})), is_written=True)

    def _read(self, stream: str) -> Item:
        """Return the row of a counter as it is now, expired or not; empty when there is none."""
        try:
            answer = self._client.get_item(
                TableName=self._name,
                Key=key_attributes(counter_key(stream)),
                ConsistentRead=True,
            )
        except (ClientError, BotoCoreError) as error:
            raise unread(f"counter of {stream}", error) from error
        return cast("Item", answer.get("Item", {}))

    def _last_entry(self, stream: str) -> int:
        """Return the last number that a broadcast of a stream has, in case its counter was lost."""
        try:
            answer = self._client.query(
                TableName=self._name,
                KeyConditionExpression="pk = :stream AND begins_with(sk, :entries)",
                ExpressionAttributeValues={
                    ":stream": {"S": partition_of_channel(stream)},
                    ":entries": {"S": ENTRIES},
                },
                ScanIndexForward=False,
                ConsistentRead=True,
                Limit=1,
            )
        except (ClientError, BotoCoreError) as error:
            raise unread(f"entries of {stream}", error) from error
        found = cast("list[Item]", answer["Items"])
        return int(found[0][SORT_KEY]["S"].removeprefix(ENTRIES)) if found else 0

    def _is_alive(self, stream: str, item: Item) -> bool:
        """Tell whether a row is there, and has not expired."""
        if not item or not expires(stream):
            return bool(item)
        return EXPIRY not in item or int(item[EXPIRY]["N"]) > self._now_seconds

    @property
    def _now_seconds(self) -> int:
        return self._epoch_ms() // 1000


class _Updated(NamedTuple):
    """The row after a write or, when it was refused, before it."""

    item: Item
    is_written: bool


def _alive(stream: str) -> str:
    """Return the condition that a counter is there and counts."""
    has_epoch = f"attribute_exists({EPOCH})"
    if not expires(stream):
        return has_epoch
    return f"{has_epoch} AND (attribute_not_exists({EXPIRY}) OR {EXPIRY} > :now)"


def _is_marked(item: Item, key: str) -> bool:
    return EPOCH in item and NUMBER + key in item


def _taken(item: Item, key: str) -> Taken:
    counter = counter_of(item)
    return Taken(Number(int(item[NUMBER + key]["N"]), counter.epoch), counter)


def _found_by(error: ClientError | BotoCoreError) -> Item:
    """Return the row that did not meet a condition; empty when there is none."""
    response: Any = getattr(error, "response", {})
    return cast("Item", response.get("Item", {}))


def _is_refused_condition(error: ClientError | BotoCoreError) -> bool:
    return isinstance(error, ClientError) and error.response["Error"]["Code"] == _REFUSED
