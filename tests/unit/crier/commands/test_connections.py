"""The commands that list connections and show one: what they print, and how they exit."""

import json
import os
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from typer.testing import Result

from broadcasting.connection import SHARDS
from broadcasting.connection_row import connection_key
from broadcasting.user_rows import self_key
from crier import options
from crier.commands import connection_views
from crier.deployed.connections_reader import ConnectionsReader, Listed
from crier.paths import ROOT
from tests.support.fake_connections import (
    NOW_MS,
    TABLE,
    FakeConnectionsStack,
    FakeConnectionsTable,
)
from tests.support.fake_stack import OPENED_MS

Run = Callable[..., Result]

EXPIRES_MS = OPENED_MS + 7_800_000


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> FakeConnectionsStack:
    """The stack that the commands find, ten minutes after its connections were made."""
    fake = FakeConnectionsStack()
    monkeypatch.setattr(options, "find_deployed", lambda *_: fake)
    monkeypatch.setattr(time, "sleep", lambda _: None)
    monkeypatch.setattr(connection_views, "now_ms", lambda: NOW_MS)
    monkeypatch.setattr(
        ConnectionsReader,
        "of",
        lambda found: ConnectionsReader(found.table, TABLE, epoch_seconds=lambda: NOW_MS / 1000),
    )
    return fake


@pytest.fixture
def run(stack: FakeConnectionsStack, run_on_stack: Run) -> Run:
    """Runs a command on the stack."""
    assert stack
    return run_on_stack


def _lines(done: Result) -> list[Any]:
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_connections_are_listed_with_their_users(stack: FakeConnectionsStack, run: Run) -> None:
    """Id, since when, for how long, until when, whose; the number is on stderr."""
    stack.connect("L0SM9cOFvHcCIhw=", "alice")
    stack.connect("anonymous=")

    done = run("connections")

    assert done.exit_code == 0
    header, *lines = done.stdout.splitlines()
    assert header.split() == ["id", "connected", "for", "expires", "user"]
    assert sorted(line.split() for line in lines) == [
        [
            *("L0SM9cOFvHcCIhw=", "2026-01-01", "00:00:00Z", "0:10:00"),
            "2026-01-01",
            "02:10:00Z",
            "alice",
        ],
        [*("anonymous=", "2026-01-01", "00:00:00Z", "0:10:00"), "2026-01-01", "02:10:00Z", "-"],
    ]
    assert done.stderr == "2 connections\n"


def test_connections_are_json_lines_for_scripts(stack: FakeConnectionsStack, run: Run) -> None:
    """One object a line, so that a script reads them one by one."""
    stack.connect("a=", "日本 🦜")

    done = run("connections", "--json")

    assert _lines(done) == [
        {
            "connection": "a=",
            "user": "日本 🦜",
            "connected_ms": OPENED_MS,
            "seconds": 600,
            "expires_ms": EXPIRES_MS,
        }
    ]


def test_connections_of_all_pages_and_shards_are_listed_once(
    stack: FakeConnectionsStack, run: Run
) -> None:
    """Pages of two rows, busy batches of users: none is lost, none comes twice."""
    ids = {f"c{number}=" for number in range(250)}
    for id_ in ids:
        stack.table.connect(id_, f"user of {id_}")

    found = _lines(run("connections", "--json"))

    assert {connection_key(id_)[0] for id_ in ids} == {f"all#{shard}" for shard in range(SHARDS)}
    assert len(found) == 250
    assert {(one["connection"], one["user"]) for one in found} == {
        (id_, f"user of {id_}") for id_ in ids
    }


@pytest.mark.parametrize("user", ["alice", "a#b", "日本 🦜", "x" * 128])
def test_connections_of_a_user_are_listed_from_the_users_rows(
    stack: FakeConnectionsStack, run: Run, user: str
) -> None:
    """No other partition is read, and no row for each of them."""
    for number in range(5):
        stack.connect(f"{number}=", user)
    stack.connect("other=", f"{user[:-1]}!")

    done = run("connections", "--user", user, "--json")

    assert [(one["connection"], one["user"]) for one in _lines(done)] == [
        (f"{number}=", user) for number in range(5)
    ]
    assert set(stack.table.calls) == {"Query"}
    assert done.stderr.startswith("5 connections of user ")


