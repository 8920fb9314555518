"""Dead letters of the deployed app: listed, kept, and put back until all is settled."""

import asyncio
import json
import random
import secrets
import time
from collections.abc import Callable
from typing import Any

import pytest
from typer.testing import Result

from broadcasting.attributes import read_sqs
from broadcasting.audience import Audience
from broadcasting.backlog import ALL_SHARDS
from broadcasting.clock import Clock
from broadcasting.dead_letter import Note, letter_of
from broadcasting.ledger_opening import NewBroadcast
from broadcasting.message import parse_broadcast
from broadcasting.slice_message import encode_slice_message
from crier.demo.clients import close_clients, connect_clients
from crier.deployed import dead_letters
from crier.deployed.dead_letters import DeadLetterQueue
from crier.deployed.deployment import Deployment
from crier.deployed.letter import Origin
from crier.deployed.redrive import redrive
from crier.deployed.redrive_decision import Action
from storage.ledger import Ledger
from storage.ledger_table import LedgerTable
from storage.queues import DeadLetters
from storage.stream_counters import StreamCounters
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(120)

Attributes = dict[str, dict[str, Any]]
Read = Callable[..., Any]
Run = Callable[..., Result]


@pytest.fixture
def run(run_crier: Run) -> Run:
    """Runs a command, which finds the local AWS of the tests and ends well."""

    def one(*arguments: str) -> Result:
        done = run_crier(*arguments)
        assert done.exit_code == 0, done.output
        return done

    return one


@pytest.fixture
def read(run: Run) -> Read:
    """Runs a command and reads the JSON that it prints."""
    return lambda *arguments: json.loads(run(*arguments, "--json").stdout)


