"""The folder of a run. When a run is killed, the next run ends its processes and deletes it.

Locks show what is alive, because the system takes a lock from a process that dies in any way. A
run holds the lock of its folder. Each group of processes that it starts holds a lock, too, on a
file that is named after the group's id. While that lock is held a process of the group is alive,
so no other group can have that id.
"""

import fcntl
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

_PREFIX = "crier-"
_RUN = "run.lock"
_GROUP = "group-"
_KILL = signal.SIGKILL
_DEATH_SECONDS = 10.0


class RunFolder:
    """A new folder for one run, and the processes that must end with the run."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix=_PREFIX))
        self._lock, new = tempfile.mkstemp(dir=self.path)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        Path(new).rename(self.path / _RUN)  # a file of that name is always locked

    def start(self, command: Sequence[str], **options: Any) -> "subprocess.Popen[bytes]":
        """Start a command as the leader of a group of its own, with these options of Popen."""
        lock, new = tempfile.mkstemp(dir=self.path)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            process = subprocess.Popen(command, start_new_session=True, pass_fds=(lock,), **options)
            Path(new).rename(self.path / f"{_GROUP}{process.pid}")
        finally:
            os.close(lock)  # the process that was started holds it now
        return process

    def remove(self) -> None:
        """Delete the folder with everything in it."""
        _delete(self.path)
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def end_killed_runs() -> None:
    """End the processes and delete the folders of this user's runs that were killed."""
    for run in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*/{_RUN}"):
        with suppress(OSError):  # its run is alive, or another user's, or was deleted
            lock = _lock(run)
            try:
                _end(run.parent)
            finally:
                os.close(lock)


def _end(folder: Path) -> None:
    """End a run that was killed. The next run tries again what cannot be ended now."""
    if folder.is_symlink() or folder.stat().st_uid != os.getuid():
        return
    if all(_is_ended(group) for group in folder.glob(f"{_GROUP}*")):
        _delete(folder)


def _delete(folder: Path) -> None:
    """Delete a folder, its lock last: without it the next run would not find what is left."""
    with suppress(OSError):
        for one in folder.iterdir():
            if one.is_dir() and not one.is_symlink():
                shutil.rmtree(one, ignore_errors=True)
            elif one.name != _RUN:
                one.unlink(missing_ok=True)
        if [one.name for one in folder.iterdir()] == [_RUN]:
            shutil.rmtree(folder, ignore_errors=True)


def _is_ended(group: Path) -> bool:
    """Kill a group of processes, and return whether all of them have ended."""
    give_up = time.monotonic() + _DEATH_SECONDS
    while _is_held(group):
        if time.monotonic() > give_up:
            return False
        with suppress(ProcessLookupError, PermissionError):  # its last process has just ended
            os.killpg(int(group.name.removeprefix(_GROUP)), _KILL)
        time.sleep(0.01)
    return True


def _is_held(path: Path) -> bool:
    try:
        os.close(_lock(path))
    except BlockingIOError:
        return True
    return False


def _lock(path: Path) -> int:
    """Return a file's descriptor with its lock. Raises BlockingIOError when another holds it."""
    descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
