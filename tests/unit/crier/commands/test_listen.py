"""The command that listens: what it prints of what comes, how it ends, and what it refuses."""

import errno
import io
import json
import os
from collections.abc import Callable, Sequence
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

from broadcasting.followed_channel import Gap, Message, Recovered
from crier import cli, options, terminal
from crier.commands import listen as listen_command
from crier.errors import CrierError
from crier.listening.address import Address
from crier.listening.client import Client
from crier.listening.effects import Changed, Followed, State, Trouble
from crier.listening.listener import Event
from crier.listening.tokens import CommandToken, FixedToken, Tokens
from tests.support.listening_scene import frame

URL = "wss://a.execute-api.b.amazonaws.com/prod"
SENT_MS = 1_767_225_600_123

Run = Callable[..., Result]


class FakeListener:
    """Tells what a test has it tell, until it is closed; an exception is raised in its place."""

    script: Sequence[Event | BaseException] = ()
    last: "FakeListener"

    def __init__(
        self, client: Client, address: Address, tokens: Tokens, on_event: Callable[[Event], None]
    ) -> None:
        self.client, self.address, self.tokens = client, address, tokens
        self._on_event = on_event
        self.told = 0
        self._is_closed = False
        FakeListener.last = self

    async def run(self) -> None:
        """Tell it all."""
        for one in self.script:
            if self._is_closed:
                return
            if isinstance(one, BaseException):
                raise one
            self._on_event(one)
            self.told += 1

    def close(self) -> None:
        """End."""
        self._is_closed = True


@pytest.fixture(autouse=True)
def listener(monkeypatch: pytest.MonkeyPatch) -> type[FakeListener]:
    """What the command listens with."""
    monkeypatch.setattr(listen_command, "Listener", FakeListener)
    monkeypatch.setattr(FakeListener, "script", ())
    return FakeListener


@pytest.fixture
def run(listener: type[FakeListener]) -> Run:
    """Runs the command with what it is to be told."""

    def one(*arguments: str, told: Sequence[Event | BaseException] = ()) -> Result:
        listener.script = told
        return CliRunner(env={"COLUMNS": "400"}).invoke(cli.app, ["listen", *arguments])

    return one


def _message(seq: int, channel: str = "*", *, is_replayed: bool = False, **fields: Any) -> Followed:
    found = {**frame(seq, channel), "sentAt": SENT_MS, **fields}
    return Followed(channel, Message(found, is_replayed=is_replayed))


CONNECTED = Changed(State.CONNECTING, State.CONNECTED, "joined")


def _closed(reason: str) -> Changed:
    return Changed(State.CONNECTED, State.CLOSED, reason)


def test_frames_are_printed_with_their_time_channel_and_number(run: Run) -> None:
    """The message is JSON, in letters that people read; a replayed one is marked."""
    time = f"{datetime.fromtimestamp(SENT_MS / 1000).astimezone():%H:%M:%S}.123"
    told = [
        _message(41, message={"text": "Grüße"}),
        _message(7, "news", is_replayed=True, message="[red]x[/red]"),
    ]

    done = run(URL, told=told)

    assert done.exit_code == 0
    assert done.stdout.splitlines() == [
        f'{time} * 41 {{"text": "Grüße"}}',
        f'{time} news 7 (replayed) "[red]x[/red]"',
    ]
    assert done.stderr == ""


def test_hostile_message_stays_one_line_of_text(run: Run) -> None:
    """Control characters that a terminal obeys are shown as question marks."""
    done = run(URL, told=[_message(1, "a\x1b[2Jb", message="\u202e\ud800\x9b\u2028x")])

    assert len(done.stdout.splitlines()) == 1
    assert "a?[2Jb 1" in done.stdout
    assert '"?' in done.stdout


@pytest.mark.parametrize("sent_at", [10**17, -(10**17), 1e300])
def test_time_that_no_calendar_has_is_not_shown(run: Run, sent_at: float) -> None:
    """The frame is, all the same."""
    done = run(URL, told=[_message(1, sentAt=sent_at)])

    assert done.stdout == "--:--:--.--- * 1 null\n"


def test_frames_and_gaps_are_lines_of_json(run: Run) -> None:
    """With --json; all other words are on stderr."""
    told = [
        Changed(State.IDLE, State.CONNECTING, "connect"),
        _message(1, message="a\nb"),
        _message(2, "news", is_replayed=True),
        Followed("news", Gap(2, 5, "expired")),
        Followed("news", Recovered(2)),
    ]

    done = run(URL, "--json", told=told)

    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        {**frame(1, message="a\nb"), "sentAt": SENT_MS, "replayed": False},
        {**frame(2, "news"), "sentAt": SENT_MS, "replayed": True},
        {"type": "gap", "channel": "news", "from": 2, "to": 5, "reason": "expired"},
    ]
    assert len(done.stderr.splitlines()) == 3


