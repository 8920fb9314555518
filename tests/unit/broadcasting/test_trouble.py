"""The rule: trouble of a few connections is their own, trouble of many is that of all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broadcasting.trouble import (
    LONGEST_DELAY_SECONDS,
    Answers,
    Evidence,
    Pending,
    RecentAnswers,
    Trouble,
    explain,
    judge,
    outage_delay_seconds,
)

NONE = Evidence()
MANY = Evidence(delivered=2_900, gone=100)
COUNTS = st.integers(0, 5_000)


@pytest.mark.parametrize(
    ("evidence", "most"),
    [
        (NONE, 0),
        (Evidence(delivered=1), 16),
        (Evidence(gone=1), 16),
        (Evidence(elsewhere=1), 16),
        (Evidence(elsewhere=100_000), 16),
        (Evidence(delivered=800), 16),
        (Evidence(delivered=800, gone=50), 17),
        (MANY, 60),
    ],
)
def test_a_few_are_sixteen_or_one_in_fifty_of_those_reached(evidence: Evidence, most: int) -> None:
    """There are none while no connection was reached; other broadcasts show that it is possible."""
    assert evidence.most_own == most


@pytest.mark.parametrize(
    ("answers", "pending", "evidence", "trouble"),
    [
        (Answers(2_997, refused=15), Pending(refused=3), MANY, None),
        (Answers(refused=300), Pending(refused=60), MANY, None),
        (Answers(refused=305), Pending(refused=61), MANY, Trouble.FORBIDDEN),
        (Answers(refused=15), Pending(refused=3), NONE, Trouble.FORBIDDEN),
        (Answers(refused=5), Pending(refused=1), Evidence(elsewhere=9), None),
        (Answers(100, lost=100), Pending(lost=80), MANY, None),
        (Answers(100, lost=101), Pending(lost=61), MANY, Trouble.OUTAGE),
        (Answers(100, lost=101), Pending(lost=60), MANY, None),
        (Answers(lost=5), Pending(lost=1), NONE, Trouble.OUTAGE),
        (Answers(refused=30, throttled=21, lost=50), Pending(lost=61), MANY, None),
        (Answers(throttled=99), Pending(throttled=2_899), MANY, None),
        (Answers(throttled=99), Pending(throttled=2_900), MANY, Trouble.THROTTLED),
        (Answers(throttled=80), Pending(throttled=16), NONE, None),
        (Answers(throttled=85), Pending(throttled=17), NONE, Trouble.THROTTLED),
        (Answers(1, throttled=99), Pending(throttled=2_900), MANY, None),
        (Answers(throttled=99, lost=1), Pending(throttled=2_900), MANY, Trouble.THROTTLED),
    ],
)
def test_judge_tells_whose_trouble_it_is(
    answers: Answers, pending: Pending, evidence: Evidence, trouble: Trouble | None
) -> None:
    """The table in the module's docstring, at its limits."""
    assert judge(answers, pending, evidence) is trouble


@given(
    answers=st.builds(Answers, COUNTS, COUNTS, COUNTS, COUNTS),
    pending=st.builds(Pending, *[st.integers(0, 16)] * 3),
    evidence=st.builds(Evidence, st.integers(1, 5_000), COUNTS, COUNTS),
)
def test_judge_never_lets_a_few_hold_up_the_others(
    answers: Answers, pending: Pending, evidence: Evidence
) -> None:
    """Up to 16 of each kind lose rounds, whatever the other answers were."""
    assert judge(answers, pending, evidence) is None


@given(
    answers=st.builds(Answers, st.just(0), COUNTS, COUNTS, COUNTS),
    pending=st.builds(Pending, COUNTS, COUNTS, COUNTS),
)
def test_judge_fails_no_connection_for_trouble_of_all(answers: Answers, pending: Pending) -> None:
    """Where no connection was reached, neither a refusal nor a lost answer costs a round."""
    is_of_all = (
        pending.refused or (pending.lost and answers.is_mostly_lost) or pending.throttled > 16
    )

    assert (judge(answers, pending, NONE) is not None) == bool(is_of_all)


def test_judge_believes_the_breaker() -> None:
    """Trouble that has stopped the posting is that of all."""
    assert judge(Answers(5_000), Pending(), MANY, stopped_by=Trouble.OUTAGE) is Trouble.OUTAGE


def test_delays_grow_up_to_five_minutes() -> None:
    """An endpoint that is down for long is tried seldom; its return is noticed in time."""
    delays = [outage_delay_seconds(rounds) for rounds in range(1, 9)]

    assert delays == [5, 10, 20, 40, 80, 160, 300, 300]
    assert outage_delay_seconds(10**9) == LONGEST_DELAY_SECONDS


def test_recent_answers_are_those_of_other_broadcasts_within_a_minute() -> None:
    """Neither a broadcast's own answers nor old ones tell that posts can succeed."""
    recent = RecentAnswers()
    recent.note("a", 7, 1_000)
    recent.note("b", 0, 2_000)
    recent.note("c", 3, 31_000)

    assert recent.elsewhere("b", 61_000) == 10
    assert recent.elsewhere("a", 61_000) == 3
    assert recent.elsewhere("b", 61_001) == 3
    assert recent.elsewhere("b", 91_001) == 0


def test_recent_answers_forget_when_the_clock_is_set_back() -> None:
    """Answers of the future tell nothing."""
    recent = RecentAnswers()
    recent.note("a", 7, 90_000)

    assert recent.elsewhere("b", 1_000) == 0


@pytest.mark.parametrize("trouble", Trouble)
def test_explain_says_the_reason_and_what_to_do(trouble: Trouble) -> None:
    """A dead letter's reason is all that its reader has."""
    text = explain(trouble, "403 not you")

    assert text.startswith("@connections ")
    assert ": 403 not you; " in text
    assert explain(trouble, "").count(":") == text.count(":") - 1
