"""SQS delivers more than once, refuses sends, and brings poison: each broadcast settles once."""

from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from typing import Any

import pytest

from broadcasting.slice_message import encode_slice_message
from testbed.function.app import App, Function
from testbed.stand_in.behaviour import Behaviour
from testbed.wire_faults import WireFault
from tests.faults.conftest import Behave
from tests.support.promises import expect_exact, expect_kept

pytestmark = [pytest.mark.timeout(120), pytest.mark.usefixtures("quick_aws_tries")]

QUICK = Behaviour(latency_median_seconds=0.005)
SLOW = Behaviour(latency_median_seconds=0.02)
"""So slow that 64 posts in flight are 3,000 a second, which is less than the pace allows."""


def _received(app: App) -> dict[str, Any]:
    event = app.receive()
    assert event is not None
    return event


def _at_once(events: list[dict[str, Any]], functions: list[Function]) -> list[list[str] | None]:
    with ThreadPoolExecutor(len(functions)) as threads:
        return list(threads.map(lambda one: one[0].invoke(one[1]), zip(functions, events)))  # noqa: B905


def test_message_delivered_three_times_at_once_and_later_is_one_broadcast(
    app: App, stand_in: Behave
) -> None:
    """Of three workers one posts, the others give the message back; then it is closed."""
    app.slow_down(100, remaining_ms=20_000)
    here = stand_in(QUICK)
    audience = app.connect(100)
    broadcast_id = app.send()
    event = _received(app)

    first = _at_once([deepcopy(event) for _ in range(3)], [Function(app) for _ in range(3)])
    later = [Function(app).invoke(deepcopy(event)) for _ in range(3)]

    assert sorted(len(failures or []) for failures in first) == [0, 1, 1]
    assert later == [[], [], []]
    expect_kept(app, broadcast_id, here.report(), audience)
    assert app.account(broadcast_id).slices == 1


def test_two_workers_on_one_slice_are_one(app: App, stand_in: Behave) -> None:
    """A slice's message comes twice at the same time: one worker has the lease for 3 seconds."""
    app.slow_down(20, remaining_ms=14_000)
    here = stand_in(QUICK)
    audience = app.connect(100)
    broadcast_id = app.send()
    opening = _received(app)
    app.acknowledge(opening, Function(app).invoke(opening) or [])
    event = _received(app)

    answers = _at_once([event, deepcopy(event)], [Function(app), Function(app)])
    assert [] in answers
    app.acknowledge(event, [one for answer in answers for one in answer or []])
    app.run()

    expect_kept(app, broadcast_id, here.report(), audience)


@pytest.mark.parametrize("ahead_seconds", [-3.0, 3.0, -120.0, 120.0])
def test_clock_skew_between_two_workers_harms_no_account(
    app: App, stand_in: Behave, ahead_seconds: float
) -> None:
    """Within 4 s the lease holds; a clock that is far ahead takes it over, and one account wins."""
    app.slow_down(60, remaining_ms=13_000)
    here = stand_in(QUICK)
    audience = app.connect(80)
    broadcast_id = app.send()
    event = _received(app)
    right, wrong = Function(app), Function(app, skew_seconds=ahead_seconds)

    with ThreadPoolExecutor(1) as threads:
        working = threads.submit(right.invoke, event)
        _until_leased(app, broadcast_id)
        answer = wrong.invoke(deepcopy(event))
        first = working.result()
    app.acknowledge(event, first or [])
    app.run(right, wrong)

    taken_over = ahead_seconds > 60
    assert (answer == []) == taken_over
    expect_kept(app, broadcast_id, here.report(), audience, duplicates=len(audience) * taken_over)


def _until_leased(app: App, broadcast_id: str) -> None:
    key = {"pk": {"S": f"broadcast#{broadcast_id}"}, "sk": {"S": "slice#0"}}
    for _ in range(1_000):
        answer = app.client("dynamodb").get_item(TableName=app.ledger, Key=key)
        if answer.get("Item", {}).get("owner", {}).get("S"):
            return
    raise AssertionError("the slice was not leased")


@pytest.mark.parametrize("kind", ["refuse", "break", "lose"])
def test_sends_that_sqs_refuses_are_made_again(app: App, stand_in: Behave, kind: str) -> None:
    """A hand-over that fails gives the message back; one whose answer is lost comes twice."""
    app.slow_down(30)
    here = stand_in(QUICK)
    audience = app.connect(100)
    app.faults = [WireFault(operation="SendMessage", kind=kind, times=3)]

    broadcast_id = app.send()
    app.run()

    assert app.happened == 3
    expect_kept(app, broadcast_id, here.report(), audience)