def test_connections_of_a_channel_are_listed_from_the_channels_rows(
    stack: FakeConnectionsStack, run: Run
) -> None:
    """All four shards, with their users; another channel's are left out."""
    for number in range(20):
        stack.connect(f"{number}=", f"u{number}" if number % 2 else None, channels=("news",))
    stack.connect("other=", channels=("news:1", "new"))

    done = run("connections", "--channel", "news", "--json")

    assert {(one["connection"], one["user"]) for one in _lines(done)} == {
        (f"{number}=", f"u{number}" if number % 2 else None) for number in range(20)
    }
    assert len(_lines(done)) == 20
    assert done.stderr == "20 connections of channel news\n"
    assert stack.table.calls.count("Query") >= 4
    none = run("connections", "--channel", "sport")
    assert none.stderr == "There are no connections of channel sport.\n"


@pytest.mark.parametrize("channel", ["", "*", "@", "a b", "x" * 65, "a#b"])
def test_connections_refuse_a_channel_that_cannot_be(
    stack: FakeConnectionsStack, run: Run, channel: str
) -> None:
    """That is a wrong use, said before anything is read."""
    done = run("connections", "--channel", channel)

    assert (done.exit_code, stack.table.calls) == (2, [])
    assert "expected 1 to 64 of A-Z a-z 0-9 . _ : -" in " ".join(done.stderr.split())


def test_connections_refuse_a_channel_and_a_user(stack: FakeConnectionsStack, run: Run) -> None:
    """A list is of one of the two."""
    done = run("connections", "--channel", "news", "--user", "alice")

    assert (done.exit_code, stack.table.calls) == (2, [])
    assert "found --channel and --user, expected at most one" in " ".join(done.stderr.split())


@pytest.mark.parametrize("user", ["", "x" * 129, "a\nb"])
def test_connections_refuse_a_user_that_cannot_be(run: Run, user: str) -> None:
    """That is a wrong use, said before anything is read."""
    done = run("connections", "--user", user)

    assert done.exit_code == 2
    assert "expected 1 to 128 characters, all of them printable" in " ".join(done.stderr.split())


@pytest.mark.parametrize(
    ("limit", "shown", "note"),
    [
        ("2", 2, "2 connections of user u; there are more, which a larger --limit shows\n"),
        ("5", 5, "5 connections of user u\n"),
        ("6", 5, "5 connections of user u\n"),
    ],
)
def test_connections_are_limited(
    stack: FakeConnectionsStack, run: Run, limit: str, shown: int, note: str
) -> None:
    """That there are more is said, and read no further than that."""
    for number in range(5):
        stack.connect(f"{number}=", "u")

    done = run("connections", "--user", "u", "--limit", limit, "--json")

    assert (len(_lines(done)), done.stderr) == (shown, note)


@pytest.mark.parametrize("limit", ["0", "-1", "x", "10000001"])
def test_connections_refuse_a_limit_that_cannot_be(run: Run, limit: str) -> None:
    """It says what was found and expected."""
    done = run("connections", "--limit", limit)

    assert done.exit_code == 2
    assert f"found '{limit}', expected a whole number from 1 to 10000000" in done.stderr


