"""The reader of accounts: what is read from the ledger's rows, while they change."""

import json
import time
from dataclasses import asdict, replace
from typing import Any

import pytest

from broadcasting.audience import Audience
from broadcasting.backlog import Backlog, ShardCursor, whole_backlog
from broadcasting.ledger_items import LIFE_SECONDS
from broadcasting.ledger_rows import FailedConnection, FrameRow
from broadcasting.receipt import Receipt
from crier.deployed.account import Account
from crier.deployed.account_reader import AccountReader, Recent, watch
from crier.deployed.addressed import Addressed
from crier.deployed.open_slices import Delayed, GivenUp
from crier.deployed.row_values import UnreadableError, UnreadableRow
from crier.errors import CrierError
from tests.support.fake_stack import OPENED_MS, TABLE, FakeTable, a_slice, a_summary

CLOSED = Receipt(targeted=5, delivered=4, gone=1)
OPEN = Receipt(targeted=9, delivered=2, failed=1)


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let rows that DynamoDB has not looked up be asked for again at once."""
    monkeypatch.setattr(time, "sleep", lambda _: None)


@pytest.fixture
def table() -> FakeTable:
    """An empty ledger."""
    return FakeTable()


@pytest.fixture
def accounts(table: FakeTable) -> AccountReader:
    """Its accounts."""
    return AccountReader(table, TABLE)


def find(accounts: AccountReader, broadcast_id: str = "news") -> Account:
    """Return an account that is there."""
    account = accounts.find(broadcast_id)
    assert account is not None
    return account


def accounts_in(recent: Recent) -> list[Account]:
    """Return the accounts of a list that has nothing else."""
    assert all(isinstance(one, Account) for one in recent.shown)
    return [one for one in recent.shown if isinstance(one, Account)]


def test_account_is_none_when_the_ledger_does_not_know_it(accounts: AccountReader) -> None:
    """An unknown broadcast has no account."""
    assert accounts.find("news") is None


def test_account_adds_open_slices_to_the_summary_when_it_is_open(
    accounts: AccountReader, table: FakeTable
) -> None:
    """A closed slice is in the summary already; what open ones have counted comes on top."""
    unread = Backlog((ShardCursor("all#3"), ShardCursor("all#4", "c")))
    table.open(a_summary(counts=CLOSED, open_slices=2, slices=3))
    table.put(
        a_slice("0", CLOSED, is_closed=True),
        a_slice("1", OPEN, backlog=unread),
        a_slice("2", Receipt(targeted=3)),
    )

    account = find(accounts)

    assert account.counts == CLOSED + OPEN + Receipt(targeted=3)
    assert (account.state, account.unread_shards) == ("open", 2)
    assert (account.slices, account.open_slices) == (3, 2)


def test_account_is_the_summary_alone_when_it_is_settled(
    accounts: AccountReader, table: FakeTable
) -> None:
    """Settled, the sums are the summary's, and no slice is read."""
    table.open(a_summary(counts=CLOSED, open_slices=0, settled_ms=OPENED_MS + 500))
    table.put(a_slice("0", OPEN))

    account = find(accounts)

    assert (account.counts, account.state) == (CLOSED, "settled")


def test_account_counts_a_slice_once_when_it_is_closed_between_two_reads(
    accounts: AccountReader, table: FakeTable
) -> None:
    """A slice that was read as open and is in the summary then makes all be read again."""
    before = a_summary(open_slices=2, slices=2)
    table.open(before)
    table.put(a_slice("0", CLOSED), a_slice("1", OPEN))

    def close() -> None:
        table.open(before._replace(counts=CLOSED, open_slices=1, version=2))
        table.put(a_slice("0", CLOSED, is_closed=True))

    table.after_query = close

    account = find(accounts)

    assert account.counts == CLOSED + OPEN


def test_account_is_settled_when_the_last_slice_is_closed_between_two_reads(
    accounts: AccountReader, table: FakeTable
) -> None:
    """The sums of a broadcast that settles meanwhile are the summary's."""
    table.open(a_summary())
    table.put(a_slice("0", CLOSED))
    settled = a_summary(counts=CLOSED, open_slices=0, settled_ms=OPENED_MS + 9, version=2)
    table.after_query = lambda: table.open(settled)

    account = find(accounts)

    assert (account.counts, account.is_settled) == (CLOSED, True)


def test_account_is_read_a_few_times_only_when_slices_close_all_the_time(
    accounts: AccountReader, table: FakeTable
) -> None:
    """Of a broadcast that never stops changing the last reading is shown."""
    versions = iter(range(2, 100))
    table.open(a_summary())
    table.after_query = lambda: table.open(a_summary(version=next(versions)))

    account = find(accounts)

    assert account.version < 10


