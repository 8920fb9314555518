"""Audiences on the command line: whom `send` sends to, what `status` and `broadcasts` show."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from typer.testing import Result

from broadcasting.audience import Audience
from broadcasting.ledger_rows import FrameRow
from broadcasting.message import Broadcast
from broadcasting.receipt import Receipt
from tests.support.fake_stack import OPENED_MS, FakeStack, a_slice, a_summary

Run = Callable[..., Result]

SETTLED = a_summary(
    counts=Receipt(targeted=3, delivered=3, excluded=2), open_slices=0, settled_ms=OPENED_MS + 500
)


@pytest.fixture
def stack(ledger_stack: FakeStack) -> FakeStack:
    """The stack that the commands find."""
    return ledger_stack


@pytest.fixture
def run(run_on_ledger: Run) -> Run:
    """Runs a command on the stack."""
    return run_on_ledger


def sent(stack: FakeStack) -> list[dict[str, Any]]:
    """Return the bodies that were enqueued, without their ids."""
    bodies = [json.loads(body) for _, body in stack.queues.sent]
    return [{name: value for name, value in one.items() if name != "id"} for one in bodies]


@pytest.mark.parametrize(
    ("options", "keys"),
    [
        ((), {}),
        (("--channel", "game:1"), {"channel": "game:1"}),
        (("--user", "日本 🦜"), {"user": "日本 🦜"}),
        (("--connection", "a="), {"connections": ["a="]}),
        (("--connection=-b=", "--connection", "a="), {"connections": ["-b=", "a="]}),
        (("--exclude", "a=", "--exclude", "b="), {"exclude": ["a=", "b="]}),
        (
            ("--channel", "news", "--exclude", "a="),
            {"channel": "news", "exclude": ["a="]},
        ),
    ],
)
def test_send_puts_the_audience_into_the_message(
    stack: FakeStack, run: Run, options: tuple[str, ...], keys: dict[str, Any]
) -> None:
    """By the keys of the contract."""
    done = run("send", *options, "hear")

    assert done.exit_code == 0, done.output
    assert sent(stack) == [{"message": "hear", **keys}]


def test_send_takes_a_thousand_ids(stack: FakeStack, run: Run) -> None:
    """As many as the contract does; one more is refused before anything is sent."""
    ids = [f"{number:016}" for number in range(1_001)]

    done = run("send", *(f"--connection={one}" for one in ids[1:]), "hear")
    refused = run("send", *(f"--exclude={one}" for one in ids), "hear")

    assert (done.exit_code, refused.exit_code) == (0, 2)
    assert sent(stack) == [{"message": "hear", "connections": ids[1:]}]
    assert "--exclude: expected a list of 0 to 1,000 connection ids" in (
        " ".join(refused.stderr.replace("│", " ").split())
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--channel", ""), "expected 1 to 64 of A-Z"),
        (("--channel", "*"), "(everyone: leave it out; "),
        (("--channel", "a b"), "found 'a b', expected 1 to 64"),
        (("--channel", "x" * 65), "expected 1 to 64"),
        (("--user", ""), "expected 1 to 128 characters"),
        (("--user", "a\nb"), "all of them printable"),
        (("--connection", ""), "found '', expected a connection's id: 1 to 128"),
        (("--connection", "a=", "--connection", ""), "found '', expected a connection's id"),
        (("--connection", "a= b="), "found 'a= b=', expected a connection's id"),
        (("--exclude", ""), "found '', expected a connection's id"),
        (("--exclude", "x" * 129), "expected a connection's id: 1 to 128"),
        (
            ("--channel", "news", "--user", "alice"),
            "found --channel and --user, expected at most one of --channel, --user, --connection",
        ),
        (
            ("--user", "alice", "--connection", "a="),
            "found --user and --connection, expected at most one",
        ),
    ],
)
def test_send_refuses_an_audience_that_cannot_be(
    stack: FakeStack, run: Run, options: tuple[str, ...], words: str
) -> None:
    """A variable that is not set must not make a broadcast to everyone of it."""
    done = run("send", *options, "hear")

    assert (done.exit_code, stack.queues.calls) == (2, [])
    assert words in " ".join(done.stderr.replace("│", " ").split())


def test_send_tells_how_many_were_excluded(stack: FakeStack, run: Run) -> None:
    """Only when there were any; and that no other connection was there."""
    stack.table.open(SETTLED, SETTLED._replace(id="alone", seq=8, counts=Receipt(excluded=1)))

    some = run("send", "--wait", "--id", "news", "hear")
    alone = run("send", "--wait", "--id", "alone", "hear")

    assert (some.exit_code, alone.exit_code) == (0, 0)
    assert "3 delivered, 0 gone, 0 failed, 0 expired, 2 excluded, in 0.5 s" in some.stderr
    assert "No other connection was there." not in some.stderr
    assert "1 excluded, in 0.5 s\nNo other connection was there.\n" in alone.stderr


def test_send_takes_another_audience_for_another_broadcast(stack: FakeStack, run: Run) -> None:
    """The same id and message to others would be rejected: no other account is shown as its own."""
    audience = Audience(channel="news", exclude=frozenset({"b=", "a="}))
    digest = Broadcast("news", "hear", None, audience).digest
    stack.table.open(SETTLED._replace(digest=digest, channel="news"))

    same = run(
        *("send", "--wait", "--id=news", "--channel=news"), "--exclude=a=", "--exclude=b=", "hear"
    )
    other = run("send", "--wait", "--id=news", "--channel=sport", "hear")

    assert same.exit_code == 0
    assert "news was opened before" in same.stderr
    assert "belongs to another broadcast, number 7 of those to channel news" in str(other.exception)


@pytest.mark.parametrize(
    ("stream", "ids", "audience"),
    [
        ("*", {}, "everyone"),
        ("*", {"exclude": ("a=", "b=")}, "everyone, but for 2 ids"),
        ("game:1", {"exclude": ("a=",)}, "channel game:1, but for 1 id"),
        ("user#a#b", {}, "user a#b"),
        ("!", {"connections": ("a=",)}, "1 listed connection"),
        (
            "!",
            {"connections": ("a=", "b=", "c="), "exclude": ("a=", "x=")},
            "3 listed connections, but for 2 ids",
        ),
    ],
)
def test_status_shows_the_audience(
    stack: FakeStack, run: Run, stream: str, ids: dict[str, Any], audience: str
) -> None:
    """Its ids are those of the frame's row, and only counted; the channel is that of frames."""
    counts = Receipt(targeted=1, delivered=1, excluded=len(ids.get("exclude", ())) and 1)
    stack.table.open(SETTLED._replace(channel=stream, counts=counts))
    stack.table.put(FrameRow(stream, 7, "frame", **ids))

    shown = [line.split("│") for line in run("status", "news").stdout.splitlines()]
    rows = {cells[1].strip(): cells[2].strip() for cells in shown if len(cells) > 2}

    channel = "@" if stream == "user#a#b" else stream
    assert (rows["Audience"], rows["Channel"]) == (audience, f"{channel}, number 7")
    assert rows["Excluded"] == str(counts.excluded)
    assert "Contradiction" not in rows
    assert "frame" not in stack.table.names_read


