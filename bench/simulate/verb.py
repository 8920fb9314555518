"""What `python -m bench simulate` does: simulate every scenario, judge, write, draw, show."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed

from bench import terminal
from bench.paths import PLOTS, shown
from bench.simulate import scenario as assumed
from bench.simulate.herd import judge_herds, run_herds
from bench.simulate.plots import make_plots
from bench.simulate.reconnects import judge_reconnects, run_reconnects
from bench.simulate.result import LATEST, Run, write
from bench.simulate.scenario import SHOWN, Scenario, scenarios
from bench.simulate.simulation import Simulation
from bench.simulate.table import show_reconnects, show_runs
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


def simulate() -> bool:
    """Simulate, judge, write, draw and show; return whether all targets are met."""
    runs = run_all(scenarios())
    herds = run_herds()
    reconnects = run_reconnects()
    targets = (*judge(runs), *judge_herds(herds), *judge_reconnects(reconnects))
    write(ASSUMPTIONS, runs, targets, herds=herds, reconnects=reconnects)
    make_plots(runs)
    show_runs(runs)
    show_reconnects(reconnects)
    terminal.show_targets(targets)
    terminal.note(f"Written: {shown(LATEST)} and the plots in {shown(PLOTS)}.")
    return all(target.met for target in targets)


def run_all(plan: Sequence[Scenario]) -> tuple[Run, ...]:
    """Return the runs in the order of the plan; the longest are begun first."""
    with terminal.progress(len(plan)) as begin:
        begin("Simulating")
        done: dict[Scenario, Run] = {}
        for scenario, run in _all(sorted(plan, key=_length, reverse=True)):
            done[scenario] = run
            begin("Simulating")
    return tuple(done[scenario] for scenario in sorted(plan, key=_place))


def run_one(scenario: Scenario) -> Run:
    """Simulate one scenario."""
    is_shown = (scenario.quota, scenario.connections) == SHOWN
    return Simulation(scenario).run(has_trace=is_shown)


def _all(plan: Sequence[Scenario]) -> Iterator[tuple[Scenario, Run]]:
    with ProcessPoolExecutor(min(_PROCESSES, os.cpu_count() or 1)) as processes:
        futures = {processes.submit(run_one, scenario): scenario for scenario in plan}
        for future in as_completed(futures):
            yield futures[future], future.result()


def _length(scenario: Scenario) -> float:
    """Return about how long it takes: many workers have much to do at a time."""
    return scenario.floor_seconds * (4 + scenario.workers) * (1 + 2 * scenario.has_others)


def _place(scenario: Scenario) -> tuple[bool, int, int, bool, int]:
    one = scenario
    return not one.is_shared, one.quota, one.connections, one.has_others, one.workers