def test_account_is_settled_when_it_settles_at_the_last_reading(
    accounts: AccountReader, table: FakeTable
) -> None:
    """A settled summary has all sums, however late it is seen."""
    settled = a_summary(counts=CLOSED, open_slices=0, settled_ms=OPENED_MS + 9, version=9)
    states = iter([*(a_summary(version=version) for version in range(2, 6)), settled])
    table.open(a_summary())
    table.put(a_slice("0", OPEN))
    table.after_query = lambda: table.open(next(states))

    account = find(accounts)

    assert (account.counts, account.is_settled) == (CLOSED, True)


def test_account_has_a_rate_and_a_duration(accounts: AccountReader, table: FakeTable) -> None:
    """The rate is connections that ended by the time since the opening, or until the end."""
    table.open(a_summary(counts=CLOSED, settled_ms=OPENED_MS + 500))

    settled = find(accounts)
    under_way = replace(settled, settled_ms=0)

    assert (settled.seconds(OPENED_MS + 9_000), settled.ended_per_second(0)) == (0.5, 10)
    assert under_way.seconds(OPENED_MS + 1_000) == 1
    assert under_way.ended_per_second(OPENED_MS + 1_000) == 5
    assert under_way.seconds(OPENED_MS - 1_000) == 0  # clocks differ


def test_account_as_json_has_what_a_script_needs(accounts: AccountReader, table: FakeTable) -> None:
    """Times that are not are null, and the counts are there under their names."""
    table.open(a_summary(counts=CLOSED, settled_ms=OPENED_MS + 500))

    shown = find(accounts).as_json(OPENED_MS)

    assert shown["counts"] == asdict(CLOSED)
    assert (shown["id"], shown["state"], shown["seq"]) == ("news", "settled", 7)
    assert (shown["settled_ms"], shown["expires_ms"]) == (OPENED_MS + 500, None)
    assert (shown["seconds"], shown["ended"], shown["ended_per_second"]) == (0.5, 5, 10.0)


def test_recent_are_the_last_ones_the_newest_first(
    accounts: AccountReader, table: FakeTable
) -> None:
    """Rows that DynamoDB leaves unprocessed are asked for again; open ones have all their sums."""
    table.open(
        a_summary("oldest", seq=1),
        a_summary("middle", seq=2, counts=CLOSED, settled_ms=OPENED_MS),
        a_summary("news", seq=12, counts=CLOSED),
    )
    table.put(a_slice("1", OPEN))

    recent = accounts.recent(2)

    assert [(one.id, one.counts) for one in accounts_in(recent)] == [
        ("news", CLOSED + OPEN),
        ("middle", CLOSED),
    ]
    assert recent.more == 1


def test_recent_leave_out_a_broadcast_that_has_expired(
    accounts: AccountReader, table: FakeTable
) -> None:
    """A row that says which broadcast was recent may outlive the broadcast, or be there twice."""
    table.open(a_summary("gone", seq=1), a_summary("news", seq=2, settled_ms=OPENED_MS))
    table.open(a_summary("news", seq=3, settled_ms=OPENED_MS))
    del table.items["broadcast#gone", "summary"]

    recent = accounts.recent(20)

    assert [one.id for one in accounts_in(recent)] == ["news"]


def test_failed_are_all_of_all_rows(accounts: AccountReader, table: FakeTable) -> None:
    """Connections that failed are kept in several rows, read page by page."""
    for number in range(3):
        table.fail((f"c{number}", "400 Bad Request"), number=number)

    failed = list(accounts.failed("news"))

    assert failed == [FailedConnection(f"c{number}", "400 Bad Request") for number in range(3)]


def test_accounts_say_what_was_not_read_when_aws_refuses(
    accounts: AccountReader, table: FakeTable
) -> None:
    """An error of AWS is a message that says what was asked for."""
    table.open(a_summary())
    table.refuses = True

    with pytest.raises(
        CrierError, match=r"the row broadcast#news / summary was not read: .*not you"
    ):
        accounts.find("news")
    with pytest.raises(CrierError, match=r"rows of channel#\* were not read: .*not you"):
        accounts.recent(3)


