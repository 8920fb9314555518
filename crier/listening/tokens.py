"""Where a client has its tokens from: it needs none, it was given one, or a command prints one."""

import asyncio
import os
import signal
from contextlib import suppress
from typing import Final, Protocol

from crier.listening.effects import TokenReason
from crier.listening.opening import TokenFailure

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
    """

    most_denials: int | None = 2

    def __init__(self, command: str) -> None:
        self._command = command

    async def get(self, reason: TokenReason) -> str | TokenFailure:
        """Run the command. It is ended when nobody waits for the token any more."""
        process = await asyncio.create_subprocess_shell(
            self._command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "CRIER_TOKEN_REASON": reason.value},
            start_new_session=True,
        )
        try:
            out, err = await process.communicate()
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
        if process.returncode != 0:
            told = _last_line(err)[:_MOST_SHOWN] or "it said nothing"
            return TokenFailure(f"the token command ended with {process.returncode}: {told}")
        return _last_line(out) or TokenFailure("the token command printed nothing")


def _last_line(output: bytes) -> str:
    lines = output.decode(errors="replace").split("\n")
    return next((one.strip() for one in reversed(lines) if one.strip()), "")
