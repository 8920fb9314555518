"""One connection's post: what an answer does to it."""

import pytest

from broadcasting.audience import Connection
from broadcasting.outcome import Outcome, Settlement, Verdict
from broadcasting.retry import Backoff
from delivery.post import NOT_ANSWERED, Post
from testbed.model.fakes import OLD_MS

TWO_TRIES = Backoff(tries=2)
WHO = Connection("a", OLD_MS)


@pytest.mark.parametrize(
    ("verdict", "outcome"),
    [
        (Verdict.DELIVERED, Outcome.DELIVERED),
        (Verdict.GONE, Outcome.GONE),
        (Verdict.REFUSED, Outcome.FAILED),
        (Verdict.THROTTLED, None),
        (Verdict.YOUNG, None),
        (Verdict.LOST, None),
        (Verdict.FORBIDDEN, None),
    ],
)
def test_post_ends_by_its_first_answer_or_is_tried_again(
    verdict: Verdict, outcome: Outcome | None
) -> None:
    """What can change is tried again."""
    post = Post(WHO, tries=1)

    assert post.judge(verdict, "why", TWO_TRIES) is outcome
    assert (post.reason, post.verdict) == ("why", verdict)


@pytest.mark.parametrize(
    "verdict", [Verdict.THROTTLED, Verdict.YOUNG, Verdict.LOST, Verdict.FORBIDDEN]
)
def test_post_is_left_after_its_last_try(verdict: Verdict) -> None:
    """Another round, or another worker, goes on with it."""
    assert Post(WHO, tries=2).judge(verdict, "why", TWO_TRIES) is Outcome.PENDING


def test_post_counts_what_it_hears_by_kind() -> None:
    """Throttles are the account's, refusals and losses the breaker's."""
    post = Post(WHO)

    for verdict in (Verdict.THROTTLED, Verdict.LOST, Verdict.LOST, *[Verdict.FORBIDDEN] * 3):
        post.judge(verdict, "why", TWO_TRIES)

    assert (post.throttles, post.losses, post.refusals) == (1, 2, 3)


def test_post_settles_with_all_that_has_happened_to_it() -> None:
    """The last verdict is what its round is judged by."""
    post = Post(WHO, tries=1)
    post.judge(Verdict.THROTTLED, "429 busy", TWO_TRIES)

    settlement = post.settle(Outcome.PENDING)

    assert settlement == Settlement(WHO, Outcome.PENDING, 1, 1, "429 busy", Verdict.THROTTLED)


@pytest.mark.parametrize("observed", [None, Verdict.FORBIDDEN, Verdict.LOST])
def test_post_is_lost_when_it_is_abandoned_unless_it_has_heard_something(
    observed: Verdict | None,
) -> None:
    """What it heard in an earlier try says more."""
    post = Post(WHO, tries=1)
    if observed:
        post.judge(observed, "why", TWO_TRIES)

    post.abandon()

    expected = (observed, "why") if observed else (Verdict.LOST, NOT_ANSWERED)
    assert (post.verdict, post.reason) == expected
