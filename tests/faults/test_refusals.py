"""403: a few connections are refused, or all; 429: buffers are full, or the quota is used up."""

from collections.abc import Callable

import pytest

from testbed.function.app import App, Function
from testbed.function.hostile import Outage
from testbed.stand_in.errors import error_answer
from testbed.stand_in.reaction import Answer, Post, Reaction
from testbed.stand_in.report import Report
from tests.faults.conftest import Behave, Suffer
from tests.support.promises import expect_exact, expect_kept

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.usefixtures("quick_probes", "quick_tries"),
]

OK = Answer(200, delay_seconds=0.005)
FEW_DOZENS = 64
"""Posts that may be refused in one invocation, when all are: no more than are in flight."""


def _script(is_refused: Callable[[Post], bool], status: int = 403) -> Callable[[Post], Reaction]:
    refusal = error_answer(status, delay_seconds=0.005)
    return lambda post: refusal if is_refused(post) else OK


def _expect_refused(
    app: App, broadcast_id: str, report: Report, audience: set[str], refused: set[str]
) -> None:
    """Check that some have failed with the reason, and all others received it once."""
    expect_exact(app.account(broadcast_id))
    assert app.account(broadcast_id).counts.targeted == len(audience)
    reasons = app.reasons(broadcast_id)
    assert set(reasons) == refused
    assert all("403" in reason for reason in reasons.values())
    assert report.received == dict.fromkeys(audience - refused, 1)


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize(("clients", "count"), [(2_000, 1), (2_000, 3), (3_000, 30)])
def test_connections_that_are_refused_fail_alone(
    app: App, stand_in: Behave, clients: int, count: int, workers: int
) -> None:
    """A few are refused always: they fail, and the others receive it once.

    Wherever they stand, and whichever worker takes up the pending ones.
    """
    audience = app.connect(clients)
    refused = set(sorted(audience)[:: clients // count][:count])
    here = stand_in(_script(lambda post: post.connection_id in refused))

    broadcast_id = app.send()
    app.run(*(Function(app) for _ in range(workers)))

    _expect_refused(app, broadcast_id, here.report(), audience, refused)


@pytest.mark.parametrize("count", [1, 3])
def test_connections_that_are_refused_first_fail_alone(
    app: App, stand_in: Behave, count: int
) -> None:
    """The first that are posted to are refused always: no other connection waits for them."""
    refused: set[str] = set()

    def is_refused(post: Post) -> bool:
        if len(refused) < count:
            refused.add(post.connection_id)
        return post.connection_id in refused

    here = stand_in(_script(is_refused))
    audience = app.connect(2_000)

    broadcast_id = app.send()
    app.run()

    _expect_refused(app, broadcast_id, here.report(), audience, refused)


def test_connection_that_is_refused_twice_and_then_let_in_receives_it(
    app: App, stand_in: Behave
) -> None:
    """A refusal is tried again like a passing failure, with backoff."""
    here = stand_in(_script(lambda post: post.attempt <= 2 and post.connection_id.endswith("0")))
    audience = app.connect(200)

    broadcast_id = app.send()
    app.run()

    expect_kept(app, broadcast_id, here.report(), audience)


@pytest.mark.parametrize("after_posts", [0, 500])
def test_refusal_of_everyone_fails_no_connection(
    app: App, hostile: Suffer, after_posts: int
) -> None:
    """Our permission is missing for five minutes: no round is counted, few posts are made."""
    here = hostile(Outage(how="forbidden", seconds=300, after_posts=after_posts))
    audience = app.connect(1_500)

    broadcast_id = app.send()
    app.run()

    expect_kept(app, broadcast_id, here.report(), audience)
    assert here.posts_while_down <= FEW_DOZENS * app.invocations
    assert app.invocations > 4, "more delays than a connection has rounds"


def test_audience_of_one_is_refused_alone_when_others_were_answered(
    app: App, stand_in: Behave
) -> None:
    """The answers in another broadcast a moment ago show that the trouble is its own."""
    refused: set[str] = set()
    here = stand_in(_script(lambda post: post.connection_id in refused))
    function, others = Function(app), app.connect(20)
    app.send()
    app.run(function)
    app.disconnect(others)
    refused |= app.connect(1)

    broadcast_id = app.send()
    app.run(function)

    expect_exact(app.account(broadcast_id))
    assert set(app.failed(broadcast_id)) == refused
    assert here.report().delivered == 20
    assert not app.letters(app.slices)


def test_throttling_of_everyone_fails_no_connection(app: App, hostile: Suffer) -> None:
    """The quota is used up by others for three minutes: the rounds count for no connection."""
    here = hostile(Outage(how="throttled", seconds=180))
    audience = app.connect(300)

    broadcast_id = app.send()
    app.run()

    expect_kept(app, broadcast_id, here.report(), audience)


def test_full_buffers_of_a_small_audience_fail_after_their_rounds(
    app: App, stand_in: Behave
) -> None:
    """At most 16 that are answered nothing but 429 have full buffers: they fail, and it settles."""
    stand_in(_script(lambda _: True, 429))
    audience = app.connect(3)

    broadcast_id = app.send()
    app.run()

    expect_exact(app.account(broadcast_id))
    assert set(app.failed(broadcast_id)) == audience