@pytest.mark.parametrize(
    ("stream", "row", "told"),
    [
        ("*", None, {"kind": "everyone", "exclude": None}),
        ("*", {}, {"kind": "everyone", "exclude": 0}),
        ("news", {}, {"kind": "channel", "channel": "news", "exclude": 0}),
        ("user#u", {"exclude": ("a=",)}, {"kind": "user", "user": "u", "exclude": 1}),
        ("!", None, {"kind": "connections", "connections": None, "exclude": None}),
        (
            "!",
            {"connections": ("a=", "b=")},
            {"kind": "connections", "connections": 2, "exclude": 0},
        ),
    ],
)
def test_status_tells_scripts_the_audience(
    stack: FakeStack, run: Run, stream: str, row: dict[str, Any] | None, told: dict[str, Any]
) -> None:
    """A frame's row that is not there, as after the end with replaySeconds=0, is null."""
    stack.table.open(SETTLED._replace(channel=stream, counts=Receipt(targeted=2, delivered=2)))
    if row is not None:
        stack.table.put(FrameRow(stream, 7, "frame", **row))

    shown = json.loads(run("status", "news", "--json").stdout)

    assert shown["audience"] == told
    assert (shown["stream"], shown["seq"]) == (stream, 7)
    assert shown["channel"] == ("@" if stream == "user#u" else stream)
    assert shown["counts"]["excluded"] == 0
    assert (shown["unreadable"], shown["contradictions"]) == ([], [])


def test_status_shows_listed_connections_whose_number_is_not_known(
    stack: FakeStack, run: Run
) -> None:
    """The row with their ids is gone."""
    stack.table.open(SETTLED._replace(channel="!"))

    assert "│ Audience         │ listed connections " in run("status", "news").stdout


