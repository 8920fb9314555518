"""The result of a benchmark: the values that bench/results/latest.json holds."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median, median_low
from typing import Any, Self

from bench import result_file
from bench.compare.measurement import Curve
from bench.compare.runner import Sample
from bench.compare.runs import PlannedRun
from bench.errors import BenchError
from bench.paths import RESULTS
from bench.strategies.registry import STRATEGIES
from bench.target import Target

FULL_SHARE = 0.95
"""A core that is busy for this share of the time is full: nothing more goes through it."""
LATEST = RESULTS / "latest.json"
PARTIAL = LATEST.with_name("partial.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run: the medians of its repeats; the counts, latencies and curve of the middle one."""

    strategy: str
    protocol: str
    """By its name of ALPN: h2 or http/1.1."""
    connections: int
    in_flight: int
    warm: bool
    wall_seconds: float
    wall_seconds_fastest: float
    wall_seconds_spread: float
    """The slowest repeat's minus the fastest one's."""
    posts_per_second: float
    """Posts as the stand-in counted them, repeated ones included."""
    cpu_microseconds_per_post: float
    peak_memory_bytes: int
    delivered: int
    gone: int
    failed: int
    throttled: int
    """Posts answered 429, as the stand-in counted: more than the connections that ended so."""
    latency_ms: Mapping[str, float]
    curve: Curve
    repeats: int
    https_connections: int
    """Opened by the strategy, those of its warming up included; the most of all repeats."""
    cpu_share: float
    """Of the strategy's core, while measuring."""
    stand_in_cpu_share: float
    """Of the stand-in's core, while measuring: near 1, the stand-in was the bottleneck."""

    @classmethod
    def of(cls, planned: PlannedRun, samples: Sequence[Sample]) -> Self:
        """Sum up the repeats of one run; there is at least one."""
        walls = [sample.measured.wall_seconds for sample in samples]
        middle = samples[walls.index(median_low(walls))]
        return cls(
            strategy=planned.name,
            protocol=STRATEGIES[planned.strategy].protocol,
            connections=planned.connections,
            in_flight=planned.in_flight,
            warm=planned.is_warm,
            wall_seconds=round(median(walls), 6),
            wall_seconds_fastest=round(min(walls), 6),
            wall_seconds_spread=round(max(walls) - min(walls), 6),
            posts_per_second=round(median(_posts_per_second(one) for one in samples), 1),
            cpu_microseconds_per_post=round(median(_cpu_per_post(one) for one in samples), 2),
            peak_memory_bytes=int(median(one.measured.peak_memory_bytes for one in samples)),
            delivered=middle.measured.delivered,
            gone=middle.measured.gone,
            failed=middle.measured.failed,
            throttled=middle.report.answers.get(429, 0),
            latency_ms=middle.measured.latency_ms,
            curve=middle.measured.curve,
            repeats=len(samples),
            https_connections=max(one.connections_opened for one in samples),
            cpu_share=round(median(_share(one) for one in samples), 3),
            stand_in_cpu_share=round(median(_stand_in_share(one) for one in samples), 3),
        )

    @property
    def connections_per_second(self) -> float:
        """The pace at which connections were served."""
        return self.connections / self.wall_seconds

    @property
    def is_stand_in_full(self) -> bool:
        """Whether the stand-in's core had no time left: then the strategy may be faster still."""
        return self.stand_in_cpu_share >= FULL_SHARE


@dataclass(frozen=True, slots=True)
class Result:
    """All there is to say."""

    machine: Mapping[str, Any]
    runs: tuple[Run, ...]
    targets: tuple[Target, ...]

    def write(self, path: Path = LATEST) -> None:
        """Write it as JSON."""
        members = {
            "machine": self.machine,
            "runs": [asdict(run) for run in self.runs],
            "targets": [target.facts() for target in self.targets],
        }
        result_file.write(path, members)

    @classmethod
    def read(cls, path: Path = LATEST) -> Self:
        """Return what was written; raises BenchError when it is missing or of another form."""
        try:
            facts = json.loads(path.read_text())
            runs = tuple(Run(**{**run, "curve": _curve(run["curve"])}) for run in facts["runs"])
            targets = tuple(Target(**target) for target in facts["targets"])
            return cls(facts["machine"], runs, targets)
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise BenchError(
                f"{path} holds no result of the benchmark ({error}); run `make bench`"
            ) from error


def _curve(points: Sequence[Sequence[float]]) -> Curve:
    return tuple((float(ms), int(count)) for ms, count in points)


def _posts_per_second(sample: Sample) -> float:
    return sample.report.posts / sample.measured.wall_seconds


def _cpu_per_post(sample: Sample) -> float:
    return 1e6 * sample.measured.cpu_seconds / max(1, sample.report.posts)


def _share(sample: Sample) -> float:
    return sample.measured.cpu_seconds / sample.measured.wall_seconds


def _stand_in_share(sample: Sample) -> float:
    return sample.report.cpu_seconds / sample.measured.wall_seconds