def test_sends_of_shards_that_sqs_refuses_are_made_again(app: App, stand_in: Behave) -> None:
    """Shards were split off, and their messages are refused one after another."""
    here = stand_in(SLOW)
    audience = app.connect(12_000)
    app.faults = [WireFault(operation="SendMessage", kind="refuse", times=3)]

    broadcast_id = app.send()
    app.run()

    assert app.happened == 3
    expect_kept(app, broadcast_id, here.report(), audience, duplicates=1_000)


def test_poison_among_good_messages_holds_no_broadcast_up(app: App, stand_in: Behave) -> None:
    """A message that is no broadcast is kept with its reason; the broadcasts are delivered."""
    here = stand_in(QUICK)
    audience = app.connect(20)
    good: list[str] = []
    for poison in ("", "{", '{"mesage": 1}', "[]", '{"message": 1, "ttlSeconds": -1}', "\ud7ff"):
        if poison:
            app.send_raw(app.broadcasts, poison)
        good.append(app.send())
    for poison in ("{}", '{"broadcast": 1, "slice": []}', encode_slice_message("b-forged", "0")):
        app.send_raw(app.slices, poison)

    app.run()

    for broadcast_id in good:
        expect_exact(app.account(broadcast_id))
        assert app.account(broadcast_id).counts.delivered == 20
    assert sum(here.report().received.values()) == 20 * len(good)
    assert set(here.report().received) == audience
    rejected = app.dead_letters(app.broadcasts) + app.dead_letters(app.broadcasts)
    slices = app.dead_letters(app.slices) + app.dead_letters(app.slices)
    assert all([*rejected, *slices])
    assert any("the ledger knows no slice 0 of broadcast b-forged" in one for one in slices)


def test_id_with_other_content_is_rejected(app: App, stand_in: Behave) -> None:
    """The first broadcast of an id is the only one; its account stays as it was."""
    here = stand_in(QUICK)
    audience = app.connect(20)
    broadcast_id = app.send()
    app.run()

    app.send(id=broadcast_id, message="something else")
    app.run()

    expect_kept(app, broadcast_id, here.report(), audience)
    (reason,) = app.dead_letters(app.broadcasts)
    assert "belongs to another broadcast" in reason


def test_ledger_row_that_has_expired_makes_a_late_slice_a_dead_letter(
    app: App, stand_in: Behave
) -> None:
    """The account is gone after a week: nothing is posted any more, and the reason says why."""
    app.slow_down(25)
    here = stand_in(QUICK)
    app.connect(60)
    broadcast_id = app.send()
    opening = _received(app)
    app.acknowledge(opening, Function(app).invoke(opening) or [])
    before = here.report().posts
    for sort_key in ("summary", "slice#0"):
        key = {"pk": {"S": f"broadcast#{broadcast_id}"}, "sk": {"S": sort_key}}
        app.client("dynamodb").delete_item(TableName=app.ledger, Key=key)

    app.run()

    assert here.report().posts == before
    (reason,) = app.dead_letters(app.slices)
    assert "opened more than 7 days ago" in reason


def test_ledger_row_that_expires_under_a_worker_makes_a_dead_letter(
    app: App, stand_in: Behave
) -> None:
    """The rows vanish while the slice is delivered: nothing is invented, the message is kept."""
    app.slow_down(25)
    stand_in(QUICK)
    app.connect(60)
    broadcast_id = app.send()
    opening = _received(app)
    app.acknowledge(opening, Function(app).invoke(opening) or [])
    event = _received(app)
    table = app.client("dynamodb")
    with ThreadPoolExecutor(1) as threads:
        working = threads.submit(Function(app).invoke, event)
        _until_leased(app, broadcast_id)
        for sort_key in ("summary", "slice#0"):
            key = {"pk": {"S": f"broadcast#{broadcast_id}"}, "sk": {"S": sort_key}}
            table.delete_item(TableName=app.ledger, Key=key)
        app.acknowledge(event, working.result() or [])

    app.run()

    (reason,) = app.dead_letters(app.slices)
    assert "opened more than 7 days ago" in reason
