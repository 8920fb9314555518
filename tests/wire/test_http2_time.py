"""Faults of HTTP/2 at the wire that take time: slow posts, dead servers, deadlines, floods."""

import math
from collections.abc import Callable

import pytest

from broadcasting.outcome import Outcome
from delivery.http import http2_connection
from delivery.http.pool import Timeouts
from testbed.model.fakes import FakeTime
from tests.support import http2_reactions as react
from tests.support.http2_posting import Posting, Start, ids, tries
from tests.support.http2_server import Peer, Post, Script
from tests.support.posting import CLOCK, IMPATIENT, PERSISTENT, Delivery, number_of, once

SOON_LATE_SECONDS = 0.2
"""By how much a delivery may miss its deadline."""


@pytest.fixture
def hasty_pings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a dead connection found out soon."""
    monkeypatch.setattr(http2_connection, "SILENT_SECONDS", 0.1)
    monkeypatch.setattr(http2_connection, "PING_SECONDS", 0.2)


def _first_post(fault: Script) -> Script:
    """Return a script with a fault at the very first post to some connections."""

    def script(peer: Peer, post: Post) -> None:
        is_faulty = post.attempt == 1 and not number_of(post.connection_id) % 20
        (fault if is_faulty else react.ok)(peer, post)

    return script


def _late_by(delivery: Callable[[], Delivery], seconds: float) -> tuple[Delivery, float]:
    """Return a delivery, and by how many seconds it missed its deadline.

    It is the first one in time, of up to three: a busy machine may hold up the test itself.
    """
    for _ in range(3):
        deadline = CLOCK.monotonic() + seconds
        done = delivery()
        late_seconds = CLOCK.monotonic() - deadline
        if late_seconds <= SOON_LATE_SECONDS:
            break
    return done, late_seconds


def test_fan_out_skips_the_late_answer_to_a_post_that_took_too_long(http2: Start) -> None:
    """It was cancelled and posted again; its HTTP connection goes on."""

    def late(peer: Peer, post: Post) -> None:
        peer.later(0.5, lambda: peer.raw(react.headers(post.stream_id, b"\x0b")))

    def script(peer: Peer, post: Post) -> None:
        if post.connection_id == "c99=":
            peer.later(0.6, lambda: react.ok(peer, post))
        else:
            _first_post(late)(peer, post)

    posting = http2(script, timeouts=Timeouts(30.0, 0.4), threads=1)
    posting.deliver(1)

    first = posting.deliver(90)
    second = posting.deliver(60)

    assert first.ids(Outcome.DELIVERED) == ids(first)
    assert second.facts() == {(Outcome.DELIVERED, 1, 0)}
    assert sum(tries(first).values()) - 90 == 4  # c0= has had its fault before
    posting.server.wait_for(lambda: posting.server.resets == [react.CANCEL] * 5)
    assert posting.server.opened == 1


def test_fan_out_leaves_connections_pending_whose_posts_always_take_too_long(http2: Start) -> None:
    """Each has its tries and its reason; the others do not wait."""

    def script(peer: Peer, post: Post) -> None:
        if number_of(post.connection_id) % 20:
            react.ok(peer, post)

    posting = http2(script, timeouts=IMPATIENT)

    delivery = posting.deliver(200)

    silent = {f"c{number}=" for number in range(0, 200, 20)}
    assert delivery.facts() == {(Outcome.DELIVERED, 1, 0), (Outcome.PENDING, 3, 0)}
    assert delivery.ids(Outcome.PENDING) == silent
    assert delivery.reasons() == {"", "TimeoutError: no answer within 0.3 s"}
    assert posting.server.received == once(ids(delivery) - silent)


@pytest.mark.usefixtures("hasty_pings")
def test_fan_out_posts_elsewhere_when_a_server_is_dead(http2: Start) -> None:
    """It neither reads nor answers: a ping shows that, long before the time to read is over."""
    dead: list[Peer] = []

    def script(peer: Peer, post: Post) -> None:
        if not dead and post.number > 3:
            dead.append(peer)
        if peer in dead:
            peer.stall()
        react.ok(peer, post)

    posting = http2(script, threads=1)

    began = CLOCK.monotonic()
    delivery = posting.deliver(200)

    posting.check_delivered_once(delivery)
    assert set(tries(delivery).values()) == {1, 2}
    assert CLOCK.monotonic() - began < 5.0


@pytest.mark.usefixtures("hasty_pings")
def test_fan_out_posts_elsewhere_when_a_server_dies_in_the_middle_of_large_posts(
    http2: Start,
) -> None:
    """Much is still to be written to it."""

    def begin(peer: Peer) -> None:
        peer.begin()
        peer.h2.increment_flow_control_window(2**30)
        if len(posting.server.peers) == 1:
            peer.stall()

    posting = http2(react.ok, on_open=begin)

    delivery = posting.deliver(100, frame="x" * 60_000)

    posting.check_delivered_once(delivery)


@pytest.mark.usefixtures("hasty_pings")
def test_fan_out_keeps_a_slow_connection_that_answers_pings(http2: Start) -> None:
    """Slow is not dead."""
    posting = http2(react.answers(200, after_seconds=0.7), threads=1)

    delivery = posting.deliver(30)

    assert delivery.facts() == {(Outcome.DELIVERED, 1, 0)}
    posting.check_delivered_once(delivery)


@pytest.mark.usefixtures("hasty_pings")
def test_fan_out_keeps_a_connection_that_answers_posts_though_no_pings(http2: Start) -> None:
    """An answer is a sign of life, too; it does not matter how long ago the ping was."""

    def script(peer: Peer, post: Post) -> None:
        slow_seconds = 0.25 if post.connection_id == "c0=" else 0.15
        peer.later(slow_seconds, lambda: react.ok(peer, post))

    posting = http2(script, threads=1, in_flight=1)
    posting.server.answers_pings = False

    delivery = posting.deliver(6)

    assert delivery.facts() == {(Outcome.DELIVERED, 1, 0)}
    assert posting.server.opened == 1


def test_fan_out_takes_what_is_known_at_the_deadline_over_http2(http2: Start) -> None:
    """A status counts; a post without one is pending; the connections serve the next call."""

    def script(peer: Peer, post: Post) -> None:
        number = number_of(post.connection_id)
        if post.attempt > 1:
            react.ok(peer, post)
        elif number < 30:
            react.begin_answer(peer, post, (200, 410, 503)[number % 3])

    posting = http2(script, in_flight=64)

    first = posting.deliver(60, seconds=1.0)
    opened = posting.server.opened
    second = posting.deliver(60)

    by_status = [{f"c{number}=" for number in range(status, 30, 3)} for status in range(3)]
    assert first.ids(Outcome.DELIVERED) == by_status[0]
    assert first.ids(Outcome.GONE) == by_status[1]
    assert first.ids(Outcome.PENDING) == ids(first) - by_status[0] - by_status[1]
    assert second.facts() == {(Outcome.DELIVERED, 1, 0)}
    assert posting.server.opened == opened
    assert posting.server.received == {one: 1 + (one in by_status[0]) for one in ids(first)}


def test_fan_out_uses_connections_again_after_many_calls_that_met_their_deadline(
    http2: Start,
) -> None:
    """Streams that were given up pile up on a connection; in time it is replaced."""

    def script(peer: Peer, post: Post) -> None:
        if posting.server.attempts.get("last="):
            react.ok(peer, post)

    posting = http2(script, in_flight=128)
    for _ in range(5):
        delivery = posting.deliver(128, seconds=0.2)
        assert delivery.ids(Outcome.PENDING) == ids(delivery)

    posting.server.count_attempt("last=")
    delivery = posting.deliver(300)

    assert delivery.facts() == {(Outcome.DELIVERED, 1, 0)}


def _leave_and_hang_up(peer: Peer) -> None:
    react.leave(peer, 1)
    peer.hang_up()


def _frozen_posting(http2: Start, script: Script) -> tuple[Posting, FakeTime]:
    time = FakeTime()
    clock = CLOCK._replace(epoch_ms=lambda: time.epoch_ms)
    return http2(script, clock=clock, threads=1, in_flight=4), time


def test_fan_out_opens_http2_connections_anew_when_the_environment_was_frozen(
    http2: Start,
) -> None:
    """After a minute it is not known whether a connection still works."""
    posting, time = _frozen_posting(http2, react.ok)
    opened = []

    for pause_ms in (0, 49_000, 51_000):
        time.epoch_ms += pause_ms
        delivery = posting.deliver(1)
        assert delivery.facts() == {(Outcome.DELIVERED, 1, 0)}
        opened.append(posting.server.opened)

    assert opened == [1, 1, 2]


@pytest.mark.parametrize("how", ["goodbye", "end", "reset"])
def test_fan_out_notices_http2_connections_that_were_closed_while_it_was_frozen(
    http2: Start, how: str
) -> None:
    """Though it was idle for less than a minute: its end is seen before it is used."""
    ends: dict[str, Callable[[Peer], None]] = {
        "goodbye": _leave_and_hang_up,
        "end": Peer.hang_up,
        "reset": Peer.cut,
    }

    def script(peer: Peer, post: Post) -> None:
        react.ok(peer, post)
        if peer is posting.server.peers[0]:
            peer.later(0.02, lambda: ends[how](peer))

    posting, time = _frozen_posting(http2, script)
    posting.deliver(1)
    posting.server.wait_for(lambda: posting.server.peers[0].is_over)
    time.epoch_ms += 30_000

    delivery = posting.deliver(10)

    assert delivery.facts() == {(Outcome.DELIVERED, 1, 0)}
    assert posting.server.received == {one: 1 + (one == "c0=") for one in ids(delivery)}


def _news(peer: Peer, post: Post) -> None:
    """Announce an answer for ever: 1xx, and never the answer itself."""
    peer.raw(react.headers(post.stream_id, b"\x08\x03103", is_end=False) * 500)
    peer.later(0.0, lambda: _news(peer, post))


def _pings(peer: Peer, post: Post) -> None:
    peer.raw(react.ping() * 500)
    peer.later(0.0, lambda: _pings(peer, post))


def _body(peer: Peer, post: Post) -> None:
    """Send a body for ever, whatever the windows allow."""
    peer.deliver(post)
    peer.raw(react.headers(post.stream_id, is_end=False))
    _more_body(peer, post)


def _more_body(peer: Peer, post: Post) -> None:
    peer.raw(react.data(post.stream_id, b"x" * 10_000))
    peer.later(0.0, lambda: _more_body(peer, post))


def _settings(peer: Peer, post: Post) -> None:
    peer.raw(react.settings((0x99, 1)) * 500)
    peer.later(0.0, lambda: _settings(peer, post))


def _empty_data(peer: Peer, post: Post) -> None:
    peer.raw(react.headers(post.stream_id, is_end=False) + react.data(post.stream_id, b"") * 500)
    peer.later(0.0, lambda: _more_empty_data(peer, post))


def _more_empty_data(peer: Peer, post: Post) -> None:
    peer.raw(react.data(post.stream_id, b"") * 500)
    peer.later(0.0, lambda: _more_empty_data(peer, post))


FLOODS = pytest.mark.parametrize("flood", [_news, _pings, _body, _settings, _empty_data])


@FLOODS
def test_fan_out_delivers_to_the_others_when_some_servers_never_stop_sending(
    http2: Start, flood: Script
) -> None:
    """Their HTTP connections are given up; every post ends."""
    posting = http2(_first_post(flood), timeouts=Timeouts(30.0, 1.0), backoff=PERSISTENT)

    delivery = posting.deliver(100)

    assert delivery.ids(Outcome.DELIVERED) == ids(delivery)


@FLOODS
def test_fan_out_ends_at_the_deadline_when_http2_servers_never_stop_sending(
    http2: Start, flood: Script
) -> None:
    """A flood on each connection holds up the end no more than silence would."""
    posting = http2(flood, in_flight=64)

    delivery, late_seconds = _late_by(lambda: posting.deliver(200, seconds=1.0), 1.0)

    assert late_seconds <= SOON_LATE_SECONDS
    assert {one.outcome for one in delivery.settlements} <= {Outcome.PENDING, Outcome.DELIVERED}


@pytest.mark.parametrize("after_seconds", [0.02, math.inf])
def test_fan_out_ends_at_the_deadline_over_http2(http2: Start, after_seconds: float) -> None:
    """Within 200 ms; what was delivered is known, up to the last answers."""
    posting = http2(
        react.answers(200, after_seconds=after_seconds)
        if after_seconds < math.inf
        else lambda _peer, _post: None
    )

    delivery, late_seconds = _late_by(lambda: posting.deliver(20_000, seconds=0.6), 0.6)

    assert late_seconds <= SOON_LATE_SECONDS
    assert delivery.ids(Outcome.DELIVERED) <= posting.server.received.keys()
    assert delivery.ids(Outcome.DELIVERED) | delivery.ids(Outcome.PENDING) == ids(delivery)
