"""Ends a process that leads a group of its own, and all that it started."""

import os
import signal
import subprocess
import time
from contextlib import suppress

_ASK_SECONDS = 2.0
_END_SECONDS = 1.0


def end_group(process: "subprocess.Popen[bytes]") -> None:
    """Ask the group to end, then make it, and return when nobody of it runs any more.

    It waits two seconds, then one: what has ended stays in its group where nobody reaps it.
    """
    _signal(process, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(_ASK_SECONDS)
    give_up = time.monotonic() + _END_SECONDS
    while _signal(process, signal.SIGKILL) and time.monotonic() < give_up:
        process.poll()  # reaps the leader
        time.sleep(0.01)
    process.wait()


def _signal(process: "subprocess.Popen[bytes]", number: int) -> bool:
    """Return whether there is still somebody in the group."""
    try:
        os.killpg(process.pid, number)
    except (ProcessLookupError, PermissionError):  # macOS answers so when all have ended
        return False
    return True
