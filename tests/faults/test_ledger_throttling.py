"""DynamoDB cancels transactions and refuses writes for a while: no post is repeated."""

import pytest

from testbed.function.app import RESERVED_MS, App
from testbed.stand_in.behaviour import Behaviour
from testbed.stand_in.report import Report
from testbed.wire_faults import WireFault
from tests.faults.conftest import Behave
from tests.support.promises import expect_kept

pytestmark = pytest.mark.timeout(120)

QUICK = Behaviour(latency_median_seconds=0.005)
CLOSING = '{"S": "settled"}'
"""What only the write of the last closing holds."""

REASONS = (
    "ThrottlingError",
    "TransactionConflict",
    "ProvisionedThroughputExceeded",
)


def _cancel(text: str, *reasons: str, for_seconds: float) -> WireFault:
    return WireFault(
        operation="TransactWriteItems",
        body=text,
        kind="cancel",
        reasons=reasons,
        for_seconds=for_seconds,
    )


def _expect_one_invocation(app: App, broadcast_id: str, report: Report, all_: set[str]) -> None:
    expect_kept(app, broadcast_id, report, all_)
    assert app.invocations == 1
    assert app.happened > 0


@pytest.mark.parametrize("seconds", [0.2, 0.5, 1.0, 2.0, 10.0])
def test_closing_that_is_throttled_settles_in_the_same_invocation(
    app: App, stand_in: Behave, seconds: float
) -> None:
    """The invocation has time: it waits, and no connection receives the broadcast twice."""
    here = stand_in(QUICK)
    audience = app.connect(300)
    app.faults = [_cancel(CLOSING, "ThrottlingError", for_seconds=seconds)]

    broadcast_id = app.send()
    app.run()

    _expect_one_invocation(app, broadcast_id, here.report(), audience)
    assert app.happened <= 60 + 20 * seconds, "it waits between two tries, longer each time"


@pytest.mark.parametrize("reason", REASONS)
@pytest.mark.parametrize("text", [CLOSING, "seq#000000000001"])
def test_transaction_that_is_cancelled_for_any_passing_reason_is_made_again(
    app: App, stand_in: Behave, text: str, reason: str
) -> None:
    """Opening and closing wait for a second of throttling, or of other transactions."""
    here = stand_in(QUICK)
    audience = app.connect(100)
    app.faults = [_cancel(text, "None", reason, for_seconds=1.0)]

    broadcast_id = app.send()
    app.run()

    _expect_one_invocation(app, broadcast_id, here.report(), audience)
    assert app.account(broadcast_id).seq == 1


def test_split_that_is_throttled_is_made_in_the_end(app: App, stand_in: Behave) -> None:
    """A split is throttled for a second: no connection is missed or receives it twice."""
    here = stand_in(Behaviour(latency_median_seconds=0.02))
    audience = app.connect(12_000)
    app.faults = [_cancel('"slice#1"', "ThrottlingError", for_seconds=1.0)]

    broadcast_id = app.send()
    app.run()

    assert app.happened > 0
    assert app.account(broadcast_id).slices > 1
    expect_kept(app, broadcast_id, here.report(), audience)


def test_failed_condition_is_read_anew_at_once(app: App, stand_in: Behave) -> None:
    """A write whose rows have changed meanwhile is made again from the new ones, at once."""
    here = stand_in(QUICK)
    audience = app.connect(100)
    reasons = ("ConditionalCheckFailed",)
    app.faults = [
        WireFault(
            operation="TransactWriteItems", body=CLOSING, kind="cancel", reasons=reasons, times=2
        )
    ]

    broadcast_id = app.send()
    app.run()

    _expect_one_invocation(app, broadcast_id, here.report(), audience)
    assert app.happened == 2


def test_closing_that_is_impossible_leaves_no_connection_to_post_to(
    app: App, stand_in: Behave
) -> None:
    """It is throttled until the invocation ends: the slice is released with an empty backlog."""
    app.remaining_ms = RESERVED_MS + 1_500
    here = stand_in(QUICK)
    audience = app.connect(300)
    app.faults = [_cancel(CLOSING, "ThrottlingError", for_seconds=5.0)]

    broadcast_id = app.send()
    app.run()

    assert app.invocations > 1
    expect_kept(app, broadcast_id, here.report(), audience)
    assert here.report().posts == 300
