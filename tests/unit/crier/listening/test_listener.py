"""The client on real sockets of loopback: what comes, what is tried again, what is left behind."""

import asyncio
import errno
import os
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosedOK

from broadcasting.followed_channel import Message
from crier.listening import listener as shell
from crier.listening import socket as sockets
from crier.listening.address import Address
from crier.listening.client import Client
from crier.listening.effects import Changed, Followed, State, TokenReason, Trouble
from crier.listening.listener import Event, Listener, _words_of
from crier.listening.opening import TokenFailure
from crier.listening.socket import Socket
from crier.listening.tokens import CommandToken, FixedToken, Tokens
from crier.listening.waits import Waits
from tests.support.crier_door import Door, door
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(30)

FIXED = FixedToken(None)


class Ear:
    """A listener that remembers what it was told, and is closed after some frames."""

    def __init__(
        self,
        url: str,
        tokens: Tokens = FIXED,
        *,
        most: int = 1,
        first: dict[str, Any] | None = None,
        is_token_in_protocol: bool = False,
    ) -> None:
        client = Client(
            Waits(jitter=lambda: 0.005), first=first or {}, most_denials=tokens.most_denials
        )
        address = Address(url, is_token_in_protocol=is_token_in_protocol)
        self.listener = Listener(client, address, tokens, self.take)
        self.most = most
        self.told: list[Event] = []
        self.joined = asyncio.Event()
        self.on_event: Callable[[Event], None] = lambda _: None

    def take(self, event: Event) -> None:
        """Remember what was told."""
        self.told.append(event)
        if isinstance(event, Changed) and event.state is State.CONNECTED:
            self.joined.set()
        self.on_event(event)
        if len(self.seqs) >= self.most:
            self.listener.close()

    @property
    def seqs(self) -> list[int]:
        """The numbers of the frames."""
        followed = [one.event for one in self.told if isinstance(one, Followed)]
        return [one.frame["seq"] for one in followed if isinstance(one, Message)]

    @property
    def states(self) -> list[str]:
        """The states, with their reasons."""
        return [f"{one.state} {one.reason}" for one in self.told if isinstance(one, Changed)]

    @property
    def troubles(self) -> list[tuple[str, str]]:
        """The troubles, with their words."""
        return [(one.code, one.message) for one in self.told if isinstance(one, Trouble)]


@pytest.fixture
async def server() -> AsyncIterator[Door]:
    """A server; no connection and no task is left when it closes."""
    before = asyncio.all_tasks()
    async with door() as made:
        yield made
        assert await until(lambda: not made.open)
    assert asyncio.all_tasks() - before <= {asyncio.current_task()}


async def _with(ear: Ear, *steps: Any) -> None:
    """Run a listener, and do something once it is connected."""
    running = asyncio.create_task(ear.listener.run())
    await ear.joined.wait()
    for one in steps:
        await one
    await running


async def test_frames_come_in_order_and_the_socket_is_closed_at_the_end(server: Door) -> None:
    """With 1000, as a client does that has all it wants."""
    ear = Ear(server.url, most=200)

    await _with(ear, server.broadcast(200))
    await server.connections[0].wait_closed()

    assert ear.seqs == list(range(1, 201))
    assert ear.states == ["connecting connect", "connected joined", "closed close"]
    assert server.connections[0].close_code == 1000
    assert [one["action"] for one in server.heard] == ["join"]


async def test_client_that_is_cut_comes_back_without_a_loss(server: Door) -> None:
    """Whichever side cuts."""
    ear = Ear(server.url, most=4)
    running = asyncio.create_task(ear.listener.run())
    await ear.joined.wait()
    await server.broadcast()
    await until(lambda: ear.seqs)

    for cut in (server.cut, ear.listener.cut):
        ear.joined.clear()
        cut()
        server.miss()
        await ear.joined.wait()
    await server.broadcast()
    await running

    assert ear.seqs == [1, 2, 3, 4]
    assert ear.states.count("waiting cut") == 2
    assert server.heard[-1]["was"] == ["c1=", "c2="]


async def test_nothing_is_told_after_the_close_but_the_state(server: Door) -> None:
    """An answer that has more is not told to its end; what was to be sent is not."""
    server.miss(5)
    first = {"*": {"last": 5}} | dict.fromkeys(f"c{number}" for number in range(30))
    ear = Ear(server.url, most=1, first=first)

    await ear.listener.run()

    assert ear.seqs == [1]
    assert ear.told[-1] == Changed(State.CONNECTED, State.CLOSED, "close")
    assert ear.states == ["connecting connect", "connected joined", "closed close"]


