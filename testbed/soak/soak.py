"""What happens in a soak: clients come and go, broadcasts to every audience, faults on.

At the end faults are off, all clients catch up and leave, and the rows that are left are looked at.
"""

import asyncio
import random
import secrets
import time
from collections.abc import Callable
from typing import Any

from broadcasting.audience import Audience
from crier.demo.door import Door
from crier.deployed.deployment import Deployment
from testbed.soak.audiences import USERS, draw_audience
from testbed.soak.crowd import Crowd
from testbed.soak.faults import FAULTS
from testbed.soak.ledger import Watched
from testbed.soak.line import CHANNELS
from testbed.soak.rows_left import (
    ClientRows,
    client_rows,
    numbers_of,
    wrong_client_rows,
    wrong_ledger_rows,
    wrong_numbers,
)
from testbed.soak.sent import Sent, by_stream
from testbed.soak.soaked import Soaked
from testbed.soak.tables import Tables
from testbed.soak.verdict import wrong_receptions
from testbed.wire_faults import FaultFile

SETTINGS: dict[str, Any] = {"auth": "ticket", "broadcastTimeoutSeconds": 15, "replayFrames": 3}
"""What a soak is deployed with: functions die soon, and a client can miss too many frames."""

_LARGEST_CHARACTERS = 20_000
_STEP_SECONDS = 0.5
_BROADCAST_SHARE = 0.5
_TWICE_SHARE = 0.1
_DISCONNECT_SECONDS = 15.0
_LISTENERS, _SPEAKERS = 8, 14


class Soak:
    """Churns clients and broadcasts on a local deployment. `on_step` is told how it goes."""

    def __init__(
        self,
        deployment: Deployment,
        faults: FaultFile,
        *,
        seed: int,
        on_step: Callable[[str], None],
    ) -> None:
        self._faults = faults
        self._dice = random.Random(seed)  # noqa: S311 - repeatable, not secret
        self._on_step = on_step
        self._soaked = Soaked()
        self._tables = Tables(deployment)
        self._watched = Watched(deployment, self._soaked)
        self._crowd = Crowd(Door(deployment), self._dice, self._soaked)

    async def run(self, seconds: float) -> Soaked:
        """Churn for some seconds, then wait until all has settled; return what came of it."""
        self._faults.set(*FAULTS)
        try:
            await self._churn(seconds)
            await self._settle()
        finally:
            self._faults.set()
        await self._crowd.catch_up()
        ledger = await asyncio.to_thread(self._tables.ledger)
        self._look_at_numbers(ledger)
        await self._crowd.all_leave()
        await self._look_at_rows()
        self._soaked.complaints += wrong_receptions(
            self._crowd.speakers,
            self._crowd.sessions,
            self._watched.all,
            most_frames=SETTINGS["replayFrames"],
        )
        self._soaked.complaints += by_stream(self._watched.all.values())[1]
        self._count()
        return self._soaked

    async def _churn(self, seconds: float) -> None:
        await self._crowd.begin(_LISTENERS, _SPEAKERS)
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if self._dice.random() < _BROADCAST_SHARE:
                await self._broadcast(draw_audience(self._dice, self._crowd.ids))
            else:
                await self._crowd.step()
            await self._check()
            await asyncio.sleep(self._dice.random() * _STEP_SECONDS)
        await self._crowd.all_idle()

    async def _broadcast(self, audience: Audience) -> None:
        one = Sent(f"soak-{secrets.token_hex(6)}", audience, time.monotonic())
        text = "x" * int(_LARGEST_CHARACTERS ** self._dice.random())
        times = 2 if self._dice.random() < _TWICE_SHARE else 1
        await self._watched.send(one, text, times=times)

    async def _settle(self) -> None:
        while self._watched.open:
            await self._check()
            await asyncio.sleep(_STEP_SECONDS)

    async def _check(self) -> None:
        await self._watched.check(self._crowd.sessions)
        soaked = self._soaked
        self._on_step(
            f"{soaked.settled} of {soaked.broadcasts} broadcasts settled, {soaked.reconnects} "
            f"reconnects, {len(soaked.complaints)} broken promises"
        )

    def _look_at_numbers(self, ledger: list[dict[str, Any]]) -> None:
        """Look at the ledger, and at how far the clients are, now that nothing is under way."""
        ids, complaints = self._watched.all.keys(), self._soaked.complaints
        complaints += wrong_ledger_rows(ledger, ids)
        numbers = numbers_of(ledger)
        for stream, one in numbers.items():
            complaints += wrong_numbers(stream, one, ids)
            self._soaked.marks += len(one.counter.marks)
        for speaker in self._crowd.speakers:
            for name, follower in speaker.followers.items():
                stream = speaker.sessions[-1].stream_of(name)
                newest = numbers[stream].counter.known_until if stream in numbers else 0
                if follower.number < newest:
                    complaints.append(f"a client is at {follower.number} of {stream}, not {newest}")

    async def _look_at_rows(self) -> None:
        """Look at what is left of the clients: first as it is, then after one more broadcast.

        What functions have left that died is deleted by broadcasts that find it. The clients that
        have just gone met no fault: none of their rows may be left.
        """
        rows = await self._rows_when_disconnected()
        last_ids = {speaker.sessions[-1].id for speaker in self._crowd.speakers}
        for id_ in sorted(last_ids & rows.ids):
            self._soaked.complaints.append(
                f"connection {id_} has left without a fault, its rows stay"
            )
        self._soaked.rows_swept = len(rows.left)
        if rows.left:
            await self._sweep()
            rows = client_rows(await asyncio.to_thread(self._tables.connections))
        self._soaked.rows_left = len(rows.left)
        self._soaked.rows_kept = len(rows.kept)
        self._soaked.complaints += [f"row {key} is left" for key in rows.left]
        items = await asyncio.to_thread(self._tables.connections)
        self._soaked.complaints += wrong_client_rows(items)

    async def _rows_when_disconnected(self) -> ClientRows:
        """Return the rows that are left once the disconnect function has had its time."""
        give_up = time.monotonic() + _DISCONNECT_SECONDS
        last_ids = {speaker.sessions[-1].id for speaker in self._crowd.speakers}
        while True:
            rows = client_rows(await asyncio.to_thread(self._tables.connections))
            if not last_ids & rows.ids or time.monotonic() > give_up:
                return rows
            await asyncio.sleep(_STEP_SECONDS)

    async def _sweep(self) -> None:
        """Broadcast to all streams: what is gone is found."""
        await self._broadcast(Audience())
        for name in CHANNELS:
            await self._broadcast(Audience(channel=name))
        for user in USERS:
            await self._broadcast(Audience(user=user))
        await self._settle()

    def _count(self) -> None:
        soaked = self._soaked
        followed = [one for speaker in self._crowd.speakers for one in speaker.all_followed]
        soaked.replayed = sum(one.replayed for one in followed)
        soaked.lost = sum(len(one.lost) for one in followed)
        for session in self._crowd.sessions:
            soaked.received += len(session.live)
            soaked.duplicates += len(session.live) - len(session.times)
        soaked.faults = self._faults.happened()
