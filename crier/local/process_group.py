"""Ends a process that leads a process group, and everything that it has started."""

import os
import signal
import subprocess
import time
from contextlib import suppress

_ASK_SECONDS = 2.0
_END_SECONDS = 1.0


def end_group(process: "subprocess.Popen[bytes]") -> None:
    """Ask the group to end, kill it after two seconds, and return when all of it has ended.

    After the kill it waits a second at most: a process that has ended stays in its group until its
    parent takes its exit status, and some parents never do.
    """
    _signal(process, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(_ASK_SECONDS)
    give_up = time.monotonic() + _END_SECONDS
    while _signal(process, signal.SIGKILL) and time.monotonic() < give_up:
        process.poll()  # takes the leader's exit status
        time.sleep(0.01)
    process.wait()


def _signal(process: "subprocess.Popen[bytes]", number: int) -> bool:
    """Send a signal to the group; return whether the group still has a process."""
    try:
        os.killpg(process.pid, number)
    except (ProcessLookupError, PermissionError):  # macOS raises the second when all have ended
        return False
    return True
