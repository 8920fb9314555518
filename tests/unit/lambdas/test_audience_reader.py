"""Reading the shards while they are posted to."""

from typing import Any

import pytest

from broadcasting.audience import SHARDS, Connection, shard_of
from broadcasting.slice import ShardCursor
from storage.audience_reader import AudienceReader
from tests.unit.lambdas.fakes import FAR, OLD_MS, FakeDynamo, FakeTime

ALL = [ShardCursor(shard) for shard in range(SHARDS)]


def _rows(count: int) -> dict[str, int]:
    return {f"c{number:04}": OLD_MS for number in range(count)}


def _reader(
    dynamo: FakeDynamo, shards: list[ShardCursor], time: FakeTime | None = None
) -> AudienceReader:
    clock = (time or FakeTime()).clock
    return AudienceReader(dynamo.table, shards, clock=clock, deadline=FAR)


def test_reader_reads_every_row_of_every_page_once() -> None:
    """Nothing is left unread."""
    dynamo = FakeDynamo(_rows(300), page_rows=3)
    reader = _reader(dynamo, ALL)

    found = list(reader)
    reader.close()

    assert sorted(one.id for one in found) == sorted(dynamo.rows)
    assert (reader.count, reader.unread, reader.rest, reader.error) == (300, (), (), None)


def test_reader_has_nobody_when_there_are_no_shards() -> None:
    """A slice may name connections only."""
    assert list(_reader(FakeDynamo(_rows(5)), [])) == []


def test_reader_goes_on_after_a_cursor() -> None:
    """The connection that a cursor names has been read before."""
    names = sorted(name for name in _rows(300) if shard_of(name) == 3)

    found = list(_reader(FakeDynamo(_rows(300)), [ShardCursor(3, names[1])]))

    assert found == [Connection(name, OLD_MS) for name in names[2:]]


def test_reader_leaves_only_the_shard_that_cannot_be_read() -> None:
    """All pages of the other shards are read, and the error is told."""
    dynamo = FakeDynamo(_rows(300), page_rows=3, unreadable={"all#3"})
    reader = _reader(dynamo, ALL)

    found = list(reader)

    assert sorted(one.id for one in found) == [name for name in dynamo.rows if shard_of(name) != 3]
    assert reader.unread == (ShardCursor(3),)
    assert "shard 3 after None" in str(reader.error)


def test_reader_leaves_a_shard_at_the_page_that_cannot_be_read() -> None:
    """Whatever goes wrong, what is read is kept, and the cursor is where to go on."""
    shard = [name for name in sorted(_rows(300)) if shard_of(name) == 3]

    class Broken(FakeDynamo):
        def query(self, **request: Any) -> dict[str, Any]:
            return {} if "ExclusiveStartKey" in request else super().query(**request)

    reader = _reader(Broken(_rows(300), page_rows=4), [ShardCursor(3)])

    assert [one.id for one in reader] == shard[:4]
    assert reader.unread == (ShardCursor(3, shard[3]),)
    assert f"shard 3 after {shard[3]}: KeyError" in str(reader.error)


def test_reader_tells_the_first_error_when_no_shard_can_be_read() -> None:
    """Each shard is tried once."""
    reader = _reader(FakeDynamo(unreadable={f"all#{shard}" for shard in range(SHARDS)}), ALL)

    assert list(reader) == []
    assert reader.unread == tuple(ALL)
    assert "ProvisionedThroughputExceededException" in str(reader.error)


def test_reader_reads_nothing_when_the_deadline_is_over() -> None:
    """Every shard stays unread."""
    reader = _reader(FakeDynamo(_rows(30)), ALL, FakeTime(seconds=FAR))

    assert list(reader) == []
    assert reader.unread == tuple(ALL)


def test_reader_knows_the_rest_of_a_page_that_was_not_taken() -> None:
    """What is read but not taken is in `rest`, what comes after it in `unread`."""
    shard = [name for name in sorted(_rows(300)) if shard_of(name) == 3]
    reader = _reader(FakeDynamo(_rows(300), page_rows=4), [ShardCursor(3)])

    first = next(reader)

    assert first.id == shard[0]
    assert [one.id for one in reader.rest] == shard[1:4]
    assert reader.unread == (ShardCursor(3, shard[3]),)
    assert reader.count == 1


@pytest.mark.parametrize(
    "connected_at",
    [{"N": "-1"}, {"N": "1.5"}, {"N": "1E+125"}, {"S": "1"}, {"S": "now"}, {"NULL": True}, None],
)
def test_reader_takes_a_row_for_old_when_its_time_is_unusable(
    connected_at: dict[str, Any] | None,
) -> None:
    """It can still be posted to, and nobody else on its page is affected."""
    odd = {"sk": {"S": "odd"}} | ({"connectedAt": connected_at} if connected_at else {})
    dynamo = FakeDynamo(_rows(300), odd_rows={f"all#{shard_of('odd')}": [odd]})
    reader = _reader(dynamo, ALL)

    found = list(reader)

    assert sorted(one.id for one in found) == sorted([*dynamo.rows, "odd"])
    assert Connection("odd", 0) in found
    assert (reader.unread, reader.error) == ((), None)


def test_reader_skips_a_row_without_an_id() -> None:
    """It is nobody's; the rest of its page is read."""
    shard = [name for name in sorted(_rows(300)) if shard_of(name) == 3]
    dynamo = FakeDynamo(_rows(300), odd_rows={"all#3": [{"sk": {"S": ""}}]})
    reader = _reader(dynamo, [ShardCursor(3)])

    assert [one.id for one in reader] == shard
    assert (reader.unread, reader.error) == ((), None)


def test_reader_goes_on_after_a_row_in_the_wrong_shard() -> None:
    """A page that ends there is followed by the next one of the shard that is read."""
    shard = [name for name in sorted(_rows(300)) if shard_of(name) == 3]
    stray = next(f"c{number:04}-" for number in range(300) if shard_of(f"c{number:04}-") != 3)
    row = {"sk": {"S": stray}, "connectedAt": {"N": str(OLD_MS)}}
    dynamo = FakeDynamo(_rows(300), page_rows=1, odd_rows={"all#3": [row]})
    reader = _reader(dynamo, [ShardCursor(3)])

    found = [one.id for one in reader]

    assert found == sorted([*shard, stray])
    assert (reader.unread, reader.error) == ((), None)
