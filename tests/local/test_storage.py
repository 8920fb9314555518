"""Storage against the local AWS: real DynamoDB and SQS calls."""

import random
import time

import pytest

from broadcasting.attributes import Attribute, read_sqs
from broadcasting.audience import Audience, row_key
from broadcasting.backlog import ShardCursor, whole_backlog
from broadcasting.clock import Clock
from broadcasting.connecting_client import ConnectingClient
from broadcasting.connection import SHARDS, Connection, shard_of
from broadcasting.connection_row import connection_item, connection_key, partition_of
from broadcasting.dead_letter import Note, letter_of, read_letter
from broadcasting.items import Key, key_attributes
from broadcasting.receipt import Receipt
from broadcasting.slice_message import parse_slice_message
from broadcasting.user_rows import self_key
from crier.deployed.deployment import Deployment
from storage.audience_pages import PAGE_ROWS, AudiencePages
from storage.audience_reader import AudienceReader
from storage.connections import ConnectionsTable
from storage.errors import ReadError, WriteError
from storage.queues import DeadLetters, SliceQueue
from storage.sweeper import StaleSweeper
from tests.support.connection_keys import keys_of

EVERYONE = Audience()
NOW_MS = int(time.time() * 1000)
CLOCK = Clock(time.monotonic, lambda: int(time.time() * 1000), time.sleep)


@pytest.fixture
def table(deployment: Deployment) -> ConnectionsTable:
    """The deployed connections table."""
    return _table(deployment, deployment.connections_table_name)


def _table(deployment: Deployment, name: str) -> ConnectionsTable:
    client = deployment.client("dynamodb")
    return ConnectionsTable(client, name, clock=CLOCK, jitter=random.random)


@pytest.fixture
def pages(deployment: Deployment) -> AudiencePages:
    """The pages of the deployed connections table."""
    return _pages(deployment, deployment.connections_table_name)


def _pages(deployment: Deployment, name: str) -> AudiencePages:
    client = deployment.client("dynamodb")
    return AudiencePages(client, name, clock=CLOCK, jitter=random.random)


def _reader(
    pages: AudiencePages, audience: Audience = EVERYONE, shards: tuple[ShardCursor, ...] = ()
) -> AudienceReader:
    return AudienceReader(
        pages,
        shards or whole_backlog(audience).shards,
        clock=CLOCK,
        deadline=time.monotonic() + 30,
        ids=audience.connections,
        exclude=audience.exclude,
    )


def _read_all(pages: AudiencePages, audience: Audience = EVERYONE) -> list[Connection]:
    return list(_reader(pages, audience))


def test_table_adds_and_removes_a_row_idempotently(
    table: ConnectionsTable, pages: AudiencePages
) -> None:
    """Adding twice makes one row, removing twice is no error."""
    connection = Connection("abc=", NOW_MS)

    table.add(ConnectingClient(connection))
    table.add(ConnectingClient(connection))
    assert _read_all(pages) == [connection]

    table.remove(connection.id)
    table.remove(connection.id)
    assert _read_all(pages) == []


def test_reader_leaves_out_expired_rows(table: ConnectionsTable, pages: AudiencePages) -> None:
    """TTL deletion lags by days: an expired row is not read."""
    fresh, expired = Connection("fresh", NOW_MS), Connection("old", NOW_MS - 3 * 3600 * 1000)
    table.add(ConnectingClient(fresh))
    table.add(ConnectingClient(expired))

    assert _read_all(pages) == [fresh]


def test_reader_reads_every_page_of_a_shard(pages: AudiencePages, deployment: Deployment) -> None:
    """More rows in one shard than one Query page holds are all read, each once."""
    names = (f"page-{number}" for number in range(100_000))
    ids = [name for name in names if shard_of(name) == 3][: PAGE_ROWS + 200]
    client = deployment.client("dynamodb")
    for start in range(0, len(ids), 25):
        puts = [
            {"PutRequest": {"Item": connection_item(Connection(name, NOW_MS))}}
            for name in ids[start : start + 25]
        ]
        client.batch_write_item(RequestItems={deployment.connections_table_name: puts})

    first = pages.page(ShardCursor("all#3"), NOW_MS)
    everyone = _read_all(pages)

    assert len(first.connections) == PAGE_ROWS
    assert first.next == ShardCursor("all#3", first.connections[-1].id)
    assert sorted(connection.id for connection in everyone) == sorted(ids)


