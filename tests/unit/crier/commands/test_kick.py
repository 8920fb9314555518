"""The command that throws connections out: what it does, in which order, and what it says."""

import json
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from typer.testing import Result

from broadcasting.door_rows import denied_key
from broadcasting.user_rows import self_key, user_key
from crier import options
from crier.commands import kick as kick_command
from crier.commands.kick import ARRIVAL_SECONDS
from crier.commands.kick_views import note_stopped
from crier.deployed.connection_rows import Known
from crier.deployed.connections_api import NO_CONNECTION
from crier.deployed.kick import End, Kicked
from crier.deployed.kicking import MOST_ROUNDS, Tally, kick_all
from tests.support.fake_connections import NOW_MS, FakeConnectionsStack
from tests.support.fake_stack import refusal

Run = Callable[..., Result]

KICKED = '{"type":"bye","code":"kicked","reconnect":false,"afterMs":0}'
CHECKED = [("POST", NO_CONNECTION, KICKED), ("DELETE", NO_CONNECTION, "")]
"""What is asked before the first connection: whether it may be."""


class Over:
    """An event that never waits: it notes for how long it should have."""

    def __init__(self) -> None:
        self.waits: list[float] = []
        self.is_set = False

    def wait(self, seconds: float) -> bool:
        """Return at once."""
        self.waits.append(seconds)
        return self.is_set

    def set(self) -> None:
        """Let nothing be tried again."""
        self.is_set = True


@pytest.fixture
def over(monkeypatch: pytest.MonkeyPatch) -> Over:
    """What the command waits with."""
    made = Over()
    monkeypatch.setattr(kick_command, "Event", lambda: made)
    return made


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch, over: Over) -> FakeConnectionsStack:
    """The stack that the commands find, ten minutes after its connections were made."""
    assert over
    fake = FakeConnectionsStack(deny_list=True)
    monkeypatch.setattr(options, "find_deployed", lambda *_: fake)
    monkeypatch.setattr(time, "sleep", lambda _: None)
    monkeypatch.setattr(kick_command, "now_ms", lambda: NOW_MS)
    return fake


@pytest.fixture
def run(stack: FakeConnectionsStack, run_on_stack: Run) -> Run:
    """Runs the command on the stack."""
    assert stack
    return partial(run_on_stack, "kick")


def test_kick_says_bye_closes_and_removes_the_rows(stack: FakeConnectionsStack, run: Run) -> None:
    """In this order, after it is checked that it may; others stay."""
    stack.connect("a=", "alice")
    stack.connect("b=", "alice")

    done = run("a=")

    assert (done.exit_code, done.stdout) == (0, "1 kicked, 0 gone already, 0 failed\n")
    assert stack.callback.log == [*CHECKED, ("POST", "a=", KICKED), ("DELETE", "a=", "")]
    assert stack.keys("a=") == []
    assert list(stack.callback.open) == ["b="]
    assert len(stack.keys("b=")) == 3


def test_kick_removes_the_rows_of_all_channels(stack: FakeConnectionsStack, run: Run) -> None:
    """More than one request takes, of an anonymous connection, too; the row of all comes last."""
    channels = [f"c{number}" for number in range(50)]
    stack.connect("a=", "alice", channels=channels)
    stack.connect("b=", channels=channels)
    stack.connect("c=", channels=channels)

    done = [run("a="), run("b=")]

    assert [one.exit_code for one in done] == [0, 0]
    assert (stack.keys("a="), stack.keys("b=")) == ([], [])
    assert len(stack.keys("c=")) == 52


@pytest.mark.parametrize("arguments", [("a=",), ("--user", "alice")])
def test_kick_takes_the_connection_out_of_the_audience_first(
    stack: FakeConnectionsStack, run: Run, arguments: tuple[str, ...]
) -> None:
    """A subscription that is under way finds no row then; what lists the rows goes last."""
    stack.connect("a=", "alice", channels=("news", "sport"))
    gone: list[str] = []

    class Watched(dict[tuple[str, str], dict[str, Any]]):
        """Notes which rows are deleted, in order."""

        def pop(self, key: tuple[str, str], *default: Any) -> Any:
            gone.append(key[0].partition("#")[0])
            return super().pop(key, *default)

    stack.table.items = Watched(stack.table.items)

    run(*arguments)

    assert gone[1:] == ["all", "user", "channel", "channel", "connection"]


