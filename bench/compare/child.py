"""A strategy as a child process: warm, then measured, and ended whatever happens."""

import json
import os
import signal
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Timer
from typing import Self

from bench.compare.cores import pinned
from bench.compare.measurement import Measurement
from bench.errors import BenchError
from bench.paths import ROOT

_OURS = ("AWS_", "PYTHON", "NODE_")
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


def neutral_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return an environment in which an SDK behaves as it does by default.

    It has no settings of AWS, Python or Node, no profile and no proxy.
    `crier.local.environment.clean_environment` is another one: it keeps a process from a real AWS.
    """
    return {
        name: value
        for name, value in environ.items()
        if not name.upper().startswith(_OURS) and name.upper() not in _PROXIES
    }


class Child:
    """Starts a command on entering; on leaving it has ended, and so has all that it started.

    It runs in the folder `root`: what `python -m` imports comes from that tree.
    """

    def __init__(
        self,
        command: tuple[str, ...],
        *,
        core: int | None,
        limit_seconds: float,
        root: Path = ROOT,
    ) -> None:
        self._command = command
        self._root = root
        self._core = core
        self._limit_seconds = limit_seconds
        self._is_late = False

    def measure(self, begin: Callable[[], None]) -> Measurement:
        """Wait until it is warm, call `begin`, give the word, and return what it measured."""
        if not _is_warm(line := self._read_line()):
            raise self._error(f"it did not say that it is warm but {line[:200]!r}")
        begin()
        assert self._process.stdin is not None
        self._process.stdin.close()
        line = self._read_line()
        try:
            return Measurement.from_json(line)
        except (ValueError, TypeError, KeyError) as error:
            raise self._error(f"it printed no measurement but {line[:200]!r}") from error

    @property
    def process_id(self) -> int:
        """The process's id."""
        return self._process.pid

    def __enter__(self) -> Self:
        with pinned(self._core):
            self._process = subprocess.Popen(
                self._command,
                cwd=self._root,
                env=neutral_environment(os.environ),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                start_new_session=True,  # its group can be ended, and it does not get our Ctrl-C
            )
        self._timer = Timer(self._limit_seconds, self._be_late)
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        self._kill()
        with self._process:
            pass

    def _read_line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline().strip()
        if not line:
            raise self._error(
                f"it was still not done after {self._limit_seconds:g} s"
                if self._is_late
                else "it has ended too early; its last words are above; "
                "is a package missing, run `make bench-setup`"
            )
        return line

    def _error(self, found: str) -> BenchError:
        return BenchError(f"`{' '.join(self._command[:-1])}`: {found}")

    def _be_late(self) -> None:
        self._is_late = True
        self._kill()

    def _kill(self) -> None:
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)


def _is_warm(line: str) -> bool:
    try:
        return bool(json.loads(line) == {"warm": True})
    except ValueError:
        return False