@pytest.mark.parametrize(
    ("gap", "words"),
    [
        (Gap(2, 5, "expired"), "numbers 3 to 5: they are not kept any more"),
        (Gap(2, 500, "too-many"), "numbers 3 to 500: more than the stack replays"),
        (Gap(7, 4, "epoch"), "numbers after 7: its numbers have begun anew"),
        (Gap(7, 7, "epoch"), "numbers after 7: its numbers have begun anew"),
        (Gap(2, 3, "later"), "numbers 3 to 3: later"),
    ],
)
def test_lost_numbers_are_told_with_the_reason(run: Run, gap: Gap, words: str) -> None:
    """And what to do; they are no data."""
    done = run(URL, told=[Followed("news", gap)])

    assert done.stderr == f"news: LOST, {words}; load your state anew\n"
    assert done.stdout == ""


def test_states_and_troubles_are_notes(run: Run) -> None:
    """On stderr, with the wait in seconds."""
    told = [
        Changed(State.IDLE, State.CONNECTING, "connect"),
        Changed(State.CONNECTED, State.WAITING, "cut", 1_234),
        Trouble("refused", "3 tries in a row have failed", retry=True),
        Followed("news", Recovered(1)),
    ]

    done = run(URL, told=told)

    assert done.stderr.splitlines() == [
        "connecting (connect)",
        "waiting (cut, again in 1.2 s)",
        "refused: 3 tries in a row have failed",
        "news: nothing is missing, 1 frame replayed",
    ]


def test_only_the_named_channels_are_shown(run: Run) -> None:
    """What goes to everyone comes on each connection, and may be named, too."""
    told = [_message(1), _message(2, "news"), _message(3, "@"), _message(4, "!")]

    named = run(URL, "--channel", "news", "--channel", "@", "--json", told=told)
    every = run(URL, "--json", told=told)

    assert [json.loads(line)["seq"] for line in named.stdout.splitlines()] == [2, 3]
    assert [json.loads(line)["seq"] for line in every.stdout.splitlines()] == [1, 2, 3, 4]


def test_channels_are_followed_from_now_on(run: Run, listener: type[FakeListener]) -> None:
    """Each once; everyone's, too."""
    run(URL, *("--channel", "news", "--channel", "@", "--channel", "news"))

    channels = dict(listener.last.client.channels)
    assert list(channels) == ["*", "news", "@"]
    assert {name: one._first for name, one in channels.items()} == {"*": {}, "news": {}, "@": {}}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), {"*": {"seq": 41}}),
        (("--channel", "news"), {"*": {}, "news": {"seq": 41}}),
        (("--channel", "*"), {"*": {"seq": 41}}),
    ],
)
def test_listening_begins_after_a_number(
    run: Run, listener: type[FakeListener], arguments: tuple[str, ...], expected: Any
) -> None:
    """Of the channels that are shown."""
    run(URL, "--since", "41", *arguments)

    assert {name: one._first for name, one in listener.last.client.channels} == expected


def test_count_ends_it(run: Run, listener: type[FakeListener]) -> None:
    """After as many frames of the channels that are shown; nothing more is said."""
    told = [_message(1, "other"), *(_message(seq, "news") for seq in (1, 2, 3))]

    done = run(URL, "--channel", "news", "--count", "2", "--json", told=told)

    assert done.exit_code == 0
    assert len(done.stdout.splitlines()) == 2
    assert listener.last.told == 3


class Broken(io.StringIO):
    """Standard output that cannot be written to."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self._number = number

    def flush(self) -> None:
        """Fail as the system does."""
        raise OSError(self._number, os.strerror(self._number))


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_full_disk_ends_it_with_an_error(
    run: Run, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]
) -> None:
    """In a sentence, and no traceback."""
    monkeypatch.setattr(terminal, "out", Console(file=Broken(errno.ENOSPC)))

    done = run(URL, *options, told=[_message(1)])

    assert done.exit_code == 1
    assert str(done.exception) == "the output could not be written: No space left on device"


def test_pipe_without_a_reader_ends_it_in_silence(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `head -1` makes one."""
    monkeypatch.setattr(terminal, "out", Console(file=Broken(errno.EPIPE)))

    done = run(URL, "--json", told=[_message(1)])

    assert (done.exit_code, done.stderr) == (1, "")
    assert not isinstance(done.exception, CrierError)


