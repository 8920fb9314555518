"""Reading the shards while they are posted to."""

from itertools import islice
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broadcasting.backlog import ALL_SHARDS, ShardCursor
from broadcasting.connection import SHARDS, Connection, shard_of
from storage import audience_reader
from storage.audience_reader import READS_AT_ONCE, AudienceReader
from testbed.model.fakes import FAR, OLD_MS, FakeDynamo, FakeTime

ALL = ALL_SHARDS.shards


def _rows(count: int) -> dict[str, int]:
    return {f"c{number:04}": OLD_MS for number in range(count)}


def _reader(
    dynamo: FakeDynamo, shards: tuple[ShardCursor, ...], time: FakeTime | None = None
) -> AudienceReader:
    clock = (time or FakeTime()).clock
    return AudienceReader(dynamo.pages, shards, clock=clock, deadline=FAR)


def _ids(reader: AudienceReader) -> list[str]:
    return [one.id for one in reader]


def test_reader_reads_every_row_of_every_page_once() -> None:
    """Everything has been read."""
    dynamo = FakeDynamo(_rows(300), page_rows=3)
    reader = _reader(dynamo, ALL)

    found = _ids(reader)
    reader.close()

    assert sorted(found) == sorted(dynamo.rows)
    assert (reader.unread, reader.spare, reader.error) == ((), (), None)


def test_reader_expects_everyone_once_a_shard_has_been_read() -> None:
    """The number is a guess: shards are of about the same size. In the end it is 0."""
    reader = _reader(FakeDynamo(_rows(1_600)), ALL)
    assert reader.to_come == 0

    next(reader)
    expected = reader.to_come
    rest = _ids(reader)

    assert 1_300 < expected < 1_900
    assert (len(rest), reader.to_come) == (1_599, 0)


def test_reader_has_no_connection_when_there_are_no_shards() -> None:
    """A slice may name connections only."""
    assert list(_reader(FakeDynamo(_rows(5)), ())) == []


def test_reader_goes_on_after_a_cursor() -> None:
    """The connection that a cursor names has been read before."""
    names = sorted(name for name in _rows(300) if shard_of(name) == 3)

    found = list(_reader(FakeDynamo(_rows(300)), (ShardCursor("all#3", names[1]),)))

    assert found == [Connection(name, OLD_MS) for name in names[2:]]


@given(st.integers(0, 120), st.integers(1, 9))
def test_reader_knows_at_every_moment_where_to_go_on(taken: int, page_rows: int) -> None:
    """A reader that goes on where another has stopped meets each of the others once."""
    dynamo = FakeDynamo(_rows(120), page_rows=page_rows)
    reader = _reader(dynamo, ALL)

    met = [next(reader).id for _ in range(taken)]
    rest = _ids(_reader(dynamo, reader.unread))
    reader.close()

    assert sorted(met + rest) == sorted(dynamo.rows)


def test_reader_begins_a_few_shards_and_leaves_the_others_to_be_given_away() -> None:
    """A shard that is not begun is still whole; after it is given away another worker reads it."""
    dynamo = FakeDynamo(_rows(300), page_rows=3)
    reader = _reader(dynamo, ALL)
    not_begun = reader.spare

    reader.give_away(not_begun)

    assert not_begun == ALL[READS_AT_ONCE:]
    assert (reader.spare, reader.unread) == ((), ALL[:READS_AT_ONCE])
    assert sorted(_ids(reader)) == [one for one in dynamo.rows if shard_of(one) < READS_AT_ONCE]


def test_reader_can_give_away_in_the_middle() -> None:
    """It ends with the connections of the shards that were begun."""
    dynamo = FakeDynamo(_rows(300), page_rows=3)
    reader = _reader(dynamo, ALL)

    met = [next(reader).id for _ in range(40)]
    given_away = reader.spare[1:]
    reader.give_away(given_away)
    met += _ids(reader)
    others = _ids(_reader(dynamo, given_away))

    assert given_away
    assert sorted(met + others) == sorted(dynamo.rows)