async def test_listener_runs_again_after_its_end(server: Door) -> None:
    """With its position."""
    ear = Ear(server.url, most=1)
    await _with(ear, server.broadcast())
    server.miss()
    ear.most = 2

    await ear.listener.run()

    assert ear.seqs == [1, 2]


@pytest.mark.parametrize("status", [401, 403])
async def test_fixed_token_that_is_refused_ends_the_client(server: Door, status: int) -> None:
    """There is no other one."""
    server.statuses = [status]
    ear = Ear(server.url, FixedToken("old"))

    await ear.listener.run()

    assert ear.troubles == [("unauthorized", f"the server answered {status}")]
    assert ear.states == ["connecting connect", "closed unauthorized"]
    assert len(server.handshakes) == 1


@pytest.mark.parametrize("status", [401, 403])
async def test_token_of_a_command_that_is_refused_is_replaced_once(
    server: Door, status: int
) -> None:
    """By a fresh one; then the client ends."""
    server.statuses = [status, status]
    ear = Ear(server.url, CommandToken("echo $CRIER_TOKEN_REASON"))

    await ear.listener.run()

    assert [one.path for one in server.handshakes] == ["/stage?token=first", "/stage?token=refused"]
    assert ear.troubles == [("unauthorized", f"the server answered {status}")]


async def test_fresh_token_of_a_command_lets_the_client_in(server: Door) -> None:
    """The first one was too old."""
    server.statuses = [401]
    ear = Ear(server.url, CommandToken("echo $CRIER_TOKEN_REASON"))

    await _with(ear, server.broadcast())

    assert (ear.seqs, ear.troubles) == ([1], [])


async def test_server_that_is_busy_is_tried_again(server: Door) -> None:
    """429 and 5xx end no client, with any kind of token; the third in a row is told."""
    server.statuses = [429, 500, 503]
    ear = Ear(server.url, FixedToken("t"))

    await _with(ear, server.broadcast())

    assert ear.seqs == [1]
    assert ear.troubles == [
        ("refused", "3 tries in a row have failed, the last one: the server answered 503")
    ]
    assert ear.states.count("waiting refused") == 3


@pytest.mark.parametrize("location", ["/elsewhere", "https://127.0.0.1:9/", "ws://127.0.0.1:9/"])
async def test_redirect_is_not_followed(server: Door, location: str) -> None:
    """It is a refusal; the token goes nowhere else, and is in no word about it."""
    server.statuses = [302] * 3
    server.location = f"{location}?token=s3cret"
    ear = Ear(server.url, FixedToken("s3cret"))

    await _with(ear, server.broadcast())

    assert [one.path for one in server.handshakes] == ["/stage?token=s3cret"] * 4
    assert ear.troubles == [
        ("refused", "3 tries in a row have failed, the last one: the server answered 302")
    ]


async def test_token_goes_into_the_query(server: Door) -> None:
    """No sub-protocol is offered."""
    ear = Ear(f"{server.url}?a=b", FixedToken("x y"))

    await _with(ear, server.broadcast())

    assert server.handshakes[0].path == "/stage?a=b&token=x%20y"
    assert "Sec-WebSocket-Protocol" not in server.handshakes[0].headers


async def test_token_goes_into_a_sub_protocol(server: Door) -> None:
    """The URL has none."""
    ear = Ear(server.url, FixedToken("x.y"), is_token_in_protocol=True)

    await _with(ear, server.broadcast())

    assert server.handshakes[0].path == "/stage"
    assert server.handshakes[0].headers["Sec-WebSocket-Protocol"] == "crier.v1, bearer.x.y"
    assert server.connections[0].subprotocol == "crier.v1"


async def test_token_that_no_sub_protocol_takes_is_a_failure() -> None:
    """It is told, and another one is asked for."""
    tokens = ["x y", "x,y"]

    class Some:
        """Gives one after another, then none for ever."""

        most_denials: int | None = None

        async def get(self, reason: TokenReason) -> str | TokenFailure | None:
            assert reason is TokenReason.FIRST
            if not tokens:
                ear.listener.close()
            return tokens.pop() if tokens else None

    ear = Ear("ws://127.0.0.1:9/", Some(), is_token_in_protocol=True)

    await ear.listener.run()

    assert ear.troubles == [("token", "the token has characters that no sub-protocol can have")] * 2


