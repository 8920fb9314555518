"""A WebSocket server that answers clients as the app does, and sends what a test says."""

import json
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from threading import Thread
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import Server, ServerConnection, serve
from websockets.typing import Subprotocol

from crier.local.environment import HOST

_EPOCH = "5b0c77e1"


class ScriptedGateway:
    """Keeps what was sent to each channel, and gives it again to a client that asks."""

    def __init__(self) -> None:
        self.asked_paths: list[str] = []
        self.offered: list[str | None] = []
        """The sub-protocols that each client has offered, as the header's text."""
        self.renew_in_ms = 7_200_000
        self.url = ""
        self.silent_about: str | None = None
        """Requests for this channel are not answered; `unanswered` has them."""
        self.unanswered: list[dict[str, Any]] = []
        self._sent: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self._lost_until: dict[str, int] = defaultdict(int)
        self._clients: dict[str, ServerConnection] = {}
        self._ids = count(1)

    def send(self, channel: str, message: object, *, age_ms: int = 20, **others: object) -> None:
        """Send a message to all clients; it was sent `age_ms` ago, by the clock of both.

        `others` are keys of the frame in place of these.
        """
        frames = self._sent[channel]
        frame = {
            "id": f"{channel}-{len(frames) + 1}",
            "seq": len(frames) + 1,
            "channel": channel,
            "message": message,
            "sentAt": int(time.time() * 1000) - age_ms,
            **others,
        }
        frames.append(frame)
        for client in tuple(self._clients.values()):
            with suppress(ConnectionClosed):
                client.send(json.dumps(frame))

    def lose(self, channel: str, frames: int) -> None:
        """Let the next frames be lost: no client is sent them, or given them later."""
        self._sent[channel] += [{} for _ in range(frames)]
        self._lost_until[channel] = len(self._sent[channel])

    def cut(self) -> None:
        """Cut all clients without a close frame."""
        for client in tuple(self._clients.values()):
            client.socket.shutdown(2)

    def handle(self, client: ServerConnection) -> None:
        """Answer one client until it is gone."""
        assert client.request is not None
        self.asked_paths.append(client.request.path)
        self.offered.append(client.request.headers.get("Sec-WebSocket-Protocol"))
        name = f"connection-{next(self._ids)}="
        self._clients[name] = client
        with suppress(ConnectionClosed):
            for text in client:
                asked = json.loads(text)
                if self.silent_about in asked.get("at", {}):
                    self.unanswered.append(asked)
                else:
                    client.send(json.dumps(self._answer(asked, name)))
        del self._clients[name]

    def _answer(self, asked: dict[str, Any], name: str) -> dict[str, Any]:
        ref = {"ref": asked.get("ref")}
        at = asked.get("at", {})
        if "secret" in at:
            refusal = {"code": "not-allowed", "message": "your token does not allow it"}
            return {"type": "error", **ref, **refusal, "retry": False}
        match asked["action"]:
            case "join":
                own = {"connectionId": name, "renewInMs": self.renew_in_ms}
                return {"type": "joined", **ref, **own, "channels": self._positions(at)}
            case "subscribe":
                return {"type": "subscribed", **ref, "channels": self._positions(at)}
            case "replay":
                since = {"seq": asked["from"], "epoch": asked["epoch"]}
                channel = asked["channel"]
                return {
                    "type": "replay",
                    **ref,
                    "channel": channel,
                    **self._position(channel, since),
                }
            case "ping":
                return {"type": "pong", **ref, "at": {one: len(self._sent[one]) for one in at}}
            case _:
                return {"type": "unsubscribed", **ref, "channels": asked["channels"]}

    def _positions(self, at: dict[str, Any]) -> dict[str, Any]:
        return {channel: self._position(channel, since) for channel, since in at.items()}

    def _position(self, channel: str, since: dict[str, Any] | None) -> dict[str, Any]:
        frames, lost_until = self._sent[channel], self._lost_until[channel]
        start = len(frames) if since is None else since.get("seq", 0)
        position = {"epoch": _EPOCH, "seq": len(frames), "from": start}
        if start < lost_until:
            lost = {"from": start, "to": lost_until, "reason": "too-many"}
            return {**position, "to": lost_until, "frames": [], "lost": lost, "more": True}
        return {**position, "to": len(frames), "frames": frames[start:]}


@contextmanager
def scripted_gateway() -> Iterator[ScriptedGateway]:
    """Serve on a free loopback port until the block ends."""
    gateway = ScriptedGateway()
    with _server(gateway) as server:
        gateway.url = f"ws://{HOST}:{server.socket.getsockname()[1]}/prod"
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield gateway
        finally:
            gateway.cut()
            server.shutdown()
            thread.join()


def _server(gateway: ScriptedGateway) -> Server:
    return serve(
        gateway.handle,
        HOST,
        0,
        select_subprotocol=lambda _, offered: Subprotocol("crier.v1") if offered else None,
        compression=None,
        ping_interval=None,
    )
