"""Connections that are passed over: those that a broadcast leaves out, and those without a row."""

from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broadcasting.audience import Audience
from broadcasting.backlog import ALL_SHARDS, ShardCursor, whole_backlog
from broadcasting.receipt import Receipt
from storage.audience_reader import AudienceReader
from testbed.model.fakes import FAR, OLD_MS, FakeDynamo, FakeTime

NAMES = tuple(f"c{number:04}" for number in range(120))
LISTED = (ShardCursor("!"),)


def _reader(
    dynamo: FakeDynamo,
    shards: tuple[ShardCursor, ...] = ALL_SHARDS.shards,
    *,
    ids: tuple[str, ...] = (),
    exclude: tuple[str, ...] = (),
) -> AudienceReader:
    clock = FakeTime().clock
    return AudienceReader(dynamo.pages, shards, clock=clock, deadline=FAR, ids=ids, exclude=exclude)


def _dynamo(page_rows: int = 1_000) -> FakeDynamo:
    return FakeDynamo(dict.fromkeys(NAMES, OLD_MS), page_rows=page_rows)


@given(st.integers(0, 120), st.integers(1, 9), st.sets(st.sampled_from(NAMES)))
def test_excluded_connections_are_counted_once_wherever_it_is_resumed(
    taken: int, page_rows: int, exclude: set[str]
) -> None:
    """What two readers pass over is all of it, and what they yield is all others, each once."""
    dynamo = _dynamo(page_rows)
    first = _reader(dynamo, exclude=tuple(exclude))

    met = [one.id for one in islice(first, taken)]
    second = _reader(dynamo, first.unread, exclude=tuple(exclude))
    met += [one.id for one in second]
    first.close()

    assert sorted(met) == sorted(set(NAMES) - exclude)
    assert first.passed_over + second.passed_over == Receipt(excluded=len(exclude))


@given(st.integers(0, 250), st.permutations(range(250)), st.sets(st.integers(0, 249)))
def test_listed_connections_are_counted_once_wherever_it_is_resumed(
    taken: int, order: list[int], exclude: set[int]
) -> None:
    """An excluded one is excluded, whether or not it has a row; an absent one is gone."""
    ids = tuple(f"c{number:04}" for number in order)
    excluded = {f"c{number:04}" for number in exclude}
    dynamo = _dynamo()
    first = _reader(dynamo, LISTED, ids=ids, exclude=tuple(excluded))

    met = [one.id for one in islice(first, taken)]
    second = _reader(dynamo, first.unread, ids=ids, exclude=tuple(excluded))
    met += [one.id for one in second]
    first.close()

    present, absent = set(NAMES) - excluded, set(ids) - set(NAMES) - excluded
    assert met == [one for one in ids if one in present]
    sums = Receipt(targeted=len(absent), gone=len(absent), excluded=len(excluded))
    assert first.passed_over + second.passed_over == sums


def test_everyone_may_be_left_out() -> None:
    """The audience is at its end at once, and all shards are read."""
    reader = _reader(_dynamo(7), exclude=NAMES)

    assert list(reader) == []
    assert (reader.unread, reader.passed_over) == ((), Receipt(excluded=120))


def test_reader_expects_all_ids_of_a_list_from_the_beginning() -> None:
    """So that one reservation is enough: its length is known before the first look-up."""
    ids = tuple(f"c{number:04}" for number in range(1_000))
    dynamo = FakeDynamo(dict.fromkeys(ids, OLD_MS))

    reader = _reader(dynamo, LISTED, ids=ids)
    begun = reader.to_come
    next(reader)
    after_one = reader.to_come
    resumed = _reader(dynamo, reader.unread, ids=ids).to_come
    reader.close()

    assert (begun, after_one, resumed) == (1_000, 999, 999)


def test_reader_expects_no_connection_that_it_will_pass_over() -> None:
    """Of the pages that were read: budget is not asked for posts that are not made."""
    reader = _reader(_dynamo(), LISTED, ids=NAMES, exclude=NAMES[1:100])

    next(reader)

    assert reader.to_come == 20
    assert next(reader).id == NAMES[100]
    assert reader.to_come == 19
    assert [one.id for one in reader] == list(NAMES[101:])
    assert reader.to_come == 0


@pytest.mark.parametrize("number", [0, 3, 40])
def test_reader_expects_about_as_many_as_a_small_channel_has(number: int) -> None:
    """Once one of its partitions has been read."""
    audience = Audience(channel="news")
    dynamo = FakeDynamo()
    dynamo.join(audience.stream, *NAMES[:number])
    reader = _reader(dynamo, whole_backlog(audience).shards)

    expected = [reader.to_come for _ in reader]

    assert len(expected) == number
    assert all(one <= 2 * number for one in expected)
    assert reader.to_come == 0
