"""Reading the shards while they are posted to."""

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


def test_reader_keeps_the_shard_when_it_cannot_be_read() -> None:
    """The other shards' first pages are still read, and the error is told."""
    dynamo = FakeDynamo(_rows(300), unreadable={"all#3"})
    reader = _reader(dynamo, ALL)

    found = list(reader)
    unread = {cursor.shard for cursor in reader.unread}

    assert reader.error is not None
    assert ShardCursor(3) in reader.unread
    assert {shard_of(one.id) for one in found}.isdisjoint(unread)
    expected = sorted(name for name in dynamo.rows if shard_of(name) not in unread)
    assert sorted(one.id for one in found) == expected


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


def test_reader_ends_with_an_error_when_a_row_is_malformed() -> None:
    """One bad row must not send the whole broadcast again: its shard is left unread."""
    dynamo = FakeDynamo({"a": -1})
    shard = ShardCursor(shard_of("a"))
    reader = _reader(dynamo, [shard])

    found = list(reader)
    reader.close()

    assert found == []
    assert reader.unread == (shard,)
    assert "connected_at is -1" in str(reader.error)
