"""The clients of a soak: those that listen only, and those that speak the protocol."""

import asyncio
import random
from collections.abc import Coroutine, Sequence
from typing import Any

from crier.demo.door import Door
from crier.errors import CrierError
from testbed.soak.audiences import USERS
from testbed.soak.client import Speaker
from testbed.soak.line import CHANNELS, Line, Listener
from testbed.soak.session import Session
from testbed.soak.soaked import Soaked

_MOST_LISTENERS = 30
_FEWEST_LISTENERS = 5
_MOST_AWAY_SECONDS = 20.0
_LAST = 3
"""How many frames of the past a client asks for that subscribes."""


class Crowd:
    """All clients. What one does takes some time, and others go on meanwhile."""

    def __init__(self, door: Door, dice: random.Random, soaked: Soaked) -> None:
        self.speakers: list[Speaker] = []
        self._listeners: list[Listener] = []
        self._heard: list[Session] = []
        self._door, self._dice, self._soaked = door, dice, soaked
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def sessions(self) -> list[Session]:
        """The connections of all clients, those that have ended, too."""
        return [*self._heard, *(one for speaker in self.speakers for one in speaker.sessions)]

    @property
    def ids(self) -> list[str]:
        """Some ids: the newest two of each client that has one, whether it is here or not."""
        return [id_ for speaker in self.speakers for id_ in speaker.ids[-2:]]

    async def begin(self, listeners: int, speakers: int) -> None:
        """Let the first clients come."""
        await self._listen(listeners)
        for _ in range(speakers):
            channels = self._dice.sample(CHANNELS, self._dice.randint(0, 3))
            self.speakers.append(Speaker(self._dice.choice(USERS), channels))
        await asyncio.gather(*(self._come(one) for one in self.speakers))

    async def step(self) -> None:
        """Let clients do something: a speaker goes or changes channels, listeners come or go."""
        if idle := [one for one in self.speakers if not one.is_busy]:
            self._start(self._dice.choice(idle))
        dice = self._dice.random()
        if dice < 0.2 and len(self._listeners) < _MOST_LISTENERS:
            await self._listen(self._dice.randint(1, 4))
        elif dice < 0.4 and len(self._listeners) > _FEWEST_LISTENERS:
            await self._leave(self._dice.randint(1, len(self._listeners) - _FEWEST_LISTENERS))

    async def all_idle(self) -> None:
        """Wait until each client has done what it is doing."""
        await asyncio.gather(*self._tasks)

    async def catch_up(self) -> None:
        """Have all clients ask for what is missing."""
        for one in self.speakers:
            await self._held(one, one.catch_up())

    async def all_leave(self) -> None:
        """Let all clients go."""
        await self._leave(len(self._listeners))
        for one in self.speakers:
            await one.go(is_closed=self._dice.random() < 0.5)
            self._soaked.left += 1

    def _start(self, one: Speaker) -> None:
        task = asyncio.create_task(self._held(one, self._act(one)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _act(self, one: Speaker) -> None:
        dice = self._dice
        kinds = ("travel", "subscribe", "unsubscribe", "ping")
        kind = dice.choices(kinds, (6, 3, 2, 1))[0]
        others = sorted(set(CHANNELS) - set(one.channels))
        if kind == "travel":
            await self._travel(one)
        elif kind == "subscribe" and others:
            last = dice.choice((0, _LAST))
            await one.subscribe(dice.choice(others), last=last, is_new=dice.random() < 0.5)
        elif kind == "unsubscribe" and one.channels:
            await one.unsubscribe(dice.choice(one.channels))
        else:
            await one.catch_up()

    async def _travel(self, one: Speaker) -> None:
        """Go, stay away for some time, and come back with the positions."""
        await one.go(is_closed=self._dice.random() < 0.5)
        self._soaked.left += 1
        await asyncio.sleep(self._dice.random() ** 2 * _MOST_AWAY_SECONDS)
        await self._come(one)
        self._soaked.reconnects += 1

    async def _come(self, one: Speaker) -> None:
        await self._held(one, one.come(self._door))
        self._soaked.connected += 1

    async def _held(self, one: Speaker, work: Coroutine[Any, Any, None]) -> None:
        """Let a client do something, and complain when it is refused, or not answered."""
        one.is_busy = True
        try:
            await work
        except CrierError as error:
            self._soaked.complaints.append(f"a client of {one.user}: {error}")
        finally:
            one.is_busy = False

    async def _listen(self, count: int) -> None:
        users: Sequence[str] = self._dice.choices(USERS, k=count)
        lines = await asyncio.gather(*(Line.to(self._door, user) for user in users))
        self._listeners += [Listener(line) for line in lines]
        self._heard += [line.session for line in lines]
        self._soaked.connected += count

    async def _leave(self, count: int) -> None:
        self._dice.shuffle(self._listeners)
        leaving, self._listeners = self._listeners[:count], self._listeners[count:]
        for one in leaving:
            await one.leave(is_closed=self._dice.random() < 0.5)
        self._soaked.left += len(leaving)