def test_reader_gives_away_what_follows_pages_that_have_been_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A channel has no more shards than are read at once: all of them are begun together."""
    monkeypatch.setattr(audience_reader, "MOST_AHEAD", 1)
    dynamo = FakeDynamo(_rows(300), page_rows=3)
    reader = _reader(dynamo, ALL[:READS_AT_ONCE])
    assert reader.spare == ()

    met: list[str] = []
    while not reader.spare:
        met.append(next(reader).id)
    spare = reader.spare
    reader.give_away(spare)
    met += _ids(reader)
    others = _ids(_reader(dynamo, spare))

    assert others
    assert all(cursor.after for cursor in spare)
    assert sorted(met + others) == [one for one in dynamo.rows if shard_of(one) < READS_AT_ONCE]
    assert reader.to_come == 0


@given(st.lists(st.integers(0, 30), max_size=12), st.integers(1, 5), st.integers(1, 8))
def test_reader_and_those_it_gives_to_meet_each_connection_once(
    taken: list[int], page_rows: int, most_ahead: int
) -> None:
    """Whenever shards are given away, as often as there are any."""
    dynamo = FakeDynamo(_rows(120), page_rows=page_rows)
    met: list[str] = []
    given: list[ShardCursor] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(audience_reader, "MOST_AHEAD", most_ahead)
        reader = _reader(dynamo, ALL[: READS_AT_ONCE + 1])
        for count in taken:
            met += [one.id for one in islice(reader, count)]
            spare = reader.spare
            reader.give_away(spare)
            given += spare
        unread = reader.unread
        reader.close()
        others = _ids(_reader(dynamo, (*given, *unread)))

    all_ids = [one for one in dynamo.rows if shard_of(one) <= READS_AT_ONCE]
    assert sorted(met + others) == all_ids


def test_reader_finishes_begun_shards_before_it_begins_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """So that as many as possible can be given away as a whole, and memory stays flat."""
    monkeypatch.setattr(audience_reader, "MOST_AHEAD", 1)
    reader = _reader(FakeDynamo(_rows(300), page_rows=3), ALL)

    for _ in range(50):
        next(reader)

    assert reader.spare[-SHARDS + READS_AT_ONCE :] == ALL[READS_AT_ONCE:]
    assert len(_ids(reader)) == 250


def test_reader_reads_no_more_while_enough_is_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that memory stays flat; it reads on when the page has been taken."""
    dynamo = FakeDynamo(_rows(300))
    shard = [one for one in dynamo.rows if shard_of(one) == 0]
    monkeypatch.setattr(audience_reader, "READS_AT_ONCE", 1)
    monkeypatch.setattr(audience_reader, "MOST_AHEAD", len(shard))
    reader = _reader(dynamo, ALL)

    first = next(reader).id
    spare = reader.spare
    others = [one.id for one in islice(reader, len(shard) - 1)]

    assert [first, *others] == shard
    assert (spare, reader.spare) == (ALL[1:], ALL[2:])
    reader.close()


def test_reader_is_at_the_end_of_a_shard_with_its_last_connection() -> None:
    """A worker that stops there leaves nothing: the next one need not read the shard again."""
    dynamo = FakeDynamo(_rows(300))
    shard = [one for one in dynamo.rows if shard_of(one) == 3]
    reader = _reader(dynamo, (ShardCursor("all#3"),))

    found = [one.id for one in islice(reader, len(shard))]

    assert (found, reader.unread) == (shard, ())


@pytest.mark.parametrize(("page_rows", "is_beyond"), [(1_000, False), (3, True)])
def test_reader_knows_when_it_is_beyond_the_first_pages(page_rows: int, *, is_beyond: bool) -> None:
    """A broadcast that fits one page of each shard needs no checkpoint."""
    reader = _reader(FakeDynamo(_rows(300), page_rows=page_rows), ALL)
    assert not reader.is_beyond_first_pages

    list(reader)

    assert reader.is_beyond_first_pages is is_beyond


def test_reader_leaves_only_the_shard_that_cannot_be_read() -> None:
    """All pages of the other shards are read, and the error is told."""
    dynamo = FakeDynamo(_rows(300), page_rows=3, unreadable={"all#3"})
    reader = _reader(dynamo, ALL)

    found = _ids(reader)

    assert sorted(found) == [name for name in dynamo.rows if shard_of(name) != 3]
    assert reader.unread == (ShardCursor("all#3"),)
    assert "partition all#3 after None" in str(reader.error)


def test_reader_leaves_a_shard_at_the_page_that_cannot_be_read() -> None:
    """Rows that were read are kept whatever goes wrong, and the cursor says where to go on."""
    shard = [name for name in sorted(_rows(300)) if shard_of(name) == 3]

    class Broken(FakeDynamo):
        def query(self, **request: Any) -> dict[str, Any]:
            return {} if "ExclusiveStartKey" in request else super().query(**request)

    reader = _reader(Broken(_rows(300), page_rows=4), (ShardCursor("all#3"),))

    assert _ids(reader) == shard[:4]
    assert reader.unread == (ShardCursor("all#3", shard[3]),)
    assert f"partition all#3 after {shard[3]}: KeyError" in str(reader.error)


