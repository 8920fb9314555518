"""Accounts as the command line shows them, of the deployed app and its own ledger."""

import asyncio
import json
import random
import secrets
import time
from collections.abc import Callable
from typing import Any

import pytest
from typer.testing import Result

from broadcasting.audience import Audience
from broadcasting.backlog import ALL_SHARDS, Backlog, whole_backlog
from broadcasting.clock import Clock
from broadcasting.connection import Connection
from broadcasting.ledger_opening import NewBroadcast
from broadcasting.ledger_rows import FailedConnection, FailedRow, Lease
from broadcasting.message import Broadcast
from broadcasting.receipt import Receipt
from broadcasting.slice_message import encode_slice_message
from crier.demo.clients import close_clients, connect_clients
from crier.demo.run import add_ghosts
from crier.deployed.account import Account
from crier.deployed.account_reader import AccountReader
from crier.deployed.deployment import Deployment
from storage.ledger import Ledger
from storage.ledger_table import LedgerTable
from storage.stream_counters import StreamCounters

pytestmark = pytest.mark.timeout(120)

Run = Callable[..., Result]

EVERYBODY = Audience()


def now_ms() -> int:
    """Return the time."""
    return int(time.time() * 1000)


@pytest.fixture
def run(run_crier: Run) -> Run:
    """Runs a command, which finds the local AWS of the tests."""
    return run_crier


CLOCK = Clock(time.monotonic, now_ms, time.sleep)


@pytest.fixture
def table(deployment: Deployment) -> LedgerTable:
    """The broadcasts table, as the functions write it."""
    return LedgerTable(deployment.client("dynamodb"), deployment.ledger_table_name, clock=CLOCK)


@pytest.fixture
def ledger(deployment: Deployment, table: LedgerTable) -> Ledger:
    """The ledger, as the functions keep it."""
    name = deployment.ledger_table_name
    counters = StreamCounters(deployment.client("dynamodb"), name, clock=CLOCK)
    return Ledger(table, counters, clock=CLOCK, jitter=random.random)


def open_broadcast(
    ledger: Ledger, broadcast_id: str, audience: Audience = EVERYBODY, *, expires_ms: int = 0
) -> Lease:
    """Open a broadcast to an audience, and lease it for a moment."""
    opening = NewBroadcast(
        id=broadcast_id,
        digest=Broadcast(broadcast_id, "hear", None, audience).digest,
        audience=audience,
        frame_of=lambda seq: f"frame {seq}",
        opened_ms=now_ms(),
        expires_ms=expires_ms,
        backlog=whole_backlog(audience),
    )
    held = ledger.open(opening, until_ms=now_ms() + 1, deadline=in_a_while())
    assert isinstance(held, Lease)
    return held


def in_a_while() -> float:
    """Return a deadline that a busy machine keeps."""
    return time.monotonic() + 30.0


def a_name() -> str:
    """Return a broadcast id that no other test has."""
    return f"test-{secrets.token_hex(6)}"


async def test_send_waits_and_status_shows_how_it_ended(deployment: Deployment, run: Run) -> None:
    """What `send --wait` says, `status` and `broadcasts` say too."""
    clients = await connect_clients(deployment.web_socket_url, 5)
    await add_ghosts(deployment, 2, lambda: None)
    name = a_name()

    sent = await asyncio.to_thread(
        run, "send", "--wait", "--ttl-seconds=60", f"--id={name}", "Oyez!"
    )
    shown = json.loads((await asyncio.to_thread(run, "status", name, "--json", "--watch")).stdout)
    listed = json.loads((await asyncio.to_thread(run, "broadcasts", "--json")).stdout)
    await close_clients(clients)

    assert (sent.exit_code, sent.stdout) == (0, f"{name}\n")
    assert "5 delivered, 2 gone, 0 failed, 0 expired" in sent.stderr
    assert (shown["state"], shown["ended"], shown["open_slices"]) == ("settled", 7, 0)
    assert shown["expires_ms"] > shown["settled_ms"] >= shown["opened_ms"]
    unknown = {"audience": shown["audience"] | {"exclude": None}}
    assert (shown["audience"], shown["channel"]) == ({"kind": "everyone", "exclude": 0}, "*")
    assert listed[0] == shown | unknown