async def test_proxy_that_a_library_is_missing_for_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment names it; the client says what to install, and does not fall over."""
    for name, value in (("socks_proxy", "socks5://127.0.0.1:9"), ("no_proxy", "")):
        monkeypatch.setenv(name, value)
        monkeypatch.delenv(name.upper(), raising=False)
    ear = Ear("ws://example.invalid/")
    ear.on_event = lambda event: ear.listener.close() if isinstance(event, Trouble) else None

    await ear.listener.run()

    ((code, text),) = ear.troubles
    assert code == "refused"
    assert "requires python-socks" in text


async def test_server_that_is_not_there_is_tried_again(server: Door) -> None:
    """What the system says is told: with each wait, and by itself from the third time on."""
    gone = server.url.replace("127.0.0.1", "127.255.255.254")
    ear = Ear(gone)
    ear.on_event = lambda event: ear.listener.close() if isinstance(event, Trouble) else None

    await ear.listener.run()

    ((code, text),) = ear.troubles
    assert code == "refused"
    assert text == "3 tries in a row have failed, the last one: Connection refused"
    waits = [one for one in ear.told if isinstance(one, Changed) and one.state is State.WAITING]
    assert [one.why for one in waits] == ["Connection refused"] * 3


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed"), "Connection refused"),
        (socket.gaierror(socket.EAI_NONAME, "Name not known"), "Name not known"),
        (ssl.SSLCertVerificationError(1, "[SSL: X] expired"), "[SSL: X] expired"),
        (OSError("Multiple exceptions: a, b"), "Multiple exceptions: a, b"),
        (ValueError("a bad URL"), "a bad URL"),
        (EOFError(), "EOFError"),
    ],
)
def test_error_of_a_socket_is_told_in_words(error: Exception, words: str) -> None:
    """Without the number that the system has for it."""
    assert _words_of(error) == words


async def test_server_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes connections, and says nothing."""
    monkeypatch.setattr(sockets, "_HANDSHAKE_SECONDS", 0.02)
    silent = await asyncio.start_server(lambda _, writer: writers.append(writer), "127.0.0.1", 0)
    writers: list[asyncio.StreamWriter] = []
    ear = Ear(f"ws://127.0.0.1:{silent.sockets[0].getsockname()[1]}")
    ear.on_event = lambda event: ear.listener.close() if isinstance(event, Trouble) else None

    await ear.listener.run()

    assert "timed out during opening handshake" in ear.troubles[0][1]
    for one in writers:
        one.close()
    silent.close()
    await silent.wait_closed()


async def test_nonsense_is_told(server: Door) -> None:
    """Bytes are none of the protocol's texts."""
    ear = Ear(server.url)

    await _with(ear, server.say(b"\x00"), server.broadcast())

    assert (ear.seqs, [code for code, _ in ear.troubles]) == ([1], ["bad-text"])


async def test_close_while_a_handshake_is_under_way_ends_the_run(server: Door) -> None:
    """It is not waited for."""
    server.held = asyncio.Event()
    ear = Ear(server.url)
    running = asyncio.create_task(ear.listener.run())
    await server.come.wait()

    ear.listener.close()
    await running
    server.held.set()

    assert ear.states == ["connecting connect", "closed close"]


async def test_close_while_a_token_is_awaited_ends_the_run() -> None:
    """The command is ended, too."""
    ear = Ear("ws://127.0.0.1:9", CommandToken("sleep 600"))
    ear.on_event = lambda _: ear.listener.close()

    await ear.listener.run()

    assert ear.states == ["connecting connect", "closed close"]


async def test_socket_that_is_closed_before_it_is_open_is_closed_then(server: Door) -> None:
    """The handshake had begun; nothing is sent."""
    server.held = asyncio.Event()
    socket = Socket()
    socket.send("never")
    opening = asyncio.create_task(socket.open(server.url, None))
    await server.come.wait()

    await socket.close()
    server.held.set()

    assert await opening is False
    await until(lambda: server.connections)
    await server.connections[0].wait_closed()
    assert (server.connections[0].close_code, server.heard) == (1000, [])


async def test_socket_that_was_never_opened_has_nothing_to_say() -> None:
    """And can be ended."""
    socket = Socket()

    socket.abort()
    await socket.close()

    assert [text async for text in socket.texts()] == []


