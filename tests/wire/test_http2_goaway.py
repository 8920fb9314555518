"""Faults of HTTP/2 at the wire: GOAWAY, refused streams, and calls for calm.

What the server says that it has not processed is posted again: that is no try, and no duplicate.
"""

import pytest

from broadcasting.outcome import Outcome
from delivery.http import connector
from tests.support import http2_reactions as react
from tests.support.http2_posting import Start, ids, tries
from tests.support.http2_server import Peer, Post, Script
from tests.support.posting import CLOCK, number_of, once


def _leave_at(number: int, code: int = react.NO_ERROR) -> Script:
    """Return a script that delivers this many posts of each connection, and leaves."""

    def script(peer: Peer, post: Post) -> None:
        react.ok(peer, post)
        if post.number == number:
            react.leave(peer, post.stream_id, code)

    return script


@pytest.mark.parametrize("code", [react.NO_ERROR, react.INTERNAL_ERROR, 99])
@pytest.mark.parametrize("number", [1, 7, 20])
def test_fan_out_posts_elsewhere_what_a_server_that_leaves_has_not_processed(
    http2: Start, number: int, code: int
) -> None:
    """It leaves again and again, after each so many posts: none of its goodbyes costs a try."""
    posting = http2(_leave_at(number, code))

    delivery = posting.deliver(200)

    assert delivery.facts() == {(Outcome.DELIVERED, 1, 0)}
    posting.check_delivered_once(delivery)
    assert posting.server.opened >= 200 / number


def test_fan_out_awaits_the_posts_that_a_leaving_server_has_taken(http2: Start) -> None:
    """First it says that it will leave, then which post is its last one; those before are slow."""

    def script(peer: Peer, post: Post) -> None:
        if post.number > 10:
            react.ok(peer, post)
            return
        peer.later(0.2, lambda: react.ok(peer, post))
        if post.number == 5:
            peer.raw(react.goaway(react.NO_LIMIT))
        if post.number == 10:
            peer.later(0.1, lambda: react.leave(peer, post.stream_id))

    posting = http2(script)

    delivery = posting.deliver(200)

    assert delivery.facts() == {(Outcome.DELIVERED, 1, 0)}
    posting.check_delivered_once(delivery)


@pytest.mark.parametrize("code", [react.NO_ERROR, react.INTERNAL_ERROR])
def test_fan_out_posts_again_what_a_server_that_leaves_abruptly_has_not_processed(
    http2: Start, code: int
) -> None:
    """Answers, goodbye and the connection's end come together."""

    def script(peer: Peer, post: Post) -> None:
        react.ok(peer, post)
        if post.number == 10:
            react.leave(peer, post.stream_id, code)
            peer.hang_up()

    posting = http2(script)

    delivery = posting.deliver(200)

    assert delivery.facts() == {(Outcome.DELIVERED, 1, 0)}
    posting.check_delivered_once(delivery)


def test_fan_out_tries_again_what_a_server_has_taken_before_it_left_abruptly(http2: Start) -> None:
    """Such posts may have been delivered: that was a try, those above its last id were none."""

    def script(peer: Peer, post: Post) -> None:
        if post.attempt > 1 or number_of(post.connection_id) >= 5:
            react.ok(peer, post)
        elif post.number == 5:
            react.leave(peer, post.stream_id, react.INTERNAL_ERROR)
            peer.hang_up()

    posting = http2(script, threads=1)
    posting.deliver(0)

    delivery = posting.deliver(30)

    lost = {f"c{number}=" for number in range(5)}
    assert {one for one, number in tries(delivery).items() if number == 2} == lost
    posting.check_delivered_once(delivery)


def test_fan_out_drops_a_connection_whose_server_leaves_while_it_is_idle(http2: Start) -> None:
    """The next posts go to another one, and to no server that has said goodbye."""
    posting = http2(_deliver_and_leave_when_idle, threads=1)
    first = posting.deliver(1)
    (peer,) = posting.server.peers
    posting.server.wait_for(lambda: peer.last_id == 1)

    delivery = posting.deliver(1)

    assert first.facts() == delivery.facts() == {(Outcome.DELIVERED, 1, 0)}
    assert [len(one.posts) for one in posting.server.peers] == [1, 1]


def _deliver_and_leave_when_idle(peer: Peer, post: Post) -> None:
    react.ok(peer, post)
    peer.later(0.02, lambda: react.leave(peer, post.stream_id))


def test_fan_out_posts_again_what_is_refused_once(http2: Start) -> None:
    """The server has not processed it: no try."""

    def script(peer: Peer, post: Post) -> None:
        (react.refuse if post.attempt == 1 else react.ok)(peer, post)

    posting = http2(script)

    delivery = posting.deliver(200)

    assert delivery.facts() == {(Outcome.DELIVERED, 1, 0)}
    posting.check_delivered_once(delivery)


