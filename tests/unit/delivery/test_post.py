"""One connection's post: what an answer does to it."""

import pytest

from broadcasting.connection import Connection
from broadcasting.outcome import Outcome, Settlement, Verdict
from broadcasting.retry import Backoff
from delivery.post import NOT_ANSWERED, Post
from testbed.model.fakes import OLD_MS

TWO_TRIES = Backoff(tries=2)
CONNECTION = Connection("a", OLD_MS)


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
    post = Post(CONNECTION, tries=1)

    assert post.judge(verdict, "why", TWO_TRIES) is outcome
    assert (post.reason, post.verdict) == ("why", verdict)


@pytest.mark.parametrize(
    "verdict", [Verdict.THROTTLED, Verdict.YOUNG, Verdict.LOST, Verdict.FORBIDDEN]
)
def test_post_is_pending_after_its_last_try(verdict: Verdict) -> None:
    """Another round, or another worker, goes on with it."""
    assert Post(CONNECTION, tries=2).judge(verdict, "why", TWO_TRIES) is Outcome.PENDING


def test_post_counts_its_answers_by_kind() -> None:
    """Throttles are counted for the receipt, refusals and losses for the breaker."""
    post = Post(CONNECTION)

    for verdict in (Verdict.THROTTLED, Verdict.LOST, Verdict.LOST, *[Verdict.FORBIDDEN] * 3):
        post.judge(verdict, "why", TWO_TRIES)

    assert (post.throttles, post.losses, post.refusals) == (1, 2, 3)


def test_post_settles_with_all_that_has_happened_to_it() -> None:
    """The last verdict is what its round is judged by."""
    post = Post(CONNECTION, tries=1)
    post.judge(Verdict.THROTTLED, "429 busy", TWO_TRIES)

    settlement = post.settle(Outcome.PENDING)

    assert settlement == Settlement(
        CONNECTION, Outcome.PENDING, 1, 1, "429 busy", Verdict.THROTTLED
    )


@pytest.mark.parametrize("earlier", [None, Verdict.FORBIDDEN, Verdict.LOST])
def test_post_is_lost_when_it_is_abandoned_unless_it_was_answered_before(
    earlier: Verdict | None,
) -> None:
    """The answer to an earlier try says more."""
    post = Post(CONNECTION, tries=1)
    if earlier:
        post.judge(earlier, "why", TWO_TRIES)

    post.abandon()

    expected = (earlier, "why") if earlier else (Verdict.LOST, NOT_ANSWERED)
    assert (post.verdict, post.reason) == expected