def test_connections_leave_out_what_has_expired(stack: FakeConnectionsStack, run: Run) -> None:
    """DynamoDB deletes rows days later."""
    stack.connect("over=", "u", expiresAt={"N": str(NOW_MS // 1000)})
    stack.connect("here=", "u", expiresAt={"N": str(NOW_MS // 1000 + 1)})

    everyone, of_user = run("connections", "--json"), run("connections", "--user", "u", "--json")

    assert [one["connection"] for one in _lines(everyone)] == ["here="]
    assert [one["connection"] for one in _lines(of_user)] == ["here="]


def test_connections_say_so_when_there_are_none(run: Run) -> None:
    """Nothing is on stdout, not even a heading."""
    everyone, of_user = run("connections"), run("connections", "--user", "alice")

    assert (everyone.exit_code, everyone.stdout) == (0, "")
    assert everyone.stderr == "There are no connections.\n"
    assert of_user.stderr == "There are no connections of user alice.\n"


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"connectedAt": {"S": "now"}}, "connectedAt is of the type S, expected N"),
        ({"connectedAt": {"N": "1.5"}}, "invalid literal"),
        ({"connectedAt": {"N": "-1"}}, "connectedAt is -1"),
        ({"expiresAt": {"S": "later"}}, "expiresAt is of the type S, expected N"),
        ({"expiresAt": {"N": "9" * 14}}, "expiresAt is 99999999999999, expected epoch seconds"),
        ({"expiresAt": {"BOOL": True}}, "expiresAt is of the type BOOL, expected N"),
    ],
)
def test_connections_show_a_row_that_cannot_be_read(
    stack: FakeConnectionsStack, run: Run, row: dict[str, Any], words: str
) -> None:
    """It hides no other, and stands in the list with its key and what is wrong."""
    stack.connect("ill=", "u", **row)
    stack.connect("well=", "u")

    shown, as_json = run("connections"), run("connections", "--json")

    assert (shown.exit_code, as_json.exit_code) == (0, 0)
    key = " / ".join(connection_key("ill="))
    (ill,) = (line for line in shown.stdout.splitlines() if "unreadable" in line)
    assert ill.startswith(f"unreadable: {key}: ")
    assert words in ill
    (told,) = (one["unreadable"] for one in _lines(as_json) if "unreadable" in one)
    assert (told["pk"], told["sk"]) == connection_key("ill=")
    assert shown.stderr == "1 connection, 1 row cannot be read\n"


@pytest.mark.parametrize("user", [{"N": "1"}, {"S": ""}, {"S": "a\nb"}, {"S": "x" * 129}])
def test_connection_is_shown_when_its_user_cannot_be_read(
    stack: FakeConnectionsStack, run: Run, user: dict[str, str]
) -> None:
    """The connection is there all the same; a terminal obeys nothing in its row."""
    stack.connect("a=", "u")
    stack.table.put(stack.table.items[self_key("a=")] | {"user": user})

    shown, as_json = run("connections"), run("connections", "--json")

    assert "unreadable: connection#a= / self: " in shown.stdout
    (told,) = _lines(as_json)
    assert (told["connection"], told["user"], told["unreadable"]["pk"]) == (
        *("a=", None),
        "connection#a=",
    )
    assert len(shown.stdout.splitlines()) == 2


@pytest.mark.parametrize("operation", ["Query", "BatchGetItem"])
def test_connections_are_an_error_without_permission(
    stack: FakeConnectionsStack, run: Run, operation: str
) -> None:
    """AWS's words say which permission is missing."""
    stack.connect("a=", "u")
    stack.table.refuses = {operation}

    done = run("connections")

    assert done.exit_code == 1
    assert "were not read" in str(done.exception)
    assert f"when calling the {operation} operation" in str(done.exception)


@pytest.mark.parametrize("arguments", [("connections",), ("inspect", "a=")])
def test_read_ends_when_dynamodb_looks_nothing_up(
    stack: FakeConnectionsStack, run: Run, arguments: tuple[str, ...]
) -> None:
    """It is asked for the same rows some times, and not for ever."""
    stack.connect("a=", "alice")
    stack.table.leaves_all = True

    done = run(*arguments)

    assert done.exit_code == 1
    assert "were not read: DynamoDB has left" in str(done.exception)
    assert stack.table.calls.count("BatchGetItem") == 8


def test_connections_are_not_held_in_memory() -> None:
    """A hundred times as many need no more memory, however large the audience."""

    class Endless(FakeConnectionsTable):
        """Has a page of 1,000 rows again and again."""

        def paginate(self, **_: Any) -> Iterator[dict[str, Any]]:
            for page in range(self.pages):
                yield {"Items": [self._row(f"{page}-{row}=") for row in range(1_000)]}

        def batch_get_item(self, **_: Any) -> dict[str, Any]:
            return {"Responses": {}, "UnprocessedKeys": {}}

        @staticmethod
        def _row(id_: str) -> dict[str, Any]:
            row = {"pk": {"S": "user#u"}, "sk": {"S": id_}}
            return row | {"connectedAt": {"N": "1"}, "expiresAt": {"N": "99999999999"}}

        pages = 1

    def peak_bytes(pages: int) -> int:
        table = Endless()
        table.pages = pages
        tracemalloc.start()
        found = ConnectionsReader(table, TABLE, epoch_seconds=lambda: 2).of_user("u")
        assert sum(isinstance(one, Listed) for one in found) == pages * 1_000
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    one_page, many_pages = peak_bytes(1), peak_bytes(20)

    assert many_pages < 3 * one_page


def test_list_ends_quietly_when_its_pipe_closes() -> None:
    """`crier connections | head -1`: no traceback, no complaint."""
    code = """
import sys, types
from crier import cli, options
from crier.deployed.connections_reader import ConnectionsReader, Listed

class Reader:
    @staticmethod
    def everyone():
        for number in range(200_000):
            yield Listed(f"{number}=", 0, 1)

ConnectionsReader.of = lambda _: Reader
options.find_deployed = lambda *_: None
sys.argv = ["crier", "connections", "--stack", "s", *sys.argv[1:]]
cli.main()
"""
    for option in ([], ["--json"]):
        with subprocess.Popen(
            [sys.executable, "-c", code, *option],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'lambdas'}"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            first = process.stdout.readline()
            process.stdout.close()
            complaints = process.stderr.read()

        assert first
        assert complaints == b""
        assert process.returncode in {0, 1}


def test_inspect_shows_a_connection(stack: FakeConnectionsStack, run: Run) -> None:
    """What API Gateway tells, and what its rows tell."""
    stack.connect("L0SM9cOFvHcCIhw=", "alice", channels=("news", "game:1"))
    stack.callback.open["L0SM9cOFvHcCIhw="] = {
        "ConnectedAt": datetime.fromtimestamp(OPENED_MS / 1000, UTC),
        "LastActiveAt": datetime.fromtimestamp(OPENED_MS / 1000 + 60, UTC),
        "Identity": {"SourceIp": "203.0.113.7", "UserAgent": "Firefox\x1b[31m"},
    }

    shown, as_json = (
        run("inspect", "L0SM9cOFvHcCIhw="),
        run("inspect", "L0SM9cOFvHcCIhw=", "--json"),
    )

    assert (shown.exit_code, as_json.exit_code) == (0, 0)
    words = [
        *("2026-01-01 00:00:00Z", "0:10:00", "00:01:00Z", "203.0.113.7"),
        *("alice", "game:1, news", "02:10:00Z"),
    ]
    assert [one for one in words if one not in shown.stdout] == []
    assert "Firefox?[31m" in shown.stdout
    assert json.loads(as_json.stdout) == {
        "connection": "L0SM9cOFvHcCIhw=",
        "state": "open",
        "connected_ms": OPENED_MS,
        "last_active_ms": OPENED_MS + 60_000,
        "source_ip": "203.0.113.7",
        "user_agent": "Firefox\x1b[31m",
        "user": "alice",
        "channels": ["game:1", "news"],
        "expires_ms": EXPIRES_MS,
        "in_audience": True,
    }


def test_inspect_says_so_when_no_broadcast_reaches_the_connection(
    stack: FakeConnectionsStack, run: Run
) -> None:
    """Its row is lost, cannot be read, or has expired, and the connection is open all the same."""
    stack.callback.open |= {"lost=": {}, "ill=": {}, "over=": {}}
    stack.table.connect("ill=", "u", expiresAt={"S": "x"})
    stack.table.connect("over=", "u", expiresAt={"N": "1"})

    lost, ill, over = (run("inspect", id_) for id_ in ("lost=", "ill=", "over="))

    assert [one.exit_code for one in (lost, ill, over)] == [0, 0, 0]
    assert "it has no row: no broadcast to everyone reaches it" in lost.stdout
    assert "none: it is anonymous" in lost.stdout
    assert "unreadable: no broadcast reaches it" in ill.stdout
    assert "1970-01-01 00:00:01Z, which is over: no broadcast reaches it" in over.stdout
    assert over.stdout.count("not told") == 5


@pytest.mark.parametrize("user", [None, "alice"])
def test_inspect_says_what_it_means_that_a_connection_is_gone(
    stack: FakeConnectionsStack, run: Run, user: str | None
) -> None:
    """410 is exit code 1, and says whether rows are left."""
    if user:
        stack.table.connect("a=", user)

    shown, as_json = run("inspect", "a="), run("inspect", "a=", "--json")

    assert (shown.exit_code, as_json.exit_code) == (1, 1)
    assert "connection a= is gone: it is closed, or was never open; " in str(shown.exception)
    rows = "`crier kick a=`, removes them" if user else "it has no rows either"
    assert rows in str(shown.exception)
    told = json.loads(as_json.stdout)
    assert (told["state"], told["user"], told["in_audience"]) == ("gone", user, bool(user))


def test_inspect_shows_that_the_user_cannot_be_read(stack: FakeConnectionsStack, run: Run) -> None:
    """The other rows are shown."""
    stack.connect("a=", "u")
    stack.table.put(stack.table.items[self_key("a=")] | {"user": {"N": "1"}})

    done = run("inspect", "a=")

    assert done.exit_code == 0
    assert "unreadable: user is of the type N, expected S" in done.stdout


def test_inspect_shows_that_an_anonymous_connection_is_on_channels(
    stack: FakeConnectionsStack, run: Run
) -> None:
    """Its own row names no user then; names that are no channels are left out."""
    stack.connect("a=", channels=("news", "a b"))
    stack.connect("b=")

    on, off = run("inspect", "a="), run("inspect", "b=")
    told = json.loads(run("inspect", "a=", "--json").stdout)

    assert "none: it is anonymous" in on.stdout
    assert "│ Channels    │ news " in on.stdout
    assert "│ Channels    │ none " in off.stdout
    assert (told["user"], told["channels"]) == (None, ["news"])


def test_inspect_shows_that_the_channels_cannot_be_read(
    stack: FakeConnectionsStack, run: Run
) -> None:
    """The other rows are shown."""
    stack.connect("a=", "u")
    stack.table.put(stack.table.items[self_key("a=")] | {"channels": {"S": "news"}})

    done = run("inspect", "a=")

    assert done.exit_code == 0
    assert "unreadable: channels is of the type S, expected SS" in done.stdout
    assert "│ Channels    │ unreadable " in done.stdout


def test_inspect_asks_again_when_it_is_throttled(stack: FakeConnectionsStack, run: Run) -> None:
    """A passing 429 is no answer about the connection."""
    stack.connect("a=")
    stack.callback.answers["a="] = [429, 503]

    done = run("inspect", "a=")

    assert done.exit_code == 0
    assert stack.callback.asked("a=") == ["GET"] * 3


@pytest.mark.parametrize(("forbids", "refuses"), [({"GET"}, set()), (set(), {"BatchGetItem"})])
def test_inspect_is_an_error_without_permission(
    stack: FakeConnectionsStack, run: Run, forbids: set[str], refuses: set[str]
) -> None:
    """Either permission is named by AWS's own words."""
    stack.connect("a=", "u")
    stack.callback.forbids, stack.table.refuses = forbids, refuses

    done = run("inspect", "a=")

    assert done.exit_code == 1
    assert "403 ForbiddenException" in str(done.exception) or "BatchGetItem" in str(done.exception)


@pytest.mark.parametrize("id_", ["", ".", "..", "a\nb", "x" * 1_025])
def test_inspect_refuses_an_id_that_cannot_be(run: Run, id_: str) -> None:
    """Nothing is asked."""
    done = run("inspect", "--", id_)

    assert done.exit_code == 2
    assert "expected a connection's id" in " ".join(done.stderr.split())
