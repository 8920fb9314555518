"""The commands about broadcasts and dead letters: what they print, and how they exit."""

import json
import time
from collections.abc import Callable
from dataclasses import replace
from uuid import UUID

import pytest
from typer.testing import CliRunner, Result

from broadcasting.receipt import Receipt
from crier import cli
from crier.commands import broadcasts as broadcasts_command
from crier.commands import dead_letters as dead_letters_command
from crier.deployed.dead_letters import DeadLetterQueue, Waiting
from crier.errors import CrierError
from crier.paths import ROOT
from tests.support.fake_stack import OPENED_MS, FakeStack, a_slice, a_summary, rejected

WELL = Receipt(targeted=5, delivered=3, gone=1, expired=1)
ILL = Receipt(targeted=5, delivered=3, failed=2)
SETTLED = a_summary(counts=WELL, open_slices=0, settled_ms=OPENED_MS + 500)

Run = Callable[..., Result]


TO_EVERYONE = "Broadcasts to everyone; --channel, --user and --connections list those to others\n"


@pytest.fixture
def stack(ledger_stack: FakeStack) -> FakeStack:
    """The stack that the commands find."""
    return ledger_stack


@pytest.fixture
def run(run_on_ledger: Run) -> Run:
    """Runs a command on the stack."""
    return run_on_ledger


def test_send_puts_id_and_time_to_live_into_the_message(stack: FakeStack, run: Run) -> None:
    """What is enqueued is the contract's body; without --id a random id is made and printed."""
    sent = run("send", "--ttl-seconds", "60", "Hear ye!")

    id_ = str(UUID(sent.stdout.strip()))
    assert (sent.exit_code, sent.stdout) == (0, f"{id_}\n")
    assert [(url, json.loads(body)) for url, body in stack.queues.sent] == [
        ("broadcasts", {"message": "Hear ye!", "id": id_, "ttlSeconds": 60})
    ]


@pytest.mark.parametrize(
    ("arguments", "typed", "message"),
    [
        (["-"], '{"a": 1}\n', {"a": 1}),
        (["-"], "Oyez ✓\n", "Oyez ✓"),
        (["--file", "-"], "[1]", [1]),
        (["--text", "-"], '{"a": 1}\n', '{"a": 1}'),
        (["--text", "-"], "", ""),
        (["--text", ""], "", ""),
        (["--text", "[1,2"], "", "[1,2"),
        (["--file", "package.json"], "", json.loads((ROOT / "package.json").read_text())),
        (["--", "-5"], "", -5),
        (["--text", "--", "-5"], "", "-5"),
    ],
)
def test_send_takes_the_message_from_where_it_is_said_to_be(  # noqa: PLR0917
    stack: FakeStack,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    typed: str,
    message: object,
) -> None:
    """An argument, standard input or a file; with `--text` it is sent as it is."""
    monkeypatch.chdir(ROOT)

    sent = run("send", "--id", "news", *arguments, typed=typed)

    assert (sent.exit_code, sent.stdout, sent.stderr) == (0, "news\n", "")
    assert [json.loads(body) for _, body in stack.queues.sent] == [
        {"message": message, "id": "news"}
    ]


def test_send_says_so_when_a_key_is_given_twice(stack: FakeStack, run: Run) -> None:
    """It sends what the function would take: the last one, or all of it as a text."""
    sent = run("send", '{"a": 1, "a": 2}')
    as_text = run("send", "--text", '{"a": 1, "a": 2}')

    assert (sent.exit_code, as_text.exit_code) == (0, 0)
    assert "Key 'a' is given twice in one object: only the last one is sent" in sent.stderr
    assert as_text.stderr == ""
    assert json.loads(stack.queues.sent[0][1])["message"] == {"a": 2}


def test_send_waits_until_the_broadcast_is_settled(stack: FakeStack, run: Run) -> None:
    """The id is on stdout, how it ended on stderr."""
    stack.table.open(SETTLED)

    sent = run("send", "--wait", "--id", "news", "hear")

    assert (sent.exit_code, sent.stdout) == (0, "news\n")
    assert "3 delivered, 1 gone, 0 failed, 1 expired, in 0.5 s" in sent.stderr
    assert "No connection was there" not in sent.stderr
    assert "news was opened before: the same content is not sent again" in sent.stderr


