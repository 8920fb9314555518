"""Lets signals interrupt only waits, so that everything that was started can be ended, too.

SIGINT (Ctrl-C), SIGHUP (the terminal was closed) and SIGTERM have the same effect.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupts:
    """What signals do to this process. A signal outside a wait is kept for the next wait."""

    def __init__(self) -> None:
        self._has_come = False
        self._is_waiting = False

    def listen(self) -> None:
        """Take the signals from now on, even SIGINT, which a shell's background job ignores."""
        for number in _SIGNALS:
            is_nohup = number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN
            if not is_nohup:
                signal.signal(number, self._take)

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Raise KeyboardInterrupt in the block, once, when a signal comes or has come before."""
        self._is_waiting = True
        try:
            if self._has_come:
                raise KeyboardInterrupt
            yield
        finally:
            self._is_waiting = False

    def _take(self, _number: int, _frame: FrameType | None) -> None:
        self._has_come = True
        if self._is_waiting:
            self._is_waiting = False  # no further signal disturbs the end
            raise KeyboardInterrupt


interrupts = Interrupts()
"""The one of this process, which has all its signals. Without `listen` nothing changes."""
