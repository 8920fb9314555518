"""Lets signals interrupt waits and nothing else, so that whatever was started is ended, too.

Ctrl-C, a closed terminal and being told to end count alike.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupts:
    """What signals do to this process. One that comes outside a wait is kept for the next wait."""

    def __init__(self) -> None:
        self._has_come = False
        self._is_waiting = False

    def listen(self) -> None:
        """Take the signals from now on, those too that a shell's background job ignores."""
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
            self._is_waiting = False  # no other one disturbs the end
            raise KeyboardInterrupt


interrupts = Interrupts()
"""Those of this process: signals are the whole process's. Without `listen` nothing changes."""
