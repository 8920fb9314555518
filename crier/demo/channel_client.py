"""A client of the protocol `crier.v1`, as small as the demo needs it: no reconnecting by itself."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import suppress
from typing import Any, Protocol

from websockets.exceptions import ConnectionClosed

from broadcasting.audience import EVERYONE, LISTED, OWN
from broadcasting.followed_channel import Frame
from crier.demo.follower import Follower
from crier.errors import CrierError

_ANSWER_SECONDS = 10.0
"""After this time a request is asked again: each one may be."""

_TRIES = 5
_MOST_EARLIER = 3


class Socket(Protocol):
    """A WebSocket, as far as this client needs it."""

    async def send(self, message: str, /) -> None:
        """Send a text."""

    def __aiter__(self) -> AsyncIterator[str | bytes]:
        """Yield what comes, until the connection ends."""


class RefusedError(CrierError):
    """The server has refused a request for good."""

    def __init__(self, error: Mapping[str, Any]) -> None:
        super().__init__(f"a request was refused: {error['code']}, {error['message']}")
        self.code = str(error["code"])


class ChannelClient:
    """A client on some channels, everyone's and its user's own among them.

    `followers` has what it received of each channel, `listed` what was sent to it by its id, which
    has no order. `ids` are those of its connections, the newest last.
    """

    def __init__(self, channels: Iterable[str], *, gap_seconds: float) -> None:
        """Ask for what is missing when nothing has filled a gap for `gap_seconds`."""
        self.followers = {name: Follower() for name in (EVERYONE, OWN, *channels)}
        self.listed: list[Frame] = []
        self.ids: list[str] = []
        self._gap_seconds = gap_seconds
        self._socket: Socket | None = None
        self._answers: dict[str, asyncio.Future[Mapping[str, Any]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._filling: set[str] = set()
        self._requests = 0

    async def join(self, socket: Socket) -> None:
        """Come, or come back: all that was missed has been taken note of when this ends."""
        self._socket = socket
        self._start(self._listen(socket))
        for one in self.followers.values():
            one.come_back()
        at = {name: one.since for name, one in self.followers.items()}
        joined = await self.ask("join", at=at, was=self.ids[-_MOST_EARLIER:])
        self.ids.append(str(joined["connectionId"]))
        for name, position in joined["channels"].items():
            if self.followers[name].answered(position):
                await self._replay(name)

    async def leave(self) -> None:
        """Take note of nothing more; the socket is the caller's to close."""
        tasks, self._tasks = self._tasks, set()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._filling.clear()

    async def catch_up(self) -> None:
        """Ask for the newest numbers, and for what is missing up to them."""
        at = {name: one.number for name, one in self.followers.items()}
        pong = await self.ask("ping", at=at)
        for name, newest in pong["at"].items():
            if newest > self.followers[name].number:
                await self._replay(name)

    async def ask(self, action: str, **fields: Any) -> Mapping[str, Any]:
        """Return the answer to a request. Raises CrierError when it is refused, or none comes."""
        for _ in range(_TRIES):
            answer = await self._asked(action, fields)
            if answer is None:
                continue
            if answer["type"] != "error":
                return answer
            if not answer["retry"]:
                raise RefusedError(answer)
            await asyncio.sleep(answer.get("afterMs", 0) / 1000)
        raise CrierError(f"a client's {action} was not answered in {_TRIES} tries")

    async def _asked(self, action: str, fields: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Return the answer, None when it does not come in time."""
        self._requests += 1
        ref = str(self._requests)
        answer: asyncio.Future[Mapping[str, Any]] = asyncio.get_running_loop().create_future()
        self._answers[ref] = answer
        if self._socket is None:
            raise CrierError("a client that has not joined cannot ask")
        try:
            await self._socket.send(json.dumps({"action": action, "ref": ref, **fields}))
            async with asyncio.timeout(_ANSWER_SECONDS):
                return await answer
        except TimeoutError:
            return None
        except ConnectionClosed as error:
            raise CrierError(f"a client was cut off before its {action} was answered") from error
        finally:
            del self._answers[ref]

    async def _replay(self, channel: str) -> None:
        follower, is_more = self.followers[channel], True
        while is_more:
            since = follower.since or {"seq": 0, "epoch": ""}
            answer = await self.ask(
                "replay",
                **{"channel": channel, "from": since["seq"], "epoch": since["epoch"]},
                was=self.ids[-_MOST_EARLIER:],
            )
            is_more = follower.answered(answer)

    async def _listen(self, socket: Socket) -> None:
        with suppress(ConnectionClosed):
            async for text in socket:
                self._come(json.loads(text))

    def _come(self, found: Mapping[str, Any]) -> None:
        """Take note of what the server has sent: a frame, an answer, or what is not known."""
        if answer := self._answers.get(found.get("ref", "")):
            if not answer.done():
                answer.set_result(found)
        elif "type" not in found and "seq" in found:
            self._take(found)

    def _take(self, frame: Frame) -> None:
        if frame["channel"] == LISTED:
            self.listed.append(frame)
        elif follower := self.followers.get(frame["channel"]):
            follower.come(frame)
            if follower.has_gap and frame["channel"] not in self._filling:
                self._filling.add(frame["channel"])
                self._start(self._fill(frame["channel"]))

    async def _fill(self, channel: str) -> None:
        """Ask for what is missing, unless it comes by itself: frames overtake each other."""
        await asyncio.sleep(self._gap_seconds)
        self._filling.discard(channel)
        follower = self.followers.get(channel)
        if follower and follower.has_gap:
            with suppress(CrierError):  # a client that is cut off asks when it comes back
                await self._replay(channel)

    def _start(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
