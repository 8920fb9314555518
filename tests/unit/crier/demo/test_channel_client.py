"""The demo's client of the protocol: it asks, answers are told from frames, gaps are filled."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosedError

from crier.demo import channel_client
from crier.demo.channel_client import ChannelClient, RefusedError
from crier.errors import CrierError

Request = Mapping[str, Any]
Answer = Callable[[Request], list[dict[str, Any]]]


def empty(at: int = 0) -> dict[str, Any]:
    """Return a position without frames."""
    return {"epoch": "e", "seq": at, "from": at, "to": at, "frames": []}


def frame(channel: str, seq: int) -> dict[str, Any]:
    """Return a frame as it comes."""
    return {"id": f"{channel}{seq}", "seq": seq, "channel": channel, "message": 1, "sentAt": 1}


def joined(request: Request) -> dict[str, Any]:
    """Return the answer to a join of a client that has missed nothing."""
    return {
        "type": "joined",
        "connectionId": "c1=",
        "renewInMs": 1,
        "channels": dict.fromkeys(request["at"], empty()),
    }


class FakeSocket:
    """A socket whose server answers by functions, one for each action; `asked` is what came.

    What a function returns comes in order, the first one with the request's ref.
    """

    def __init__(self, **answers: Answer) -> None:
        self.asked: list[dict[str, Any]] = []
        self._answers: dict[str, Answer] = {"join": lambda request: [joined(request)], **answers}
        self._coming: asyncio.Queue[str | None] = asyncio.Queue()

    async def send(self, message: str, /) -> None:
        """Take a request, and let its answer come."""
        request = json.loads(message)
        self.asked.append(request)
        for number, one in enumerate(self._answers[request["action"]](request)):
            self.come(one if number else {"ref": request["ref"], **one})

    def come(self, found: Mapping[str, Any]) -> None:
        """Let something come."""
        self._coming.put_nowait(json.dumps(found))

    def cut(self) -> None:
        """End the connection."""
        self._coming.put_nowait(None)

    async def __aiter__(self) -> AsyncIterator[str | bytes]:
        """Yield what comes."""
        while (text := await self._coming.get()) is not None:
            yield text
        raise ConnectionClosedError(None, None)


def ids(client: ChannelClient, channel: str) -> list[str]:
    """Return the ids of the frames that a client has taken of a channel."""
    return [one.frame["id"] for one in client.followers[channel].taken]


async def joined_client(socket: FakeSocket) -> ChannelClient:
    """Return a client that has joined."""
    client = ChannelClient(["news"], gap_seconds=0)
    await client.join(socket)
    return client


async def settled(happened: Callable[[], object]) -> None:
    """Let the client's tasks run until something has happened."""
    for _ in range(1_000):
        if happened():
            return
        await asyncio.sleep(0)
    raise AssertionError("it did not happen")


async def test_client_joins_everyones_channel_its_own_and_those_named() -> None:
    """Without positions when it comes for the first time, with them when it comes back."""
    socket, again = FakeSocket(), FakeSocket()
    client = await joined_client(socket)
    await client.leave()

    await client.join(again)
    await client.leave()

    assert socket.asked == [
        {
            "action": "join",
            "ref": "1",
            "at": {"*": None, "@": None, "news": None},
            "was": [],
        }
    ]
    since = {"seq": 0, "epoch": "e"}
    assert again.asked[0]["at"] == {"*": since, "@": since, "news": since}
    assert (again.asked[0]["was"], client.ids) == (["c1="], ["c1=", "c1="])


async def test_client_asks_for_more_until_it_has_all() -> None:
    """An answer holds 128 KiB: what does not fit is asked for, from where it ended."""

    def join(request: Request) -> list[dict[str, Any]]:
        part = empty() | {"seq": 3, "to": 1, "frames": [frame("news", 1)], "more": True}
        channels = {**joined(request)["channels"], "news": part}
        return [joined(request) | {"channels": channels}]

    def replay(request: Request) -> list[dict[str, Any]]:
        seq = request["from"] + 1
        found = {"from": seq - 1, "to": seq, "frames": [frame("news", seq)], "more": seq < 3}
        return [{"type": "replay", "channel": "news", **empty(), **found}]

    socket = FakeSocket(join=join, replay=replay)
    client = await joined_client(socket)
    await client.leave()

    assert ids(client, "news") == ["news1", "news2", "news3"]
    assert [(one["from"], one["epoch"]) for one in socket.asked[1:]] == [(1, "e"), (2, "e")]


