"""One of several addresses is dead: it is left out, and costs no connection a try or a round."""

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from testbed.function.app import App
from testbed.function.names import Names, Place, place_of
from testbed.stand_in.behaviour import Behaviour
from testbed.stand_in.reaction import Answer, Post, Reaction
from tests.faults.conftest import Behave
from tests.support.promises import expect_kept

pytestmark = pytest.mark.timeout(120)

QUICK = Behaviour(latency_median_seconds=0.005)
NAME = "abc123.execute-api.example"
MOST_DIALS = 32
"""Twice as many as two threads open at once, before the first of them has failed."""


@pytest.fixture
def swallowing() -> Iterator[Place]:
    """A place that answers no SYN: its queue of connections is full."""
    with ExitStack() as stack:
        full = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        place: Place = full.getsockname()
        for _ in range(4):
            one = stack.enter_context(socket.socket())
            one.settimeout(0)
            one.connect_ex(place)
        yield place


@pytest.fixture
def refusing() -> Place:
    """A place where no server listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        place: Place = server.getsockname()
    return place


@pytest.mark.parametrize("count", [1, 20, 3_000])
@pytest.mark.parametrize("dead", ["unreachable", "refusing", "swallowing"])
def test_dead_address_beside_a_good_one_is_left_out(
    app: App,
    stand_in: Behave,
    names: Names,
    post_to: Callable[[str], None],
    *,
    request: pytest.FixtureRequest,
    dead: str,
    count: int,
) -> None:
    """All receive it once, in one invocation; the dead address is tried a few times only."""
    here = stand_in(QUICK)
    good = place_of(here.url)
    bad = ("2001:db8::1", 443) if dead == "unreachable" else request.getfixturevalue(dead)
    names.places[NAME] = [bad, good]
    post_to(f"http://{NAME}/prod")
    audience = app.connect(count)

    broadcast_id = app.send()
    app.run()

    expect_kept(app, broadcast_id, here.report(), audience)
    assert here.report().posts == count
    assert app.invocations == 1
    assert names.dials[bad] <= MOST_DIALS


@pytest.mark.parametrize("clients", [1, 5])
def test_dead_addresses_that_are_many_cost_no_connection_a_round(
    app: App,
    stand_in: Behave,
    names: Names,
    post_to: Callable[[str], None],
    clients: int,
) -> None:
    """Of seven addresses one works: what was never sent is no try, and one invocation is enough."""
    here = stand_in(QUICK)
    names.places[NAME] = [*((f"2001:db8::{number}", 443) for number in range(1, 7))]
    names.places[NAME].append(place_of(here.url))
    post_to(f"http://{NAME}/prod")
    audience = app.connect(clients)

    broadcast_id = app.send()
    app.run()

    expect_kept(app, broadcast_id, here.report(), audience)
    assert here.report().posts == clients
    assert app.invocations == 1


def test_address_that_dies_in_the_middle_is_looked_up_again(
    app: App, stand_in: Behave, names: Names, post_to: Callable[[str], None]
) -> None:
    """The name moves while the broadcast runs: the second address is found in the same run."""
    app.posts_per_second = 200

    def script(_: Post) -> Reaction:
        if first.report().posts == 100:
            names.places[NAME] = [place_of(second.url)]
            first.stop()
        return Answer(200, delay_seconds=0.005)

    second = stand_in(QUICK)
    first = stand_in(script)
    names.places[NAME] = [place_of(first.url)]
    post_to(f"http://{NAME}/prod")
    audience = app.connect(600)

    broadcast_id = app.send()
    app.run()

    assert app.account(broadcast_id).counts.delivered == len(audience)
    assert second.report().delivered > 0
    assert app.invocations == 1
    assert names.look_ups[NAME] <= 10