def test_nothing_is_shown_after_the_last_frame(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not the state either: the command ends it."""
    monkeypatch.setattr(FakeListener, "close", lambda _: None)

    done = run(URL, "--count", "1", told=[_message(1), _message(2), _closed("close")])

    assert (len(done.stdout.splitlines()), done.stderr) == (1, "")


def test_too_few_frames_in_time_are_an_error(run: Run) -> None:
    """It says how many there were."""
    told = [CONNECTED, _message(1), TimeoutError()]

    done = run(URL, "--count", "1200", "--timeout", "5", told=told)

    assert done.exit_code == 1
    assert str(done.exception) == "1 frame came in 5 s, expected 1,200"


def test_time_alone_is_no_error(run: Run) -> None:
    """It listens as long as it is told."""
    done = run(URL, "--timeout", "5", told=[CONNECTED, TimeoutError()])

    assert (done.exit_code, done.stdout) == (0, "")


def test_client_that_has_not_connected_in_time_is_an_error(run: Run) -> None:
    """It says what is known of the last try, as the line about it does."""
    told = [
        Changed(State.CONNECTING, State.WAITING, "refused", 1_234, "Connection refused"),
        TimeoutError(),
    ]

    done = run(URL, "--timeout", "5", told=told)

    assert done.exit_code == 1
    assert done.stderr == "waiting (refused: Connection refused, again in 1.2 s)\n"
    assert str(done.exception) == ("the client did not connect in 5 s: refused: Connection refused")


def test_first_try_that_has_not_ended_in_time_is_an_error(run: Run) -> None:
    """There is nothing to say of it."""
    done = run(URL, "--timeout", "5", told=[TimeoutError()])

    assert done.exit_code == 1
    assert str(done.exception) == ("the client did not connect in 5 s: the first try has not ended")


def test_ctrl_c_ends_it(run: Run) -> None:
    """With the exit code of all commands that it ends, and no traceback."""
    done = run(URL, told=[_message(1), KeyboardInterrupt()])

    assert done.exit_code == 130
    assert len(done.stdout.splitlines()) == 1


@pytest.mark.parametrize("code", ["kicked", "close"])
def test_client_that_is_sent_away_is_an_error(run: Run, code: str) -> None:
    """Also after other troubles; the code is said, whichever it is."""
    told = [Trouble("bad-text", "found 1", retry=False), _closed(code)]

    done = run(URL, told=told)

    assert done.exit_code == 1
    assert str(done.exception) == (
        f"the server has sent the client away ({code}), and told it not to come back"
    )
    assert f"closed ({code})" in done.stderr


def test_error_of_the_server_ends_nothing(run: Run) -> None:
    """Not one with a code that the client has for itself."""
    told = [CONNECTED, Trouble("unauthorized", "no", retry=False)]

    done = run(URL, "--timeout", "5", told=told)

    assert done.exit_code == 0
    assert done.stderr.splitlines() == ["connected (joined)", "unauthorized: no"]


def test_client_that_is_not_let_in_is_an_error(run: Run) -> None:
    """It says what to do."""
    told = [
        Trouble("unauthorized", "the server answered 403", retry=False),
        _closed("unauthorized"),
    ]

    done = run(URL, told=told)

    assert done.exit_code == 1
    assert str(done.exception) == (
        "the client is not let in: the server answered 403; check the API and the stage in the "
        "URL, or give another token, ticket or signed URL"
    )


def test_client_that_may_use_none_of_its_channels_is_an_error(
    run: Run, listener: type[FakeListener], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would listen for ever, and show nothing; one that is left is enough."""

    def refuse(self: FakeListener, name: str) -> Trouble:
        self.client.channels.leave(name)
        return Trouble("not-allowed", f"{name}: found {name}", retry=False)

    async def refuse_all(self: FakeListener) -> None:
        for name in ("a", "b", "never"):
            if not self._is_closed:
                self._on_event(refuse(self, name))

    monkeypatch.setattr(listener, "run", refuse_all)

    every = run(URL, "--channel", "a", "--channel", "b")
    some = run(URL, "--channel", "a", "--channel", "c")

    assert every.exit_code == 1
    assert str(every.exception).startswith("no channel is left to show")
    assert "never" not in every.stderr
    assert some.exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "kind", "most_denials"),
    [
        ((), FixedToken, 1),
        (("--token", "t"), FixedToken, 1),
        (("--token-command", "echo t"), CommandToken, 2),
    ],
)
def test_tokens_are_what_is_given(
    run: Run,
    listener: type[FakeListener],
    arguments: tuple[str, ...],
    kind: type[Tokens],
    most_denials: int,
) -> None:
    """A command may be asked for a fresh one."""
    run(URL, *arguments)

    assert isinstance(listener.last.tokens, kind)
    assert listener.last.client._connections._refusals.most_denials == most_denials


