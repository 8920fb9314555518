"""The rows of users' connections, by the deployed functions: connect, disconnect, broadcast."""

import asyncio
import json
import secrets
import time
from typing import Any

import pytest

from broadcasting.items import Key
from crier.deployed.deployment import Deployment
from crier.deployed.producer import enqueue
from tests.support.connection_keys import keys_of
from tests.support.function_logs import Logs
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(120)

OLD_MS = 600_000
USERS = ("alice", "🦊#" + "x" * 126)


def _invoke(
    deployment: Deployment, function: str, connection_id: str, **context: object
) -> dict[str, Any]:
    """Have a deployed function answer the event of a connection that does not exist."""
    event = {
        "requestContext": {
            "eventType": function.upper(),
            "connectionId": connection_id,
            "connectedAt": int(time.time() * 1000) - OLD_MS,
            **context,
        }
    }
    answer = deployment.client("lambda").invoke(
        FunctionName=deployment.function_name(function), Payload=json.dumps(event)
    )
    answered: dict[str, Any] = json.loads(answer["Payload"].read())
    return answered


def _rows(deployment: Deployment) -> dict[Key, Any]:
    pages = (
        deployment.client("dynamodb")
        .get_paginator("scan")
        .paginate(TableName=deployment.connections_table_name, ConsistentRead=True)
    )
    rows = [item for page in pages for item in page["Items"]]
    return {(item["pk"]["S"], item["sk"]["S"]): item for item in rows}


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("named", [USERS, ()])
def test_user_has_all_rows_and_leaves_none(
    deployment: Deployment, user: str, named: tuple[str, ...]
) -> None:
    """The deployed functions may do what they need; the disconnect's event need not say whose."""
    ends = int(time.time()) + 60
    authorizer = {"principalId": user, "exp": str(ends), "channels": "news game:*"}

    answer = _invoke(deployment, "Connect", "u1=", authorizer=authorizer)
    rows = _rows(deployment)
    end = {"authorizer": authorizer} if user in named else {}
    gone = _invoke(deployment, "Disconnect", "u1=", **end)

    assert (answer, gone) == ({"statusCode": 200}, {"statusCode": 200})
    assert set(rows) == set(keys_of("u1=", user))
    assert {row["expiresAt"]["N"] for row in rows.values()} == {str(ends)}
    assert _rows(deployment) == {}


def test_connection_of_an_iam_principal_has_its_rows(deployment: Deployment) -> None:
    """Its unique id is the user."""
    identity = {"userArn": "arn:aws:sts::1:assumed-role/r/s", "user": "AROAX:s", "sourceIp": "::1"}

    answer = _invoke(deployment, "Connect", "i1=", identity=identity)

    assert answer == {"statusCode": 200}
    assert set(_rows(deployment)) == set(keys_of("i1=", "AROAX:s"))


@pytest.mark.parametrize(
    "authorizer",
    [
        {"exp": "9999999999"},
        {"principalId": "x" * 129},
        {"principalId": "a\nb"},
        {"principalId": "alice", "exp": "soon"},
        {"principalId": "alice", "exp": "1"},
    ],
)
def test_client_that_connect_refuses_has_no_row(
    deployment: Deployment, authorizer: dict[str, str]
) -> None:
    """What the authorizer says of it is odd, or over; `test_access_modes.py` has its refusals."""
    answer = _invoke(deployment, "Connect", "r1=", authorizer=authorizer)

    assert (answer, _rows(deployment)) == ({"statusCode": 400}, {})


async def test_broadcast_deletes_all_rows_of_users_that_are_gone(
    deployment: Deployment, logs: Logs
) -> None:
    """Their disconnect never came; an anonymous connection's row goes, too."""
    for number in range(9):
        user = [None, *USERS][number % 3]
        context = {"authorizer": {"principalId": user}} if user else {}
        _invoke(deployment, "Connect", f"g{number}=", **context)
    assert len(_rows(deployment)) == 3 + 6 * 3

    broadcast_id = f"test-{secrets.token_hex(6)}"
    await asyncio.to_thread(enqueue, deployment, {"id": broadcast_id, "message": "boo"})
    lines = await until(lambda: logs.find(message="settled", broadcast_id=broadcast_id))

    assert (lines[0]["receipt"]["targeted"], lines[0]["receipt"]["gone"]) == (9, 9)
    assert _rows(deployment) == {}
