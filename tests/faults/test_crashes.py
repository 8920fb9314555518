"""The function dies at each of its requests, before and after the effect: the next one goes on."""

import pytest

from testbed.function.app import App, Crash, Function
from testbed.stand_in.behaviour import Behaviour
from testbed.wire_faults import WireFault
from tests.faults.conftest import Behave
from tests.support.promises import expect_kept

pytestmark = pytest.mark.timeout(120)

QUICK = Behaviour(latency_median_seconds=0.005)
SLOW = Behaviour(latency_median_seconds=0.02)
"""So slow that 64 posts in flight are 3,000 a second, which is less than the pace allows."""

EVERYONE = 150

CLOSING = '{"S": "settled"}'
"""What only the write of the last closing holds."""

POINTS = {
    "number": ("UpdateItem", "number:"),
    "opening": ("TransactWriteItems", "seq#000000000001"),
    "mark": ("UpdateItem", "REMOVE"),
    "reading": ("Query", ""),
    "checkpoint or release": ("PutItem", "slice#0"),
    "hand-over": ("SendMessage", ""),
    "leasing": ("GetItem", "slice#0"),
    "closing": ("TransactWriteItems", CLOSING),
}


@pytest.mark.parametrize("kind", ["kill_before", "kill_after"])
@pytest.mark.parametrize("point", POINTS)
def test_crash_costs_at_most_a_page_twice(
    app: App, stand_in: Behave, point: str, kind: str
) -> None:
    """Whatever the function was doing: the account is exact, and no connection is missed."""
    app.slow_down(100)
    here = stand_in(QUICK)
    audience = app.connect(EVERYONE)
    operation, body = POINTS[point]
    app.faults = [WireFault(operation=operation, body=body, kind=kind, times=1)]

    broadcast_id = app.send()
    app.run()

    assert app.crashes == 1
    expect_kept(app, broadcast_id, here.report(), audience, duplicates=EVERYONE)


@pytest.mark.parametrize("point", ["checkpoint or release", "hand-over", "closing"])
def test_crash_after_the_account_was_written_repeats_no_connection(
    app: App, stand_in: Behave, point: str
) -> None:
    """What has been written down is not done again."""
    app.slow_down(100)
    here = stand_in(QUICK)
    audience = app.connect(EVERYONE)
    operation, body = POINTS[point]
    app.faults = [WireFault(operation=operation, body=body, kind="kill_after", times=1)]

    broadcast_id = app.send()
    app.run()

    assert app.crashes == 1
    expect_kept(app, broadcast_id, here.report(), audience, duplicates=0)


def test_crashes_ten_in_a_row_are_survived(app: App, stand_in: Behave) -> None:
    """Each worker dies before its hand-over, having written its account."""
    app.slow_down(30)
    here = stand_in(QUICK)
    audience = app.connect(300)
    app.faults = [WireFault(operation="SendMessage", kind="kill_before", times=10)]

    broadcast_id = app.send()
    app.run()

    assert app.crashes == 10
    expect_kept(app, broadcast_id, here.report(), audience, duplicates=0)


def test_deadline_in_the_middle_ten_times_in_a_row(app: App, stand_in: Behave) -> None:
    """Ten invocations and more run out of time; no connection receives anything twice."""
    app.slow_down(30)
    here = stand_in(QUICK)
    audience = app.connect(300)

    broadcast_id = app.send()
    app.run()

    assert app.invocations > 10
    expect_kept(app, broadcast_id, here.report(), audience, duplicates=0)


def test_worker_that_hands_shards_over_may_die_before_their_messages_are_sent(
    app: App, stand_in: Behave
) -> None:
    """The shards that were split off are announced by the worker that goes on."""
    here = stand_in(SLOW)
    audience = app.connect(12_000)
    app.faults = [WireFault(operation="SendMessage", kind="kill_before", times=1)]

    broadcast_id = app.send()
    app.run()

    assert app.crashes == 1
    assert app.account(broadcast_id).slices > 1
    expect_kept(app, broadcast_id, here.report(), audience, duplicates=1_000)


def test_crash_is_none_that_the_function_could_catch() -> None:
    """Else these tests would prove nothing."""
    assert not issubclass(Crash, Exception)
    assert Function.invoke.__doc__
