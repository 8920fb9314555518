"""A client that asks and listens, as docs/user/clients.md says: frames apart from answers."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

SECONDS = 30.0


class SpeakingClient:
    """One connection. `frames` are those that came as posts, in the order of their coming."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.frames: list[dict[str, Any]] = []
        self._asked = 0

    async def ask(self, action: str, **keys: Any) -> dict[str, Any]:
        """Send a request, and return its answer; `from_` is the key `from`."""
        self._asked += 1
        named = {name.rstrip("_"): value for name, value in keys.items()}
        body = {"action": action, "ref": str(self._asked)} | named
        return await self.tell(json.dumps(body), ref=body["ref"])

    async def tell(self, body: str | bytes, *, ref: str | None = None) -> dict[str, Any]:
        """Send a text; return its answer."""
        await self.socket.send(body)
        while True:
            heard = await self.hear()
            if "type" in heard and heard.get("ref") == ref:
                return heard

    async def frame(self, seq: int, channel: str = "*") -> dict[str, Any]:
        """Return the frame of a number, once it has come."""
        while True:
            for frame in self.frames:
                if (frame["seq"], frame["channel"]) == (seq, channel):
                    return frame
            await self.hear()

    def seqs(self, channel: str = "*") -> list[int]:
        """Return the numbers of the frames of a channel that have come."""
        return [frame["seq"] for frame in self.frames if frame["channel"] == channel]

    async def send(self, request: Any) -> None:
        """Send a request, and wait for nothing."""
        await self.socket.send(json.dumps(request))

    async def hear(self) -> dict[str, Any]:
        """Return what comes next, a frame or an answer."""
        async with asyncio.timeout(SECONDS):
            heard: dict[str, Any] = json.loads(await self.socket.recv())
        if "seq" in heard and "type" not in heard:
            self.frames.append(heard)
        return heard


@asynccontextmanager
async def speaking(url: str, **options: Any) -> AsyncIterator[SpeakingClient]:
    """Yield a client that is connected."""
    async with connect(url, compression=None, open_timeout=60, **options) as socket:
        yield SpeakingClient(socket)