def test_fan_out_leaves_connections_pending_that_are_refused_for_ever(http2: Start) -> None:
    """No other connection waits for them."""

    def script(peer: Peer, post: Post) -> None:
        (react.ok if number_of(post.connection_id) % 10 else react.refuse)(peer, post)

    posting = http2(script)

    delivery = posting.deliver(200)

    refused = {f"c{number}=" for number in range(0, 200, 10)}
    assert delivery.ids(Outcome.PENDING) == refused
    assert posting.server.received == once(ids(delivery) - refused)
    assert "NotProcessedError: the server reset the stream: REFUSED_STREAM" in delivery.reasons()


@pytest.mark.usefixtures("hasty_probes")
def test_fan_out_leaves_all_pending_when_all_are_refused_for_ever(http2: Start) -> None:
    """It ends long before its deadline, and has not posted without end."""
    posting = http2(react.refuse)

    delivery = posting.deliver(100)

    assert delivery.ids(Outcome.PENDING) == ids(delivery)
    assert posting.server.received == {}
    assert max(posting.server.attempts.values()) <= 20


@pytest.mark.usefixtures("hasty_probes")
def test_fan_out_leaves_all_pending_when_servers_leave_without_processing_any(http2: Start) -> None:
    """It ends long before its deadline, and has not opened connections without end."""
    posting = http2(react.ok, on_open=_begin_and_leave)

    delivery = posting.deliver(50)

    assert delivery.ids(Outcome.PENDING) == ids(delivery)
    assert posting.server.received == {}
    assert posting.server.opened < 200


def _begin_and_leave(peer: Peer) -> None:
    peer.begin()
    react.leave(peer, 0)


def test_fan_out_lets_a_refused_post_go_before_those_that_came_later(http2: Start) -> None:
    """Else it would wait until all others have gone."""
    order: list[str] = []

    def script(peer: Peer, post: Post) -> None:
        order.append(post.connection_id)
        is_refused = post.connection_id == "c0=" and post.attempt == 1
        (react.refuse if is_refused else react.ok)(peer, post)

    posting = http2(script, threads=1, in_flight=4)

    posting.deliver(300)

    assert order.count("c0=") == 2
    assert order[30:].count("c0=") == 0


@pytest.fixture
def hasty_calm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have calm last for less."""
    monkeypatch.setattr(connector, "CALM_SECONDS", 0.4)


@pytest.mark.usefixtures("hasty_calm")
@pytest.mark.parametrize("last", ["none", "all"])
def test_fan_out_opens_nothing_for_a_while_when_a_server_that_leaves_asks_for_calm(
    http2: Start, last: str
) -> None:
    """Whether or not it still answers what it has got, and that is counted."""
    opened_at: list[float] = []

    def begin(peer: Peer) -> None:
        opened_at.append(CLOCK.monotonic())
        peer.begin()

    def script(peer: Peer, post: Post) -> None:
        if len(posting.server.peers) > 1:
            react.ok(peer, post)
            return
        if post.number == 1:
            react.leave(peer, 0 if last == "none" else react.NO_LIMIT, react.CALM)
            calmed_at.append(CLOCK.monotonic())
        if last == "all":
            peer.later(0.2, lambda: react.ok(peer, post))

    calmed_at: list[float] = []
    posting = http2(script, on_open=begin, threads=1, in_flight=8)
    posting.fan_out._connector.room = 100  # one connection is enough for all

    delivery = posting.deliver(40)

    assert delivery.facts() == {(Outcome.DELIVERED, 1, 0)}
    assert posting.fan_out._connector.calmed == 1
    assert opened_at[1] - calmed_at[0] >= 0.4
    if last == "all":
        posting.check_delivered_once(delivery)


@pytest.mark.usefixtures("hasty_calm")
def test_fan_out_opens_nothing_for_a_while_when_a_reset_asks_for_calm(http2: Start) -> None:
    """The connection takes no more posts; those that it has are awaited."""

    def script(peer: Peer, post: Post) -> None:
        if len(posting.server.peers) > 1:
            react.ok(peer, post)
        elif post.number == 1:
            react.refuse(peer, post, react.CALM)
            calmed_at.append(CLOCK.monotonic())
        else:
            peer.later(0.2, lambda: react.ok(peer, post))

    calmed_at: list[float] = []
    opened_at: list[float] = []

    def begin(peer: Peer) -> None:
        opened_at.append(CLOCK.monotonic())
        peer.begin()

    posting = http2(script, on_open=begin, threads=1, in_flight=8)
    posting.fan_out._connector.room = 100

    delivery = posting.deliver(40)

    assert sorted(tries(delivery).values()) == [1] * 39 + [2]
    posting.check_delivered_once(delivery)
    assert posting.fan_out._connector.calmed == 1
    assert opened_at[1] - calmed_at[0] >= 0.4
