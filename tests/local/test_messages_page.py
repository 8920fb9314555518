"""The page of messages, run: each message that it shows becomes the frames that it shows."""

import asyncio
import json
import re
from collections.abc import Sequence
from functools import partial
from typing import Any

import pytest

from crier.demo.clients import Client, close_clients, connect_clients
from crier.deployed.deployment import Deployment
from crier.deployed.producer import enqueue
from crier.paths import ROOT
from tests.support.subscribing import subscribe_by_hand
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(120)

PAGE = (ROOT / "docs" / "user" / "messages.md").read_text()
SHOWN_IDS = ("L0SM9cOFvHcCIhw=", "L0SOxdY0PHcCJ2g=")
"""The connections of the page: both are listed, and the first one is excluded once."""


def _lines(section: str) -> list[str]:
    text = PAGE.split(f"## {section}\n")[1].split("\n## ")[0]
    return "\n".join(re.findall(r"```json\n(.*?)\n```", text, re.DOTALL)).splitlines()


async def _join(client: Client, *channels: str) -> str:
    """Let a client join; return its connection's id."""
    join = {"action": "join", "at": dict.fromkeys(channels)}
    await client.socket.send(json.dumps(join))
    await until(lambda: client.frames)
    joined = json.loads(client.frames[0][1])
    assert joined["type"] == "joined", joined
    return str(joined["connectionId"])


def _received(client: Client) -> list[dict[str, Any]]:
    """Return the frames that a client has received: of each what is the same at each time."""
    frames = [json.loads(text) for _, text in client.frames[1:]]
    return [{name: one[name] for name in ("channel", "message")} for one in frames]


def _has(client: Client, count: int) -> bool:
    return len(_received(client)) >= count


async def test_messages_of_the_page_reach_whom_they_are_for(deployment: Deployment) -> None:
    """Two clients in the game, the second one alice's, and a third one that is in no game."""
    clients = await connect_clients(deployment.web_socket_url, 3)
    ids = [
        await _join(clients[0], "game:17"),
        await _join(clients[1], "game:17"),
        await _join(clients[2]),
    ]
    subscribe_by_hand(deployment, ids[1], user="alice", channels=["game:17"])
    bodies = "\n".join(_lines("Whom it is for"))
    for shown_id, id_ in zip(SHOWN_IDS, ids, strict=False):
        bodies = bodies.replace(shown_id, id_)

    for body in bodies.splitlines():
        await asyncio.to_thread(enqueue, deployment, json.loads(body))
    for client, count in zip(clients, (3, 5, 1), strict=True):
        await until(partial(_has, client, count))
    await close_clients(clients)

    frames = [json.loads(line) for line in _lines("What a client receives")]
    everyone, score, unread, turn, moved = (
        {name: one[name] for name in ("channel", "message")} for one in frames
    )
    received = [_sorted(_received(one)) for one in clients]
    assert received[0] == _sorted([everyone, score, turn])
    assert received[1] == _sorted([everyone, score, unread, turn, moved])
    assert received[2] == [json.dumps(everyone)]


def _sorted(frames: Sequence[dict[str, Any]]) -> list[str]:
    return sorted(map(json.dumps, frames))