def test_reader_takes_malformed_rows_and_those_in_the_wrong_shard(
    table: ConnectionsTable, pages: AudiencePages, deployment: Deployment
) -> None:
    """Rows that another program wrote hide no connection, and a page may end on each of them."""
    expires = {"N": str(NOW_MS // 1000 + 3_600)}
    for name, connected_at in (("m1", "-1"), ("m2", "1.5"), ("m3", "1E+125")):
        deployment.client("dynamodb").put_item(
            TableName=deployment.connections_table_name,
            Item={
                "pk": {"S": f"all#{(shard_of(name) + 1) % SHARDS}"},
                "sk": {"S": name},
                "connectedAt": {"N": connected_at},
                "expiresAt": expires,
            },
        )
    table.add(ConnectingClient(Connection("healthy", NOW_MS)))

    everyone = {connection.id: connection for connection in _read_all(pages)}
    after = [pages.page(ShardCursor(partition_of(shard), "m2"), NOW_MS) for shard in range(SHARDS)]

    assert everyone == {
        "healthy": Connection("healthy", NOW_MS),
        **{name: Connection(name, 0) for name in ("m1", "m2", "m3")},
    }
    assert [one.id for page in after for one in page.connections] == ["m3"]


def test_sweeper_deletes_rows_in_batches(table: ConnectionsTable, pages: AudiencePages) -> None:
    """More stale rows than one batch takes are deleted, and no other row."""
    kept = Connection("kept", NOW_MS)
    stale = [Connection(f"stale-{number}", NOW_MS) for number in range(60)]
    for connection in [kept, *stale]:
        table.add(ConnectingClient(connection))
    sweeper = StaleSweeper(table, jitter=random.random)

    for connection in stale:
        sweeper.add(connection.id)

    assert sweeper.finish(10) == 0
    assert _read_all(pages) == [kept]


def _keys(deployment: Deployment) -> set[Key]:
    """Return the keys of all rows that are there."""
    pages = (
        deployment.client("dynamodb")
        .get_paginator("scan")
        .paginate(TableName=deployment.connections_table_name, ConsistentRead=True)
    )
    return {(item["pk"]["S"], item["sk"]["S"]) for page in pages for item in page["Items"]}


@pytest.mark.parametrize("user", ["alice", "a#b", "🦊" * 128, 'q"uo\\te', "ü b"])
def test_table_adds_and_removes_all_rows_of_a_user(
    table: ConnectionsTable, pages: AudiencePages, deployment: Deployment, user: str
) -> None:
    """Three rows that expire with the token, and none after the end; another's stay."""
    ends = NOW_MS // 1000 + 3_600
    client = ConnectingClient(Connection("abc=", NOW_MS), user, ends)
    other = ConnectingClient(Connection("other=", NOW_MS), user)
    table.add(other)
    table.add(client)
    table.add(client)

    assert _keys(deployment) == {*keys_of("abc=", user), *keys_of("other=", user)}
    assert {one.id for one in _read_all(pages)} == {"abc=", "other="}
    shard = ShardCursor(connection_key("abc=")[0])
    assert "abc=" not in {one.id for one in pages.page(shard, ends * 1000).connections}

    table.remove("abc=")
    table.remove("abc=")
    assert _keys(deployment) == set(keys_of("other=", user))


def test_sweeper_deletes_all_rows_of_users_and_of_anonymous_clients(
    table: ConnectionsTable, deployment: Deployment
) -> None:
    """More than one batch of them, and no row of a live connection of the same user."""
    live = ConnectingClient(Connection("live", NOW_MS), "🦊#0")
    users = [None, "🦊#0", "alice"]
    stale = [
        ConnectingClient(Connection(f"s{number}", NOW_MS), users[number % 3])
        for number in range(60)
    ]
    for client in [live, *stale]:
        table.add(client)
    sweeper = StaleSweeper(table, jitter=random.random)

    for client in stale:
        sweeper.add(client.connection.id)

    assert sweeper.finish(10) == 0
    assert _keys(deployment) == set(keys_of("live", "🦊#0"))


def _join(deployment: Deployment, stream: str, *connections: Connection, ends_ms: int) -> None:
    """Write the rows by which broadcasts of a stream find connections."""
    for one in connections:
        row = connection_item(one) | key_attributes(row_key(stream, one.id))
        row |= {"expiresAt": {"N": str(ends_ms // 1000)}}
        deployment.client("dynamodb").put_item(
            TableName=deployment.connections_table_name, Item=row
        )


@pytest.mark.parametrize("audience", [Audience(channel="news"), Audience(user="a#b")])
def test_reader_reads_the_rows_of_an_audience_and_no_others(
    pages: AudiencePages, deployment: Deployment, audience: Audience
) -> None:
    """Those that have not expired; another channel's and another user's are not read."""
    all_of_them = [Connection(f"c{number}", NOW_MS) for number in range(30)]
    _join(deployment, audience.stream, *all_of_them[:10], ends_ms=NOW_MS + 3_600_000)
    _join(deployment, audience.stream, *all_of_them[10:20], ends_ms=NOW_MS - 2_000)
    for other in ("news-1", "user#a", "*"):
        _join(deployment, other, *all_of_them[20:], ends_ms=NOW_MS + 3_600_000)

    found = _read_all(pages, audience)

    assert sorted(found, key=lambda one: one.id) == all_of_them[:10]


def test_reader_looks_listed_connections_up_and_goes_on_in_the_middle(
    table: ConnectionsTable, pages: AudiencePages
) -> None:
    """Of 250 ids each is yielded, gone or excluded once, in two invocations."""
    ids = tuple(f"c{number:03}" for number in range(250))
    for name in ids[::5]:
        table.add(ConnectingClient(Connection(name, NOW_MS)))
    table.add(ConnectingClient(Connection(ids[1], NOW_MS - 3 * 3_600_000)))
    audience = Audience(connections=ids, exclude=frozenset({ids[0], ids[3]}))

    first = _reader(pages, audience)
    found = [next(first).id for _ in range(25)]
    second = _reader(pages, audience, first.unread)
    found += [one.id for one in second]
    first.close()

    assert found == list(ids[5::5])
    sums = Receipt(targeted=199, gone=199, excluded=2)
    assert first.passed_over + second.passed_over == sums


@pytest.mark.parametrize("stream", ["news", "user#alice", "!"])
def test_sweeper_deletes_the_rows_of_gone_connections_of_an_audience(
    table: ConnectionsTable, deployment: Deployment, stream: str
) -> None:
    """What `self` names, and the row by which the broadcast has found them."""
    clients = [ConnectingClient(Connection(f"s{number}", NOW_MS), "bob") for number in range(30)]
    connections = [client.connection for client in clients]
    live = Connection("live", NOW_MS)
    for channel in ("news", "sport", "user#alice"):
        _join(deployment, channel, live, *connections, ends_ms=NOW_MS + 3_600_000)
    for client in clients:
        table.add(client)
        deployment.client("dynamodb").update_item(
            TableName=deployment.connections_table_name,
            Key=key_attributes(self_key(client.connection.id)),
            UpdateExpression="ADD channels :names",
            ExpressionAttributeValues={":names": {"SS": ["news", "sport"]}},
        )
    sweeper = StaleSweeper(table, jitter=random.random, stream=stream)

    for one in connections:
        sweeper.add(one.id)

    assert sweeper.finish(10) == 0
    kept = {key for key in _keys(deployment) if key[1] != "live"}
    untold = (
        set() if stream == "user#alice" else {row_key("user#alice", one.id) for one in connections}
    )
    assert kept == untold


def test_table_says_what_failed_when_it_is_not_there(deployment: Deployment) -> None:
    """Reads and writes of a table that does not exist are our own errors, with the id in them."""
    table = _table(deployment, "no-such-table")

    with pytest.raises(WriteError, match="abc"):
        table.add(ConnectingClient(Connection("abc", NOW_MS)))
    with pytest.raises(WriteError, match="abc"):
        table.remove("abc")
    with pytest.raises(ReadError, match="1 rows"):
        table.remove_batch(["abc"])
    pages = _pages(deployment, "no-such-table")
    with pytest.raises(ReadError, match="partition all#2"):
        pages.page(ShardCursor("all#2"), NOW_MS)
    with pytest.raises(ReadError, match="1 rows"):
        pages.listed_page(["abc"], None, NOW_MS)


def test_queues_carry_slices_and_reasons(deployment: Deployment) -> None:
    """What is sent to a queue can be read back whole."""
    sqs = deployment.client("sqs")
    url = sqs.create_queue(QueueName="scratch")["QueueUrl"]

    SliceQueue(sqs, url).send("b \uffff ✓", "12", delay_seconds=0)
    theirs = {
        "seal": Attribute("Binary.png", b"\x00\xff"),
        "price": Attribute("Number.eur", "1.50"),
    }
    DeadLetters(sqs, url).send(letter_of("the body", Note("because \x00", "m1"), theirs))
    received = [
        message
        for _ in range(2)
        for message in sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"])["Messages"]
    ]

    assert parse_slice_message(received[0]["Body"]) == ("b \uffff ✓", "12")
    found = read_sqs(received[-1]["MessageAttributes"])
    assert received[-1]["Body"] == "the body"
    assert read_letter(found, is_moved=False) == (Note("because ?", "m1"), theirs)