WRONG = [
    ({"seq": None}, "it has no seq"),
    ({"seq": {"S": "1"}}, "seq is of the type S, expected N"),
    ({"status": {"S": "paused"}}, "its status is paused, expected open or settled"),
    ({"id": {"S": "other"}}, "its id is other, expected that of its key"),
    ({"expiresAt": {"S": "never"}}, "expiresAt is of the type S, expected N"),
    ({"counts": {"S": "[]"}}, ""),
    ({"counts": {"S": "{"}}, ""),
    ({"counts": {"S": '{"targeted": "1"}'}}, "expected whole numbers"),
    ({"counts": {"S": '{"met": 1}'}}, ""),
    ({"counts": {"S": "[" * 100_000}}, ""),
    ({"seq": {"N": "1.5"}}, ""),
    ({"open_slices": {"N": "1" + "0" * 30}}, "expected a count"),
    ({"opened_ms": {"N": "1" + "0" * 30}}, "expected 0 to"),
]
"""What may stand in a summary, and what is said of it; None takes an attribute away."""


def spoil(
    table: FakeTable, sort_key: str, wrong: dict[str, Any], pk: str = "broadcast#news"
) -> None:
    """Change attributes of a row by hand."""
    item = table.items[pk, sort_key] | wrong
    table.items[pk, sort_key] = {name: value for name, value in item.items() if value}


@pytest.mark.parametrize(("wrong", "words"), WRONG)
def test_accounts_name_the_row_when_a_summary_cannot_be_read(
    accounts: AccountReader, table: FakeTable, wrong: dict[str, Any], words: str
) -> None:
    """Whatever stands in it: its key is told, and what is wrong."""
    table.open(a_summary())
    spoil(table, "summary", wrong)

    with pytest.raises(UnreadableError, match="row broadcast#news / summary of the ledger") as told:
        accounts.find("news")

    assert words in told.value.row.why


@pytest.mark.parametrize(("wrong", "words"), WRONG)
def test_recent_show_a_summary_that_cannot_be_read_among_the_others(
    accounts: AccountReader, table: FakeTable, wrong: dict[str, Any], words: str
) -> None:
    """One odd row hides no other broadcast, and stands in its place."""
    table.open(a_summary("first", seq=1), a_summary(seq=2), a_summary("last", seq=3))
    spoil(table, "summary", wrong)

    last, odd, first = accounts.recent(9).shown

    assert isinstance(odd, UnreadableRow)
    assert (odd.key, words in odd.why) == ("broadcast#news / summary", True)
    assert [one.id for one in (last, first) if isinstance(one, Account)] == ["last", "first"]


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (None, "it has no broadcast_id"),
        ({"S": "é" * 1_020}, "broadcast_id has 2,040 bytes, expected at most 2,038"),
    ],
)
def test_recent_show_a_number_that_cannot_be_read(
    accounts: AccountReader, table: FakeTable, wrong: dict[str, str] | None, why: str
) -> None:
    """The row that says which broadcast has a number may be odd itself."""
    table.open(a_summary("first", seq=1), a_summary(seq=2))
    spoil(table, "seq#000000000002", {"broadcast_id": wrong}, "channel#*")

    odd, first = accounts.recent(9).shown

    assert isinstance(odd, UnreadableRow)
    assert (odd.key, odd.why) == ("channel#* / seq#000000000002", why)
    assert isinstance(first, Account)


def test_recent_show_a_summary_that_is_spoilt_while_they_are_read(
    accounts: AccountReader, table: FakeTable
) -> None:
    """An open one is read again with its slices."""
    table.open(a_summary())
    table.put(a_slice("0", OPEN))

    def spoil_it() -> None:
        if ("broadcast#news", "slice#0") in table.keys_read:
            spoil(table, "summary", {"counts": None})

    table.after_query = spoil_it

    (odd,) = accounts.recent(9).shown

    assert isinstance(odd, UnreadableRow)


def test_recent_count_those_that_are_not_shown(table: FakeTable) -> None:
    """Numbers that have expired are none; when all are shown there are no more."""
    accounts = AccountReader(table, TABLE, epoch_seconds=lambda: NOW_SECONDS)
    names = [f"b{number}" for number in range(7)]
    table.open(*(a_summary(name, seq=seq, settled_ms=1) for seq, name in enumerate(names)))
    expire(table, "seq#000000000000", "seq#000000000001")

    assert [accounts.recent(limit).more for limit in (1, 4, 5, 7)] == [4, 1, 0, 0]