def test_kick_can_be_done_again_when_rows_are_left(stack: FakeConnectionsStack, run: Run) -> None:
    """The row that lists the others is still there, so that nothing is forgotten."""
    stack.connect("a=", "alice", channels=("news",))
    write = stack.table.batch_write_item

    def refuse_channels(*, RequestItems: Any) -> Any:  # noqa: N803
        if "channel#" in str(RequestItems):
            raise refusal("BatchWriteItem")
        return write(RequestItems=RequestItems)

    stack.table.batch_write_item = refuse_channels  # type: ignore[method-assign]
    first = run("a=")
    stack.table.batch_write_item = write  # type: ignore[method-assign]
    second = run("a=")

    assert (first.exit_code, second.exit_code) == (1, 0)
    assert "closed, but the rows of a= were not removed" in first.stdout
    assert stack.keys("a=") == []


@pytest.mark.parametrize(
    ("arguments", "bye"),
    [
        ((), {"code": "kicked", "reconnect": False, "afterMs": 0}),
        (("--reconnect-after", "0"), {"code": "kicked", "reconnect": True, "afterMs": 0}),
        (("--code", "moved"), {"code": "moved", "reconnect": True, "afterMs": 0}),
        (
            ("--code", "shutdown", "--reconnect-after", "3600000"),
            {"code": "shutdown", "reconnect": True, "afterMs": 3_600_000},
        ),
    ],
)
def test_kick_tells_the_client_why_and_whether_to_return(
    stack: FakeConnectionsStack, run: Run, arguments: tuple[str, ...], bye: dict[str, Any]
) -> None:
    """The bye of the protocol."""
    stack.connect("a=")

    run("a=", *arguments)

    (told,) = (text for method, id_, text in stack.callback.log if (method, id_) == ("POST", "a="))
    assert json.loads(told) == {"type": "bye", **bye}


@pytest.mark.parametrize(
    "arguments",
    [
        ("a=", "--code", "banned"),
        ("a=", "--reconnect-after", "-1"),
        ("a=", "--reconnect-after", "3600001"),
        ("a=", "--deny", "0"),
        ("a=", "--deny", "86401"),
        ("a=", "--deny", "1.5"),
        ("a=", "--user", "alice"),
        (),
        ("",),
        ("..",),
        ("a\nb",),
        ("--user", ""),
        ("--user", "x" * 129),
        ("--user", "a\u202eb"),
    ],
)
def test_kick_refuses_wrong_use(
    stack: FakeConnectionsStack, run: Run, arguments: tuple[str, ...]
) -> None:
    """Nothing is asked and nothing is read."""
    done = run(*arguments)

    assert done.exit_code == 2
    assert (stack.callback.log, stack.table.calls) == ([], [])


def test_kick_of_an_unknown_id_is_an_error(stack: FakeConnectionsStack, run: Run) -> None:
    """API Gateway says that it is gone, and no row says that it was there."""
    done = run("unknown=")

    assert done.exit_code == 1
    assert "connection unknown= is not known: API Gateway says that it is gone" in str(
        done.exception
    )
    assert stack.callback.asked("unknown=") == ["POST"]


def test_kick_of_an_id_that_aws_refuses_is_an_error(stack: FakeConnectionsStack, run: Run) -> None:
    """A malformed id is 400."""
    stack.callback.answers["mal formed"] = [400]

    done = run("mal formed")

    assert done.exit_code == 1
    assert "failed  mal formed  not closed: 400 BadRequestException" in done.stdout


