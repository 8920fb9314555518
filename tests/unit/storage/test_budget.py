"""The budget's requests when they are cut off, with botocore's errors and with real sockets."""

from collections.abc import Callable
from threading import Semaphore
from typing import TYPE_CHECKING, Any, cast

import pytest
from botocore.exceptions import (
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ReadTimeoutError,
    SSLError,
)

import wiring
from broadcasting.pacing.budget import Ask, BudgetError
from broadcasting.pacing.pace import Pace
from delivery.shared_pacer import SharedPacer, make_pacer
from storage.budget import PostBudget
from storage.idle_connections import close_when_idle
from testbed.model.fakes import FakeTime, aws_error
from tests.support.forgetful_dynamo import ForgetfulDynamo

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

PACE = Pace(posts_per_second=8_000.0, burst=4_000.0)
ASK = Ask(uncharged=0, most=3_000, is_small=False)
SOON = 5.0
URL = "http://127.0.0.1"


class _Client:
    """A client whose attempts fail as planned, and then do not."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.calls: list[str] = []

    def update_item(self, **request: Any) -> dict[str, Any]:
        """Write the number."""
        self.calls.append("update")
        if self.errors:
            raise self.errors.pop(0)
        return {"Attributes": {"tat": request["ExpressionAttributeValues"][":value"]}}

    def close(self) -> None:
        """Close the connections."""
        self.calls.append("close")

    def budget(self, time: FakeTime) -> PostBudget:
        """Return the budget of this client."""
        client = cast("DynamoDBClient", self)
        return PostBudget(client, "t", pace=PACE, clock=time.clock)


CLOSED = ConnectionClosedError(endpoint_url=URL)


@pytest.mark.parametrize(
    "error",
    [
        CLOSED,
        EndpointConnectionError(endpoint_url=URL),
        SSLError(endpoint_url=URL, error=OSError("EOF")),
    ],
)
def test_budget_tries_again_at_once_when_it_is_cut_off(error: Exception) -> None:
    """On a new connection."""
    client = _Client(error)

    grant = client.budget(FakeTime()).reserve(ASK)

    assert (grant.posts, client.calls) == (3_000, ["update", "close", "update"])


@pytest.mark.parametrize(
    ("errors", "calls"),
    [
        ([CLOSED, CLOSED], ["update", "close", "update"]),
        ([ReadTimeoutError(endpoint_url=URL)], ["update"]),
        ([ConnectTimeoutError(endpoint_url=URL)], ["update"]),
        ([aws_error(400, "ThrottlingException")], ["update"]),
    ],
)
def test_budget_gives_up_when_it_is_cut_off_twice_or_has_no_answer(
    errors: list[Exception], calls: list[str]
) -> None:
    """Posts wait for it: they go on without the budget."""
    client = _Client(*errors)

    with pytest.raises(BudgetError, match="posting goes on at a small rate"):
        client.budget(FakeTime()).reserve(ASK)

    assert client.calls == calls


def _pacer(
    client: "DynamoDBClient", time: FakeTime, warn: Callable[[Exception], None]
) -> SharedPacer:
    budget = PostBudget(client, "t", pace=PACE, clock=time.clock)
    return make_pacer(PACE, time.clock, budget, warn, workers=5)


def _broadcast(pacer: SharedPacer) -> int:
    """Return how many of 3,000 go with the first grant."""
    granted = Semaphore(0)
    pacer.begin(lambda: 3_000, granted.release)
    admitted = pacer.admit(1)  # as the first turn of a loop does
    if not admitted:
        assert granted.acquire(timeout=SOON)
    admitted += pacer.admit(2_999 if admitted else 3_000)
    pacer.started(admitted, admitted)
    pacer.end()
    return admitted


@pytest.mark.parametrize(("closes_idle", "resets"), [(True, 0), (False, 1)])
def test_first_broadcast_after_a_freeze_does_not_go_at_a_local_pace(
    closes_idle: bool,  # noqa: FBT001 - a case of the test
    resets: int,
) -> None:
    """Old connections are closed in time; one that is not costs a second attempt, no warning."""
    dynamo, warnings = ForgetfulDynamo(), list[Exception]()
    with dynamo.client(wiring._BUDGET_CONFIG) as client:
        if closes_idle:
            close_when_idle(client, dynamo.time.clock)
        pacer = _pacer(client, dynamo.time, warnings.append)
        first = _broadcast(pacer)
        dynamo.freeze(1_200.0)
        second = _broadcast(pacer)
        pacer.close()

    assert (first, second, warnings) == (3_000, 3_000, [])
    assert (dynamo.answered, dynamo.resets) == (["UpdateItem"] * 2, ["UpdateItem"] * resets)


def test_broadcast_goes_at_a_local_pace_when_every_connection_is_cut() -> None:
    """Two attempts, and what went wrong is told."""
    dynamo, warnings = ForgetfulDynamo(), list[Exception]()
    dynamo.refuses_all = True
    with dynamo.client(wiring._BUDGET_CONFIG) as client:
        pacer = _pacer(client, dynamo.time, warnings.append)
        admitted = _broadcast(pacer)
        pacer.close()

    assert (admitted, len(warnings), dynamo.resets) == (1, 1, ["UpdateItem"] * 2)