@pytest.mark.parametrize(
    "wrong",
    [
        {"work": {"B": b"rubbish"}},
        {"work": {"B": b"[1,2]"}},
        {"work": {"B": b"[[[99,null]],[]]"}},
        {"work": {"S": "[[],[]]"}},
        {"given_up": {"N": "1"}},
        {"is_closed": None},
    ],
)
def test_account_shows_a_slice_that_cannot_be_read_beside_the_others(
    accounts: AccountReader, table: FakeTable, wrong: dict[str, Any]
) -> None:
    """Its sums are not in the account; the others' are."""
    table.open(a_summary(open_slices=2, slices=2))
    table.put(a_slice("0", OPEN), a_slice("1", OPEN))
    spoil(table, "slice#1", wrong)

    account = find(accounts)

    assert [one.key for one in account.unreadable] == ["broadcast#news / slice#1"]
    assert (account.counts, account.contradictions) == (OPEN, ())
    assert account.as_json(0)["unreadable"][0]["sk"] == "slice#1"


@pytest.mark.parametrize("failed", ["{", "[1]", '[["c", 1]]', '[["c"]]', '{"c": "r"}', "null"])
def test_failed_show_a_row_that_cannot_be_read_among_the_others(
    accounts: AccountReader, table: FakeTable, failed: str
) -> None:
    """It hides no connection of another row."""
    table.fail(("c0", "400"), number=0)
    table.fail(("c1", "400"), number=1)
    table.fail(("c2", "400"), number=2)
    spoil(table, "failed#0#000001", {"failed": {"S": failed}})

    first, odd, last = accounts.failed("news")

    assert isinstance(odd, UnreadableRow)
    assert odd.key == "broadcast#news / failed#0#000001"
    assert (first, last) == (FailedConnection("c0", "400"), FailedConnection("c2", "400"))


