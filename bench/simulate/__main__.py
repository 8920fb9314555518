"""The simulation of the shared pace: `python -m bench.simulate`, or `make simulate`."""

import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "lambdas"))

from bench.simulate import scenario as assumed
from bench.simulate import terminal
from bench.simulate.plots import FOLDER, make_plots
from bench.simulate.result import LATEST, Run, write
from bench.simulate.scenario import SHOWN, Scenario, scenarios
from bench.simulate.simulation import Simulation
from bench.simulate.targets import judge

_PROCESSES = 2
ASSUMPTIONS = {
    "bucket_seconds_of_quota": assumed.BUCKET_SECONDS,
    "deployed_share_of_quota_and_bucket": assumed.DEPLOYED_SHARE,
    "others_share_of_quota_from_halfway_on": assumed.OTHERS_SHARE,
    "answer_seconds": assumed.ANSWER_SECONDS,
    "reservation_seconds": assumed.RESERVATION_SECONDS,
    "clock_skew_seconds": assumed.SKEW_SECONDS,
    "posts_per_second_of_one_worker_at_most": assumed.WORKER_POSTS_PER_SECOND,
    "posts_in_flight_of_one_worker_at_most": assumed.IN_FLIGHT,
    "all_workers_begin_at_the_same_moment": True,
}


def main() -> int:
    """Simulate everything, show and write it; returns 1 when a target is missed."""
    plan = scenarios()
    runs = simulate(plan)
    targets = judge(runs)
    write(ASSUMPTIONS, runs, targets)
    make_plots(runs)
    terminal.show_runs(runs)
    terminal.show_targets(targets)
    root = LATEST.parents[2]
    written = f"{LATEST.relative_to(root)} and the plots in {FOLDER.relative_to(root)}"
    terminal.err.print(f"Written: {written}.", highlight=False)
    return 0 if all(target.met for target in targets) else 1


def simulate(plan: Sequence[Scenario]) -> tuple[Run, ...]:
    """Return the runs in the order of the plan; the longest are begun first."""
    with terminal.progress(len(plan)) as advance:
        done = dict(_all(sorted(plan, key=_length, reverse=True), advance))
    return tuple(done[scenario] for scenario in sorted(plan, key=_place))


def run_one(scenario: Scenario) -> Run:
    """Simulate one scenario."""
    is_shown = (scenario.quota, scenario.connections) == SHOWN
    return Simulation(scenario).run(has_trace=is_shown)


def _all(plan: Sequence[Scenario], advance: terminal.Advance) -> Iterator[tuple[Scenario, Run]]:
    with ProcessPoolExecutor(min(_PROCESSES, os.cpu_count() or 1)) as processes:
        futures = {processes.submit(run_one, scenario): scenario for scenario in plan}
        for future in as_completed(futures):
            advance()
            yield futures[future], future.result()


def _length(scenario: Scenario) -> float:
    """Return about how long it takes: many workers have much to do at a time."""
    return scenario.floor_seconds * (4 + scenario.workers) * (1 + 2 * scenario.has_others)


def _place(scenario: Scenario) -> tuple[bool, int, int, bool, int]:
    one = scenario
    return not one.is_shared, one.quota, one.connections, one.has_others, one.workers


if __name__ == "__main__":
    sys.exit(main())
