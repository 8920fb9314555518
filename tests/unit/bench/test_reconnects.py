"""The simulation of a cut of all clients: what the stage lets in, and how each backoff does."""

import json
from dataclasses import replace
from statistics import median

import pytest

from bench.simulate import cut, reconnects
from bench.simulate.backoffs import BACKOFFS, OURS
from bench.simulate.cut import (
    CONNECT_BURST,
    CONNECT_RATE,
    CONNECT_SECONDS,
    Reconnects,
    reconnect,
)
from bench.simulate.reconnects import SEEDS, judge_reconnects, run_reconnects
from bench.simulate.result import LATEST
from bench.simulate.table import show_reconnects
from crier.paths import ROOT
from tests.support.simulation import seeded

CLIENTS = 5_000
FLOOR_SECONDS = (CLIENTS - CONNECT_BURST) / CONNECT_RATE
CUT = Reconnects(
    backoff=OURS,
    is_warned=False,
    refused_count=False,
    seconds=100.0,
    tries=6.0,
    most_tries=11,
    worst_second=29_000,
    refused=158_000,
    quota_taken=0,
)
WARNED = replace(CUT, is_warned=True, seconds=60.1, tries=1.0, worst_second=570, refused=0)


@pytest.mark.parametrize("backoff", BACKOFFS)
def test_clients_that_are_cut_all_come_back(backoff: str) -> None:
    """Not faster than the stage lets them in; those refused are the tries that were too many."""
    found = reconnect(1, backoff=backoff, clients=CLIENTS)

    assert FLOOR_SECONDS < found.seconds < 60
    assert found.refused == round(found.tries * CLIENTS) - CLIENTS
    assert found.tries <= found.most_tries
    assert found.worst_second > CONNECT_RATE + CONNECT_BURST


def test_clients_that_are_told_before_come_back_within_that_time_at_the_first_try() -> None:
    """The warning spreads them below what the stage lets in."""
    found = reconnect(1, clients=CLIENTS, warned_seconds=12.0)

    assert 11.9 < found.seconds < 12.5
    assert (found.tries, found.refused) == (1.0, 0)
    assert CLIENTS / 12 < found.worst_second < 600


def test_one_client_is_back_when_it_has_joined() -> None:
    """Its first try is let in: it takes what a connect and a join take."""
    found = reconnect(1, clients=1, warned_seconds=0.001)

    assert found.seconds == pytest.approx(CONNECT_SECONDS + 0.03, abs=0.001)
    assert (found.most_tries, found.worst_second) == (1, 1)


def test_reconnects_are_the_same_for_the_same_seed() -> None:
    """And others for another one."""
    first, again, other = (reconnect(seed, clients=CLIENTS) for seed in (1, 1, 2))

    assert first == again
    assert first != other


def test_refused_connects_take_from_the_quota_only_where_they_count() -> None:
    """What they take is never more than they are."""
    free, counted = (reconnect(1, clients=CLIENTS, refused_count=one) for one in (False, True))

    assert free.quota_taken == 0
    assert 0 < counted.quota_taken <= counted.refused


def test_refused_joins_are_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the route of the clients' frames takes less than the stage lets in."""
    monkeypatch.setattr(cut, "CLIENT_RATE", 100.0)
    monkeypatch.setattr(cut, "CLIENT_BURST", 100.0)

    found = reconnect(1, clients=1_000, warned_seconds=2.0)

    assert found.seconds > (1_000 - 100) / 100
    assert found.tries == 1.0


def test_backoffs_wait_a_random_time_up_to_their_limit() -> None:
    """The first limit, those of the next failures, and a minute at last."""
    limits = {
        OURS: (2, 4, 8, 16, 32, 60),
        "2 s three times, then doubled": (2, 2, 2, 4, 8, 60),
        "2 s, tripled": (2, 6, 18, 54, 60, 60),
        "0.5 s, doubled": (0.5, 1, 2, 4, 8, 60),
        "decorrelated": (2, 30, 30, 30, 30, 30),
    }

    for name, expected in limits.items():
        for failures, limit in zip((0, 1, 2, 3, 4, 20), expected, strict=True):
            waits = [BACKOFFS[name](failures, 10.0, seeded(seed)) for seed in range(500)]
            assert 0.95 * limit < max(waits) <= limit


