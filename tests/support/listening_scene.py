"""A client without I/O in virtual time: what happens to it, and what it does about it."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from broadcasting.followed_channel import Gap, Message, Recovered
from crier.listening.client import Client
from crier.listening.effects import (
    AskToken,
    Changed,
    Close,
    Effect,
    Followed,
    Open,
    Send,
    State,
    Trouble,
)
from crier.listening.waits import Waits

_MOST_WAKES = 1_000
_ANSWERED_MS = 4_000
_ANSWERS = {"join": "joined", "subscribe": "subscribed", "unsubscribe": "unsubscribed"}


class Scene:
    """A client, its clock, its server's part, and what it has done since the last look.

    `jitter` is every chance of the client. What it does is taken note of by kinds: `asked` has the
    reasons of tokens, `sent` requests with their sockets, `closed` sockets, `states` and `told`
    what it tells.
    """

    def __init__(
        self, *channels: str, first: Mapping[str, Any] | None = None, **options: Any
    ) -> None:
        self.jitter = 0.5
        self.now = 0.0
        self.client = Client(
            Waits(jitter=lambda: self.jitter),
            first=dict.fromkeys(channels) | dict(first or {}),
            **options,
        )
        self.asked: list[str] = []
        self.opened: list[tuple[int, str | None]] = []
        self.sent: list[tuple[int, dict[str, Any]]] = []
        self.closed: list[int] = []
        self.states: list[tuple[str, str]] = []
        self.waits: list[float] = []
        self.troubles: list[Trouble] = []
        self.told: list[Any] = []
        self._asks: list[int] = []
        self._sockets: list[int] = []

    def look(self) -> None:
        """Take note of what the client does."""
        for one in self.client.effects():
            self._note(one)

    def advance(self, ms: float) -> None:
        """Let time pass, and have what is due done. A client that is busy fails the test."""
        end = self.now + ms
        for _ in range(_MOST_WAKES):
            at = self.client.wakes_at
            if at is None or at > end:
                self.now = end
                return
            self.now = max(self.now, at)
            self.client.due(self.now)
            self.look()
        raise AssertionError(f"the client woke {_MOST_WAKES} times in {ms} ms")

    def live(self, ms: float) -> None:
        """Let time pass while the server answers pings, within some seconds and without news."""
        end = self.now + ms
        while self.now < end:
            before = len(self.sent)
            self.advance(min(_ANSWERED_MS, end - self.now))
            for socket, request in self.sent[before:]:
                if request["action"] == "ping":
                    self.text({"type": "pong", "ref": request["ref"], "at": request["at"]}, socket)

    def retry(self) -> None:
        """Let the time pass until the next try, if there is one."""
        if self.client.state is State.WAITING:
            self.advance(self.waits[-1])

    def jump(self, ms: float) -> None:
        """Let time pass while the machine sleeps: what is due is done late."""
        self.now += ms
        self.client.due(self.now)
        self.look()

    def start(self) -> None:
        """Have the client connect."""
        self.client.start(self.now)
        self.look()

    def give(self, token: Any = None) -> int:
        """Give the token that was asked for last; return the socket that is opened, or 0."""
        before = len(self._sockets)
        self.client.token(self._asks[-1], token, self.now)
        self.look()
        return self._sockets[-1] if len(self._sockets) > before else 0

    def open(self, token: Any = None) -> int:
        """Give a token, and let the handshake succeed; return the socket."""
        socket = self.give(token)
        self.client.opened(socket, self.now)
        self.look()
        return socket

    def connect(self, *, renew_in_ms: float | None = None, **positions: Any) -> int:
        """Connect, and be joined; return the socket."""
        self.start()
        socket = self.open()
        self.answer(renew_in_ms=renew_in_ms, **positions)
        return socket

    def answer(
        self,
        *,
        at: int = -1,
        renew_in_ms: float | None = None,
        connection: str = "",
        **positions: Any,
    ) -> None:
        """Answer the last request; a channel that is not named is at 0 of the epoch e."""
        socket, request = self.sent[at]
        action = request["action"]
        told: dict[str, Any] = {"type": _ANSWERS.get(action, action), "ref": request["ref"]}
        if action in ("join", "subscribe"):
            told["channels"] = {
                name: positions.get(_key(name), position()) for name in request["at"]
            }
        if action == "join":
            told |= {"connectionId": connection or f"c{socket}=", "renewInMs": renew_in_ms}
        if action == "replay":
            told |= {"channel": request["channel"], **positions["position"]}
        self.text(told, socket)

    def refuse(self, code: str, **fields: Any) -> None:
        """Answer the last request with an error."""
        socket, request = self.sent[-1]
        message = f"no {request['action']}"
        told = {"type": "error", "ref": request["ref"], "code": code, "message": message}
        self.text({**told, **fields}, socket)

    def text(self, text: Any, socket: int | None = None) -> None:
        """Have a text come, on the last socket; what is no text is written as JSON."""
        written = text if isinstance(text, str | bytes) else json.dumps(text)
        self.client.text(self._sockets[-1] if socket is None else socket, written, self.now)
        self.look()

    def end(self, socket: int | None = None, **how: Any) -> None:
        """End a socket, the last one."""
        self.client.ended(self._sockets[-1] if socket is None else socket, self.now, **how)
        self.look()

    def taken(self) -> list[Any]:
        """Return what was told of channels since the last time."""
        told, self.told = self.told, []
        return told

    @property
    def actions(self) -> list[str]:
        """What was asked for, in order."""
        return [request["action"] for _, request in self.sent]

    @property
    def last(self) -> dict[str, Any]:
        """The last request."""
        return self.sent[-1][1]

    @property
    def codes(self) -> list[str]:
        """The codes of troubles."""
        return [one.code for one in self.troubles]

    def _note(self, effect: Effect) -> None:
        match effect:
            case AskToken(ask, reason):
                self._asks.append(ask)
                self.asked.append(reason.value)
            case Open(socket, token):
                self._sockets.append(socket)
                self.opened.append((socket, token))
            case Send(socket, text):
                self.sent.append((socket, json.loads(text)))
            case Close(socket):
                self.closed.append(socket)
            case Changed(_, state, reason, wait_ms):
                self.states.append((state.value, reason))
                self.waits += [] if wait_ms is None else [wait_ms]
            case Trouble():
                self.troubles.append(effect)
            case Followed(channel, event):
                self.told.append(_shown(channel, event))


def position(to: int = 0, *, start: int | None = None, **fields: Any) -> dict[str, Any]:
    """Return a position, at a number of the epoch e."""
    begin = to if start is None else start
    return {"epoch": "e", "seq": to, "from": begin, "to": to, "frames": [], **fields}


def frame(seq: int, channel: str = "*", *, message: Any = None, id_: str = "") -> dict[str, Any]:
    """Return a frame."""
    name = id_ or f"{channel}{seq}"
    return {"id": name, "seq": seq, "channel": channel, "message": message, "sentAt": seq}


def frames(numbers: Sequence[int], channel: str = "*") -> list[dict[str, Any]]:
    """Return frames of a channel."""
    return [frame(seq, channel) for seq in numbers]


def _key(name: str) -> str:
    return {"*": "everyone", "@": "own"}.get(name, name)


def _shown(channel: str, event: Message | Gap | Recovered) -> Any:
    match event:
        case Message(found, is_replayed):
            return (channel, found["seq"], "replayed") if is_replayed else (channel, found["seq"])
        case Gap(start, end, reason):
            return (channel, "gap", start, end, reason)
        case Recovered(count):
            return (channel, "recovered", count)
