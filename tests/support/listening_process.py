"""`crier listen` as a program of its own: its lines as they come, its notes, and how it ends."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from crier.paths import ROOT

_SECONDS = 60


class ListeningProcess:
    """The program, with what it has printed."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.notes: list[str] = []

    async def line(self) -> Any:
        """Return the next line of JSON, as soon as it is there."""
        return json.loads(await self._next(self._process.stdout))

    async def seqs(self, count: int) -> list[int]:
        """Return the numbers of the next frames."""
        return [(await self.line())["seq"] for _ in range(count)]

    async def note(self, words: str) -> str:
        """Return the next note that has some words."""
        return await self._note(lambda one: words in one)

    async def ended(self) -> int:
        """Return the exit code, once it has ended by itself; notes are read to their end."""
        await self._note(lambda one: not one)
        return await asyncio.wait_for(self._process.wait(), _SECONDS)

    def interrupt(self) -> None:
        """Type Ctrl-C."""
        self._process.send_signal(signal.SIGINT)

    def kill(self) -> None:
        """End it, if it has not ended."""
        if self._process.returncode is None:
            self._process.kill()

    async def _note(self, is_right: Callable[[str], bool]) -> str:
        while not is_right(text := await self._next(self._process.stderr)):
            assert text, f"no such note in {self.notes}"
            self.notes.append(text)
        return text

    @staticmethod
    async def _next(stream: asyncio.StreamReader | None) -> str:
        assert stream
        return (await asyncio.wait_for(stream.readline(), _SECONDS)).decode()


@asynccontextmanager
async def listening(*arguments: str) -> AsyncIterator[ListeningProcess]:
    """Start `crier listen --json`, and end it at the end."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "crier", "listen", "--json", *arguments),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    made = ListeningProcess(process)
    try:
        yield made
    finally:
        made.kill()
        await process.communicate()
