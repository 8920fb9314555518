"""The clock of a Python strategy: what it times, counts and prints, the same for all of them.

Standard library only: it runs in the environments of all strategies.
"""

import resource
import sys
import time
from pathlib import Path

from bench.compare.job import Job
from bench.compare.latencies import Latencies
from bench.compare.measurement import Measurement, Outcome

_STATUS = Path("/proc/self/status")
_KIB = 1024


class Meter:
    """Measures one run: `begin` after warming up, `note` per connection, `finish` at the end.

    Not for several threads at once: threads say when an answer came, one of them notes it.
    """

    def __init__(self, strategy: str, job: Job) -> None:
        self._strategy = strategy
        self._job = job
        self._counts: dict[Outcome, int] = {"delivered": 0, "gone": 0, "failed": 0, "throttled": 0}
        self._latencies = Latencies()
        self._began = 0.0
        self._cpu_began = 0.0

    def begin(self) -> None:
        """Say that all is warm, wait for the word to begin, and start the clocks.

        The word is any line, or the end, of standard input; meanwhile the stand-in's counts are
        set to zero, so that they cover what is measured and nothing else.
        """
        sys.stdout.write('{"warm": true}\n')
        sys.stdout.flush()
        sys.stdin.readline()
        self._cpu_began = time.process_time()
        self._began = time.perf_counter()

    def note(self, outcome: Outcome, at: float | None = None) -> None:
        """Count a connection that has ended, now or `at` that time of `time.perf_counter`."""
        self._counts[outcome] += 1
        if outcome in ("delivered", "gone"):
            self._latencies.note((time.perf_counter() if at is None else at) - self._began)

    def finish(self) -> Measurement:
        """Stop the clocks, print the measurement and return it."""
        wall_seconds = time.perf_counter() - self._began
        cpu_seconds = time.process_time() - self._cpu_began
        measurement = Measurement(
            strategy=self._strategy,
            connections=self._job.connections,
            wall_seconds=wall_seconds,
            cpu_seconds=cpu_seconds,
            peak_memory_bytes=peak_memory_bytes(),
            **self._counts,
            latency_ms=self._latencies.summary_ms(),
            curve=self._latencies.curve(),
        )
        sys.stdout.write(f"{measurement.to_json()}\n")
        sys.stdout.flush()
        return measurement


def peak_memory_bytes() -> int:
    """Return the process's largest resident set.

    Linux's `ru_maxrss` survives an exec, so it may be that of the process that started this one.
    """
    if _STATUS.exists():
        for line in _STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * _KIB
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * _KIB