@pytest.mark.parametrize("arguments", [("a=",), ("--user", "alice")])
def test_kick_removes_the_rows_of_what_is_gone_already(
    stack: FakeConnectionsStack, run: Run, arguments: tuple[str, ...]
) -> None:
    """It is no error: the connection is closed, as it should be."""
    stack.table.connect("a=", "alice")

    done = run(*arguments)

    assert (done.exit_code, done.stdout) == (0, "0 kicked, 1 gone already, 0 failed\n")
    assert stack.table.items == {}


def test_kick_closes_a_connection_without_rows(stack: FakeConnectionsStack, run: Run) -> None:
    """As after a loss of the table."""
    stack.callback.open["lost="] = {}

    done = run("lost=")

    assert (done.exit_code, done.stdout) == (0, "1 kicked, 0 gone already, 0 failed\n")


@pytest.mark.parametrize("user", ["alice", "a#b", "日本 🦜", "x" * 128])
def test_kick_of_a_user_reaches_all_connections(
    stack: FakeConnectionsStack, run: Run, user: str
) -> None:
    """Also one whose row has expired: API Gateway keeps it open."""
    for number in range(20):
        stack.connect(f"{number}=", user)
    stack.connect("expired=", user, expiresAt={"N": "1"})
    stack.connect("other=", "another")

    done = run("--user", user)

    assert (done.exit_code, done.stdout) == (0, "21 kicked, 0 gone already, 0 failed\n")
    assert list(stack.callback.open) == ["other="]
    assert {key[1] for key in stack.table.items} == {"other=", "self"}


def test_kick_of_a_user_without_connections_does_nothing(
    stack: FakeConnectionsStack, run: Run
) -> None:
    """That is no error, and is said: the name may be a slip of the hand."""
    done = run("--user", "alice", "--json")

    assert done.exit_code == 0
    assert "There are no connections of user alice." in done.stderr
    assert json.loads(done.stdout) == {
        "kicked": 0,
        "gone": 0,
        "failed": [],
        "untold": 0,
        "is_all": True,
        "denied": None,
    }
    assert stack.callback.log == CHECKED


def test_kick_of_a_user_meets_what_connects_meanwhile(
    stack: FakeConnectionsStack, run: Run
) -> None:
    """It lists again until nothing is new."""
    coming = iter(["second=", "third="])

    def connect_another() -> None:
        if id_ := next(coming, None):
            stack.connect(id_, "alice")

    stack.connect("first=", "alice")
    stack.table.before_query = connect_another

    done = run("--user", "alice")

    assert (done.exit_code, done.stdout) == (0, "3 kicked, 0 gone already, 0 failed\n")


def test_kick_of_a_user_who_always_returns_ends(stack: FakeConnectionsStack, run: Run) -> None:
    """It is said how to keep the user out, with exit code 1."""
    numbers = iter(range(1_000))
    stack.table.before_query = lambda: stack.connect(f"{next(numbers)}=", "alice")

    done = run("--user", "alice")

    assert (done.exit_code, done.stdout) == (
        1,
        f"{MOST_ROUNDS} kicked, 0 gone already, 0 failed\n",
    )
    assert "More connections of the user have come meanwhile: keep the user out by --deny" in (
        done.stderr
    )


def test_kick_denies_the_user_before_the_first_connection(
    stack: FakeConnectionsStack, run: Run
) -> None:
    """Else a client that is kicked could come back in between. It is checked before that it may."""
    stack.connect("a=", "alice")

    done = run("--user", "alice", "--deny", "3600", "--json")

    until_seconds = NOW_MS // 1000 + 3_600
    assert done.exit_code == 0
    assert stack.table.items == {
        denied_key("alice"): {
            "pk": {"S": "denied#alice"},
            "sk": {"S": "self"},
            "expiresAt": {"N": str(until_seconds)},
        }
    }
    assert json.loads(done.stdout)["denied"] == {"user": "alice", "until_ms": until_seconds * 1000}
    assert stack.table.calls[:5] == [
        *("BatchGetItem", "BatchWriteItem"),
        *("Query", "PutItem", "Query"),
    ]