def test_status_adds_the_slices_up_while_a_broadcast_is_open(ledger: Ledger, run: Run) -> None:
    """Neither a slice that was split off nor one that is closed is counted twice."""
    name = a_name()
    held = open_broadcast(ledger, name)
    given = Backlog(connections=(Connection("c1", 0, 1), Connection("c2", 0, 1)))
    kept = Backlog(ALL_SHARDS.shards[:4])

    ledger.split(
        held,
        kept,
        Receipt(targeted=9, delivered=6, failed=1),
        (FailedConnection("c9", "400"),),
        (given,),
        deadline=in_a_while(),
    )
    split = json.loads(run("status", name, "--json", "--failed").stdout)
    part = ledger.lease(name, "1", until_ms=now_ms() + 1)
    assert isinstance(part, Lease)
    ledger.close(part, Receipt(targeted=2, gone=2), (), deadline=in_a_while())
    closed = json.loads(run("status", name, "--json").stdout)

    assert split["counts"] | {"throttled": 0} == split["counts"]
    assert (split["counts"]["targeted"], split["ended"], split["slices"]) == (9, 7, 2)
    assert split["failed"] == [{"connection": "c9", "reason": "400"}]
    assert (split["unread_shards"], split["open_slices"]) == (4, 2)
    assert (closed["counts"]["targeted"], closed["ended"], closed["open_slices"]) == (9, 9, 1)
    assert closed["state"] == "open"


def test_status_lists_all_failed_connections_when_they_are_many(
    ledger: Ledger, table: LedgerTable, run: Run
) -> None:
    """More than DynamoDB answers at once, 1 MB."""
    name = a_name()
    open_broadcast(ledger, name)
    for number in range(4):
        failed = tuple(FailedConnection(f"c{number}-{one}", "x" * 1_000) for one in range(300))
        table.write(FailedRow(name, "0", number, failed))

    shown = run("status", name, "--failed").stdout

    assert shown.count("  xxx") == 1_200


def test_broadcasts_are_all_listed_when_they_are_many(
    deployment: Deployment, ledger: Ledger
) -> None:
    """More than DynamoDB reads at once, 100; the newest first."""
    name = a_name()
    for number in range(105):
        open_broadcast(ledger, f"{name}-{number}")

    found = AccountReader.of(deployment).recent(105)

    ids = [one.id for one in found.shown if isinstance(one, Account)]
    assert ids == [f"{name}-{number}" for number in reversed(range(105))]


async def test_status_counts_as_expired_the_connections_not_sent_it_any_more(
    deployment: Deployment, ledger: Ledger, run: Run
) -> None:
    """A slice that comes too late is settled by the function, and nothing is posted."""
    name = a_name()
    clients = await connect_clients(deployment.web_socket_url, 3)
    open_broadcast(ledger, name, expires_ms=now_ms() - 1)
    body = encode_slice_message(name, "0")

    deployment.client("sqs").send_message(QueueUrl=deployment.slice_queue_url, MessageBody=body)
    shown = await asyncio.to_thread(run, "status", name, "--json", "--watch")
    await close_clients(clients)

    account = json.loads(shown.stdout)
    assert (shown.exit_code, account["counts"]["expired"], account["ended"]) == (0, 3, 3)
    assert [client.frames for client in clients] == [[], [], []]


@pytest.mark.parametrize(
    ("audience", "option", "words"),
    [
        (Audience(channel="news:1"), ["--channel", "news:1"], "channel news:1"),
        (Audience(user="日本 # 🦜"), ["--user", "日本 # 🦜"], "user 日本 # 🦜"),
        (Audience(connections=("a=", "b=")), ["--connections"], "2 listed connections"),
    ],
)
def test_accounts_of_an_audience_are_listed_by_themselves(
    ledger: Ledger, run: Run, audience: Audience, option: list[str], words: str
) -> None:
    """Its broadcasts have numbers, and a list, of their own."""
    names = [a_name(), a_name()]
    leases = [open_broadcast(ledger, one, audience) for one in names]
    excluding = Audience(exclude=frozenset({"a=", "b=", "c="}))
    open_broadcast(ledger, f"{names[0]}-all", excluding)

    listed = json.loads(run("broadcasts", *option, "--json").stdout)
    everyone = json.loads(run("broadcasts", "--json").stdout)
    shown = run("status", names[0]).stdout
    excluded = json.loads(run("status", f"{names[0]}-all", "--json").stdout)

    numbers = [lease.summary.seq for lease in leases]
    assert [one["id"] for one in listed[:2]] == names[::-1]
    assert [one["seq"] for one in listed[:2]] == numbers[::-1] == [numbers[0] + 1, numbers[0]]
    assert not {one["id"] for one in everyone} & set(names)
    assert f"│ {words} " in shown
    assert excluded["audience"] == {"kind": "everyone", "exclude": 3}