def test_send_says_so_when_no_connection_was_there(stack: FakeStack, run: Run) -> None:
    """Noughts alone look like a broadcast that went wrong."""
    stack.table.open(SETTLED._replace(counts=Receipt()))

    sent = run("send", "--wait", "--id", "news", "hear")

    assert (sent.exit_code, sent.stdout) == (0, "news\n")
    assert "0 delivered, 0 gone, 0 failed, 0 expired, in 0.5 s\nNo connection was there.\n" in (
        sent.stderr
    )


def test_send_exits_with_3_when_some_failed(stack: FakeStack, run: Run) -> None:
    """A script can tell, and its user is told where to look."""
    stack.table.open(SETTLED._replace(counts=ILL))

    sent = run("send", "--wait", "--id", "news", "hear")

    assert (sent.exit_code, sent.stdout) == (3, "news\n")
    assert "`crier status news --failed" in sent.stderr


@pytest.mark.parametrize("is_open", [True, False])
def test_send_exits_with_4_when_it_is_not_settled_in_time(
    stack: FakeStack,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    is_open: bool,  # noqa: FBT001
) -> None:
    """The message says how far it is, and how to go on."""
    clock = iter(range(0, 10_000, 10))
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    if is_open:
        stack.table.open(a_summary())

    sent = run("send", "--wait", "--timeout", "100", "--id", "news", "hear")

    assert (sent.exit_code, sent.stdout) == (4, "news\n")
    assert f"Not {'settled' if is_open else 'opened'} within 100 s" in sent.stderr
    assert ("was opened before" in sent.stderr) is is_open
    assert "`crier status news" in sent.stderr


def test_send_says_so_when_the_id_is_anothers(stack: FakeStack, run: Run) -> None:
    """It does not show another broadcast's account as its own."""
    stack.table.open(SETTLED)

    sent = run("send", "--wait", "--id", "news", "something else")

    assert isinstance(sent.exception, CrierError)
    assert "id news belongs to another broadcast, number 7 of those to everyone" in str(
        sent.exception
    )


def test_status_shows_what_is_known_of_an_open_broadcast(stack: FakeStack, run: Run) -> None:
    """What is still to do is shown as long as there is something."""
    stack.table.open(a_summary(expires_ms=OPENED_MS + 60_000))
    stack.table.put(a_slice("0", replace(WELL, targeted=1_234)))

    shown = run("status", "news")

    assert shown.exit_code == 0
    assert "2026-01-01 00:01:00Z" in shown.stdout
    assert "1,229 connections" in shown.stdout
    assert "open" in shown.stdout
    assert shown.stderr == ""


def test_status_says_which_slices_are_delayed_and_which_were_given_up(
    stack: FakeStack, run: Run
) -> None:
    """Until when, why, and what to do; a script reads the same."""
    delayed = {"outage_since_ms": OPENED_MS, "outage_rounds": 2}
    stack.table.open(a_summary(open_slices=4, slices=4))
    stack.table.put(
        a_slice("0", Receipt(), **delayed, leased_until_ms=OPENED_MS + 90_000),
        a_slice("1", Receipt(), **delayed, given_up="403 Forbidden [b]"),
        a_slice("2", Receipt(), **delayed, given_up="403 Forbidden [b]"),
        a_slice("3", Receipt(), **delayed, given_up="taken up too often"),
    )

    shown = " ".join(run("status", "news").stdout.replace("│", " ").split())
    told = json.loads(run("status", "news", "--json").stdout)

    assert (
        "1 slice, because of an outage since 2026-01-01 00:00:00Z; the next one is tried" in shown
    )
    assert "at 2026-01-01 00:01:30Z" in shown
    assert "2 slices: 403 Forbidden [b]; 1 slice: taken up too often. Repair the cause" in shown
    assert "crier redrive" in shown
    assert told["delayed"]["until_ms"] == OPENED_MS + 90_000
    assert [one["slice"] for one in told["given_up"]] == ["1", "2", "3"]