@pytest.mark.parametrize(
    ("arguments", "is_in_protocol"),
    [((), False), (("--token-in", "query"), False), (("--token-in", "protocol"), True)],
)
@pytest.mark.parametrize("option", [("--token", "a.b"), ("--token-command", "echo 'a b'")])
def test_token_goes_where_it_is_told_to(
    run: Run,
    listener: type[FakeListener],
    arguments: tuple[str, ...],
    option: tuple[str, str],
    *,
    is_in_protocol: bool,
) -> None:
    """Into the query, if nothing is said."""
    done = run(URL, *option, *arguments)

    assert done.exit_code == 0
    assert listener.last.address == Address(URL, is_token_in_protocol=is_in_protocol)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((URL, "--stack", "s"), "a URL and --stack are given"),
        ((URL, "--profile", "p"), "--profile and --region need --stack"),
        (("--region", "r"), "--profile and --region need --stack"),
        ((URL, "--token", "t", "--token-command", "c"), "--token and --token-command are given"),
        ((URL, "--token-in", "query"), "--token-in is given without --token or --token-command"),
        ((URL, "--token", "a", "--token-in", "url"), "found 'url', expected query or protocol"),
        ((URL, "--token", "a b", "--token-in", "protocol"), "send it with --token-in query"),
        ((URL, "--token", "", "--token-in", "protocol"), "send it with --token-in query"),
        ((URL, "--channel", "@bob"), "@bob"),
        ((URL, "--channel", ""), "found ''"),
        ((URL, *[f"--channel=c{n}" for n in range(51)]), "found 51 channels, expected 50"),
        ((URL, "--since", "-1"), "expected a whole number from 0 to 9007199254740991"),
        ((URL, "--since", "9007199254740992"), "expected a whole number from 0"),
        ((URL, "--count", "0"), "expected a whole number of 1 or more"),
        ((URL, "--timeout", "0"), "expected a whole number of 1 or more"),
    ],
)
def test_wrong_use_is_refused(run: Run, arguments: tuple[str, ...], words: str) -> None:
    """Before anything is connected to."""
    done = run(*arguments)

    assert done.exit_code == 2
    assert words in " ".join(done.stderr.replace("│", " ").split())


def test_fifty_channels_are_listened_to(run: Run, listener: type[FakeListener]) -> None:
    """As many as a connection may have."""
    done = run(URL, *[f"--channel=c{number}" for number in range(50)])

    assert done.exit_code == 0
    assert len(dict(listener.last.client.channels)) == 51


def test_url_that_is_none_is_an_error(run: Run) -> None:
    """It shows what one looks like."""
    done = run("https://example.com")

    assert done.exit_code == 1
    assert isinstance(done.exception, CrierError)
    assert "expected the URL of a WebSocket API, such as wss://" in str(done.exception)


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The stack that the command finds."""
    found = SimpleNamespace(stack="crier-dev", auth="open", web_socket_url=URL)
    monkeypatch.setattr(options, "find_deployed", lambda *_: found)
    return found


def test_stack_names_the_url(
    run: Run, listener: type[FakeListener], stack: SimpleNamespace
) -> None:
    """Of one that all clients may enter."""
    done = run("--stack", stack.stack)

    assert done.exit_code == 0
    assert listener.last.address == Address(URL)


@pytest.mark.parametrize("auth", ["jwt", "ticket"])
def test_stack_that_wants_a_token_is_an_error_without_one(
    run: Run, stack: SimpleNamespace, auth: str
) -> None:
    """It says which option gives it."""
    stack.auth = auth

    without = run("--stack", "s")
    given = run("--stack", "s", "--token", "t")

    assert (without.exit_code, given.exit_code) == (1, 0)
    assert str(without.exception) == (
        f"stack crier-dev lets clients in by auth={auth}: give --token or --token-command"
    )


def test_stack_that_wants_a_signature_is_an_error(run: Run, stack: SimpleNamespace) -> None:
    """The URL itself is signed."""
    stack.auth = "iam"

    done = run("--stack", "s")

    assert done.exit_code == 1
    assert str(done.exception) == (
        "stack crier-dev lets clients in by auth=iam: give its signed URL in place of --stack"
    )
