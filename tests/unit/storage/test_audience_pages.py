"""The pages of an audience: partitions that are queried, and lists that are looked up."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from broadcasting.backlog import ShardCursor
from broadcasting.channel_rows import channel_key, channel_partitions
from broadcasting.connection import Connection
from broadcasting.connection_row import connection_item, connection_key
from storage.audience_pages import LOOK_UP_SECONDS, AudiencePages, Page, ids_taken
from storage.errors import ReadError
from testbed.model.fakes import NOW_MS, OLD_MS, FakeDynamo
from tests.support.wire_table import WireTable

IDS = tuple(f"c{number}=" for number in range(250))


@pytest.fixture
def wire() -> WireTable:
    """The wire, and behind it the row of each connection with an even number."""
    return WireTable(
        {connection_key(one): connection_item(Connection(one, OLD_MS)) for one in _even()}
    )


@pytest.fixture
def pages(wire: WireTable) -> Iterator[AudiencePages]:
    """The pages, as the broadcast function reads them."""
    with wire.pages() as pages:
        yield pages


def _even() -> list[str]:
    return list(IDS[::2])


def test_list_is_looked_up_a_hundred_ids_at_a_time(wire: WireTable, pages: AudiencePages) -> None:
    """Strongly consistently: each id is on one page, and those without a row are absent."""
    cursor: ShardCursor | None = ShardCursor("!")
    found: list[Page] = []
    while cursor:
        found.append(pages.listed_page(IDS, cursor.after, NOW_MS))
        cursor = found[-1].next

    assert [one.id for page in found for one in page.connections] == list(IDS)
    assert sorted(one for page in found for one in page.absent) == sorted(IDS[1::2])
    assert wire.requests == [("BatchGetItem", rows) for rows in (100, 100, 50)]
    asked = [json.loads(body)["RequestItems"]["connections"] for body in wire.bodies]
    assert all(one["ConsistentRead"] for one in asked)


@pytest.mark.parametrize(("count", "looked_up"), [(100, [100]), (200, [100, 100])])
def test_list_ends_with_a_page_that_is_full(
    wire: WireTable, pages: AudiencePages, count: int, looked_up: list[int]
) -> None:
    """No page without ids follows it."""
    after: str | None = None
    while page := pages.listed_page(IDS[:count], after, NOW_MS):
        if page.next is None:
            break
        after = page.next.after

    assert [rows for _, rows in wire.requests] == looked_up


def test_listed_connection_that_has_expired_is_absent(
    wire: WireTable, pages: AudiencePages
) -> None:
    """DynamoDB deletes rows late. A row without an end, or with another kind of it, is no row."""
    for one, end in (("c0=", "1.5"), ("c2=", str(NOW_MS // 1000)), ("c4=", "1E+125")):
        wire.rows[connection_key(one)]["expiresAt"] = {"N": end}
    del wire.rows[connection_key("c6=")]["expiresAt"]

    page = pages.listed_page(("c0=", "c2=", "c4=", "c6=", "c8="), None, NOW_MS)

    assert page.absent == {"c0=", "c2=", "c6="}
    assert page.connections[2::2] == (Connection("c4=", OLD_MS), Connection("c8=", OLD_MS))


def test_listed_connection_has_the_time_of_its_row(wire: WireTable, pages: AudiencePages) -> None:
    """A young one may answer 410 because its socket is not open yet; an odd time is an old one."""
    wire.rows[connection_key("c0=")]["connectedAt"] = {"N": str(NOW_MS)}
    wire.rows[connection_key("c2=")]["connectedAt"] = {"S": "now"}

    page = pages.listed_page(("c0=", "c2="), None, NOW_MS)

    assert page == Page((Connection("c0=", NOW_MS), Connection("c2=", 0)), None)


@pytest.mark.parametrize("faults", [["unprocessed"], ["half"], ["half", "unprocessed", "half"]])
def test_list_is_looked_up_whole_when_keys_are_left_unprocessed(
    wire: WireTable, pages: AudiencePages, faults: list[str | None]
) -> None:
    """Only those are asked for again: none of them is taken for gone."""
    wire.faults = faults

    page = pages.listed_page(IDS[:100], None, NOW_MS)

    assert page.absent == set(IDS[1:100:2])
    assert wire.requests[-1][1] <= 100
    assert 0 < wire.time.seconds < LOOK_UP_SECONDS


@pytest.mark.parametrize("kind", ["unprocessed", "throttle", "break", "lose", "refuse"])
def test_list_that_cannot_be_looked_up_is_an_error(
    wire: WireTable, pages: AudiencePages, kind: str
) -> None:
    """No connection is taken for gone; the slice is taken up again."""
    wire.always = {"read": kind}

    with pytest.raises(ReadError, match=r"not looked up|not read"):
        pages.listed_page(IDS, None, NOW_MS)

    assert wire.time.seconds <= LOOK_UP_SECONDS


def test_cursor_of_a_list_is_one_of_its_ids() -> None:
    """The list stands in the frame's row, which never changes."""
    assert (ids_taken(IDS, None), ids_taken(IDS, "c0="), ids_taken(IDS, "c249=")) == (0, 1, 250)
    with pytest.raises(ValueError, match="not in tuple"):
        ids_taken(IDS, "elsewhere")


def test_channel_is_read_page_by_page() -> None:
    """Its four partitions hold its connections and no others."""
    dynamo = FakeDynamo(dict.fromkeys(IDS, OLD_MS), page_rows=7)
    dynamo.join("news", *_even())
    found: list[str] = []

    for partition in channel_partitions("news"):
        cursor: ShardCursor | None = ShardCursor(partition)
        while cursor:
            page = dynamo.pages.page(cursor, NOW_MS)
            assert all(channel_key("news", one.id)[0] == partition for one in page.connections)
            found += [one.id for one in page.connections]
            cursor = page.next

    assert sorted(found) == sorted(_even())


def test_partition_is_queried_strongly_consistently() -> None:
    """A page has 1,000 rows at most, without those that are over by now."""
    asked: list[dict[str, Any]] = []

    class Asked(FakeDynamo):
        def query(self, **request: Any) -> dict[str, Any]:
            asked.append(request)
            return super().query(**request)

    Asked().pages.page(ShardCursor("all#3", "c"), NOW_MS)

    (query,) = asked
    assert (query["ConsistentRead"], query["Limit"]) == (True, 1_000)
    assert query["ExpressionAttributeValues"][":now"] == {"N": str(NOW_MS // 1000)}
    assert query["ExclusiveStartKey"] == {"pk": {"S": "all#3"}, "sk": {"S": "c"}}


def test_partition_that_cannot_be_queried_is_an_error() -> None:
    """It says which one, and where."""
    dynamo = FakeDynamo(unreadable={"all#3"})

    with pytest.raises(ReadError, match=r"partition all#3 after c: .*Throughput"):
        dynamo.pages.page(ShardCursor("all#3", "c"), NOW_MS)