def test_status_shows_that_the_frames_row_cannot_be_read(stack: FakeStack, run: Run) -> None:
    """All else is shown; the sums are those of other rows."""
    stack.table.open(SETTLED)
    stack.table.put(FrameRow("*", 7, "frame"))
    stack.table.items["channel#*", "frame#000000000007"]["exclude"] = {"N": "7"}

    shown = run("status", "news")
    told = json.loads(run("status", "news", "--json").stdout)

    assert shown.exit_code == 0
    assert "channel#* / frame#000000000007: exclude is of the type N" in shown.stdout
    assert [one["sk"] for one in told["unreadable"]] == ["frame#000000000007"]
    assert told["audience"]["exclude"] is None


def test_status_tells_when_more_were_met_than_the_broadcast_is_for(
    stack: FakeStack, run: Run
) -> None:
    """Each listed connection ends once, and each excluded one is met once."""
    stack.table.open(SETTLED._replace(channel="!"))
    stack.table.put(FrameRow("!", 7, "frame", connections=("a=", "b=", "c="), exclude=("a=",)))

    told = json.loads(run("status", "news", "--json").stdout)

    assert told["contradictions"] == [
        "it has 3 targeted + 2 excluded, and is for 3 connections",
        "it has 2 excluded, and excludes 1",
    ]


def test_status_adds_up_the_excluded_of_open_slices(stack: FakeStack, run: Run) -> None:
    """As with all other sums."""
    stack.table.open(a_summary(open_slices=2, slices=2))
    stack.table.put(FrameRow("*", 7, "frame", exclude=("a=", "b=", "c=")))
    for number, excluded in enumerate((1, 2)):
        counts = Receipt(targeted=1, delivered=1, excluded=excluded)
        stack.table.put(a_slice(str(number), counts))

    told = json.loads(run("status", "news", "--json").stdout)

    assert (told["counts"]["excluded"], told["contradictions"]) == (3, [])


@pytest.mark.parametrize(
    ("options", "stream", "words"),
    [
        ((), "*", "everyone"),
        (("--channel", "news"), "news", "channel news"),
        (("--user", "a#b"), "user#a#b", "user a#b"),
        (("--connections",), "!", "listed connections"),
    ],
)
def test_broadcasts_are_those_of_one_audience(
    stack: FakeStack, run: Run, options: tuple[str, ...], stream: str, words: str
) -> None:
    """Without an option they are everyone's, which is said on stderr, with --json, too."""
    for number, other in enumerate(("*", "news", "new", "user#a#b", "user#a", "!"), start=1):
        stack.table.open(SETTLED._replace(id=f"to {other}", channel=other, seq=number))

    shown, told = run("broadcasts", *options), run("broadcasts", *options, "--json")
    for key in [key for key in stack.table.items if key[0] == f"channel#{stream}"]:
        del stack.table.items[key]
    none = run("broadcasts", *options)

    note = "" if options else "Broadcasts to everyone; --channel, --user and --connections list "
    assert shown.stdout.splitlines()[1].endswith(f"  to {stream}")
    assert len(shown.stdout.splitlines()) == 2
    assert [one["id"] for one in json.loads(told.stdout)] == [f"to {stream}"]
    assert shown.stderr == told.stderr
    assert shown.stderr.startswith(note)
    assert bool(shown.stderr) is bool(note)
    assert f"There are no broadcasts to {words} in the ledger" in none.stderr


def test_broadcasts_show_how_many_were_excluded(stack: FakeStack, run: Run) -> None:
    """A column beside the others; the rows of frames are not read for a list."""
    stack.table.open(SETTLED)
    stack.table.put(FrameRow("*", 7, "frame", exclude=("a=", "b=")))

    titles, line = run("broadcasts").stdout.splitlines()
    (told,) = json.loads(run("broadcasts", "--json").stdout)

    assert titles.split()[2:8] == [
        *("targeted", "delivered", "gone", "failed", "expired", "excluded")
    ]
    assert line.split()[3:9] == ["3", "3", "0", "0", "0", "2"]
    assert told["audience"] == {"kind": "everyone", "exclude": None}
    assert not [key for key in stack.table.keys_read if key[1].startswith("frame#")]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--channel", ""), "expected 1 to 64"),
        (("--channel", "*"), "(everyone: leave it out; "),
        (("--user", ""), "expected 1 to 128 characters"),
        (("--channel", "news", "--user", "u"), "found --channel and --user, expected at most one"),
        (("--user", "u", "--connections"), "found --user and --connections, expected at most one"),
    ],
)
def test_broadcasts_refuse_an_audience_that_cannot_be(
    stack: FakeStack, run: Run, options: tuple[str, ...], words: str
) -> None:
    """Nothing is read."""
    done = run("broadcasts", *options)

    assert (done.exit_code, stack.table.keys_read) == (2, set())
    assert words in " ".join(done.stderr.replace("│", " ").split())
