"""Dead letters of the deployed app: listed, kept, and put back until all is settled."""

import asyncio
import json
import random
import secrets
import time
from collections.abc import Callable
from typing import Any

import pytest
from typer.testing import CliRunner

from broadcasting.clock import Clock
from broadcasting.message import parse_broadcast
from broadcasting.slice_message import encode_slice_message
from broadcasting.work import ALL_SHARDS
from crier import cli, options
from crier.clients import close_clients, connect_clients
from crier.deployment import Deployment
from storage.ledger import Ledger, Opening
from storage.ledger_table import LedgerTable
from tests.local.waiting import until

pytestmark = pytest.mark.timeout(120)

Read = Callable[..., Any]


@pytest.fixture
def read(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> Read:
    """Runs a command and reads the JSON that it prints."""
    monkeypatch.setattr(options, "running_endpoint", lambda: deployment.endpoint)

    def run(*arguments: str) -> Any:
        done = CliRunner().invoke(cli.app, [*arguments, "--json"])
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    return run


@pytest.fixture(autouse=True)
def empty_queues(deployment: Deployment) -> None:
    """Begin without the dead letters of other tests."""
    for url in (deployment.dead_letter_queue_url, deployment.slice_dead_letter_queue_url):
        deployment.client("sqs").purge_queue(QueueUrl=url)


def send(deployment: Deployment, url: str, body: str) -> str:
    """Send a message; return its id."""
    return str(deployment.client("sqs").send_message(QueueUrl=url, MessageBody=body)["MessageId"])


def give_up(deployment: Deployment, dead_letters_url: str, body: str) -> str:
    """Have SQS move a message to a dead-letter queue by itself, as after too many receives."""
    sqs = deployment.client("sqs")
    name = "QueueArn"
    known = sqs.get_queue_attributes(QueueUrl=dead_letters_url, AttributeNames=[name])
    policy = {"maxReceiveCount": "1", "deadLetterTargetArn": known["Attributes"][name]}
    url = sqs.create_queue(
        QueueName=f"tries-{secrets.token_hex(4)}",
        Attributes={"RedrivePolicy": json.dumps(policy), "VisibilityTimeout": "0"},
    )["QueueUrl"]
    message_id = send(deployment, url, body)
    for _ in range(2):
        sqs.receive_message(QueueUrl=url)
    return message_id


def open_broadcast(deployment: Deployment, broadcast_id: str) -> None:
    """Open a broadcast in the ledger, whose worker has died."""

    def now_ms() -> int:
        return int(time.time() * 1000)

    client = deployment.client("dynamodb")
    table = LedgerTable(client, deployment.broadcasts_table_name, epoch_ms=now_ms)
    opening = Opening(
        id=broadcast_id,
        digest=parse_broadcast('{"message": "hear"}', "m").digest,
        channel="*",
        frame_of=lambda seq: json.dumps({"id": broadcast_id, "seq": seq}),
        opened_ms=now_ms(),
        expires_ms=0,
        work=ALL_SHARDS,
    )
    ledger = Ledger(table, clock=Clock(time.monotonic, now_ms, random.random))
    ledger.open(opening, until_ms=now_ms() + 1, deadline=time.monotonic() + 30.0)


async def test_dead_letters_are_listed_and_stay(deployment: Deployment, read: Read) -> None:
    """What was rejected is there with its reason, however often it is looked at."""
    message_id = send(deployment, deployment.queue_url, '{"mesage": 1}')
    send(deployment, deployment.slice_queue_url, '{"broadcast": "nobody", "slice": "0"}')

    await until(lambda: len(read("dead-letters")) == 2)
    first = await asyncio.to_thread(read, "dead-letters")
    again = await asyncio.to_thread(read, "dead-letters")
    redriven = await asyncio.to_thread(read, "redrive")
    insisted = await asyncio.to_thread(read, "redrive", "--rejected")
    last = await asyncio.to_thread(read, "dead-letters")

    assert first == again == last
    assert [one["queue"] for one in first] == ["broadcasts", "slices"]
    assert first[0]["first_message_id"] == message_id
    assert first[0]["reason"].startswith('unknown key "mesage"')
    assert "the ledger knows no slice 0 of broadcast nobody" in first[1]["reason"]
    assert [one["deed"] for one in redriven + insisted] == ["kept"] * 4


async def test_broadcast_that_sqs_moved_is_redriven_under_its_id(
    deployment: Deployment, read: Read
) -> None:
    """Every client receives it once, and its account is that of the message's first id."""
    clients = await connect_clients(deployment.web_socket_url, 3)
    broadcast_id = await asyncio.to_thread(
        give_up, deployment, deployment.dead_letter_queue_url, '{"message": "late"}'
    )

    listed = await asyncio.to_thread(read, "dead-letters")
    (redriven,) = await asyncio.to_thread(read, "redrive", broadcast_id)
    account = await asyncio.to_thread(read, "status", broadcast_id, "--watch")
    left = await asyncio.to_thread(read, "dead-letters")
    await close_clients(clients)

    assert listed[0]["reason"].startswith("SQS moved it here after too many receives")
    assert (redriven["deed"], redriven["broadcast_id"]) == ("put back", broadcast_id)
    assert (account["state"], account["counts"]["delivered"]) == ("settled", 3)
    assert [[json.loads(text)["id"] for _, text in one.frames] for one in clients] == [
        [broadcast_id]
    ] * 3
    assert left == []


async def test_slice_is_redriven_and_settles_its_broadcast(
    deployment: Deployment, read: Read
) -> None:
    """A broadcast whose worker died comes to its end; what is left over then is deleted."""
    name = f"test-{secrets.token_hex(6)}"
    clients = await connect_clients(deployment.web_socket_url, 2)
    await asyncio.to_thread(open_broadcast, deployment, name)
    url, body = deployment.slice_dead_letter_queue_url, encode_slice_message(name, "0")

    await asyncio.to_thread(give_up, deployment, url, body)
    (listed,) = await asyncio.to_thread(read, "dead-letters")
    (redriven,) = await asyncio.to_thread(read, "redrive")
    account = await asyncio.to_thread(read, "status", name, "--watch")
    await asyncio.to_thread(give_up, deployment, url, body)
    (late,) = await asyncio.to_thread(read, "redrive")
    left = await asyncio.to_thread(read, "dead-letters")
    await close_clients(clients)

    assert (listed["broadcast_id"], listed["slice_id"]) == (name, "0")
    assert redriven["deed"] == "put back"
    assert (account["state"], account["counts"]["delivered"]) == ("settled", 2)
    assert (late["deed"], late["why"]) == ("deleted", "its broadcast is settled")
    assert [len(one.frames) for one in clients] == [1, 1]
    assert left == []


async def test_broadcast_is_redriven_where_it_was_when_it_was_opened(
    deployment: Deployment, read: Read
) -> None:
    """The ledger knows it by its id and content: it goes on, and is no second broadcast."""
    body = '{"message": "hear"}'
    broadcast_id = await asyncio.to_thread(
        give_up, deployment, deployment.dead_letter_queue_url, body
    )
    await asyncio.to_thread(open_broadcast, deployment, broadcast_id)

    before = await asyncio.to_thread(read, "status", broadcast_id)
    (redriven,) = await asyncio.to_thread(read, "redrive")
    account = await asyncio.to_thread(read, "status", broadcast_id, "--watch")

    assert redriven["why"] == "the broadcast goes on"
    assert (account["state"], account["seq"]) == ("settled", before["seq"])
