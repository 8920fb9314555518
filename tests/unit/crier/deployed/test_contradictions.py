"""Contradictions in an account: what cannot be right is told, and nothing else is."""

from typing import Any

import pytest

from broadcasting.backlog import Backlog, ShardCursor
from broadcasting.receipt import Receipt
from crier.deployed.account import Account
from crier.deployed.account_reader import AccountReader, watch
from tests.support.fake_stack import OPENED_MS, TABLE, FakeTable, a_slice, a_summary

DONE = Receipt(targeted=5, delivered=3, gone=1, expired=1)
SHORT = Receipt(targeted=5, delivered=3, gone=1)
BEGUN = Receipt(targeted=9, delivered=2)
SETTLED: dict[str, Any] = {"counts": DONE, "open_slices": 0, "settled_ms": OPENED_MS + 1}


@pytest.fixture
def table() -> FakeTable:
    """An empty ledger."""
    return FakeTable()


def found(table: FakeTable) -> Account:
    """Return the account of `news` as `crier status` reads it."""
    accounts = AccountReader(table, TABLE, epoch_seconds=lambda: OPENED_MS / 1000)
    account = accounts.find("news")
    assert account is not None
    return accounts.examine(account)


def test_account_has_no_contradiction_when_it_is_settled(table: FakeTable) -> None:
    """Its sums are those of its closed slices."""
    table.open(a_summary(**SETTLED | {"counts": DONE + DONE, "slices": 2}))
    table.put(a_slice("0", DONE, is_closed=True), a_slice("1", DONE, is_closed=True))

    assert found(table).contradictions == ()


def test_account_has_no_contradiction_when_it_is_open(table: FakeTable) -> None:
    """Open slices have connections to do, and shards that are not read."""
    table.open(a_summary(counts=DONE, open_slices=2, slices=3))
    table.put(
        a_slice("0", DONE, is_closed=True),
        a_slice("1", BEGUN, owner="worker"),
        a_slice("2", Receipt(), backlog=Backlog((ShardCursor("all#3"),))),
    )

    assert found(table).contradictions == ()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (SETTLED | {"counts": SHORT}, "5 targeted, and 3 delivered + 1 gone + 0 failed"),
        (SETTLED | {"open_slices": 2, "slices": 3}, "it is settled, and has 2 open slices"),
        (SETTLED | {"open_slices": -1}, "open slices is -1, less than 0"),
        (
            SETTLED | {"counts": Receipt(targeted=5, delivered=6, gone=-1)},
            "gone is -1, less than 0",
        ),
        ({"open_slices": 0}, "it is not settled, and has no open slice"),
        ({"open_slices": -2}, "open slices is -2, less than 0"),
        ({"open_slices": 3, "slices": 2}, "it has 3 open slices of 2 in all"),
        ({"counts": SHORT}, "its closed slices have 5 targeted"),
    ],
)
def test_account_tells_what_cannot_be_right_in_a_summary(
    table: FakeTable, changes: dict[str, Any], words: str
) -> None:
    """Sums that do not add up, slices that are open too long, or not enough."""
    table.open(a_summary(**changes))

    told = found(table).contradictions

    assert any(words in one for one in told), told


@pytest.mark.parametrize(
    ("status", "settled_ms", "words"),
    [
        ("settled", 0, "its status is settled, its time of settling says open"),
        ("open", OPENED_MS + 1, "its status is open, its time of settling says settled"),
    ],
)
def test_account_tells_when_its_status_is_another(
    table: FakeTable, status: str, settled_ms: int, words: str
) -> None:
    """The status is written beside the time of settling."""
    table.open(a_summary(**SETTLED | {"settled_ms": settled_ms}))
    table.items["broadcast#news", "summary"] |= {"status": {"S": status}}

    assert words in found(table).contradictions


@pytest.mark.parametrize(("open_slices", "words"), [(1, "1 open slice"), (3, "3 open slices")])
def test_account_tells_when_rows_of_slices_are_not_as_many_as_its_summary_says(
    table: FakeTable, open_slices: int, words: str
) -> None:
    """A slice without a row never settles it; one too many would be a slice too much."""
    table.open(a_summary(open_slices=open_slices, slices=4))
    table.put(a_slice("0", BEGUN), a_slice("1", BEGUN))

    (told,) = found(table).contradictions

    assert told == f"its summary has {words}, the ledger has rows of 2"


def test_account_tells_when_it_is_settled_and_a_slice_is_open(table: FakeTable) -> None:
    """The last slice is closed in the transaction that settles the broadcast."""
    table.open(a_summary(**SETTLED | {"slices": 2}))
    table.put(a_slice("0", DONE, is_closed=True), a_slice("1", BEGUN))

    assert found(table).contradictions == (
        "it is settled, and the rows of these slices are open: 1",
    )


def test_account_tells_when_closed_slices_have_other_sums_than_its_summary(
    table: FakeTable,
) -> None:
    """Closing a slice and adding its sums is one transaction."""
    table.open(a_summary(**SETTLED | {"counts": DONE + DONE}))
    table.put(a_slice("0", DONE, is_closed=True))

    (told,) = found(table).contradictions

    assert told.startswith("its closed slices' rows have 5 targeted")
    assert "its summary 10 targeted" in told


def test_account_tells_nothing_of_closed_slices_whose_rows_have_expired(table: FakeTable) -> None:
    """Rows expire one by one, seven days after they were written."""
    table.open(a_summary(**SETTLED | {"counts": DONE + DONE, "slices": 2}))
    table.put(a_slice("1", DONE, is_closed=True))

    assert found(table).contradictions == ()


@pytest.mark.parametrize(
    ("counts", "work", "words"),
    [
        (BEGUN, Backlog(), "slice 0 has 9 targeted, and 2 delivered"),
        (Receipt(targeted=1, delivered=2, gone=-1), Backlog(), "slice 0 has numbers less than 0"),
    ],
)
def test_account_tells_when_a_slice_has_lost_connections(
    table: FakeTable, counts: Receipt, work: Backlog, words: str
) -> None:
    """What was met has ended, or is still to be posted to."""
    table.open(a_summary())
    table.put(a_slice("0", counts, backlog=work))

    (told,) = found(table).contradictions

    assert words in told


def test_account_tells_nothing_that_is_gone_at_the_second_reading(table: FakeTable) -> None:
    """A transaction shows its rows one after the other: it is read again before it is told."""
    table.open(a_summary())
    missing = a_slice("0", BEGUN)
    table.after_query = lambda: table.put(missing)

    account = found(table)

    assert (account.contradictions, account.counts) == ((), BEGUN)


def test_watch_ends_when_nothing_can_settle_the_broadcast(table: FakeTable) -> None:
    """It would watch for ever."""
    table.open(a_summary(open_slices=0))

    account = watch(AccountReader(table, TABLE), "news", until=float("inf"))

    assert account is not None
    assert (account.is_stuck, account.is_settled) == (True, False)
