"""A server that is not ours, as a child process that listens on a loopback port."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Self

import pytest

from crier.local.process_group import end_group
from tests.support.loopback import unused_port

REQUIRED = "CRIER_REQUIRE_SERVERS"
"""With this variable in the environment a server that is missing fails its tests."""

_MORE_FOLDERS = ("/usr/local/sbin", "/usr/sbin")
"""Where systems keep servers: not on the path of every user."""

_START_SECONDS = 10.0
_EXIT_SECONDS = 5.0
_LOOK_SECONDS = 0.01
_ATTEMPTS = 5
"""Another process may take a free port before the server does."""


def find_server(name: str, package: str) -> str:
    """Return a server's program; without one the test is skipped, or fails in CI."""
    path = os.pathsep.join((os.environ.get("PATH", os.defpath), *_MORE_FOLDERS))
    found = shutil.which(name, path=path)
    if found:
        return found
    message = f"{name} is not there: install it (Debian: apt-get install {package})"
    if os.environ.get(REQUIRED):
        pytest.fail(f"{message}; {REQUIRED} is set, so it must not be skipped", pytrace=False)
    pytest.skip(message)


class ServerProcess:
    """Starts a server on entering, which waits until it listens; on leaving it has ended.

    What it prints goes to a file in its folder.
    """

    def __init__(self, folder: Path, command: Callable[[int], Sequence[str]]) -> None:
        """Take what returns the command that has the server listen on a free port."""
        self._command = command
        self._printed = folder / "printed.txt"
        self.port = 0

    @property
    def printed(self) -> str:
        """What it has printed so far."""
        return self._printed.read_text(errors="replace")

    def stop(self) -> None:
        """Have it end, if it has not yet, and all that it has started."""
        self._child.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._child.wait(_EXIT_SECONDS)
        end_group(self._child)

    def __enter__(self) -> Self:
        for _ in range(_ATTEMPTS):
            self.port = unused_port()
            with self._printed.open("wb") as output:
                self._child = _start(self._command(self.port), output)
            try:
                if self._listens():
                    return self
            except BaseException:
                self.stop()
                raise
            self.stop()
        raise RuntimeError(f"the server does not listen; it said:\n{self.printed}")

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _listens(self) -> bool:
        """Wait until it listens; tell whether it does, as it may have ended."""
        give_up = time.monotonic() + _START_SECONDS
        while self._child.poll() is None and time.monotonic() < give_up:
            with (
                suppress(OSError),
                socket.create_connection(("127.0.0.1", self.port), _START_SECONDS),
            ):
                return self._child.poll() is None
            time.sleep(_LOOK_SECONDS)
        return False


def _start(command: Sequence[str], output: IO[bytes]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,  # Ctrl-C is for us: we end it
    )
