"""Counters on the local AWS do what they do on the tests' own DynamoDB, request by request."""

import secrets
import time
from random import Random
from typing import TYPE_CHECKING

import pytest

from broadcasting.counter_items import EPOCH
from broadcasting.items import EXPIRY, attribute_of, key_attributes
from broadcasting.ledger_items import counter_key, entry_key
from crier.deployed.deployment import Deployment
from storage.stream_counters import StreamCounters
from testbed.model.fakes import FakeTime
from testbed.model.ledger_dynamo import LedgerDynamo

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from broadcasting.clock import Clock
    from broadcasting.numbering import Counter

KEYS = ("a", "b-_", "c")
STEPS = 60


class _Pair:
    """The same stream on both, and one time."""

    def __init__(self, client: "DynamoDBClient", table_name: str) -> None:
        self.time = FakeTime(epoch_ms=int(time.time() * 1000))
        self.client = client
        self.table_name = table_name
        self.stream = secrets.token_hex(6)
        self.dynamo = LedgerDynamo(epoch_ms=lambda: self.time.epoch_ms)
        clock: Clock = self.time.clock
        self.real = StreamCounters(client, table_name, clock=clock)
        self.model = StreamCounters(self.dynamo.client, "ledger", clock=clock)

    def both(self, name: str, *arguments: object) -> None:
        """Make the same change on both, and require that both are the same then."""
        ends = [getattr(one, name)(self.stream, *arguments) for one in (self.real, self.model)]

        if ends[0] is not None:
            assert ends[0].number.seq == ends[1].number.seq
        assert self._without_epoch(self.real) == self._without_epoch(self.model)

    def lose(self, *, entries_until: int) -> None:
        """Delete the counter, but not the entry of its last number."""
        for number in range(1, entries_until + 1):
            item = key_attributes(entry_key(self.stream, number))
            self.client.put_item(TableName=self.table_name, Item=item)
            self.dynamo.items[entry_key(self.stream, number)] = dict(item)
        key = counter_key(self.stream)
        self.client.delete_item(TableName=self.table_name, Key=key_attributes(key))
        self.dynamo.items.pop(key, None)

    def _without_epoch(self, counters: StreamCounters) -> tuple[int, list[tuple[str, int, int]]]:
        counter: Counter = counters.begin(self.stream)
        assert counter.epoch
        return counter.last, sorted((one.key, one.number, one.taken_ms) for one in counter.marks)


@pytest.fixture
def pair(deployment: Deployment) -> _Pair:
    """A stream that no other test has."""
    return _Pair(deployment.client("dynamodb"), deployment.ledger_table_name)


@pytest.mark.parametrize("seed", range(3))
def test_counters_are_the_same_on_both(pair: _Pair, seed: int) -> None:
    """Numbers taken, taken anew, marks removed, in any order, over two weeks and more."""
    random = Random(seed)  # noqa: S311 - nothing is secret here

    for _ in range(STEPS):
        key, number = random.choice(KEYS), random.randrange(1, 12)
        match random.randrange(8):
            case 0 | 1 | 2:
                pair.both("take", key)
            case 3 | 4:
                pair.both("remove_mark", key, number)
            case 5 | 6:
                pair.both("take_another", key, number)
            case _:
                pair.time.run(random.choice((1, 1_000, 15 * 24 * 3_600)))


def test_counter_that_is_lost_goes_on_behind_the_last_entry(pair: _Pair) -> None:
    """Twelve digits sort as numbers do."""
    pair.lose(entries_until=11)

    pair.both("take", "a")

    assert pair.real.begin(pair.stream).last == 12


def test_counter_of_an_earlier_release_gets_an_epoch(pair: _Pair) -> None:
    """Its number stays."""
    pair.stream = f"user#{pair.stream}"
    item = key_attributes(counter_key(pair.stream)) | {
        "last": attribute_of(7),
        "version": attribute_of(1),
    }
    pair.client.put_item(TableName=pair.table_name, Item=item)

    begun = pair.real.begin(pair.stream)
    taken = pair.real.take(pair.stream, "a")

    assert (begun.last, taken.number.seq, taken.number.epoch) == (7, 8, begun.epoch)
    found = pair.client.get_item(
        TableName=pair.table_name, Key=key_attributes(counter_key(pair.stream))
    )["Item"]
    assert {EPOCH, EXPIRY} <= set(found)
