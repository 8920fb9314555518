"""Where a client has its tokens from: it needs none, it was given one, or a command prints one."""

import asyncio
import os
import signal
from collections.abc import Mapping
from contextlib import suppress
from tempfile import TemporaryFile
from typing import IO, Final, Protocol

from crier.listening.effects import TokenReason
from crier.listening.opening import Denied, TokenFailure
from crier.listening.waits import OPENING_MS

_MOST_SHOWN: Final = 200


class Tokens(Protocol):
    """Gives tokens; each connect asks for one."""

    most_denials: int | None
    """How many refusals in a row, by 401 or 403, mean that no token of these lets the client in."""

    async def get(self, reason: TokenReason) -> str | TokenFailure | None:
        """Return a token, None when clients need none, or why there is none this time."""


class FixedToken:
    """The same token each time, or none: when it is refused, there is no other."""

    most_denials: int | None = 1

    def __init__(self, token: str | None) -> None:
        self._token = token

    async def get(self, reason: TokenReason) -> str | None:
        """Return the token."""
        del reason
        return self._token


class CommandToken:
    """A command of the shell that prints a token: the last line of its output.

    The environment variable CRIER_TOKEN_REASON tells it why: first, reconnect, refused or renewal.
    It ends with 77 (EX_NOPERM of sysexits.h) when this user is not let in, now or later.
    """

    most_denials: int | None = 2

    def __init__(self, command: str, *, most_seconds: float = OPENING_MS / 1_000) -> None:
        self._command, self._most_seconds = command, most_seconds

    async def get(self, reason: TokenReason) -> str | TokenFailure:
        """Run the command. It is ended when it takes too long, or `get` is cancelled."""
        environment = {**os.environ, "CRIER_TOKEN_REASON": reason.value}
        try:
            async with asyncio.timeout(self._most_seconds):
                return await self._printed(environment)
        except TimeoutError:
            return TokenFailure(f"the token command has not ended in {self._most_seconds:g} s")
        except OSError as error:  # this machine has no room for a process, say
            return TokenFailure(f"the token command could not be run: {error.strerror}")

    async def _printed(self, environment: Mapping[str, str]) -> str | TokenFailure:
        with TemporaryFile() as out, TemporaryFile() as err:
            status = await _run(self._command, environment, out, err)
            if status != 0:
                told = _last_line(err)[:_MOST_SHOWN] or "it said nothing"
                kind = Denied if status == os.EX_NOPERM else TokenFailure
                return kind(f"the token command ended with {status}: {told}")
            return _last_line(out) or TokenFailure("the token command printed nothing")


async def _run(command: str, environment: Mapping[str, str], out: IO[bytes], err: IO[bytes]) -> int:
    """Run a command with files for what it prints: what it leaves running may keep them open."""
    starting = asyncio.create_task(
        asyncio.create_subprocess_shell(
            command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            env=environment,
            start_new_session=True,
        )
    )
    try:  # one that is starting when this is cancelled has to be ended, too
        return await (await asyncio.shield(starting)).wait()
    finally:
        await _end(await starting)


async def _end(process: asyncio.subprocess.Process) -> None:
    """End a command with all that it has started."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


def _last_line(output: IO[bytes]) -> str:
    output.seek(0)
    lines = output.read().decode(errors="replace").split("\n")
    return next((one.strip() for one in reversed(lines) if one.strip()), "")
