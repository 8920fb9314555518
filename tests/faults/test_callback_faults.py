"""`@connections` is down, throttles, breaks: each connection is served, or fails with a reason."""

import random
import time

import pytest

from testbed.function.app import App, Function
from testbed.stand_in.behaviour import Behaviour
from testbed.stand_in.errors import error_answer
from testbed.stand_in.reaction import Answer, Post, Reaction, Reset
from tests.faults.conftest import Behave
from tests.support.promises import expect_exact, expect_kept

pytestmark = [pytest.mark.timeout(120), pytest.mark.usefixtures("quick_probes", "quick_tries")]


def test_a_third_of_all_posts_throttled_costs_no_connection_the_message(
    app: App, stand_in: Behave
) -> None:
    """429 for every third post, at random: tried again, and counted."""
    chance = random.Random(7)  # noqa: S311 - repeatable, not secret

    def script(_: Post) -> Reaction:
        return error_answer(429) if chance.random() < 1 / 3 else Answer(200)

    here = stand_in(script)
    audience = app.connect(900)

    broadcast_id = app.send()
    app.run()

    counts = expect_kept(app, broadcast_id, here.report(), audience)
    assert counts.throttled == here.report().answers[429]


def test_refused_credentials_fail_no_connection(app: App, stand_in: Behave) -> None:
    """403 for some posts: the work stops, is taken up later, and goes on where it was."""
    app.slow_down(100)
    refused = range(70, 75)

    def script(_: Post) -> Reaction:
        is_refused = sum(here.report().answers.values()) in refused
        return error_answer(403) if is_refused else Answer(200)

    here = stand_in(script)
    audience = app.connect(150)

    broadcast_id = app.send()
    app.run()

    counts = expect_kept(app, broadcast_id, here.report(), audience)
    assert here.report().answers[403] > 0
    assert counts.failed == 0


def test_endpoint_that_is_down_for_ten_seconds_costs_no_connection_the_message(
    app: App, stand_in: Behave
) -> None:
    """Every post is reset for ten seconds; nothing was delivered, so no connection has it twice."""
    up_at = time.time() + 10

    def script(_: Post) -> Reaction:
        is_up = time.time() + app.time.ahead_seconds >= up_at  # the waits of SQS are skipped
        return Answer(200) if is_up else Reset()

    here = stand_in(script)
    audience = app.connect(200)

    broadcast_id = app.send()
    app.run(*(Function(app) for _ in range(2)))

    expect_kept(app, broadcast_id, here.report(), audience)


def test_full_buffers_fail_alone(app: App, stand_in: Behave) -> None:
    """Slow clients fail after their rounds; all others have the message once."""
    behaviour = Behaviour(latency_median_seconds=0.005, full_buffer_share=0.1)
    here = stand_in(behaviour)
    audience = app.connect(200)
    full = {name for name in audience if behaviour.is_full(name)}

    broadcast_id = app.send()
    app.run()

    account = app.account(broadcast_id)
    expect_exact(account)
    assert set(app.failed(broadcast_id)) == full
    assert account.counts.failed == len(full) > 5
    assert set(here.report().received) == audience - full
    assert here.report().duplicates == 0


def test_answers_lost_after_delivery_are_the_only_duplicates(app: App, stand_in: Behave) -> None:
    """A post whose connection resets after it took effect is sent again: at least once."""
    lost: set[str] = set()

    def script(post: Post) -> Reaction:
        if post.attempt == 1 and hash(post.connection_id) % 10 == 0:
            lost.add(post.connection_id)
            return Reset(when="during")
        return Answer(200)

    here = stand_in(script)
    audience = app.connect(200)

    broadcast_id = app.send()
    app.run()

    expect_kept(app, broadcast_id, here.report(), audience, duplicates=len(lost))
    assert {name for name, count in here.report().received.items() if count > 1} == lost


def test_broadcast_that_gets_too_old_is_settled_as_expired(app: App, stand_in: Behave) -> None:
    """What has not been posted to in time is counted as expired, and not posted to any more."""
    app.slow_down(25)
    here = stand_in(Behaviour(latency_median_seconds=0.005))
    app.connect(100)

    broadcast_id = app.send(ttlSeconds=1)
    app.run()

    counts = app.account(broadcast_id).counts
    expect_exact(app.account(broadcast_id))
    assert counts.targeted == 100
    assert counts.expired > 0
    assert counts.delivered == here.report().delivered
