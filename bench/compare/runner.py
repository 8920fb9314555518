"""Does planned runs, one after another, in rounds."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from bench.compare.child import Child
from bench.compare.complaints import complaints
from bench.compare.cores import Cores
from bench.compare.job import Job
from bench.compare.measurement import Measurement
from bench.compare.runs import PlannedRun
from bench.strategies.registry import STRATEGIES
from testbed.stand_in.behaviour import Behaviour
from testbed.stand_in.process import StandInProcess
from testbed.stand_in.report import Report

LIMIT_SECONDS = 300.0
FRAME = json.dumps(
    {
        "id": "0f6c1f0e-6f3b-4d2b-9a53-2d5c1b8f9a10",
        "seq": 4711,
        "channel": "*",
        "message": {"headline": "Hear ye, hear ye!", "body": "The market opens at noon. " * 4},
        "sentAt": 1_700_000_000_000,
    }
)
ACCESS_KEY = "AKIAIOSFODNN7EXAMPLE"
SECRET_KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"  # noqa: S105 - AWS's own example
SESSION_TOKEN = "IQoJb3JpZ2luX2VjEXAMPLE" + "x" * 900  # as long as a function's


@dataclass(frozen=True, slots=True)
class Sample:
    """One repeat of a run: what the strategy measured and what the stand-in saw of it."""

    measured: Measurement
    report: Report
    complaints: tuple[str, ...]
    opened_before: int = 0
    """HTTPS connections that were opened while warming up."""

    @property
    def connections_opened(self) -> int:
        """All HTTPS connections that the strategy has opened: as many at most were open at once."""
        return self.opened_before + self.report.http_connections_opened


class Runner:
    """Runs strategies against one stand-in."""

    def __init__(self, stand_in: StandInProcess, cores: Cores) -> None:
        self._stand_in = stand_in
        self._cores = cores

    def run(self, planned: PlannedRun) -> Sample:
        """Run it once; raises BenchError when the strategy does not measure anything."""
        job, strategy = self._job(planned), STRATEGIES[planned.strategy]
        opened_before = 0

        def begin() -> None:
            nonlocal opened_before
            opened_before = self._stand_in.report().http_connections_opened
            self._stand_in.behave(planned.behaviour)

        # The quota's bucket is for the measured part: warming up must not be throttled.
        self._stand_in.behave(_unlimited(planned))
        with Child(
            (*strategy.command, job.to_json()),
            core=self._cores.strategy,
            limit_seconds=LIMIT_SECONDS,
            root=strategy.root,
        ) as child:
            measured = child.measure(begin)
        report = self._stand_in.report()
        found = tuple(complaints(job, planned.behaviour, measured, report, strategy.protocol))
        return Sample(measured, report, found, opened_before)

    def _job(self, planned: PlannedRun) -> Job:
        ca_path = self._stand_in.ca_path
        return Job(
            url=self._stand_in.url,
            ca=str(ca_path) if ca_path else None,
            region=planned.behaviour.region,
            access_key=ACCESS_KEY,
            secret_key=SECRET_KEY,
            session_token=SESSION_TOKEN,
            connections=planned.connections,
            warm_up=planned.warm_up,
            frame=FRAME,
            in_flight=planned.in_flight,
            pace=planned.pace,
        )


def in_rounds(runs: Sequence[PlannedRun], repeats: int) -> Iterator[PlannedRun]:
    """Yield each run as often as it is to be repeated.

    A whole round before the next one: noise on the machine meets all of them alike.
    """
    for number in range(repeats):
        yield from (run for run in runs if number < run.most_repeats)


def run_all(
    runs: Sequence[PlannedRun],
    repeats: int,
    runner: Runner,
    begun: Callable[[PlannedRun], None],
) -> dict[PlannedRun, list[Sample]]:
    """Return the samples of each run; calls `begun` before each one."""
    samples: defaultdict[PlannedRun, list[Sample]] = defaultdict(list)
    for planned in in_rounds(runs, repeats):
        begun(planned)
        samples[planned].append(runner.run(planned))
    return dict(samples)


def _unlimited(planned: PlannedRun) -> Behaviour:
    return replace(planned.behaviour, quota_posts_per_second=0, quota_burst=0)
