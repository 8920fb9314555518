"""A function is frozen between two broadcasts: what ages meanwhile has aged when it goes on."""

from collections.abc import Callable

import pytest

from testbed.function.app import App, Function
from testbed.function.hostile import Outage
from testbed.function.names import Names, place_of
from testbed.function.proxy import Proxy
from testbed.stand_in.behaviour import Behaviour
from tests.faults.conftest import Behave, Suffer
from tests.support.promises import expect_kept

pytestmark = pytest.mark.timeout(120)

QUICK = Behaviour(latency_median_seconds=0.005)
NEVER = Outage(how="reset", seconds=0.001, after_posts=1_000_000)
NAME = "abc123.execute-api.example"


@pytest.mark.parametrize("clients", [20, 200])
def test_address_that_has_changed_in_a_freeze_is_found(
    app: App, hostile: Suffer, names: Names, post_to: Callable[[str], None], clients: int
) -> None:
    """After twenty minutes the name has another address, the old one is dead: all receive it."""
    first = hostile(NEVER)
    names.places[NAME] = [place_of(first.url)]
    post_to(f"http://{NAME}/prod")
    function = Function(app)
    audience = app.connect(clients)
    before = app.send()
    app.run(function)
    expect_kept(app, before, first.report(), audience)

    app.time.freeze(1_200)
    second = hostile(NEVER)
    names.places[NAME] = [place_of(second.url)]
    names.dials.clear()
    app.invocations = 0
    after = app.send()
    app.run(function)

    expect_kept(app, after, second.report(), audience)
    assert names.look_ups[NAME] == 2
    assert names.dials[place_of(first.url)] == 0
    assert app.invocations == 1


def test_address_that_is_fresh_is_not_looked_up_again(
    app: App, hostile: Suffer, names: Names, post_to: Callable[[str], None]
) -> None:
    """Ten seconds later the name is still known."""
    here = hostile(NEVER)
    names.places[NAME] = [place_of(here.url)]
    post_to(f"http://{NAME}/prod")
    function = Function(app)
    app.connect(5)

    for _ in range(2):
        app.send()
        app.run(function)
        app.time.skip(10)

    assert names.look_ups[NAME] == 1
    assert here.report().delivered == 10


def test_dead_connections_to_aws_cost_no_local_pace_and_no_retries(
    app: App, stand_in: Behave, aws_wire: Proxy
) -> None:
    """After a pause all connections are opened anew: no request meets a dead one."""
    here = stand_in(QUICK)
    function = Function(app)
    audience = app.connect(300)
    app.send()
    app.run(function)

    app.time.freeze(1_200)
    app.wire.forget()
    second = app.send()
    app.run(function)

    assert aws_wire.resets == 0
    assert app.wire.attempts() == app.wire.calls.total()
    assert not app.log.of("posting at a local pace")
    assert app.account(second).counts.delivered == len(audience)
    assert here.report().delivered == 2 * len(audience)


def test_reservation_on_a_dead_connection_is_made_again_on_a_new_one(
    app: App, stand_in: Behave, aws_wire: Proxy
) -> None:
    """The pause was short, and connections have died all the same: no post goes at a local pace."""
    stand_in(QUICK)
    function = Function(app)
    app.connect(300)
    app.send()
    app.run(function)

    app.time.freeze(20)
    app.wire.forget()
    second = app.send()
    app.run(function)

    assert aws_wire.resets > 0
    assert not app.log.of("posting at a local pace")
    assert app.wire.reservations > 0
    assert app.account(second).counts.delivered == 300


def test_pace_has_refilled_in_a_freeze(app: App, stand_in: Behave) -> None:
    """A burst was used up; an hour later it is full again, and a broadcast goes at once."""
    app.posts_per_second, app.post_burst = 50, 250
    stand_in(QUICK)
    function = Function(app)
    app.connect(250)
    app.send()
    app.run(function)

    app.time.freeze(3_600)
    second = app.send()
    app.run(function)

    account = app.account(second)
    assert account.counts.delivered == 250
    assert account.settled_ms - account.opened_ms < 2_000, "at 50 a second it would take 5 s"


def test_grant_from_before_a_freeze_is_not_used_after_it(app: App, stand_in: Behave) -> None:
    """What was reserved and not posted is no right to post an hour later: it is reserved anew."""
    app.posts_per_second, app.post_burst = 1_000, 1_000
    stand_in(QUICK)
    function = Function(app)
    app.connect(100)
    app.send()
    app.run(function)

    app.time.freeze(3_600)
    app.wire.forget()
    second = app.send()
    app.run(function)

    assert app.wire.reservations >= 1
    assert app.account(second).counts.delivered == 100