async def test_socket_ends_in_silence_when_it_is_closed_while_it_sends(server: Door) -> None:
    """What was still to be sent is lost with it."""
    socket = Socket()
    await socket.open(server.url, None)
    await socket.close()

    socket.send('{"action":"ping","ref":"1","at":{}}')
    left = [text async for text in socket.texts()]
    await asyncio.sleep(0)

    assert left == []
    with pytest.raises(ConnectionClosedOK):
        await server.connections[0].recv()


async def test_run_that_is_cancelled_leaves_nothing(server: Door) -> None:
    """No task, no socket and no process; the server hears a close."""
    ear = Ear(server.url)
    running = asyncio.create_task(ear.listener.run())
    await ear.joined.wait()

    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await server.connections[0].wait_closed()

    assert server.connections[0].close_code == 1000
    assert ear.states == ["connecting connect", "connected joined"]


async def test_run_that_is_cancelled_ends_the_token_command(tmp_path: Path) -> None:
    """Which was under way."""
    fifo = tmp_path / "begun"
    os.mkfifo(fifo)
    ear = Ear("ws://127.0.0.1:9", CommandToken(f"echo $$ > {fifo}; exec sleep 600"))
    running = asyncio.create_task(ear.listener.run())
    child = int(await asyncio.to_thread(fifo.read_text))

    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


@pytest.mark.parametrize("state", [State.CONNECTING, State.CONNECTED, State.CLOSED])
async def test_error_of_what_is_told_ends_the_run(server: Door, state: State) -> None:
    """Wherever it comes up: it is no error of a socket. Nothing more is told."""
    told = []

    def break_off(event: Event) -> None:
        if isinstance(event, Changed):
            told.append(event.state)
            if event.state is state:
                raise OSError("the pipe is closed")
            if state is State.CLOSED and event.state is State.CONNECTED:
                ear.listener.close()

    ear = Ear(server.url)
    ear.on_event = break_off

    with pytest.raises(OSError, match="the pipe is closed"):
        await ear.listener.run()

    assert told[-1] is state


async def test_nothing_is_told_after_an_error_of_what_is_told(server: Door) -> None:
    """Of an answer that has more frames."""
    server.miss(3)
    ear = Ear(server.url, most=9, first={"*": {"last": 3}})

    def break_off(event: Event) -> None:
        if isinstance(event, Followed):
            raise BrokenPipeError

    ear.on_event = break_off

    with pytest.raises(BrokenPipeError):
        await ear.listener.run()

    assert ear.seqs == [1]


async def test_handshake_that_is_given_up_is_closed_when_it_succeeds_late(server: Door) -> None:
    """Another one has begun meanwhile, and serves."""
    server.held = asyncio.Event()
    ear = Ear(server.url)
    running = asyncio.create_task(ear.listener.run())
    await server.come.wait()
    ear.listener.client.ended(1, time.monotonic() * 1000)
    ear.listener._act()

    server.held.set()
    await ear.joined.wait()
    await server.broadcast()
    await running

    assert ear.seqs == [1]
    assert "waiting refused" in ear.states
    assert len(server.handshakes) == 2


async def test_error_of_the_code_itself_ends_the_run(
    server: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is raised, and not met by another try."""
    ear = Ear(server.url)
    monkeypatch.setattr(ear.listener.client, "opened", lambda *_: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        await ear.listener.run()


async def test_machine_that_has_slept_asks_for_a_sign_of_life(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is noticed by the clock of the day; a tick that comes in time asks nothing."""
    days = iter([0.0, 0.0, 15.0, 15.0, 30.1, 30.1])
    clock = SimpleNamespace(monotonic=time.monotonic, time=lambda: next(days, 100.0))
    monkeypatch.setattr(shell, "time", clock)
    monkeypatch.setattr(shell, "_TICK_SECONDS", 0.0)
    monkeypatch.setattr(shell, "_LATE_SECONDS", 15.0)
    ear = Ear("ws://127.0.0.1:9")
    checks: list[float] = []
    monkeypatch.setattr(ear.listener.client, "check", checks.append)
    looking = asyncio.create_task(ear.listener._look_for_sleep())
    await until(lambda: next(days, 100.0) == 100.0)
    looking.cancel()
    await asyncio.gather(looking, return_exceptions=True)

    assert len(checks) == 2