def test_status_lists_who_failed_when_asked(stack: FakeStack, run: Run) -> None:
    """Each with its reason, a line each; what a terminal would obey is not passed on."""
    stack.table.open(SETTLED._replace(counts=ILL))
    stack.table.fail(("c1", "400 [red]\x1b[31m"), ("c2", ":bell: tried in vain"))

    shown = run("status", "news", "--failed")

    assert shown.exit_code == 0
    assert shown.stdout.splitlines()[-2:] == ["c1  400 [red]?[31m", "c2  :bell: tried in vain"]


def test_status_says_so_when_none_failed(stack: FakeStack, run: Run) -> None:
    """On stderr, and only when it was asked."""
    stack.table.open(SETTLED)

    asked, asked_as_json, not_asked = (
        run("status", "news", *options) for options in (("--failed",), ("--failed", "--json"), ())
    )

    assert asked.stderr == "No connection failed.\n"
    assert asked.stdout == not_asked.stdout
    assert json.loads(asked_as_json.stdout)["failed"] == []
    assert not_asked.stderr == asked_as_json.stderr == ""


def test_status_is_json_when_asked(stack: FakeStack, run: Run) -> None:
    """The JSON has the counts, and the failed connections when they are asked for."""
    stack.table.open(SETTLED._replace(counts=ILL))
    stack.table.fail(("c1", "400"))

    shown = json.loads(run("status", "news", "--json", "--failed").stdout)

    assert shown["counts"]["failed"] == 2
    assert shown["failed"] == [{"connection": "c1", "reason": "400"}]
    assert "failed" not in json.loads(run("status", "news", "--json").stdout)


@pytest.mark.parametrize(("counts", "exit_code"), [(WELL, 0), (ILL, 3)])
def test_status_watches_until_the_broadcast_is_settled(
    stack: FakeStack,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    counts: Receipt,
    exit_code: int,
) -> None:
    """Its account is shown then, and the exit code tells whether some failed."""
    states = iter([a_summary(), SETTLED._replace(counts=counts)])
    monkeypatch.setattr(time, "sleep", lambda _: stack.table.open(next(states)))

    shown = run("status", "news", "--watch")

    assert shown.exit_code == exit_code
    assert "settled" in shown.stdout
    assert "Settled" in shown.stderr


@pytest.mark.parametrize("arguments", [["status", "news"], ["status", "news", "--watch"]])
@pytest.mark.usefixtures("stack")
def test_status_says_what_to_type_when_the_ledger_does_not_know_the_broadcast(
    run: Run, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    """It may be rejected, or not be opened yet."""
    clock = iter(range(0, 10_000, 5))
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))

    shown = run(*arguments)

    assert isinstance(shown.exception, CrierError)
    assert "does not know broadcast news" in str(shown.exception)
    assert "`crier dead-letters`" in str(shown.exception)


def test_broadcasts_are_listed_the_newest_first(stack: FakeStack, run: Run) -> None:
    """Ids are whole however narrow the terminal is, and JSON has the same."""
    long = "x" * 64
    stack.table.open(a_summary(long, seq=1, settled_ms=OPENED_MS + 100), SETTLED._replace(seq=2))

    lines = run("broadcasts").stdout.splitlines()
    (last,) = json.loads(run("broadcasts", "--json", "--limit", "1").stdout)

    assert lines[0].split()[:3] == ["opened", "state", "targeted"]
    assert lines[1].split() == [
        "2026-01-01",
        "00:00:00Z",
        "settled",
        "5",
        "3",
        "1",
        "0",
        "1",
        "0",
        "0.5",
        "news",
    ]
    assert lines[2].endswith(long)
    assert (last["id"], last["state"]) == ("news", "settled")


def test_lists_say_so_when_they_are_empty(run: Run) -> None:
    """Nothing is on stdout; scripts get an empty list."""
    for command, words in (
        ("broadcasts", "There are no broadcasts to everyone in the ledger"),
        ("dead-letters", "There are no dead letters."),
        ("redrive", "There are no dead letters."),
    ):
        assert (run(command).stdout, run(command).exit_code) == ("", 0)
        assert words in run(command).stderr
        assert json.loads(run(command, "--json").stdout) == []