def test_decorrelated_backoff_waits_a_minute_at_most() -> None:
    """And never less than its first limit, after a failure."""
    waits = [BACKOFFS["decorrelated"](5, 50.0, seeded(seed)) for seed in range(500)]

    assert max(waits) == 60
    assert min(waits) >= 2


def test_backoff_that_grows_slower_brings_a_single_client_back_sooner() -> None:
    """What fewer tries after a cut of all cost: its own network was away for ten seconds."""
    names = ("2 s three times, then doubled", OURS, "2 s, tripled")

    slow_growth, ours, fast_growth = (
        median(_late_seconds(name, 10.0, seed) for seed in range(300)) for name in names
    )

    assert slow_growth < ours < fast_growth


def _late_seconds(backoff: str, outage_seconds: float, seed: int) -> float:
    """Return how long after an outage of its network a client tries again."""
    chance = seeded(seed)
    wait = now = BACKOFFS[backoff](0, 0.0, chance)
    failures = 0
    while now < outage_seconds:
        failures += 1
        wait = BACKOFFS[backoff](failures, wait, chance)
        now += wait
    return now - outage_seconds


def test_reconnects_are_judged_by_the_worst_of_ours() -> None:
    """Other backoffs, and the reading that AWS does not document, are shown and not judged."""
    every = {
        "good": CUT,
        "slow": replace(CUT, seconds=121.0),
        "warned": WARNED,
        "warned worse": replace(WARNED, seconds=76.0, worst_second=601),
        "other": replace(CUT, backoff="decorrelated", seconds=300.0),
        "counted": replace(CUT, refused_count=True, seconds=300.0),
    }

    unwarned, warned, second = judge_reconnects(every)

    assert (unwarned.met, unwarned.worst_run, unwarned.figure) == (False, "slow", 121.0)
    assert (warned.met, warned.worst_run, warned.figure) == (False, "warned worse", 76.0)
    assert (second.met, second.worst_run, second.figure) == (False, "warned worse", 601.0)
    assert all(target.met for target in judge_reconnects({"cut": CUT, "warned": WARNED}))


def test_every_backoff_is_simulated_with_several_seeds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ours with a warning, too, and with refused connects that count."""
    asked = []

    def note(seed: int, **given: object) -> Reconnects:
        asked.append((seed, given))
        return CUT

    monkeypatch.setattr(reconnects, "reconnect", note)

    found = run_reconnects()

    assert len(found) == len(asked) == 3 * (len(BACKOFFS) + 2)
    assert f"{OURS}, told before, seed 2" in found
    assert (2, {"warned_seconds": 60.0}) in asked
    assert (2, {"refused_count": True}) in asked


def test_table_shows_every_reconnect(capsys: pytest.CaptureFixture[str]) -> None:
    """By its name."""
    show_reconnects({"by one way": CUT, "by another": WARNED})

    out = capsys.readouterr().out
    assert "by one way" in out
    assert "158,000" in out
    assert "60.1" in out


PAGE = (ROOT / "docs" / "contributor" / "benchmarks.md").read_text()


def _kept(name: str) -> dict[str, float]:
    """Return the worst figures of all seeds in the result that is kept."""
    every = json.loads(LATEST.read_text())["reconnects"]
    seeds = [every[f"{name}, seed {seed}"] for seed in SEEDS]
    return {figure: max(one[figure] for one in seeds) for figure in seeds[0]}


@pytest.mark.parametrize("backoff", BACKOFFS)
def test_page_of_benchmarks_has_the_worst_figures_of_each_backoff(backoff: str) -> None:
    """Those of the result that is kept."""
    worst = _kept(backoff)

    assert (
        f"| {backoff} | {worst['seconds']:.0f} s | {worst['tries']:.2f} | "
        f"{worst['most_tries']} | {worst['worst_second']:,} |\n"
    ) in PAGE


def test_page_of_benchmarks_has_what_ours_come_to_when_told_and_when_refusals_count() -> None:
    """The worst second, and what is taken from the quota."""
    told = _kept(f"{OURS}, told before")
    counted = _kept(f"{OURS}, refused connects count")

    assert f"no second has more than {told['worst_second']} tries" in PAGE
    assert told["seconds"] <= 60.2
    assert f"they take {counted['quota_taken']:,} requests" in PAGE
