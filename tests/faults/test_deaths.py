"""Workers die, messages come again, slices are taken up often: the broadcast goes on."""

import json

import pytest

from broadcasting.frame import MAX_FRAME_BYTES
from broadcasting.slice_message import encode_slice_message
from crier.deployed.redrive_decision import Action
from testbed.function.app import App, Function
from testbed.stand_in.behaviour import Behaviour
from testbed.wire_faults import WireFault
from tests.faults.conftest import Behave
from tests.support.promises import expect_exact, expect_kept

pytestmark = pytest.mark.timeout(120)

QUICK = Behaviour(latency_median_seconds=0.005)


POINTS = {
    "before the hand-over": ("SendMessage", "", "kill_before"),
    "after the release": ("PutItem", '"owner": {"S": ""}', "kill_after"),
}
"""Where workers die that have written down how far they have come."""


@pytest.mark.parametrize("point", POINTS)
def test_deaths_ten_in_a_row_leave_no_dead_letter(app: App, stand_in: Behave, point: str) -> None:
    """As often as the deployed queues deliver a message, ten deaths are survived."""
    app.slow_down(30)
    here = stand_in(QUICK)
    audience = app.connect(240)
    operation, body, kind = POINTS[point]
    app.faults = [WireFault(operation=operation, body=body, kind=kind, times=10)]

    broadcast_id = app.send()
    app.run()

    assert app.crashes == 10
    assert not app.letters(app.broadcasts) + app.letters(app.slices)
    expect_kept(app, broadcast_id, here.report(), audience)


def _largest_message(app: App, broadcast_id: str, *, seq: int) -> str:
    """Return a message whose frame is as large as is allowed, with a number in its channel."""
    frame = {
        "id": broadcast_id,
        "seq": seq,
        "channel": "*",
        "message": "",
        "sentAt": app.time.now_ms(),
    }
    return "x" * (MAX_FRAME_BYTES - len(json.dumps(frame, separators=(",", ":"))))


def test_message_that_comes_again_is_not_rejected_for_a_number_it_would_not_have(
    app: App, stand_in: Behave
) -> None:
    """Number 9 fits exactly, number 10 would not; its worker dies: the broadcast goes on."""
    app.slow_down(30)
    here = stand_in(QUICK)
    for _ in range(8):
        app.send()
    app.run()
    audience = app.connect(60)
    app.faults = [WireFault(operation="PutItem", body="slice#0", kind="kill_before", times=1)]

    broadcast_id = app.send(id="large", message=_largest_message(app, "large", seq=9))
    app.run()

    assert app.crashes == 1
    assert app.letters(app.broadcasts) == []
    assert app.account(broadcast_id).seq == 9
    expect_kept(app, broadcast_id, here.report(), audience, duplicates=60)


def test_message_that_comes_twice_is_skipped_however_large_it_is(
    app: App, stand_in: Behave
) -> None:
    """A duplicate of a settled broadcast is no new one: its next number does not matter."""
    here = stand_in(QUICK)
    for _ in range(8):
        app.send()
    app.run()
    audience = app.connect(10)
    message = _largest_message(app, "large", seq=9)

    for _ in range(2):
        app.send(id="large", message=message)
        app.run()

    assert app.letters(app.broadcasts) == []
    expect_kept(app, "large", here.report(), audience)


def test_frame_that_is_too_large_is_rejected_before_the_first_post(
    app: App, stand_in: Behave
) -> None:
    """One byte more than the limit is a dead letter with its reason."""
    here = stand_in(QUICK)
    app.connect(3)

    app.send(id="larger", message=_largest_message(app, "larger", seq=1) + "x")
    app.run()

    (reason,) = app.dead_letters(app.broadcasts)
    assert str(MAX_FRAME_BYTES + 1) in reason
    assert here.report().posts == 0


def test_slice_that_was_taken_up_too_often_is_redriven(app: App, stand_in: Behave) -> None:
    """After a thousand hops it is a dead letter; put back, its count begins anew."""
    app.slow_down(30)
    here = stand_in(QUICK)
    audience = app.connect(60)
    broadcast_id = app.send()
    app.invoke(Function(app))
    app.rows_of_ledger.change(broadcast_id, "slice#0", hops={"N": "1000"})
    app.run()
    (letter,) = app.letters(app.slices)
    assert letter.body == encode_slice_message(broadcast_id, "0")
    assert "1000 times" in letter.reason
    assert not app.account(broadcast_id).is_settled

    (redriven,) = app.redrive(rejected=True)
    app.run()

    assert redriven.action is Action.PUT_BACK
    expect_kept(app, broadcast_id, here.report(), audience)
    expect_exact(app.account(broadcast_id))