@pytest.fixture
def letters(stack: FakeStack) -> FakeStack:
    """A stack with a dead letter of each kind, whose ledger knows the open broadcast `news`."""
    stack.table.open(a_summary())
    add = stack.queues.add
    add("dead broadcasts", "m1", '{"mesage": 1}', rejected("unknown [key]\x1b"))
    add("dead broadcasts", "m2", '{"message": "hear"}', is_moved=True)
    add("dead slices", "m3", '{"broadcast": "news", "slice": "0"}', is_moved=True)
    return stack


def test_dead_letters_are_listed_with_their_reasons(letters: FakeStack, run: Run) -> None:
    """Both queues are read, and have the same messages then."""
    shown = run("dead-letters").stdout

    assert "unknown [key]?" in shown
    assert "SQS moved it here" in shown
    assert "broadcast  news" in shown
    assert letters.queues.ids("dead broadcasts") == ["m1", "m2"]
    assert letters.queues.ids("dead slices") == ["m3"]


@pytest.mark.usefixtures("letters")
def test_dead_letters_are_json_when_asked(run: Run) -> None:
    """The JSON has what is needed to tell them apart, at most as many of each queue as asked."""
    found = json.loads(run("dead-letters", "--json", "--limit", "1").stdout)

    assert [(one["queue"], one["message_id"], one["rejected"]) for one in found] == [
        ("broadcasts", "m1", True),
        ("slices", "m3", False),
    ]
    assert found[0]["reason"] == "unknown [key]\x1b"
    assert (found[1]["broadcast_id"], found[1]["slice_id"]) == ("news", "0")


def test_dead_letters_say_so_when_another_reader_has_them(letters: FakeStack, run: Run) -> None:
    """Hidden messages cannot be read: an empty list would be a wrong one."""
    letters.queues.hidden.add("receipt-m3")

    shown = run("dead-letters")

    note = "about 1 more is hidden for a while: another reader has received it\n"
    assert shown.stderr == f"slices: {note}"
    assert "m3" not in shown.stdout


def test_dead_letters_say_how_many_are_hidden(letters: FakeStack, run: Run) -> None:
    """More than one are they."""
    letters.queues.hidden |= {"receipt-m1", "receipt-m2"}

    shown = run("dead-letters")

    note = "about 2 more are hidden for a while: another reader has received them\n"
    assert shown.stderr == f"broadcasts: {note}"


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_dead_letters_say_how_many_more_there_are(
    stack: FakeStack, run: Run, options: tuple[str, ...]
) -> None:
    """On stderr, with what shows them, so that stdout stays what a script reads."""
    for number in range(181):
        stack.queues.add("dead broadcasts", f"m{number}", "{", rejected("no JSON"))
    stack.queues.add("dead slices", "s", "{}", rejected("no slice"))

    shown = run("dead-letters", *options)
    all_ = run("dead-letters", "--limit", "181", *options)

    note = "broadcasts: 100 are shown, about 81 more are there; --limit 181 shows them\n"
    assert (shown.exit_code, shown.stderr) == (0, note)
    assert (all_.exit_code, all_.stderr) == (0, "")
    if options:
        assert len(json.loads(shown.stdout)) == 101
        assert len(json.loads(all_.stdout)) == 182
    assert len(stack.queues.ids("dead broadcasts")) == 181


