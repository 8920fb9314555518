"""Broadcasts to the channels of a storm, as fast as the local AWS posts; learns the numbers."""

import asyncio
import random
import secrets
import time
from typing import TYPE_CHECKING

from broadcasting.audience import EVERYONE, Audience
from crier.deployed.account_reader import AccountReader
from crier.deployed.deployment import Deployment
from crier.deployed.producer import enqueue_by
from testbed.soak.sent import Sent
from testbed.storm.channels import SHARES

if TYPE_CHECKING:
    from testbed.storm.crowd import Crowd
    from testbed.storm.pace import Pace

_PAUSE_SECONDS = 0.02
_LARGEST_CHARACTERS = 30_000
"""A client that was away for longer misses more than one answer can hold, and has to ask again."""


class Producer:
    """Enqueues broadcasts; `sent` are all of them."""

    def __init__(self, deployment: Deployment, pace: "Pace", dice: random.Random) -> None:
        self.sent: list[Sent] = []
        self._queue = (deployment.client("sqs"), deployment.broadcast_queue_url)
        self._accounts = AccountReader.of(deployment)
        self._pace, self._dice = pace, dice

    async def broadcast(self, crowd: "Crowd", until: float) -> None:
        """Broadcast to channels at random until a monotonic time."""
        while time.monotonic() < until:
            if self._pace.may_send(time.monotonic()):
                await self._send(self._dice.choice(tuple(SHARES)), crowd)
            else:
                await asyncio.sleep(_PAUSE_SECONDS)

    async def learn_numbers(self) -> None:
        """Ask the ledger for the numbers of the broadcasts that have none yet."""
        unknown = [one for one in self.sent if not one.seq]
        found = await asyncio.to_thread(lambda: [self._accounts.find(one.id) for one in unknown])
        for one, account in zip(unknown, found, strict=True):
            if account is not None:
                one.seq = account.seq

    async def _send(self, channel: str, crowd: "Crowd") -> None:
        audience = Audience(channel=None if channel == EVERYONE else channel)
        one = Sent(f"storm-{secrets.token_hex(6)}", audience, time.monotonic())
        self.sent.append(one)
        self._pace.sent(one.id, crowd.followers(channel), one.sent_at)
        text = "x" * int(_LARGEST_CHARACTERS ** self._dice.random())
        body = {"id": one.id, "message": text}
        if channel != EVERYONE:
            body["channel"] = channel
        await asyncio.to_thread(enqueue_by, *self._queue, body)
