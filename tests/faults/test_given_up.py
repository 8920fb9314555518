"""An outage lasts too long: the slice is a dead letter that says why, and can be redriven."""

import json

import pytest

from broadcasting.slice_message import encode_slice_message
from crier.deployed.redrive_decision import Action
from testbed.function.app import App
from testbed.function.hostile import Hostile, How, Outage
from testbed.stand_in.errors import error_answer
from testbed.stand_in.reaction import Answer, Post, Reaction
from tests.faults.conftest import Behave, Suffer
from tests.support.promises import expect_exact, expect_kept

pytestmark = [pytest.mark.timeout(120), pytest.mark.usefixtures("quick_probes", "quick_tries")]

OUTAGE_SECONDS = 60
"""The shortest that can be set: delays of 5, 10, 20 and 40 s."""


def _given_up(app: App, hostile: Suffer, how: How, *, clients: int = 300) -> tuple[str, Hostile]:
    """Have a broadcast given up in its middle; return its id and the endpoint."""
    app.outage_seconds = OUTAGE_SECONDS
    here = hostile(Outage(how=how, seconds=3_000, after_posts=clients // 2))
    broadcast_id = app.send()
    app.run()
    return broadcast_id, here


@pytest.mark.parametrize("how", ["refused", "broken", "forbidden"])
def test_slice_that_waited_too_long_is_a_dead_letter_with_the_reason(
    app: App, hostile: Suffer, how: How
) -> None:
    """After `outageSeconds` it is given up; the broadcast stays open, no connection has failed."""
    app.connect(300)
    before = app.time.now()

    broadcast_id, _ = _given_up(app, hostile, how)

    (letter,) = app.letters(app.slices)
    assert json.loads(letter.body)["broadcast"] == broadcast_id
    assert letter.attributes["crier.kind"] == "gave-up"
    assert letter.attributes["crier.messageId"]
    said = {"refused": "refused", "broken": "503", "forbidden": "403"}[how]
    assert said in letter.reason
    account = app.account(broadcast_id)
    assert account.state == "open"
    assert account.counts.failed == 0
    assert OUTAGE_SECONDS <= app.time.now() - before < 4 * OUTAGE_SECONDS


def test_slice_that_was_given_up_is_resumed_exactly(app: App, hostile: Suffer) -> None:
    """Redriven without more ado when the endpoint is back: no connection receives it twice."""
    audience = app.connect(300)
    broadcast_id, here = _given_up(app, hostile, "refused")
    received = len(here.report().received)

    app.time.skip(here.ends_at - app.time.now())
    redriven = app.redrive()
    app.run()

    assert 0 < received < 300
    assert [one.action for one in redriven] == [Action.PUT_BACK]
    expect_kept(app, broadcast_id, here.report(), audience)
    assert not app.letters(app.slices)


def test_slice_that_was_redriven_too_early_waits_as_long_again(app: App, hostile: Suffer) -> None:
    """Its `outageSeconds` begin anew: it is delayed, and is a dead letter after them again."""
    audience = app.connect(60)
    broadcast_id, here = _given_up(app, hostile, "refused", clients=60)
    redriven_at, before = app.time.now(), app.invocations

    app.redrive()
    app.run()

    assert app.time.now() - redriven_at >= OUTAGE_SECONDS
    assert app.invocations > before + 2
    assert len(app.letters(app.slices)) == 1
    app.time.skip(here.ends_at - app.time.now())
    app.redrive()
    app.run()
    expect_kept(app, broadcast_id, here.report(), audience)


def test_slice_that_is_always_refused_is_delayed_and_given_up(app: App, stand_in: Behave) -> None:
    """Three are refused, and none was ever answered: none has failed, and later all receive it."""
    is_let_in = False

    def script(_: Post) -> Reaction:
        return Answer(200) if is_let_in else error_answer(403)

    app.outage_seconds = OUTAGE_SECONDS
    here = stand_in(script)
    audience = app.connect(3)
    broadcast_id = app.send()
    app.run()
    (letter,) = app.letters(app.slices)
    assert letter.body == encode_slice_message(broadcast_id, "0")
    assert "403" in letter.reason
    assert app.account(broadcast_id).counts.failed == 0

    is_let_in = True
    app.redrive()
    app.run()

    expect_kept(app, broadcast_id, here.report(), audience)


def test_time_to_live_ends_the_waiting_sooner(app: App, hostile: Suffer) -> None:
    """The endpoint is down for longer than the time to live: pending connections have expired."""
    here = hostile(Outage(how="refused", seconds=3_000, after_posts=150))
    app.connect(300)

    broadcast_id = app.send(ttlSeconds=90)
    app.run()

    account = app.account(broadcast_id)
    expect_exact(account)
    assert account.counts.failed == 0
    assert account.counts.delivered == len(here.report().received) > 0
    assert account.counts.expired == 300 - account.counts.delivered
    assert not app.letters(app.slices)


def test_outage_begins_anew_after_a_round_that_counts(app: App, hostile: Suffer) -> None:
    """Two outages of 45 s with deliveries between them are none of 90 s: nothing is given up."""
    app.outage_seconds = OUTAGE_SECONDS
    again_at: list[float] = []

    def usual(_: Post) -> Reaction:
        if not again_at and here.report().delivered >= 400:
            again_at.append(app.time.now())
        is_down_again = bool(again_at) and app.time.now() - again_at[0] < 45
        return error_answer(503) if is_down_again else Answer(200, delay_seconds=0.01)

    here = hostile(Outage(how="broken", seconds=45, after_posts=200), usual=usual)
    audience = app.connect(600)

    broadcast_id = app.send()
    app.run()

    assert again_at
    assert not app.letters(app.slices)
    expect_kept(app, broadcast_id, here.report(), audience)
