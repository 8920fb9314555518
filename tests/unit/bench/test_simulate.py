"""The simulation of the shared pace: the quota, its floor, and that every worker gets there."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import terminal
from bench.simulate.herd import Herd, herd, judge_herds
from bench.simulate.plots import make_plots
from bench.simulate.quota import Quota
from bench.simulate.result import Run, write
from bench.simulate.row import Row
from bench.simulate.scenario import ANSWER_SECONDS, SHOWN, Scenario, scenarios
from bench.simulate.simulation import Simulation
from bench.simulate.table import show_runs
from bench.simulate.targets import judge
from bench.simulate.verb import ASSUMPTIONS, run_all, run_one
from broadcasting.pacing.reservation import TatUpdate

A_RUN = Run(
    workers=4,
    quota=10_000,
    connections=300_000,
    has_others=False,
    is_shared=True,
    floor_seconds=37.0,
    seconds=37.4,
    throttled_share=0.0,
    pending=0,
    slowest_share=0.9,
    small_seconds=0.1,
    requests=1_000,
    requests_per_second=27.0,
    small_requests=1,
)
OTHERS = replace(A_RUN, has_others=True, throttled_share=0.02)
SHORT = replace(A_RUN, connections=30_000, floor_seconds=0.1, seconds=0.13)


def test_quota_takes_its_bucket_and_then_its_rate() -> None:
    """What exceeds them is throttled."""
    quota = Quota(1_000.0)

    taken = [quota.take(600, 0.0), quota.take(600, 0.25)]

    assert taken == [500, 250]
    assert (quota.taken, quota.throttled) == (750, 450)


def test_quota_leaves_what_the_others_do_not_take() -> None:
    """Two thirds of the quota, from then on."""
    quota = Quota(900.0)
    quota.take(450, 0.0)
    quota.let_others_in(0.0)

    assert quota.take(900, 0.5) == 300


def test_row_counts_what_it_refuses() -> None:
    """A write that is refused costs a request, too."""
    row = Row()

    done = [row.change(TatUpdate(5.0, 0.0, 9.0, is_reset=is_reset)) for is_reset in (False, True)]

    assert done == [False, True]
    assert (row.tat_ms, row.requests, row.refused) == (5.0, 2, 1)


@pytest.mark.parametrize(
    ("scenario", "seconds"),
    [
        (Scenario(16, 10_000, 84_000), 10.0),  # 4,000 at once, the others at 8,000/s
        (Scenario(1, 100_000, 40_000), 2.0),  # the worker's own speed
        (Scenario(4, 10_000, 30_000, has_others=True), 3.25),  # the account's bucket helps
        (Scenario(4, 9_000, 288_000, has_others=True), 19.5 + 23.25),
    ],
)
def test_floor_is_what_the_budget_and_the_workers_allow(scenario: Scenario, seconds: float) -> None:
    """And one answer's time."""
    assert scenario.floor_seconds == pytest.approx(seconds + ANSWER_SECONDS)


def test_scenarios_are_all_that_the_issue_names() -> None:
    """4 numbers of workers, 3 quotas, 3 audiences, with and without others; 4 to compare with."""
    plan = scenarios()

    assert len(set(plan)) == 4 * 3 * 3 * 2 + 4


@pytest.mark.parametrize("workers", [1, 16])
def test_simulation_keeps_the_budget(workers: int) -> None:
    """Near the floor, without 429, and no connection is missed."""
    run = Simulation(Scenario(workers, 10_000, 30_000)).run()

    assert 1.0 <= run.ratio <= 1.15
    assert (run.throttled_share, run.pending) == (0.0, 0)
    assert run.slowest_share >= 0.5
    assert run.small_seconds < 0.5


def test_simulation_heeds_other_tenants() -> None:
    """Few posts are throttled, though a third of the quota is gone."""
    run = Simulation(Scenario(4, 2_500, 60_000, has_others=True)).run()

    assert 0.0 < run.throttled_share <= 0.05
    assert run.ratio <= 1.15


def test_simulation_shows_why_there_is_a_shared_budget() -> None:
    """Workers that only adapt waste posts."""
    run = Simulation(Scenario(16, 10_000, 60_000, is_shared=False)).run()

    assert run.throttled_share > 0.05
    assert run.requests == 0


def test_simulation_is_repeatable() -> None:
    """The same seed, the same run."""
    scenario = Scenario(4, 2_500, 10_000)

    first, again, other = (Simulation(scenario, seed=seed).run() for seed in (1, 1, 2))

    assert first == again != other


@settings(max_examples=25, deadline=None)
@given(
    workers=st.integers(1, 12),
    quota=st.integers(40, 20_000),
    connections=st.integers(1, 600),
    has_others=st.booleans(),
    seed=st.integers(0, 99),
)
def test_simulated_workers_always_get_there(
    *, workers: int, quota: int, connections: int, has_others: bool, seed: int
) -> None:
    """However small the budget, and however many share it: no worker waits for ever."""
    scenario = Scenario(workers, quota, max(workers, connections), has_others=has_others)

    run = Simulation(scenario, seed=seed).run()

    assert run.seconds < math.inf
    assert run.small_seconds < math.inf


