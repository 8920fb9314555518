"""What happens in a storm: clients are cut, workers killed, the issuer is away, and all is told.

At the end faults are off, and each client has some time to be whole again; then what each was told
is held against what was broadcast. A broadcast may stay open for a minute longer because of
connections that are gone: no client waits for that.
"""

import asyncio
import random
import time
from collections.abc import Callable
from typing import Any, Final

from crier.deployed.deployment import Deployment
from crier.local import own_issuer
from testbed.soak.sent import by_stream
from testbed.storm.channels import draw_followed
from testbed.storm.counting import count_clients
from testbed.storm.crowd import Crowd
from testbed.storm.issuer import Issuer
from testbed.storm.kills import TIMEOUT_SECONDS, have_messages_come_soon_again, kills
from testbed.storm.member import Member
from testbed.storm.pace import Pace
from testbed.storm.producer import Producer
from testbed.storm.stormed import Stormed
from testbed.storm.verdict import lacking
from testbed.wire_faults import FaultFile

SETTINGS: Final[dict[str, Any]] = {
    "auth": "jwt",
    **own_issuer.SETTINGS,
    "broadcastTimeoutSeconds": TIMEOUT_SECONDS,
    "replayFrames": 1_000,
}
"""What a storm is deployed with: more is replayed than a client can miss."""

_MOST_AWAY_SECONDS: Final = 15.0
_AWAY_SHARE: Final = 0.25
_POSTS_PER_CLIENT: Final = 0.4
_PING_MS: Final = 20_000
_PING_MS_EACH: Final = 125
"""Clients ask for what no gap shows every 20 s, or every minute where they are 500."""

_WHOLE_SECONDS: Final = 240.0
_LOOK_SECONDS: Final = 1.0
_QUIET_SECONDS: Final = 2.0
"""What comes once too often may still be on its way."""


class Storm:
    """A storm on a local deployment. `on_step` is told how it goes."""

    def __init__(
        self,
        deployment: Deployment,
        faults: FaultFile,
        *,
        clients: int,
        seed: int,
        on_step: Callable[[str], None],
    ) -> None:
        dice = random.Random(seed)  # noqa: S311 - repeatable, not secret
        self._deployment, self._faults, self._on_step = deployment, faults, on_step
        self._stormed = Stormed(clients=clients)
        pace = Pace(round(clients * _POSTS_PER_CLIENT))
        self._producer = Producer(deployment, pace, dice)
        self._issuer = Issuer(own_issuer.make_secret(deployment), dice, clients=clients)
        followed = draw_followed(dice, clients)
        url, issuer, on_post = deployment.web_socket_url, self._issuer, pace.posted
        ping_after_ms = max(_PING_MS, clients * _PING_MS_EACH)
        members = [
            Member(
                number,
                channels,
                url=url,
                issuer=issuer,
                dice=dice,
                on_post=on_post,
                ping_after_ms=ping_after_ms,
            )
            for number, channels in enumerate(followed)
        ]
        self._crowd = Crowd(members, dice, on_step)

    async def run(self, seconds: float) -> Stormed:
        """Rage for some seconds, wait until all clients are whole; return what came of it."""
        have_messages_come_soon_again(self._deployment)
        async with self._crowd:
            await self._crowd.open()
            await self._rage(seconds)
            await self._until_whole()
            await asyncio.sleep(_QUIET_SECONDS)
            self._crowd.look()
            self._judge()
        return self._stormed

    def _judge(self) -> None:
        """Hold what was told against what was sent, and count."""
        count_clients(self._stormed, self._crowd.members, self._producer.sent)
        self._stormed.cuts = self._crowd.cuts
        self._stormed.killed = sum(self._faults.happened().values())
        self._stormed.tokens_in_vain = self._issuer.in_vain
        self._stormed.stale_tokens = self._issuer.stale

    async def _rage(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        self._stormed.seconds = seconds
        self._faults.set(*kills(seconds))
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._producer.broadcast(self._crowd, until))
                group.create_task(self._crowd.suffer(until))
                group.create_task(self._send_issuer_away(seconds))
                group.create_task(self._tell(until))
        finally:
            self._faults.set()
        self._stormed.received_meanwhile = self._received()

    async def _send_issuer_away(self, seconds: float) -> None:
        """Have no token be given for a while, in the middle."""
        away_seconds = min(_MOST_AWAY_SECONDS, seconds * _AWAY_SHARE)
        await asyncio.sleep((seconds - away_seconds) / 2)
        self._issuer.is_away = True
        await asyncio.sleep(away_seconds)
        self._issuer.is_away = False
        self._stormed.away_seconds = away_seconds

    async def _tell(self, until: float) -> None:
        while (left_seconds := until - time.monotonic()) > 0:
            self._crowd.look()
            self._on_step(
                f"{len(self._producer.sent)} broadcasts, {self._received()} frames, "
                f"{self._crowd.cuts} cuts, {left_seconds:.0f} s to go"
            )
            await asyncio.sleep(min(left_seconds, _LOOK_SECONDS))

    async def _until_whole(self) -> None:
        """Wait until each client has all of its channels, or for four minutes."""
        begun = time.monotonic()
        while time.monotonic() < begun + _WHOLE_SECONDS:
            await self._producer.learn_numbers()
            streams, _ = by_stream(self._producer.sent)
            behind = sum(
                not one.is_here or any(lacking(one.diary, streams)) for one in self._crowd.members
            )
            unknown = sum(not one.seq for one in self._producer.sent)
            if not behind and not unknown:
                break
            self._on_step(f"{behind} clients are behind, {unknown} broadcasts not begun")
            self._crowd.look()
            await asyncio.sleep(_LOOK_SECONDS)
        self._stormed.whole_seconds = time.monotonic() - begun

    def _received(self) -> int:
        return sum(one.diary.received for one in self._crowd.members)