def test_status_says_what_it_does_not_know(run: Run) -> None:
    """A broadcast that was never enqueued is an error."""
    shown = run("status", "nobody-sent-this")

    assert shown.exit_code == 1
    assert "the ledger does not know broadcast nobody-sent-this" in str(shown.exception)


def spoil(deployment: Deployment, pk: str, sk: str, **attributes: Any) -> None:
    """Change attributes of a row by hand."""
    names = {f"#{number}": name for number, name in enumerate(attributes)}
    values = {f":{number}": value for number, value in enumerate(attributes.values())}
    deployment.client("dynamodb").update_item(
        TableName=deployment.ledger_table_name,
        Key={"pk": {"S": pk}, "sk": {"S": sk}},
        UpdateExpression="SET " + ", ".join(f"#{one} = :{one}" for one in range(len(names))),
        ExpressionAttributeNames=names,
        ExpressionAttributeValues=values,
    )


def test_broadcasts_are_listed_though_some_rows_cannot_be_read(
    deployment: Deployment, ledger: Ledger, run: Run
) -> None:
    """A summary of another version, and a number without its broadcast: the others are there."""
    name = a_name()
    leases = [open_broadcast(ledger, f"{name}-{number}") for number in range(4)]
    spoil(deployment, f"broadcast#{name}-1", "summary", counts={"S": "{"}, status={"S": "paused"})
    seq = f"seq#{leases[2].summary.seq:012d}"
    spoil(deployment, "channel#*", seq, broadcast_id={"N": "7"})

    shown = run("broadcasts", "--limit", "4")
    told = run("broadcasts", "--limit", "4", "--json")
    odd = run("status", f"{name}-1")

    assert (shown.exit_code, told.exit_code, odd.exit_code) == (0, 0, 1)
    lines = shown.stdout.splitlines()[1:]
    assert lines[0].endswith(f" {name}-3")
    assert lines[1].startswith(f"unreadable            channel#* / {seq}: broadcast_id is of the")
    assert f"broadcast#{name}-1 / summary" in lines[2]
    assert lines[3].endswith(f" {name}-0")
    states = [one["state"] for one in json.loads(told.stdout)]
    assert states == ["open", "unreadable", "unreadable", "open"]
    assert "its status is paused" in odd.stdout


def test_broadcasts_say_how_many_more_there_are(ledger: Ledger, run: Run) -> None:
    """All that the ledger has; stdout is JSON and nothing else."""
    name = a_name()
    for number in range(3):
        open_broadcast(ledger, f"{name}-{number}")

    everything = run("broadcasts", "--limit", "1000", "--json")
    shown = run("broadcasts", "--limit", "2", "--json")

    more = len(json.loads(everything.stdout)) - 2
    assert everything.stderr.startswith("Broadcasts to everyone; ")
    assert len(everything.stderr.splitlines()) == 1
    assert len(json.loads(shown.stdout)) == 2
    assert f"The last 2 are shown, {more:,} more are in the ledger" in shown.stderr


def test_status_tells_what_cannot_be_right(
    deployment: Deployment, ledger: Ledger, run: Run
) -> None:
    """Rows that were changed by hand: a number of slices, a status, sums, a slice's work."""
    name = a_name()
    held = open_broadcast(ledger, name)
    right = json.loads(run("status", name, "--json").stdout)

    spoil(deployment, f"broadcast#{name}", "summary", open_slices={"N": "2"}, slices={"N": "2"})
    more = json.loads(run("status", name, "--json").stdout)
    spoil(deployment, f"broadcast#{name}", "summary", open_slices={"N": "0"})
    stuck = run("status", name, "--watch", "--json")
    ended = {"settled_ms": {"N": str(now_ms())}, "status": {"S": "settled"}}
    counts = {"S": json.dumps({"targeted": 3, "delivered": 4, "gone": -2})}
    spoil(deployment, f"broadcast#{name}", "summary", **ended, counts=counts)
    wrong = run("status", name, "--json")

    assert held.slice_row.id == "0"
    assert (right["contradictions"], right["unreadable"]) == ([], [])
    assert more["contradictions"] == ["its summary has 2 open slices, the ledger has rows of 1"]
    assert stuck.exit_code == 4
    assert "it is not settled, and has no open slice: nothing will settle it" in stuck.stdout
    told = json.loads(wrong.stdout)["contradictions"]
    assert told[0] == "gone is -2, less than 0"
    assert told[1].startswith("it has 3 targeted, and 4 delivered + -2 gone")
    assert "it is settled, and the rows of these slices are open: 0" in told
    assert "do not rely on these sums" in wrong.stderr