async def test_client_fills_a_gap_that_nothing_else_fills() -> None:
    """Once, however many frames lie behind it."""

    def replay(_: Request) -> list[dict[str, Any]]:
        found = {"from": 0, "to": 2, "frames": [frame("news", 1)]}
        return [{"type": "replay", "channel": "news", **empty(), **found}]

    socket = FakeSocket(replay=replay)
    client = await joined_client(socket)
    for seq in (3, 4):
        socket.come(frame("news", seq))
    await settled(lambda: len(ids(client, "news")) == 3)
    await client.leave()

    assert ids(client, "news") == ["news1", "news3", "news4"]
    assert [one["action"] for one in socket.asked] == ["join", "replay"]


async def test_client_catches_up_with_the_newest_number() -> None:
    """Of the last frame no gap tells."""

    def ping(request: Request) -> list[dict[str, Any]]:
        return [{"type": "pong", "at": {**request["at"], "@": 1}}]

    def replay(_: Request) -> list[dict[str, Any]]:
        found = {"from": 0, "to": 1, "frames": [frame("@", 1)]}
        return [{"type": "replay", "channel": "@", **empty(), **found}]

    socket = FakeSocket(ping=ping, replay=replay)
    client = await joined_client(socket)
    await client.catch_up()
    await client.leave()

    assert ids(client, "@") == ["@1"]
    assert [one["action"] for one in socket.asked] == ["join", "ping", "replay"]


async def test_client_keeps_listed_frames_and_ignores_what_it_does_not_know() -> None:
    """Another channel's frames, a bye, an error of API Gateway, an answer that nothing asks for."""
    socket = FakeSocket()
    client = await joined_client(socket)
    for one in (
        {"message": "Internal server error", "connectionId": "c1="},
        {"type": "bye", "code": "moved", "reconnect": True, "afterMs": 0},
        {"type": "pong", "ref": "99", "at": {}},
        frame("other", 7),
        frame("!", 7),
    ):
        socket.come(one)
    await settled(lambda: client.listed)
    await client.leave()

    assert client.listed == [frame("!", 7)]
    assert [ids(client, one) for one in client.followers] == [[], [], []]


async def test_client_asks_again_when_it_is_told_to() -> None:
    """Busy passes; each try has a ref of its own."""
    busy = {"type": "error", "code": "busy", "message": "m", "retry": True, "afterMs": 0}
    answers: Iterator[list[dict[str, Any]]] = iter([[busy], [busy], [{"type": "pong", "at": {}}]])
    socket = FakeSocket(ping=lambda _: next(answers))
    client = await joined_client(socket)

    await client.catch_up()
    await client.leave()

    assert [one["ref"] for one in socket.asked] == ["1", "2", "3", "4"]


async def test_client_gives_up_when_it_is_refused_or_not_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The error says why."""
    monkeypatch.setattr(channel_client, "_ANSWER_SECONDS", 0.001)
    no = {"type": "error", "code": "not-allowed", "message": "not for you", "retry": False}
    socket = FakeSocket(subscribe=lambda _: [no], ping=lambda _: [])
    client = await joined_client(socket)

    with pytest.raises(RefusedError, match="not-allowed, not for you") as refused:
        await client.ask("subscribe", at={"secret": None})
    with pytest.raises(CrierError, match="ping was not answered in 5 tries"):
        await client.catch_up()
    await client.leave()

    assert refused.value.code == "not-allowed"


async def test_client_that_is_cut_off_can_come_back() -> None:
    """What it was asking for then is asked for when it is back."""

    def replay(_: Request) -> list[dict[str, Any]]:
        raise ConnectionClosedError(None, None)

    socket, again = FakeSocket(replay=replay), FakeSocket()
    client = await joined_client(socket)
    socket.come(frame("news", 2))
    await settled(lambda: len(socket.asked) == 2)
    socket.cut()
    with pytest.raises(CrierError, match="was cut off before its replay was answered"):
        await client.ask("replay")
    await client.leave()

    await client.join(again)
    again.come(frame("news", 1))
    await settled(lambda: ids(client, "news"))
    await client.leave()

    assert ids(client, "news") == ["news1", "news2"]


async def test_client_that_has_not_joined_cannot_ask() -> None:
    """A mistake of ours, said as one."""
    with pytest.raises(CrierError, match="has not joined"):
        await ChannelClient([], gap_seconds=0).ask("ping")