def test_kick_meets_a_client_that_was_let_in_just_before_its_user_was_denied(
    stack: FakeConnectionsStack, run: Run, over: Over, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The authorizer has looked at the deny list before; the rows are written after the kick."""
    coming = iter(["late="])

    def connect_when_it_waits(seconds: float) -> bool:
        if seconds == ARRIVAL_SECONDS:
            stack.connect(next(coming), "alice")
        return False

    monkeypatch.setattr(over, "wait", connect_when_it_waits)

    done = run("--user", "alice", "--deny", "60")

    assert (done.exit_code, done.stdout) == (0, "1 kicked, 0 gone already, 0 failed\n")
    assert list(stack.table.items) == [denied_key("alice")]


def test_kick_waits_for_no_client_when_its_user_is_not_denied(
    stack: FakeConnectionsStack, run: Run, over: Over
) -> None:
    """The user may come in again at any time."""
    stack.connect("a=", "alice")

    run("--user", "alice")

    assert ARRIVAL_SECONDS not in over.waits


def test_kick_says_who_is_denied_when_it_is_stopped(
    stack: FakeConnectionsStack, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The user stays out: what ends the kick ends that not."""

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(kick_command, "kick_all", stop)

    done = run("--user", "alice", "--deny", "60")

    assert done.exit_code == 130
    assert denied_key("alice") in stack.table.items
    assert "User alice is kept out until 2026-01-01 00:11:00Z" in done.stderr


def test_kick_of_an_id_denies_its_user(stack: FakeConnectionsStack, run: Run) -> None:
    """The user is read from the connection's own row."""
    stack.connect("a=", "alice")

    done = run("a=", "--deny", "60")

    assert done.exit_code == 0
    assert list(stack.table.items) == [denied_key("alice")]
    assert "User alice is kept out until 2026-01-01 00:11:00Z" in done.stderr


@pytest.mark.parametrize("user", [None, {"N": "1"}, {"S": "a\nb"}])
def test_kick_denies_no_connection_without_a_user(
    stack: FakeConnectionsStack, run: Run, user: dict[str, str] | None
) -> None:
    """An anonymous connection, or one whose user cannot be read, is an error; nothing is done."""
    stack.connect("a=", "u" if user else None)
    if user:
        stack.table.put(stack.table.items[self_key("a=")] | {"user": user})

    done = run("a=", "--deny", "60")

    assert done.exit_code == 1
    assert "no row says whose connection a= is" in str(done.exception)
    assert list(stack.callback.open) == ["a="]
    assert stack.callback.log == []


def test_kick_refuses_to_deny_when_the_stack_has_no_deny_list(
    stack: FakeConnectionsStack, run: Run
) -> None:
    """The row would keep no user out."""
    stack.deny_list = False
    stack.connect("a=", "alice")

    done = run("a=", "--deny", "60")

    assert done.exit_code == 1
    assert "stack crier-prod looks at no deny list" in str(done.exception)
    assert "denyList=true" in str(done.exception)
    assert (stack.callback.log, stack.table.calls) == ([], [])


def test_kick_removes_the_other_rows_when_the_user_cannot_be_read(
    stack: FakeConnectionsStack, run: Run
) -> None:
    """The row of the user names no connection that is open, and TTL deletes it."""
    stack.connect("a=", "u")
    stack.table.put(stack.table.items[self_key("a=")] | {"user": {"N": "1"}})

    done = run("a=")

    assert (done.exit_code, done.stdout) == (0, "1 kicked, 0 gone already, 0 failed\n")
    assert list(stack.table.items) == [user_key("u", "a=")]


@pytest.mark.parametrize("method", ["POST", "DELETE"])
@pytest.mark.parametrize("arguments", [("a=",), ("--user", "alice", "--deny", "60")])
def test_kick_does_nothing_without_a_permission_of_connections(
    stack: FakeConnectionsStack, run: Run, method: str, arguments: tuple[str, ...]
) -> None:
    """It is asked for before the first connection, and named."""
    stack.connect("a=", "alice")
    stack.callback.forbids = {method}

    done = run(*arguments)

    assert done.exit_code == 1
    assert f"may not {method} to @connections of this stage (403 ForbiddenException" in str(
        done.exception
    )
    assert f"execute-api:ManageConnections on {method}/@connections/*" in str(done.exception)
    assert stack.callback.asked("a=") == []
    assert len(stack.keys("a=")) == 3
    assert denied_key("alice") not in stack.table.items


@pytest.mark.parametrize(
    ("operation", "arguments"),
    [
        ("BatchWriteItem", ("a=",)),
        ("BatchWriteItem", ("--user", "alice", "--deny", "60")),
        ("PutItem", ("--user", "alice", "--deny", "60")),
        ("BatchGetItem", ("a=",)),
        ("Query", ("--user", "alice")),
        ("Query", ("--user", "alice", "--deny", "60")),
    ],
)
def test_kick_does_nothing_without_a_permission_of_the_table(
    stack: FakeConnectionsStack, run: Run, operation: str, arguments: tuple[str, ...]
) -> None:
    """AWS's words name it; no connection hears a bye, and no user is kept out."""
    stack.connect("a=", "alice")
    stack.table.refuses = {operation}

    done = run(*arguments)

    assert done.exit_code == 1
    assert f"when calling the {operation} operation: not you" in str(done.exception)
    assert stack.callback.asked("a=") == []
    assert len(stack.keys("a=")) == 3
    assert denied_key("alice") not in stack.table.items


def test_kick_does_nothing_when_connections_answers_otherwise(
    stack: FakeConnectionsStack, run: Run
) -> None:
    """As where a proxy answers in its place."""
    stack.connect("a=")
    stack.callback.answers[NO_CONNECTION] = [404]

    done = run("a=")

    assert done.exit_code == 1
    assert "answers no POST as expected: 404" in str(done.exception)
    assert stack.callback.asked("a=") == []


def test_kick_tries_again_when_it_is_throttled(
    stack: FakeConnectionsStack, run: Run, over: Over
) -> None:
    """429 is the quota, or a passing fault: it waits longer each time."""
    stack.connect("a=", "alice")
    stack.callback.answers["a="] = [429, 429, 200, 503]

    done = run("--user", "alice")

    assert (done.exit_code, done.stdout) == (0, "1 kicked, 0 gone already, 0 failed\n")
    assert stack.callback.asked("a=") == ["POST"] * 3 + ["DELETE"] * 2
    assert len(over.waits) >= 3


def test_kick_closes_a_client_that_takes_nothing_more(
    stack: FakeConnectionsStack, run: Run
) -> None:
    """Its buffer is full (429 to the end): it is closed without a bye, which is said."""
    stack.connect("a=", "alice")
    stack.callback.answers["a="] = [429] * 8

    done = run("a=")

    assert (done.exit_code, done.stdout) == (0, "1 kicked, 0 gone already, 0 failed\n")
    assert "1 connection could not be told why" in done.stderr
    assert stack.callback.open == {}


@pytest.mark.parametrize(
    ("statuses", "words"),
    [
        ([403], "not closed: 403 ForbiddenException"),
        ([200, 403], "not closed: 403 ForbiddenException"),
        ([500] * 8, "not closed: 500"),
        ([200, *[429] * 8], "not closed: 429 LimitExceededException"),
    ],
)
def test_kick_goes_on_when_one_connection_fails(
    stack: FakeConnectionsStack, run: Run, statuses: list[int], words: str
) -> None:
    """The failed one keeps its rows, so that it is reached by broadcasts and by another kick."""
    for id_ in ("a=", "b=", "c="):
        stack.connect(id_, "alice")
    stack.callback.answers["b="] = statuses

    done = run("--user", "alice", "--json")

    told = json.loads(done.stdout)
    assert done.exit_code == 1
    assert (told["kicked"], told["gone"]) == (2, 0)
    (failed,) = told["failed"]
    assert failed["connection"] == "b="
    assert failed["reason"].startswith(words)
    assert len(stack.keys("b=")) == 3


def test_kick_says_that_rows_are_left_when_dynamodb_leaves_them(
    stack: FakeConnectionsStack, run: Run
) -> None:
    """The connection is closed: the next broadcast removes its row."""
    stack.connect("a=", "alice")
    stack.table.before_query = lambda: setattr(stack.table, "leaves_all", True)

    done = run("--user", "alice")

    assert done.exit_code == 1
    assert "failed  a=  closed, but the rows of a= were not removed: DynamoDB has left 1" in (
        done.stdout
    )
    assert stack.callback.open == {}


def test_kick_tries_no_row_again_once_it_is_stopped(
    stack: FakeConnectionsStack, run: Run, over: Over
) -> None:
    """What DynamoDB has left then is said."""
    stack.connect("a=", "alice", channels=("news",))
    stack.table.before_query = over.set

    done = run("--user", "alice")

    assert done.exit_code == 1
    assert "closed, but the rows of a= were not removed: DynamoDB has left 1" in done.stdout


def test_kick_of_a_thousand_connections(stack: FakeConnectionsStack, run: Run) -> None:
    """A bounded number of threads, and each connection is asked for once."""
    for number in range(1_000):
        stack.connect(f"{number}=", "alice")

    done = run("--user", "alice")

    assert (done.exit_code, done.stdout) == (0, "1,000 kicked, 0 gone already, 0 failed\n")
    assert len(stack.callback.log) == 2 + 2_000
    assert [one.name for one in threading.enumerate() if one.name.startswith("kick")] == []


def test_kick_says_how_far_it_was_when_it_is_stopped(
    stack: FakeConnectionsStack, run: Run, over: Over, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C: what is under way ends, nothing new begins, and nothing is tried again."""
    for number in range(100):
        stack.connect(f"{number:03}=", "alice")
    ended = iter([None] * 4)

    def stop_after_five() -> None:
        if next(ended, "stop") == "stop":
            raise KeyboardInterrupt

    monkeypatch.setattr(
        kick_command,
        "kick_all",
        lambda *arguments, **options: kick_all(*arguments, **options | {"on_end": stop_after_five}),
    )

    done = run("--user", "alice")

    assert done.exit_code == 130
    assert over.is_set
    (line,) = (one for one in done.stderr.splitlines() if one.startswith("Stopped: "))
    kicked, not_reached = (int(line.split()[index]) for index in (1, -3))
    assert kicked == 100 - len(stack.callback.open)
    assert kicked + not_reached == 100
    assert kicked >= 5


def test_stopped_kick_counts_what_was_not_reached(capfd: pytest.CaptureFixture[str]) -> None:
    """Of a list of five, two have ended; why one has failed is said, too."""
    tally = Tally(met=5)
    tally.add(Kicked("a", End.KICKED, is_told=True))
    tally.add(Kicked("b", End.FAILED, "not closed: 429"))

    note_stopped(tally)

    said = capfd.readouterr().err
    assert "failed  b  not closed: 429" in said
    assert "Stopped: 1 kicked, 0 gone already, 1 failed, 3 not reached" in said


def test_kick_of_many_tells_of_a_fault_of_ours() -> None:
    """What no rule foresees ends it, after what is under way; it is no connection's failure."""
    tally, stopped = Tally(), []

    def kick(known: Known) -> Kicked:
        if known.id == "ill":
            raise TypeError("a mistake")
        return Kicked(known.id, End.KICKED, is_told=True)

    with pytest.raises(TypeError, match="a mistake"):
        kick_all(
            lambda: [Known("ill"), Known("well")],
            kick,
            tally,
            on_met=lambda _: None,
            on_end=lambda: None,
            stop=lambda: stopped.append(True),
        )

    assert stopped == [True]
    assert tally.failed == []