def test_targets_are_judged_by_the_worst_run() -> None:
    """Its name is told."""
    slow = replace(A_RUN, workers=64, seconds=50.0)

    first, *others = judge([A_RUN, slow, OTHERS, SHORT])

    assert (first.met, first.worst_run) == (False, "64 workers, 10,000/s, 300,000")
    assert first.figure == pytest.approx(50 / 37, abs=1e-4)
    assert all(target.met for target in others)


def test_workers_without_a_shared_budget_are_not_judged() -> None:
    """They are there to compare with."""
    alone = replace(A_RUN, is_shared=False, throttled_share=0.7)

    assert all(target.met for target in judge([A_RUN, alone, OTHERS, SHORT]))


def test_result_is_written_as_json(tmp_path: Path) -> None:
    """Assumptions, runs and targets, figures rounded."""
    path = tmp_path / "results" / "simulate.json"
    runs = [A_RUN, replace(OTHERS, seconds=1 / 3), SHORT]

    write(ASSUMPTIONS, runs, judge(runs), herds={}, reconnects={}, path=path)

    read = json.loads(path.read_text())
    assert read["assumptions"]["answer_seconds"] == ANSWER_SECONDS
    assert [run["seconds"] for run in read["runs"]] == [37.4, 0.3333, 0.13]
    assert all("met" in target for target in read["targets"])


def test_tables_show_every_run_and_target(capsys: pytest.CaptureFixture[str]) -> None:
    """On stdout, wide enough when piped away."""
    runs = [A_RUN, replace(OTHERS, seconds=60.0), SHORT]

    show_runs(runs)
    terminal.show_targets(judge(runs))

    out = capsys.readouterr().out
    assert out.count("300,000") >= 2
    assert "≤ 1.15" in out
    assert "7 met, 1 missed, 0 not measured." in out


def test_plan_is_simulated_in_processes_and_put_in_order() -> None:
    """By quota, audience, others and workers."""
    plan = [Scenario(2, 2_500, 900), Scenario(1, 2_500, 900), Scenario(1, 1_000, 900)]

    runs = run_all(plan)

    assert [(run.quota, run.workers) for run in runs] == [(1_000, 1), (2_500, 1), (2_500, 2)]


def test_trace_is_kept_of_what_is_shown() -> None:
    """A plot of each moment of every run would be much."""
    run = Simulation(Scenario(2, 2_500, 900)).run(has_trace=True)

    assert sum(taken for _, taken, _ in run.trace) == 900 + 300
    assert run_one(Scenario(2, 2_500, 900)).trace == ()


def test_plots_are_made_as_svg_and_png(tmp_path: Path) -> None:
    """Three of them."""
    shown = replace(A_RUN, quota=SHOWN[0], connections=SHOWN[1], trace=((0.0, 9, 0), (0.1, 9, 1)))
    runs = [
        replace(shown, workers=workers, has_others=has_others, is_shared=is_shared)
        for workers in (1, 16)
        for has_others, is_shared in ((False, True), (True, True), (False, False))
    ]

    make_plots(runs, tmp_path)

    made = sorted(path.name for path in tmp_path.iterdir())
    names = ("pace-floor", "pace-over-time", "pace-throttled")
    assert made == sorted(f"{name}.{kind}" for name in names for kind in ("png", "svg"))


def test_herd_is_whole_and_slows_no_post_when_refused_requests_are_free() -> None:
    """The throttle of the clients' route keeps most of them from the quota."""
    twenty_thousand = herd(1, clients=20_000)

    assert twenty_thousand.seconds < 60
    assert twenty_thousand.slower <= 1.05
    assert twenty_thousand.tries >= 1


def test_herd_slows_posts_when_refused_requests_take_from_the_quota() -> None:
    """The simulation can tell: it is not what AWS documents."""
    free, counted = (herd(1, clients=20_000, refused_count=one) for one in (False, True))

    assert counted.slower > 1.5 > free.slower


def test_herds_are_judged_by_the_worst_of_those_that_are_documented() -> None:
    """A herd in which refused requests count is shown, and not judged."""
    good = Herd(
        refused_count=False, seconds=40, tries=4, busy=0, post_seconds=3.3, alone_post_seconds=3.3
    )
    slow = replace(good, seconds=61.0)
    counted = replace(good, refused_count=True, post_seconds=9.9)

    whole, posts = judge_herds({"good": good, "slow": slow, "counted": counted})

    assert (whole.met, whole.worst_run, whole.figure) == (False, "slow", 61.0)
    assert (posts.met, posts.figure) == (True, 1.0)
