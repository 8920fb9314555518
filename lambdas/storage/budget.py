"""The shared budget in DynamoDB: one number in one row of the broadcasts table."""

from typing import TYPE_CHECKING, Any

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    EndpointConnectionError,
    SSLError,
)

from broadcasting.clock import Clock
from broadcasting.pacing.budget import Ask, BudgetError, Grant
from broadcasting.pacing.pace import Pace
from broadcasting.pacing.reservation import Reservation, TatEstimate, TatUpdate

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

KEY = {"pk": {"S": "budget"}, "sk": {"S": "posts"}}
_CUT = (ConnectionClosedError, EndpointConnectionError, SSLError)
"""What botocore raises when a connection is dead, or cannot be opened; a time-out is neither."""

_CONFLICT = "ConditionalCheckFailedException"
_NEEDS_RESET = "attribute_not_exists(tat) OR tat < :low OR tat > :high"
_QUEUED = "tat BETWEEN :low AND :high"


class PostBudget:
    """Reserves posts with one conditional write, or a few when other workers reserve as well.

    The client makes one attempt and has short time-outs, as posts wait for it. Nothing else uses
    it: a request that is cut off closes its connections.
    """

    def __init__(self, client: "DynamoDBClient", name: str, *, pace: Pace, clock: Clock) -> None:
        self._client = client
        self._name = name
        self._pace = pace
        self._epoch_ms = clock.epoch_ms
        self._estimate: TatEstimate | None = None

    def reserve(self, ask: Ask) -> Grant:
        """Reserve posts: see `Budget`."""
        reservation = Reservation(ask, self._pace, now_ms=self._epoch_ms(), estimate=self._estimate)
        while reservation.may_try:
            try:
                tat_ms = self._write(reservation.write)
            except ClientError as error:
                if error.response["Error"]["Code"] != _CONFLICT:
                    raise _unreachable(error) from error
                reservation.refused(_found(error.response))
            except BotoCoreError as error:
                raise _unreachable(error) from error
            else:
                grant, self._estimate = reservation.granted(tat_ms)
                return grant
        raise BudgetError("row budget/posts changed in the middle of each try; posting goes on")

    def _write(self, write: TatUpdate) -> float:
        """Return the number as it is after the write, which is tried twice if it is cut off.

        The second attempt follows at once, on a new connection: botocore itself would wait up to a
        second. If only the answer was lost, posts are reserved twice, and the first are unused.
        """
        try:
            return self._update(write)
        except _CUT:
            self._client.close()
            return self._update(write)

    def _update(self, write: TatUpdate) -> float:
        answer = self._client.update_item(
            TableName=self._name,
            Key=KEY,
            UpdateExpression=f"SET tat = {':value' if write.is_reset else 'tat + :value'}",
            ConditionExpression=_NEEDS_RESET if write.is_reset else _QUEUED,
            ExpressionAttributeValues={
                ":value": _number(write.value_ms),
                ":low": _number(write.low_ms),
                ":high": _number(write.high_ms),
            },
            ReturnValues="UPDATED_NEW",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
        return float(answer["Attributes"]["tat"]["N"])


def _number(milliseconds: float) -> Any:
    return {"N": f"{milliseconds:.6f}"}


def _found(response: Any) -> float | None:
    """Return the number that stood in the way of a write."""
    item = response.get("Item", {})
    return float(item["tat"]["N"]) if "tat" in item else None


def _unreachable(error: Exception) -> BudgetError:
    return BudgetError(
        f"row budget/posts not updated: {error}; posting goes on at a small rate of this "
        "worker's own, expected a table that the function may update"
    )