def test_watch_shows_each_account_until_it_is_settled(
    accounts: AccountReader, table: FakeTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is shown before it is opened; the last account is the settled one."""
    states = iter([a_summary(), a_summary(settled_ms=OPENED_MS + 1)])
    monkeypatch.setattr(time, "sleep", lambda _: table.open(next(states)))
    seen: list[str] = []

    account = watch(
        accounts, "news", until=float("inf"), on_account=lambda one: seen.append(one.state)
    )

    assert account is not None
    assert account.is_settled
    assert seen == ["open", "settled"]


def test_watch_ends_when_the_time_is_over(accounts: AccountReader, table: FakeTable) -> None:
    """Too late, it returns what there is: nothing, or an account that is open."""
    assert watch(accounts, "news", until=0) is None

    table.open(a_summary())

    account = watch(accounts, "news", until=0)
    assert account is not None
    assert not account.is_settled


DELAYED = {"outage_since_ms": OPENED_MS + 1, "outage_rounds": 2, "leased_until_ms": OPENED_MS + 9}


def test_account_tells_which_slices_are_delayed_because_of_an_outage(
    accounts: AccountReader, table: FakeTable
) -> None:
    """Those that a worker has, and those that are delayed for another reason, do not."""
    table.open(a_summary(open_slices=4, slices=5))
    table.put(
        a_slice("0", Receipt(), **DELAYED),
        a_slice("1", Receipt(), **DELAYED | {"outage_since_ms": OPENED_MS, "outage_rounds": 1}),
        a_slice("2", Receipt(), **DELAYED, owner="worker"),
        a_slice("3", Receipt(), leased_until_ms=OPENED_MS + 5),
        a_slice("4", Receipt(), is_closed=True),
    )

    account = find(accounts)

    assert account.delayed == Delayed(slices=2, since_ms=OPENED_MS, until_ms=OPENED_MS + 9)
    assert account.given_up == ()
    assert account.as_json(OPENED_MS)["delayed"] == {
        "slices": 2,
        "since_ms": OPENED_MS,
        "until_ms": OPENED_MS + 9,
    }


def test_account_tells_which_slices_were_given_up_and_why(
    accounts: AccountReader, table: FakeTable
) -> None:
    """They wait in the dead-letter queue; the others go on."""
    table.open(a_summary(open_slices=2, slices=2))
    table.put(a_slice("0", OPEN), a_slice("1", Receipt(), **DELAYED, given_up="403 Forbidden"))

    account = find(accounts)

    assert (account.delayed, account.given_up) == (None, (GivenUp("1", "403 Forbidden"),))
    assert account.as_json(OPENED_MS)["given_up"] == [{"slice": "1", "reason": "403 Forbidden"}]


def test_account_reads_slices_of_an_earlier_release(
    accounts: AccountReader, table: FakeTable
) -> None:
    """They say nothing of outages, nor of exclusion, and number the shards of everyone."""
    table.open(a_summary(frame="frame"))
    table.put(a_slice("0", OPEN))
    row = table.items["broadcast#news", "slice#0"]
    row["work"] = {"B": b'[[[3,null],[15,"c="]],[["a=",0,1],["b=",0,1]]]'}
    counts = {name: value for name, value in asdict(OPEN).items() if name != "excluded"}
    row["counts"] = {"S": json.dumps(counts | {"targeted": 5})}
    lacking = {"outage_since_ms", "outage_rounds", "given_up"}

    account = accounts.with_audience(find(accounts))

    assert not lacking & set(table.items["broadcast#news", "slice#0"])
    assert (account.delayed, account.given_up, account.unreadable) == (None, (), ())
    assert (account.counts, account.unread_shards) == (replace(OPEN, targeted=5), 2)
    assert (account.addressed, account.contradictions) == (Addressed("*"), ())


@pytest.mark.parametrize(
    "audience",
    [Audience(channel="news"), Audience(user="a#b"), Audience(connections=("a=", "b="))],
)
def test_account_reads_slices_of_any_audience(
    accounts: AccountReader, table: FakeTable, audience: Audience
) -> None:
    """Their backlogs name partitions."""
    backlog = whole_backlog(audience)
    table.open(a_summary(channel=audience.stream))
    table.put(a_slice("0", Receipt(excluded=1), backlog=backlog))
    frame = FrameRow(audience.stream, 7, "frame", exclude=("x=",))
    table.put(frame._replace(connections=audience.connections))

    account = accounts.with_audience(find(accounts))

    assert (account.unreadable, account.contradictions) == ((), ())
    assert (account.unread_shards, account.counts.excluded) == (len(audience.partitions), 1)
    assert account.addressed == Addressed(audience.stream, len(audience.connections), 1)


def test_account_of_a_later_releases_backlog_cannot_be_read(
    accounts: AccountReader, table: FakeTable
) -> None:
    """It says so, and hides nothing else."""
    table.open(a_summary())
    table.put(a_slice("0", OPEN))
    table.items["broadcast#news", "slice#0"]["work"] = {"B": b"[3,[],[]]"}

    (row,) = find(accounts).unreadable

    assert "version is 3, expected up to 2: a later release's" in row.why


def test_accounts_never_read_the_frame(accounts: AccountReader, table: FakeTable) -> None:
    """It may be 127 KiB, and rows of an earlier release hold it in the summary."""
    table.open(a_summary(frame="frame"))
    table.put(FrameRow("*", 7, "frame"), a_slice("0", OPEN))

    find(accounts)
    accounts.recent(5)

    assert "frame" not in table.names_read
    assert not [key for key in table.keys_read if key[1].startswith("frame#")]


def expire(table: FakeTable, *sort_keys: str, seconds: int = 0) -> None:
    """Have rows expire; DynamoDB has not deleted them."""
    for (_, sk), item in table.items.items():
        if sk in sort_keys:
            item["expiresAt"] = {"N": str(NOW_SECONDS + seconds)}


NOW_SECONDS = OPENED_MS // 1000 + LIFE_SECONDS


def test_accounts_ignore_rows_that_have_expired(table: FakeTable) -> None:
    """DynamoDB deletes them days later: a summary, slices, connections that failed, numbers."""
    accounts = AccountReader(table, TABLE, epoch_seconds=lambda: NOW_SECONDS)
    table.open(a_summary("old", seq=1), a_summary("news", seq=2, counts=CLOSED))
    table.put(a_slice("0", OPEN), a_slice("1", OPEN))
    table.fail(("c0", "400"), number=0)
    table.fail(("c1", "400"), number=1)
    expire(table, "slice#0", "failed#0#000000", "seq#000000000001")
    table.items["broadcast#old", "summary"]["expiresAt"] = {"N": str(NOW_SECONDS)}

    assert accounts.find("old") is None
    assert find(accounts).counts == CLOSED + OPEN
    assert list(accounts.failed("news")) == [FailedConnection("c1", "400")]
    assert [one.id for one in accounts_in(accounts.recent(9))] == ["news"]


def test_accounts_ignore_a_summary_that_has_expired_before_its_number(table: FakeTable) -> None:
    """Rows expire one after another."""
    accounts = AccountReader(table, TABLE, epoch_seconds=lambda: NOW_SECONDS)
    table.open(a_summary("old", seq=1), a_summary("news", seq=2, settled_ms=OPENED_MS))
    table.items["broadcast#old", "summary"]["expiresAt"] = {"N": str(NOW_SECONDS)}

    assert [one.id for one in accounts_in(accounts.recent(9))] == ["news"]


def test_accounts_show_rows_to_their_last_second(table: FakeTable) -> None:
    """A row is there until it expires."""
    accounts = AccountReader(table, TABLE, epoch_seconds=lambda: NOW_SECONDS)
    table.open(a_summary(settled_ms=OPENED_MS))
    expire(table, "summary", seconds=1)

    assert find(accounts).is_settled
