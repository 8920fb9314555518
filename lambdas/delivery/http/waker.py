"""Wakes a thread that waits in a selector."""

import socket
from contextlib import suppress


class Waker:
    """A pair of sockets: a selector watches one end, `wake` writes to the other."""

    def __init__(self) -> None:
        self._alarm, self._bell = socket.socketpair()
        self._alarm.settimeout(0)
        self._bell.settimeout(0)

    def fileno(self) -> int:
        """Return what a selector watches."""
        return self._alarm.fileno()

    def wake(self) -> None:
        """Make the watched end readable, from any thread."""
        with suppress(BlockingIOError):  # it is readable already
            self._bell.send(b"!")

    def clear(self) -> None:
        """Make the watched end quiet again."""
        with suppress(BlockingIOError):
            self._alarm.recv(4096)

    def close(self) -> None:
        """Close both ends."""
        self._alarm.close()
        self._bell.close()
