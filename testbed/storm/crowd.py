"""All clients of a storm: they come a few at a time, and are cut at random."""

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from typing import Self

from crier.errors import CrierError
from testbed.storm.channels import SHARES
from testbed.storm.member import Member

_AT_ONCE = 12
"""The local AWS starts a process of the authorizer for each connect."""

_LATE_SHARE = 0.05
_PAUSE_SECONDS = 0.05
_OPENING_SECONDS = 60.0
_OPENING_SECONDS_EACH = 2.0
_MOST_CUTS_PER_SECOND = 5.0
_CUT_AFTER_SECONDS = 30.0
"""How long a client stays connected on average: longer where that would be too many cuts."""

_MOST_AWAY_SHARE = 0.25
"""No client is cut while more are away: a slow machine would let none in any more."""


class Crowd:
    """The clients. It is entered to begin; leaving it ends those that have come.

    One in twenty comes during the storm.
    """

    def __init__(
        self, members: Sequence[Member], dice: random.Random, on_step: Callable[[str], None]
    ) -> None:
        self.members = members
        self.cuts = 0
        late = round(len(members) * _LATE_SHARE)
        self._early, self._late = members[late:], members[:late]
        self._dice, self._on_step = dice, on_step
        self._running: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    def followers(self, channel: str) -> int:
        """Return how many of those that are connected follow a channel."""
        return sum(channel in one.diary.channels for one in self.members if one.is_connected)

    async def open(self) -> None:
        """Let the clients come that are there from the beginning. Raises CrierError."""
        give_up = time.monotonic() + _OPENING_SECONDS + len(self._early) * _OPENING_SECONDS_EACH
        for one in self._early:
            while self._on_their_way() >= _AT_ONCE:
                await self._pause(give_up)
            self._begin(one)
        while self._on_their_way():
            await self._pause(give_up)

    async def suffer(self, until: float) -> None:
        """Cut clients at random, and let the late ones come, until a monotonic time."""
        rate = min(_MOST_CUTS_PER_SECOND, len(self.members) / _CUT_AFTER_SECONDS)
        cut_at = time.monotonic()
        arrivals = self._arrivals(until)
        while (now := time.monotonic()) < until:
            while arrivals and arrivals[0][0] <= now:
                self._begin(arrivals.pop(0)[1])
            if now >= cut_at:
                self._cut_one()
                cut_at = now + self._dice.expovariate(rate)
            await asyncio.sleep(_PAUSE_SECONDS)
        for _, one in arrivals:
            self._begin(one)

    def look(self) -> None:
        """Raise what has ended a client's run."""
        for task in self._running:
            if task.done():
                task.result()

    def _cut_one(self) -> None:
        here = [one for one in self.members if one.is_here]
        away = sum(not one.is_connected for one in here)
        if away <= len(here) * _MOST_AWAY_SHARE:
            self._dice.choice([one for one in here if one.has_socket]).cut()
            self.cuts += 1

    def _arrivals(self, until: float) -> list[tuple[float, Member]]:
        """Return when each late one comes, in order: in the first two thirds of the time."""
        begun = time.monotonic()
        spread = (until - begun) * 2 / 3
        times = sorted(begun + spread * self._dice.random() for _ in self._late)
        return list(zip(times, self._late, strict=True))

    def _begin(self, one: Member) -> None:
        self._running.append(asyncio.create_task(one.run()))

    def _on_their_way(self) -> int:
        return len(self._running) - sum(one.is_here for one in self.members)

    async def _pause(self, give_up: float) -> None:
        here = sum(one.is_here for one in self.members)
        self._on_step(f"{here} of {len(self._early)} clients have come, to {len(SHARES)} channels")
        self.look()
        if time.monotonic() > give_up:
            raise CrierError(f"only {here} of {len(self._early)} clients were let in in time")
        await asyncio.sleep(_PAUSE_SECONDS)
