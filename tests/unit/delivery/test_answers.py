"""What a batch of answers tells the breaker."""

import pytest

from broadcasting.breaker import Observed
from broadcasting.connection import Connection
from broadcasting.outcome import Verdict
from broadcasting.retry import Backoff
from broadcasting.trouble import Answers
from delivery.answers import Batch
from delivery.post import Post
from testbed.model.fakes import OLD_MS

ANSWERED = [Verdict.DELIVERED, Verdict.GONE, Verdict.REFUSED, Verdict.YOUNG]
IN_VAIN = [Verdict.FORBIDDEN, Verdict.LOST]


def _judge(
    batch: Batch,
    post: Post,
    verdict: Verdict,
    reason: str = "why",
    *,
    error: Exception | None = None,
) -> None:
    post.judge(verdict, reason, Backoff())
    batch.add(post, verdict, reason, error)


def _post(*, is_probe: bool = False) -> Post:
    return Post(Connection("a", OLD_MS), is_probe=is_probe)


def test_batch_without_answers_says_nothing() -> None:
    """All is zero."""
    assert Batch().observed() == Observed(Answers())


@pytest.mark.parametrize(
    ("verdict", "observed"),
    [
        *[(verdict, Observed(Answers(answered=1))) for verdict in ANSWERED],
        (Verdict.FORBIDDEN, Observed(Answers(refused=1), refused_anew=1, reason="why")),
        (Verdict.THROTTLED, Observed(Answers(throttled=1))),
        (Verdict.LOST, Observed(Answers(lost=1), lost_anew=1, reason="why")),
    ],
)
def test_batch_counts_each_answer_in_one_of_four_ways(verdict: Verdict, observed: Observed) -> None:
    """The reason is that of a refused or lost one."""
    batch = Batch()

    _judge(batch, _post(), verdict)

    assert batch.observed() == observed


@pytest.mark.parametrize("verdict", IN_VAIN)
def test_batch_counts_as_new_a_connections_first_answer_of_a_kind(verdict: Verdict) -> None:
    """The same connection's second refusal or loss says nothing of other connections."""
    batch, post = Batch(), _post()

    for _ in range(3):
        _judge(batch, post, verdict)

    observed = batch.observed()
    assert observed.answers.refused + observed.answers.lost == 3
    assert observed.refused_anew + observed.lost_anew == 1


@pytest.mark.parametrize(
    ("connections", "posts_of_each", "said"), [(1, 128, 4), (1, 3, 3), (16, 128, 64), (128, 1, 128)]
)
def test_batch_takes_the_end_of_a_connection_for_a_few_lost_posts(
    connections: int, posts_of_each: int, said: int
) -> None:
    """It may have carried many; the end of many connections is an outage, however many they do."""
    batch = Batch()

    for _ in range(connections):
        error = ConnectionError("reset")
        for _ in range(posts_of_each):
            _judge(batch, _post(), Verdict.LOST, error=error)

    observed = batch.observed()
    assert (observed.answers.lost, observed.lost_anew) == (connections * posts_of_each, said)


@pytest.mark.parametrize("verdict", [*ANSWERED, Verdict.THROTTLED, *IN_VAIN])
def test_batch_counts_a_probe_once(verdict: Verdict) -> None:
    """Whatever is not lost or refused was answered; the post's next try is a probe or not."""
    batch, post = Batch(), _post(is_probe=True)

    _judge(batch, post, verdict)
    _judge(batch, post, verdict)

    observed = batch.observed()
    assert (observed.probes_in_vain, observed.probes_answered) == (
        int(verdict in IN_VAIN),
        int(verdict not in IN_VAIN),
    )
    assert not post.is_probe


def test_batch_counts_an_http_connection_that_cannot_be_opened_as_lost() -> None:
    """It is no connection's try, and no probe."""
    batch = Batch()

    batch.add_unopened("refused")

    assert batch.observed() == Observed(Answers(lost=1), unopened=1, reason="refused")


def test_batch_has_the_reason_of_the_last_one_in_vain() -> None:
    """A success after it does not hide it."""
    batch = Batch()

    _judge(batch, _post(), Verdict.LOST, "503 first")
    _judge(batch, _post(), Verdict.FORBIDDEN, "403 last")
    _judge(batch, _post(), Verdict.THROTTLED, "429 busy")

    assert batch.observed().reason == "403 last"