def test_reader_reads_others_when_it_can_read_none_of_those_that_it_has_begun() -> None:
    """No page of these is there whose end would make it read on."""
    begun = {cursor.partition for cursor in ALL[:READS_AT_ONCE]}
    dynamo = FakeDynamo(_rows(300), unreadable=begun)
    reader = _reader(dynamo, ALL)

    found = _ids(reader)

    assert sorted(found) == [one for one in dynamo.rows if shard_of(one) >= READS_AT_ONCE]
    assert reader.unread == ALL[:READS_AT_ONCE]


class _Broken(FakeDynamo):
    """Its answers have no rows at all."""

    def query(self, **_request: Any) -> dict[str, Any]:
        return {}


@pytest.mark.parametrize("dynamo", [FakeDynamo(unreadable={"all#0", "all#1"}), _Broken()])
def test_reader_keeps_the_first_of_several_errors(
    monkeypatch: pytest.MonkeyPatch, dynamo: FakeDynamo
) -> None:
    """Of any kind; later errors may follow from the first."""
    monkeypatch.setattr(audience_reader, "READS_AT_ONCE", 1)
    reader = _reader(dynamo, ALL[:2])

    assert list(reader) == []
    assert reader.unread == ALL[:2]
    assert "partition all#0 after None" in str(reader.error)


def test_reader_tells_the_first_error_when_no_shard_can_be_read() -> None:
    """Each shard is tried once."""
    reader = _reader(FakeDynamo(unreadable={f"all#{shard}" for shard in range(SHARDS)}), ALL)

    assert list(reader) == []
    assert reader.unread == ALL
    assert "ProvisionedThroughputExceededException" in str(reader.error)


def test_reader_reads_nothing_when_the_deadline_is_over() -> None:
    """Every shard stays unread."""
    reader = _reader(FakeDynamo(_rows(30)), ALL, FakeTime(seconds=FAR))

    assert list(reader) == []
    assert reader.unread == ALL


def test_reader_does_not_count_what_is_read_ahead_as_taken() -> None:
    """The worker that goes on reads the remainder of the page again."""
    shard = [name for name in sorted(_rows(300)) if shard_of(name) == 3]
    reader = _reader(FakeDynamo(_rows(300), page_rows=4), (ShardCursor("all#3"),))

    first = next(reader)

    assert first.id == shard[0]
    assert reader.unread == (ShardCursor("all#3", shard[0]),)


@pytest.mark.parametrize(
    "connected_at",
    [{"N": "-1"}, {"N": "1.5"}, {"N": "1E+125"}, {"S": "1"}, {"S": "now"}, {"NULL": True}, None],
)
def test_reader_takes_a_row_for_old_when_its_time_is_unusable(
    connected_at: dict[str, Any] | None,
) -> None:
    """It can still be posted to, and no other connection on its page is affected."""
    odd = {"sk": {"S": "odd"}} | ({"connectedAt": connected_at} if connected_at else {})
    dynamo = FakeDynamo(_rows(300), odd_rows={f"all#{shard_of('odd')}": [odd]})
    reader = _reader(dynamo, ALL)

    found = list(reader)

    assert sorted(one.id for one in found) == sorted([*dynamo.rows, "odd"])
    assert Connection("odd", 0) in found
    assert (reader.unread, reader.error) == ((), None)


@pytest.mark.parametrize("page_rows", [1, 1_000])
def test_reader_skips_a_row_without_an_id(page_rows: int) -> None:
    """It belongs to no connection; the remainder of its page, and the next pages, are read."""
    shard = [name for name in sorted(_rows(300)) if shard_of(name) == 3]
    odd = {"sk": {"S": "c\ud800"}}
    dynamo = FakeDynamo(_rows(300), odd_rows={"all#3": [odd]}, page_rows=page_rows)
    reader = _reader(dynamo, (ShardCursor("all#3"),))

    assert _ids(reader) == shard
    assert (reader.unread, reader.error) == ((), None)


def test_reader_goes_on_after_a_row_in_the_wrong_shard() -> None:
    """A page that ends there is followed by the next one of the shard that is read."""
    shard = [name for name in sorted(_rows(300)) if shard_of(name) == 3]
    stray = next(f"c{number:04}-" for number in range(300) if shard_of(f"c{number:04}-") != 3)
    row = {"sk": {"S": stray}, "connectedAt": {"N": str(OLD_MS)}}
    dynamo = FakeDynamo(_rows(300), page_rows=1, odd_rows={"all#3": [row]})
    reader = _reader(dynamo, (ShardCursor("all#3"),))

    found = _ids(reader)

    assert found == sorted([*shard, stray])
    assert (reader.unread, reader.error) == ((), None)