def test_dead_letters_say_that_there_are_more_when_sqs_counts_too_few(
    stack: FakeStack, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its numbers are late by a minute at times: what is there is never denied."""
    for number in range(3):
        stack.queues.add("dead broadcasts", f"m{number}", "{")
    monkeypatch.setattr(DeadLetterQueue, "waiting", lambda _: Waiting(0, 0))

    shown = run("dead-letters", "--limit", "2")

    assert "broadcasts: 2 are shown, about 1 more is there; --limit 3 shows it\n" in shown.stderr
    assert "broadcasts: 1 is shown, " in run("dead-letters", "--limit", "1").stderr


def test_dead_letters_say_what_a_list_has_at_most(
    stack: FakeStack, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No --limit shows more than that."""
    monkeypatch.setattr(dead_letters_command, "MOST_LETTERS", 2)
    for number in range(3):
        stack.queues.add("dead broadcasts", f"m{number}", "{")

    shown = run("dead-letters", "--limit", "2")

    assert "2 are shown, about 1 more is there; a list has 2 at most" in shown.stderr


def test_dead_letters_that_cannot_be_read_hide_no_other(stack: FakeStack, run: Run) -> None:
    """Each is shown with its id and what it lacks, whatever a producer has put into it."""
    odd = {"DataType": "Binary", "BinaryValue": b"\xff\xfe"}
    ours = {"DataType": "Number", "StringValue": "7"}
    add = stack.queues.add
    add("dead broadcasts", "m1", "\ufffd\x1b", {"crier.reason": odd, "crier.messageId": ours})
    add("dead broadcasts", "m2", '{"id": 5}', {"empty": {"DataType": "String"}}, sent_ms="never")
    add("dead broadcasts", "m3", "[" * 100_000, {"reason": ours}, sent_ms="9" * 30)
    add("dead slices", "m4", '{"broadcast": ["news"], "slice": "4"}', is_moved=True)
    add("dead slices", "m5", '{"broadcast": "news", "slice": "4"}', rejected("its row is wrong"))

    shown = run("dead-letters")
    told = json.loads(run("dead-letters", "--json").stdout)
    done = json.loads(run("redrive", "--rejected", "--json").stdout)

    assert shown.exit_code == 0
    assert shown.stdout.count("broadcast  unreadable: ") == 4
    assert "unreadable: its id is no string" in shown.stdout
    assert "slice      4" in shown.stdout
    assert [one["unreadable"] is None for one in told] == [False] * 4 + [True]
    assert [one["sent_ms"] for one in told] == [OPENED_MS, 0, 0, OPENED_MS, OPENED_MS]
    assert [one["rejected"] for one in told] == [False] * 4 + [True]
    assert [one["action"] for one in done] == ["kept"] * 5


def test_dead_letters_show_a_producers_attributes(stack: FakeStack, run: Run) -> None:
    """Their names in the list, their values in the JSON, bytes in base64; ours are not theirs."""
    seal = {"DataType": "Binary.png", "BinaryValue": b"\x00\xff"}
    stack.queues.add("dead broadcasts", "m1", "{", rejected("r", tenant="acme", seal=seal))

    shown = run("dead-letters").stdout
    (told,) = json.loads(run("dead-letters", "--json").stdout)

    assert "  attributes tenant, seal\n" in shown
    assert told["attributes"] == {
        "tenant": {"type": "String", "value": "acme"},
        "seal": {"type": "Binary.png", "value": "AP8="},
    }


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_broadcasts_say_how_many_more_there_are(
    stack: FakeStack, run: Run, options: tuple[str, ...]
) -> None:
    """On stderr, with what shows them."""
    names = [f"b{number}" for number in range(25)]
    stack.table.open(*(SETTLED._replace(id=name, seq=seq) for seq, name in enumerate(names)))

    shown = run("broadcasts", *options)
    all_ = run("broadcasts", "--limit", "25", *options)

    note = "The last 20 are shown, 5 more are in the ledger; --limit 25 shows them\n"
    assert (shown.exit_code, shown.stderr) == (0, TO_EVERYONE + note)
    assert all_.stderr == TO_EVERYONE
    if options:
        assert len(json.loads(shown.stdout)) == 20


def test_broadcasts_say_what_a_list_has_at_most(
    stack: FakeStack, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No --limit shows more than that."""
    monkeypatch.setattr(broadcasts_command, "MOST_BROADCASTS", 1)
    stack.table.open(SETTLED._replace(id="b1", seq=1), SETTLED._replace(seq=2))

    shown = run("broadcasts", "--limit", "1")

    note = "The last one is shown, 1 more is in the ledger; --limit goes to 1\n"
    assert shown.stderr == TO_EVERYONE + note


def test_broadcasts_say_what_shows_the_one_that_is_left_out(stack: FakeStack, run: Run) -> None:
    """One is it."""
    stack.table.open(SETTLED._replace(id="b1", seq=1), SETTLED._replace(seq=2))

    shown = run("broadcasts", "--limit", "1")

    note = "The last one is shown, 1 more is in the ledger; --limit 2 shows it\n"
    assert shown.stderr == TO_EVERYONE + note


def test_broadcasts_show_a_row_that_cannot_be_read_among_the_others(
    stack: FakeStack, run: Run
) -> None:
    """With its key, and what is wrong; the exit code is that of a list."""
    stack.table.open(SETTLED._replace(id="first", seq=1), SETTLED._replace(seq=2))
    stack.table.open(SETTLED._replace(id="last", seq=3))
    stack.table.items["broadcast#news", "summary"] |= {"counts": {"S": "{\x1b"}}
    del stack.table.items["channel#*", "seq#000000000001"]["broadcast_id"]

    shown = run("broadcasts")
    told = json.loads(run("broadcasts", "--json").stdout)

    assert shown.exit_code == 0
    titles, last, odd, first = shown.stdout.splitlines()
    assert (titles.split()[0], last.split()[-1]) == ("opened", "last")
    assert odd.startswith("unreadable            broadcast#news / summary: JSONDecodeError(")
    assert first == "unreadable            channel#* / seq#000000000001: it has no broadcast_id"
    assert [(one["id"], one["state"]) for one in told] == [
        ("last", "settled"),
        ("news", "unreadable"),
        (None, "unreadable"),
    ]
    assert told[1]["unreadable"][0]["pk"] == "broadcast#news"


def test_broadcasts_say_which_contradict_themselves(stack: FakeStack, run: Run) -> None:
    """In a list there is no room to tell how."""
    stack.table.open(SETTLED._replace(id="good", seq=1), SETTLED._replace(counts=Receipt(9), seq=2))

    shown = run("broadcasts")

    note = "This account contradicts itself; `crier status ID` says how: news\n"
    assert shown.stderr == TO_EVERYONE + note

    stack.table.open(SETTLED._replace(id="bad", counts=Receipt(9), seq=3))

    assert "\nThese contradict themselves; " in run("broadcasts").stderr


@pytest.mark.parametrize("options", [("status", "news"), ("status", "news", "--watch")])
def test_status_shows_a_summary_that_cannot_be_read(
    stack: FakeStack, run: Run, options: tuple[str, ...]
) -> None:
    """With its key and what to do; failed connections are listed all the same. It exits with 1."""
    stack.table.open(SETTLED)
    stack.table.fail(("c1", "400"))
    del stack.table.items["broadcast#news", "summary"]["digest"]

    shown = run(*options, "--failed")
    told = run(*options, "--failed", "--json")

    words = " ".join(shown.stdout.replace("│", " ").split())
    assert (shown.exit_code, told.exit_code) == (1, 1)
    assert "Unreadable broadcast#news / summary: it has no digest" in words
    assert shown.stdout.splitlines()[-1] == "c1  400"
    assert "docs/operator/running.md" in shown.stderr
    assert json.loads(told.stdout) == {
        "id": "news",
        "state": "unreadable",
        "unreadable": [{"pk": "broadcast#news", "sk": "summary", "reason": "it has no digest"}],
        "failed": [{"connection": "c1", "reason": "400"}],
    }


def test_status_shows_rows_that_cannot_be_read_beside_the_others(
    stack: FakeStack, run: Run
) -> None:
    """Slices and connections that failed; the account is shown, and what to do."""
    stack.table.open(a_summary(open_slices=3, slices=3))
    stack.table.put(*(a_slice(str(number), WELL) for number in range(3)))
    stack.table.fail(("c0", "400"), number=0)
    stack.table.fail(("c1", "400"), number=1)
    for key in ("slice#1", "slice#2"):
        stack.table.items["broadcast#news", key] |= {"work": {"B": b"rubbish"}}
    stack.table.items["broadcast#news", "failed#0#000000"] |= {"failed": {"S": "{"}}

    shown = run("status", "news", "--failed")
    told = json.loads(run("status", "news", "--failed", "--json").stdout)

    assert shown.exit_code == 0
    assert "broadcast#news / slice#1: " in shown.stdout
    assert "Unreadable 2" in shown.stdout
    odd, good = shown.stdout.splitlines()[-2:]
    assert odd.startswith("unreadable: broadcast#news / failed#0#000000: ")
    assert good == "c1  400"
    assert "docs/operator/running.md" in shown.stderr
    assert [one["sk"] for one in told["unreadable"]] == ["slice#1", "slice#2", "failed#0#000000"]
    assert told["failed"] == [{"connection": "c1", "reason": "400"}]


def test_status_tells_contradictions_and_what_to_do(stack: FakeStack, run: Run) -> None:
    """A line each; a script reads the same."""
    stack.table.open(SETTLED._replace(counts=replace(WELL, targeted=9), open_slices=1))

    shown = run("status", "news")
    told = json.loads(run("status", "news", "--json").stdout)

    assert shown.exit_code == 0
    assert "Contradiction" in shown.stdout
    assert "it is settled, and has 1" in shown.stdout
    assert "do not rely on these sums" in shown.stderr
    assert told["contradictions"][0].startswith("it has 9 targeted, and 3 delivered")


def test_status_does_not_watch_what_nothing_can_settle(stack: FakeStack, run: Run) -> None:
    """It exits with 4: not settled."""
    stack.table.open(a_summary(open_slices=0))

    shown = run("status", "news", "--watch")

    assert shown.exit_code == 4
    assert "nothing will settle it" in " ".join(shown.stdout.replace("│", " ").split())


def test_send_does_not_wait_for_what_nothing_can_settle(stack: FakeStack, run: Run) -> None:
    """It says so at once, and exits with 4."""
    stack.table.open(a_summary(open_slices=0))

    sent = run("send", "--wait", "--id", "news", "hear")

    assert sent.exit_code == 4
    assert "Nothing can settle it; see `crier status news`" in sent.stderr


def test_redrive_says_what_became_of_each(letters: FakeStack, run: Run) -> None:
    """One stays as it was rejected, two go back to where they came from."""
    done = run("redrive")

    assert done.exit_code == 0
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["kept", "put", "put"]
    assert [url for url, _ in letters.queues.sent] == ["broadcasts", "slices"]
    assert letters.queues.ids("dead broadcasts") == ["m1"]
    assert letters.queues.ids("dead slices") == []


def test_redrive_takes_one_message_when_it_is_named(letters: FakeStack, run: Run) -> None:
    """The others stay where they are."""
    (done,) = json.loads(run("redrive", "m3", "--json").stdout)

    assert (done["message_id"], done["action"], done["broadcast_id"]) == ("m3", "put back", "news")
    assert letters.queues.ids("dead broadcasts") == ["m1", "m2"]


@pytest.mark.parametrize("command", ["dead-letters", "redrive"])
def test_letters_are_shown_short_when_a_producer_gave_a_long_id(
    letters: FakeStack, run: Run, command: str
) -> None:
    """A rejected body may have a megabyte as its id: one line of a list is no place for it."""
    letters.queues.add("dead broadcasts", "m4", json.dumps({"message": 1, "id": "x" * 5_000}))

    shown = run(command).stdout

    assert f"{'x' * 128}… (5000 characters)" in shown
    assert "x" * 500 not in shown


def test_redrive_keeps_a_slice_that_names_nothing(letters: FakeStack, run: Run) -> None:
    """A forged message is left where it is, and said so."""
    letters.queues.add("dead slices", "m4", "{}", rejected("not a slice message"))

    done = run("redrive", "m4")

    assert done.stdout == "kept      slices  m4  it names no slice: it would be rejected again\n"


@pytest.mark.usefixtures("letters")
def test_redrive_says_what_to_type_when_the_message_is_not_there(run: Run) -> None:
    """An id that no dead letter has is an error."""
    done = run("redrive", "m9")

    assert isinstance(done.exception, CrierError)
    assert "no dead letter has the id m9" in str(done.exception)


def test_redrive_exits_with_1_when_a_message_could_not_be_put_back(
    letters: FakeStack, run: Run
) -> None:
    """A script can tell, and the message is still there."""
    letters.queues.refuses = {"send"}

    done = run("redrive")

    assert done.exit_code == 1
    assert "failed    slices  m3" in done.stdout
    assert letters.queues.ids("dead slices") == ["m3"]


@pytest.mark.parametrize("command", ["broadcasts", "dead-letters", "redrive"])
def test_commands_refuse_a_region_when_no_stack_is_named(command: str) -> None:
    """The local run has neither profile nor Region."""
    done = CliRunner(env={"COLUMNS": "200"}).invoke(cli.app, [command, "--region", "R"])

    assert done.exit_code == 2
    assert "--profile and --region need --stack" in done.stderr
