"""A checkpoint that cannot be written: posting goes on, and little is repeated if it dies then."""

import pytest

from testbed.function.app import App
from testbed.stand_in.behaviour import Behaviour
from testbed.wire_faults import WireFault
from tests.faults.conftest import Behave
from tests.support.promises import expect_kept

pytestmark = pytest.mark.timeout(120)

QUICK = Behaviour(latency_median_seconds=0.005)
POSTS_PER_SECOND = 300
IN_FLIGHT = 64


def _refused_checkpoints(*, times: int = 0) -> WireFault:
    return WireFault(
        operation="PutItem",
        body="slice#0",
        kind="throttle",
        code="ProvisionedThroughputExceededException",
        after_seconds=0.5,
        for_seconds=6.0,
        times=times,
    )


def test_checkpoint_that_is_refused_for_six_seconds_repeats_no_connection(
    app: App, stand_in: Behave
) -> None:
    """The worker lives: one invocation serves 1,500 at 300 a second, and each receives it once."""
    app.posts_per_second = POSTS_PER_SECOND
    here = stand_in(QUICK)
    audience = app.connect(1_500)
    app.faults = [_refused_checkpoints()]

    broadcast_id = app.send()
    app.run()

    expect_kept(app, broadcast_id, here.report(), audience)
    assert app.happened > 0
    assert app.invocations == 1


def test_death_while_checkpoints_are_refused_repeats_a_seconds_worth(
    app: App, stand_in: Behave
) -> None:
    """The worker dies at a later try: no more was posted unsaved than the promise allows."""
    app.posts_per_second = POSTS_PER_SECOND
    here = stand_in(QUICK)
    audience = app.connect(1_500)
    app.faults = [
        _refused_checkpoints(times=5),
        WireFault(
            operation="PutItem", body="slice#0", kind="kill_before", after_seconds=3, times=1
        ),
    ]

    broadcast_id = app.send()
    app.run()

    assert app.crashes == 1
    assert app.happened > 1  # the death, and refusals before it: a busy machine has fewer
    limit = POSTS_PER_SECOND + IN_FLIGHT + POSTS_PER_SECOND // 10
    expect_kept(app, broadcast_id, here.report(), audience, duplicates=limit)


def test_lease_that_is_lost_while_checkpoints_are_refused_ends_the_work(
    app: App, stand_in: Behave
) -> None:
    """It is no passing failure that another worker has the slice: its account counts, exactly."""
    app.posts_per_second = 200
    here = stand_in(QUICK)
    audience = app.connect(600)
    app.faults = [
        WireFault(
            operation="PutItem",
            body="slice#0",
            kind="refuse",
            code="ConditionalCheckFailedException",
            times=1,
        )
    ]

    broadcast_id = app.send()
    app.run()

    assert app.happened == 1
    expect_kept(app, broadcast_id, here.report(), audience, duplicates=600)
