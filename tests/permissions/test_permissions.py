"""Each permission of a function is needed, and all together are enough."""

import json
from collections.abc import Callable

import boto3
import pytest
from botocore.exceptions import ClientError

from crier.deployed.deployment import Deployment
from crier.local.local_aws import REGION
from tests.support.client_life import ClientLife
from tests.support.grants import Grant, Grants
from tests.support.life import RefusedStepError

pytestmark = pytest.mark.timeout(120)

NEEDED: dict[Grant, Callable[[ClientLife], object]] = {
    Grant("Authorizer", "dynamodb:DeleteItem", "connections"): ClientLife.connect,
    Grant("Authorizer", "dynamodb:GetItem", "connections"): ClientLife.connect,
    Grant("Connect", "dynamodb:BatchWriteItem", "connections"): ClientLife.connect,
    Grant("Disconnect", "dynamodb:DeleteItem", "connections"): ClientLife.disconnect,
    Grant("Disconnect", "dynamodb:BatchWriteItem", "connections"): ClientLife.disconnect,
    Grant("ClientFrame", "dynamodb:UpdateItem", "connections"): ClientLife.subscribe,
    Grant("ClientFrame", "dynamodb:BatchWriteItem", "connections"): ClientLife.subscribe,
    Grant("ClientFrame", "dynamodb:DeleteItem", "connections"): ClientLife.subscribe_when_gone,
    Grant("ClientFrame", "dynamodb:BatchGetItem", "connections"): ClientLife.join,
    Grant("ClientFrame", "dynamodb:BatchGetItem", "ledger"): ClientLife.ping,
    Grant("ClientFrame", "dynamodb:GetItem", "ledger"): ClientLife.close_a_stale_mark,
    Grant("ClientFrame", "dynamodb:PutItem", "ledger"): ClientLife.subscribe,
    Grant("ClientFrame", "dynamodb:Query", "ledger"): ClientLife.replay,
    Grant("ClientFrame", "dynamodb:UpdateItem", "ledger"): ClientLife.close_a_stale_mark,
    Grant("Broadcast", "dynamodb:Query", "connections"): ClientLife.broadcast_to_channel,
    Grant("Broadcast", "dynamodb:BatchGetItem", "connections"): ClientLife.clean_up,
    Grant("Broadcast", "dynamodb:BatchWriteItem", "connections"): ClientLife.clean_up,
    Grant("Broadcast", "dynamodb:GetItem", "ledger"): ClientLife.hand_over,
    Grant("Broadcast", "dynamodb:PutItem", "ledger"): ClientLife.broadcast,
    Grant("Broadcast", "dynamodb:UpdateItem", "ledger"): ClientLife.broadcast_to_user,
    Grant("Broadcast", "dynamodb:Query", "ledger"): ClientLife.broadcast_to_user,
    Grant("Broadcast", "execute-api:ManageConnections", "posts"): ClientLife.broadcast,
    Grant("Broadcast", "sqs:SendMessage", "dead letters"): ClientLife.reject,
    Grant("Broadcast", "sqs:SendMessage", "slice dead letters"): ClientLife.reject_slice,
    Grant("Broadcast", "sqs:SendMessage", "slices"): ClientLife.hand_over,
}
"""What fails without a permission."""

FUNCTIONS = ("Authorizer", "Connect", "Disconnect", "ClientFrame", "Broadcast")
CONSUME = (
    *("sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes"),
    *("sqs:GetQueueUrl", "sqs:ReceiveMessage"),
)
NOT_ENFORCED = {
    *(
        Grant(function, action, "logs")
        for function in FUNCTIONS
        for action in ("logs:CreateLogStream", "logs:PutLogEvents")
    ),
    *(
        Grant("Broadcast", action, queue)
        for action in CONSUME
        for queue in ("broadcasts", "slices")
    ),
}
"""What the local AWS does by itself, without asking: tests of the template hold it exactly."""


def test_every_permission_is_known(grants: Grants) -> None:
    """A new one needs a step that fails without it."""
    assert grants.all() == {*NEEDED, *NOT_ENFORCED}


STEPS = dict.fromkeys(
    [
        *NEEDED.values(),
        *(ClientLife.send_frame, ClientLife.unsubscribe, ClientLife.disconnect_subscriber),
        *(ClientLife.broadcast, ClientLife.broadcast_to_connections, ClientLife.share_the_pace),
        *(ClientLife.redrive, ClientLife.kick),
    ]
)


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.__name__)
def test_permissions_are_enough(life: ClientLife, step: Callable[[ClientLife], object]) -> None:
    """Each step of a broadcast's life ends well."""
    step(life)


@pytest.mark.parametrize("grant", NEEDED, ids=" ".join)
def test_permission_is_needed(life: ClientLife, grants: Grants, grant: Grant) -> None:
    """Without it, taken from the running stack, its step is refused."""
    with grants.without(grant), pytest.raises(RefusedStepError):
        NEEDED[grant](life)


def test_statement_of_the_output_is_enough_for_the_application(
    strict: Deployment, life: ClientLife
) -> None:
    """It writes a ticket, which lets its client in; the application may do nothing else."""
    stacks = strict.client("cloudformation").describe_stacks(StackName=strict.stack)["Stacks"]
    (statement,) = (
        json.loads(one["OutputValue"])
        for one in stacks[0]["Outputs"]
        if one["OutputKey"] == "TicketPolicyStatement"
    )
    iam = strict.client("iam")
    iam.create_user(UserName="application")
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName="application", PolicyName="tickets", PolicyDocument=policy)
    key = iam.create_access_key(UserName="application")["AccessKey"]
    session = boto3.Session(key["AccessKeyId"], key["SecretAccessKey"], region_name=REGION)
    dynamodb = session.client("dynamodb", endpoint_url=strict.endpoint_url)

    life.connect_with(life.write_ticket(dynamodb))
    with pytest.raises(ClientError, match="AccessDenied"):
        dynamodb.scan(TableName=strict.connections_table_name)