@pytest.fixture(autouse=True)
def short_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read without a pause: the local AWS has one server, which need not be waited for."""
    monkeypatch.setattr(dead_letters, "_POLL_SECONDS", 0)


@pytest.fixture(autouse=True)
def empty_queues(deployment: Deployment) -> None:
    """Begin without the dead letters of other tests."""
    for url in (deployment.dead_letter_queue_url, deployment.slice_dead_letter_queue_url):
        deployment.client("sqs").purge_queue(QueueUrl=url)


def text(value: str, data_type: str = "String") -> dict[str, str]:
    """Return a message attribute."""
    return {"DataType": data_type, "StringValue": value}


SEAL = {"DataType": "Binary.png", "BinaryValue": b"\x00\xff"}
THEIRS: Attributes = {
    "traceparent": text("00-4bf92f-00f067-01"),
    "note": text('{"a": 1}', "String.json"),
    "price": text("1.50", "Number.eur"),
    "seal": SEAL,
}
"""What a producer may say of a message, of each type."""

OURS = {"crier.reason": text("forged"), "crier.messageId": text("forged")}
EARLIER = {"reason": text("forged"), "messageId": text("forged")}


def send(deployment: Deployment, url: str, body: str, attributes: Attributes | None = None) -> str:
    """Send a message; return its id."""
    sqs = deployment.client("sqs")
    sent = sqs.send_message(QueueUrl=url, MessageBody=body, MessageAttributes=attributes or {})
    return str(sent["MessageId"])


def read_queue(deployment: Deployment, url: str) -> list[dict[str, Any]]:
    """Return the messages of a queue, ten at most, as they are."""
    answer = deployment.client("sqs").receive_message(
        QueueUrl=url,
        MaxNumberOfMessages=10,
        VisibilityTimeout=0,
        MessageAttributeNames=["All"],
        AttributeNames=["All"],
    )
    messages: list[dict[str, Any]] = answer.get("Messages", [])
    return messages


def give_up(
    deployment: Deployment,
    dead_letters_url: str,
    body: str,
    attributes: Attributes | None = None,
) -> str:
    """Have SQS move a message to a dead-letter queue by itself, as after too many receives."""
    sqs = deployment.client("sqs")
    name = "QueueArn"
    known = sqs.get_queue_attributes(QueueUrl=dead_letters_url, AttributeNames=[name])
    policy = {"maxReceiveCount": "1", "deadLetterTargetArn": known["Attributes"][name]}
    url = sqs.create_queue(
        QueueName=f"tries-{secrets.token_hex(4)}",
        Attributes={"RedrivePolicy": json.dumps(policy), "VisibilityTimeout": "0"},
    )["QueueUrl"]
    message_id = send(deployment, url, body, attributes)
    for _ in range(2):
        sqs.receive_message(QueueUrl=url)
    return message_id


def open_broadcast(deployment: Deployment, broadcast_id: str) -> None:
    """Open a broadcast in the ledger, whose worker has died."""

    def now_ms() -> int:
        return int(time.time() * 1000)

    client = deployment.client("dynamodb")
    opening = NewBroadcast(
        id=broadcast_id,
        digest=parse_broadcast('{"message": "hear"}', "m").digest,
        audience=Audience(),
        frame_of=lambda seq: json.dumps({"id": broadcast_id, "seq": seq}),
        opened_ms=now_ms(),
        expires_ms=0,
        backlog=ALL_SHARDS,
    )
    clock = Clock(time.monotonic, now_ms, time.sleep)
    counters = StreamCounters(client, deployment.ledger_table_name, clock=clock)
    table = LedgerTable(client, deployment.ledger_table_name, clock=clock)
    ledger = Ledger(table, counters, clock=clock, jitter=random.random, replay_seconds=60)
    ledger.open(opening, until_ms=now_ms() + 1, deadline=time.monotonic() + 30.0)


async def test_dead_letters_are_listed_and_stay(deployment: Deployment, read: Read) -> None:
    """What was rejected is there with its reason, however often it is looked at."""
    message_id = send(deployment, deployment.broadcast_queue_url, '{"mesage": 1}')
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
    assert [one["action"] for one in redriven + insisted] == ["kept"] * 4


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
    assert (redriven["action"], redriven["broadcast_id"]) == ("put back", broadcast_id)
    assert (account["state"], account["counts"]["delivered"]) == ("settled", 3)
    assert [[json.loads(text)["id"] for _, text in one.frames] for one in clients] == [
        [broadcast_id]
    ] * 3
    assert left == []


async def test_slice_is_redriven_and_settles_its_broadcast(
    deployment: Deployment, read: Read
) -> None:
    """A broadcast whose worker died comes to its end; letters of it that remain are deleted."""
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
    assert redriven["action"] == "put back"
    assert (account["state"], account["counts"]["delivered"]) == ("settled", 2)
    assert (late["action"], late["why"]) == ("deleted", "its broadcast is settled")
    assert [len(one.frames) for one in clients] == [1, 1]
    assert left == []


@pytest.mark.parametrize("attributes", [{}, THEIRS, EARLIER])
async def test_broadcast_is_redriven_where_it_was_when_it_was_opened(
    deployment: Deployment, read: Read, attributes: Attributes
) -> None:
    """The ledger knows it by its id and content: it goes on, and is no second broadcast."""
    body = '{"message": "hear"}'
    broadcast_id = await asyncio.to_thread(
        give_up, deployment, deployment.dead_letter_queue_url, body, attributes
    )
    await asyncio.to_thread(open_broadcast, deployment, broadcast_id)

    before = await asyncio.to_thread(read, "status", broadcast_id)
    (redriven,) = await asyncio.to_thread(read, "redrive")
    account = await asyncio.to_thread(read, "status", broadcast_id, "--watch")

    assert redriven["why"] == "the broadcast goes on"
    assert (account["state"], account["seq"]) == ("settled", before["seq"])


FORGED = [OURS, EARLIER, {"messageId": text("other")}, {"crier.kind": text("gave-up"), **OURS}]
"""Attributes of a producer that look like ours."""


@pytest.mark.parametrize("forged", FORGED)
async def test_broadcast_that_sqs_moved_is_not_received_again_under_another_id(
    deployment: Deployment, read: Read, forged: Attributes
) -> None:
    """It was delivered, and then moved: what its producer says of it is not trusted."""
    clients = await connect_clients(deployment.web_socket_url, 1)
    moved = await asyncio.to_thread(
        give_up, deployment, deployment.dead_letter_queue_url, '{"message": "once"}', forged
    )
    send(deployment, deployment.broadcast_queue_url, json.dumps({"message": "once", "id": moved}))
    await asyncio.to_thread(read, "status", moved, "--watch")

    (listed,) = await asyncio.to_thread(read, "dead-letters")
    (redriven,) = await asyncio.to_thread(read, "redrive")
    left = await asyncio.to_thread(read, "dead-letters")
    await close_clients(clients)

    assert (listed["message_id"], listed["first_message_id"]) == (moved, moved)
    assert (listed["rejected"], listed["given_up"]) == (False, False)
    assert listed["reason"].startswith("SQS moved it here")
    assert set(listed["attributes"]) == set(forged)
    assert (redriven["action"], redriven["broadcast_id"]) == ("deleted", moved)
    assert [len(one.frames) for one in clients] == [1]
    assert left == []


async def test_rejected_message_keeps_its_producers_attributes(
    deployment: Deployment, read: Read
) -> None:
    """Of each type, byte for byte, beside our reason and its first id; so does its body."""
    body = ' {"mesage":  "✓"}\n'
    message_id = send(deployment, deployment.broadcast_queue_url, body, THEIRS)

    await until(lambda: read("dead-letters"))
    (kept,) = read_queue(deployment, deployment.dead_letter_queue_url)
    (listed,) = await asyncio.to_thread(read, "dead-letters")

    attributes = kept["MessageAttributes"]
    assert kept["Body"] == body
    assert attributes.pop("crier.reason")["StringValue"].startswith('unknown key "mesage"')
    assert attributes.pop("crier.messageId") == text(message_id)
    assert attributes == THEIRS
    assert listed["attributes"]["seal"] == {"type": "Binary.png", "value": "AP8="}


@pytest.mark.parametrize(
    ("attributes", "left_out"),
    [
        ({f"a{number}": text("x") for number in range(10)}, ["a8", "a9"]),
        ({"big": text("x" * 200_000)}, []),
        ({"crier.reason": text("theirs"), "tenant": text("acme")}, ["crier.reason"]),
        ({"crier.kind": text("1", "Number"), "crier.redriven": SEAL}, ["kind", "redriven"]),
        (EARLIER, []),
    ],
)
async def test_rejected_message_says_which_attributes_it_has_no_place_for(
    deployment: Deployment, read: Read, attributes: Attributes, left_out: list[str]
) -> None:
    """Ten is the most that SQS takes, and ours come first; names of ours are ours."""
    message_id = send(deployment, deployment.broadcast_queue_url, "[]", attributes)

    await until(lambda: read("dead-letters"))
    (kept,) = read_queue(deployment, deployment.dead_letter_queue_url)
    (listed,) = await asyncio.to_thread(read, "dead-letters")

    assert listed["first_message_id"] == message_id
    assert listed["rejected"]
    assert listed["reason"].startswith("body is a JSON array")
    assert ("attributes left out" in listed["reason"]) is bool(left_out)
    assert all(name in listed["reason"] for name in left_out)
    for name, value in attributes.items():
        if not any(name.endswith(one) for one in left_out):
            assert kept["MessageAttributes"][name] == value


async def test_redrive_puts_a_producers_attributes_back(deployment: Deployment) -> None:
    """What was rejected by mistake comes to its queue as it was sent, ours left out."""
    sqs = deployment.client("sqs")
    dead, source, slices = (
        sqs.create_queue(QueueName=f"{name}-{secrets.token_hex(4)}")["QueueUrl"]
        for name in ("dead", "source", "slices")
    )
    DeadLetters(sqs, dead).send(
        letter_of('{"message": 1}', Note("not yet", "m0"), read_sqs(THEIRS))
    )
    queue = DeadLetterQueue(sqs, Origin.BROADCASTS, dead, source, slices)

    (done,) = redrive(queue, lambda _: None, only=None, rejected=True, now_ms=0)

    (back,) = read_queue(deployment, source)
    assert done.action is Action.PUT_BACK
    assert (json.loads(back["Body"]), back["MessageAttributes"]) == (
        {"message": 1, "id": "m0"},
        THEIRS,
    )
    assert read_queue(deployment, dead) == []


async def test_dead_letters_say_how_many_more_there_are(deployment: Deployment, run: Run) -> None:
    """181 bad bodies: 100 are listed, and stderr says so; stdout is JSON and nothing else."""
    sqs, url = deployment.client("sqs"), deployment.dead_letter_queue_url
    for start in range(0, 181, 10):
        bodies = range(start, min(181, start + 10))
        entries = [{"Id": str(number), "MessageBody": f"bad {number}"} for number in bodies]
        sqs.send_message_batch(QueueUrl=url, Entries=entries)

    shown = await asyncio.to_thread(run, "dead-letters", "--json")
    all_ = await asyncio.to_thread(run, "dead-letters", "--json", "--limit", "181")

    assert len(json.loads(shown.stdout)) == 100
    assert "broadcasts: 100 are shown, about 81 more are there; --limit 181" in shown.stderr
    assert len({one["message_id"] for one in json.loads(all_.stdout)}) == 181
    assert all_.stderr == ""
