"""The rows that decide who may connect: a ticket is taken out, a denied user looked up.

A client waits for it, so each request has half a second to connect and half a second to answer, and
one more try: botocore's own tries would wait up to a second between them.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeVar

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from broadcasting.door_rows import denied_key, ticket_key
from broadcasting.items import PARTITION_KEY, key_attributes
from storage.error_codes import code_of
from storage.errors import ReadError, WriteError
from storage.ledger_refusals import is_busy

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

DOOR_CONFIG: Final = Config(
    connect_timeout=0.5,
    read_timeout=0.5,
    retries={"total_max_attempts": 1},
    parameter_validation=False,
)
_NOT_THERE: Final = "ConditionalCheckFailedException"

_T = TypeVar("_T")


class DoorTable:
    """Reads tickets and denied users. Errors tell the code of what went wrong, and no key."""

    def __init__(self, client: "DynamoDBClient", name: str) -> None:
        self._client = client
        self._name = name

    def take_ticket(self, ticket: str) -> dict[str, Any] | None:
        """Delete a ticket's row and return its values by name; None if there is none.

        Of several that take it at once one gets it. Raises WriteError.
        """
        try:
            answer = _twice(
                lambda: self._client.delete_item(
                    TableName=self._name,
                    Key=key_attributes(ticket_key(ticket)),
                    ConditionExpression=f"attribute_exists({PARTITION_KEY})",
                    ReturnValues="ALL_OLD",
                )
            )
        except (ClientError, BotoCoreError) as error:
            if code_of(error) == _NOT_THERE:
                return None
            raise WriteError(f"a ticket was not taken: {code_of(error)}") from error
        return _values(answer.get("Attributes"))

    def find_denial(self, user: str) -> dict[str, Any] | None:
        """Return the values of the row that keeps a user out, None if there is none.

        The read is strongly consistent: a user who was thrown out a moment ago stays out. Raises
        ReadError.
        """
        try:
            answer = _twice(
                lambda: self._client.get_item(
                    TableName=self._name,
                    Key=key_attributes(denied_key(user)),
                    ConsistentRead=True,
                )
            )
        except (ClientError, BotoCoreError) as error:
            raise ReadError(f"the deny list was not read: {code_of(error)}") from error
        return _values(answer.get("Item"))


def _twice(request: Callable[[], _T]) -> _T:
    """Make a request again when it had no answer, or a busy server's."""
    try:
        return request()
    except (ClientError, BotoCoreError) as error:
        if not is_busy(error):
            raise
    return request()


def _values(item: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return a row as plain values; an attribute of another type becomes what no rule takes."""
    return None if item is None else {name: _value(one) for name, one in item.items()}


def _value(attribute: Mapping[str, Any]) -> Any:
    ((kind, value),) = attribute.items()
    if kind == "S":
        return value
    if kind == "N":
        return int(value) if value.lstrip("-").isdecimal() else float(value)
    if kind in ("L", "SS"):
        return [_value(one) if kind == "L" else one for one in value]
    return None if kind == "NULL" else attribute
