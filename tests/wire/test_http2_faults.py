"""Faults of HTTP/2 at the wire: answers and resets.

`deliver` of `posting` checks that each connection ends exactly once; each test also asks the server
which connection received what.
"""

from collections.abc import Callable

import pytest

from broadcasting.outcome import Outcome
from tests.support import http2_reactions as react
from tests.support.http2_posting import Start, ids, tries
from tests.support.http2_server import Peer, Post, Script
from tests.support.posting import IMPATIENT, PERSISTENT, TRIES, number_of, once


def _once_in(step: int, fault: Script) -> Script:
    """Return a script with a fault for the first post to each connection whose number is so."""

    def script(peer: Peer, post: Post) -> None:
        is_faulty = post.attempt == 1 and not number_of(post.connection_id) % step
        (fault if is_faulty else react.ok)(peer, post)

    return script


def test_fan_out_delivers_over_http2(http2: Start) -> None:
    """The server offers it, so it is used; each frame arrives as it was sent."""
    posting = http2(react.ok)

    delivery = posting.deliver(400)

    assert delivery.facts() == {(Outcome.DELIVERED, 1, 0)}
    posting.check_delivered_once(delivery)


def test_fan_out_counts_a_tenth_as_gone_over_http2(http2: Start) -> None:
    """The others are delivered."""
    posting = http2(
        lambda peer, post: react.answer(
            peer, post, 200 if number_of(post.connection_id) % 10 else 410
        )
    )

    delivery = posting.deliver(400)

    assert delivery.facts() == {(Outcome.DELIVERED, 1, 0), (Outcome.GONE, 1, 0)}
    assert delivery.ids(Outcome.GONE) == {f"c{number}=" for number in range(0, 400, 10)}
    assert posting.server.received == once(delivery.ids(Outcome.DELIVERED))


@pytest.mark.parametrize("body", [b"", b'{"message":"gone"}', b"x" * 200_000])
def test_fan_out_counts_all_connections_as_gone_over_http2(http2: Start, body: bytes) -> None:
    """Whatever the answer's body; of a large one only a part is read."""

    def script(peer: Peer, post: Post) -> None:
        react.answer(peer, post, 410, body=b"")

    def large(peer: Peer, post: Post) -> None:
        react.begin_answer(peer, post, 410)
        react.send_on(peer, post, body)

    posting = http2(large if body else script)

    delivery = posting.deliver(60)

    assert delivery.facts() == {(Outcome.GONE, 1, 0)}
    assert posting.server.received == {}


def test_fan_out_delivers_after_a_burst_of_429_over_http2(http2: Start) -> None:
    """The quota was used up for a moment: every connection of that moment is tried again."""

    def script(peer: Peer, post: Post) -> None:
        is_throttled = post.attempt == 1 and number_of(post.connection_id) < 100
        react.answer(peer, post, 429 if is_throttled else 200)

    posting = http2(script)

    delivery = posting.deliver(200)

    assert delivery.facts() == {(Outcome.DELIVERED, 1, 0), (Outcome.DELIVERED, 2, 1)}
    posting.check_delivered_once(delivery)


def test_fan_out_leaves_connections_pending_when_they_are_throttled_for_ever_over_http2(
    http2: Start,
) -> None:
    """They are tried as often as is allowed; no other connection waits for them."""
    posting = http2(
        lambda peer, post: react.answer(
            peer, post, 200 if number_of(post.connection_id) % 10 else 429
        )
    )

    delivery = posting.deliver(300)

    full = {f"c{number}=" for number in range(0, 300, 10)}
    assert delivery.facts() == {(Outcome.DELIVERED, 1, 0), (Outcome.PENDING, TRIES, TRIES)}
    assert delivery.ids(Outcome.PENDING) == full
    assert posting.server.received == once(ids(delivery) - full)


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504])
def test_fan_out_delivers_after_a_burst_of_server_errors_over_http2(
    http2: Start, status: int
) -> None:
    """Every connection's first post gets such an error."""
    posting = http2(_once_in(1, react.answers(status)))

    delivery = posting.deliver(200)

    assert delivery.facts() == {(Outcome.DELIVERED, 2, 0)}
    posting.check_delivered_once(delivery)


@pytest.mark.parametrize("status", [400, 413])
def test_fan_out_fails_a_refused_post_over_http2(http2: Start, status: int) -> None:
    """No repetition can change such an answer."""
    posting = http2(_once_in(10, react.answers(status)))

    delivery = posting.deliver(100)

    assert delivery.facts() == {(Outcome.DELIVERED, 1, 0), (Outcome.FAILED, 1, 0)}
    assert posting.server.received == once(delivery.ids(Outcome.DELIVERED))


def test_fan_out_posts_again_when_a_stream_is_reset_before_the_answer(http2: Start) -> None:
    """Such a post was a try; the other posts of its HTTP connection are unharmed."""
    posting = http2(
        _once_in(5, lambda peer, post: react.refuse(peer, post, react.INTERNAL_ERROR)), threads=1
    )

    delivery = posting.deliver(200)

    reset = {f"c{number}=" for number in range(0, 200, 5)}
    assert delivery.facts() == {(Outcome.DELIVERED, 1, 0), (Outcome.DELIVERED, 2, 0)}
    assert {one for one, number in tries(delivery).items() if number == 2} == reset
    posting.check_delivered_once(delivery)


def test_fan_out_leaves_connections_pending_when_their_streams_are_always_reset(
    http2: Start,
) -> None:
    """They have all tries that are allowed, each with the server's reason."""

    def script(peer: Peer, post: Post) -> None:
        if number_of(post.connection_id) % 20:
            react.ok(peer, post)
        else:
            react.refuse(peer, post, react.INTERNAL_ERROR)

    posting = http2(script)

    delivery = posting.deliver(200)

    reset = {f"c{number}=" for number in range(0, 200, 20)}
    assert delivery.facts() == {(Outcome.DELIVERED, 1, 0), (Outcome.PENDING, TRIES, 0)}
    assert delivery.ids(Outcome.PENDING) == reset
    assert "StreamResetError: the server reset the stream: INTERNAL_ERROR" in delivery.reasons()
    assert posting.server.received == once(ids(delivery) - reset)


def test_fan_out_takes_the_status_when_the_stream_is_reset_during_the_answer(http2: Start) -> None:
    """The status has come: no connection gets the frame twice for want of a body."""

    def reset_amid(peer: Peer, post: Post) -> None:
        react.begin_answer(peer, post)
        react.refuse(peer, post, react.INTERNAL_ERROR)

    posting = http2(_once_in(1, reset_amid))

    delivery = posting.deliver(100)

    assert delivery.facts() == {(Outcome.DELIVERED, 1, 0)}
    posting.check_delivered_once(delivery)


def test_fan_out_ignores_a_reset_of_a_stream_after_the_answer(http2: Start) -> None:
    """The answer was whole."""

    def reset_after(peer: Peer, post: Post) -> None:
        react.ok(peer, post)
        peer.raw(react.rst_stream(post.stream_id, react.NO_ERROR))

    posting = http2(reset_after)

    delivery = posting.deliver(200)

    assert delivery.facts() == {(Outcome.DELIVERED, 1, 0)}
    posting.check_delivered_once(delivery)


def _cut_before(peer: Peer, _post: Post) -> None:
    peer.cut()


def _cut_during(peer: Peer, post: Post) -> None:
    peer.deliver(post)
    peer.raw(react.headers(post.stream_id)[:5])
    peer.cut()


def _cut_amid_body(peer: Peer, post: Post) -> None:
    react.begin_answer(peer, post)
    peer.cut()


def _cut_after(peer: Peer, post: Post) -> None:
    react.ok(peer, post)
    peer.cut()


def test_fan_out_posts_again_when_connections_are_reset_before_the_answer(http2: Start) -> None:
    """What had been answered counts; what had not been processed is delivered once."""
    posting = http2(_once_in(25, _cut_before), backoff=PERSISTENT)

    delivery = posting.deliver(200)

    posting.check_delivered_once(delivery)
    assert posting.server.opened > 8


def test_fan_out_posts_again_when_connections_are_reset_during_the_answer(http2: Start) -> None:
    """The status had not come: the same frame goes again, and clients know it by its id."""
    posting = http2(_once_in(25, _cut_during), backoff=PERSISTENT)

    delivery = posting.deliver(200)

    cut = {f"c{number}=" for number in range(0, 200, 25)}
    assert delivery.ids(Outcome.DELIVERED) == ids(delivery)
    assert posting.server.received == {one: 1 + (one in cut) for one in ids(delivery)}


@pytest.mark.parametrize("fault", [_cut_amid_body, _cut_after])
def test_fan_out_believes_answers_that_are_followed_by_a_reset_of_the_connection(
    http2: Start, fault: Script
) -> None:
    """A status that has come counts, whatever becomes of the connection."""
    posting = http2(_once_in(25, fault), backoff=PERSISTENT)

    delivery = posting.deliver(200)

    posting.check_delivered_once(delivery)


def test_fan_out_loses_nothing_when_connections_close_after_some_answers_over_http2(
    http2: Start,
) -> None:
    """The server says no word of it: posts that were under way are sent again."""

    def script(peer: Peer, post: Post) -> None:
        react.ok(peer, post)
        if post.number == 40:
            peer.hang_up()

    posting = http2(script, backoff=PERSISTENT)

    delivery = posting.deliver(400)

    posting.check_delivered_once(delivery)
    assert posting.server.opened >= 10


def test_fan_out_believes_all_answers_that_came_before_the_end_of_the_connection(
    http2: Start,
) -> None:
    """Also while it is still writing: what was read is not lost with what cannot be sent."""

    def script(peer: Peer, post: Post) -> None:
        peer.memo.append(post)
        if len(peer.memo) == 16:
            for one in peer.memo:
                react.ok(peer, one)
            peer.raw(react.goaway(post.stream_id) + react.ping() * 50)
            peer.cut()

    posting = http2(script, backoff=PERSISTENT, threads=1, in_flight=16)

    delivery = posting.deliver(160)

    assert delivery.facts() == {(Outcome.DELIVERED, 1, 0)}
    posting.check_delivered_once(delivery)
    assert posting.server.opened == 10


def test_fan_out_takes_the_status_when_half_an_answer_is_followed_by_silence(http2: Start) -> None:
    """No other post waits for the remainder, and the HTTP connection goes on."""
    posting = http2(_once_in(10, react.begin_answer), timeouts=IMPATIENT, threads=1)

    delivery = posting.deliver(200)

    assert delivery.facts() == {(Outcome.DELIVERED, 1, 0)}
    posting.check_delivered_once(delivery)
    posting.server.wait_for(lambda: posting.server.resets == [react.CANCEL] * 20)


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x00\xff this is not HTTP/2" * 100,
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        react.headers(2**20 + 1),
        react.headers(2),
        react.data(1, b"x" * 20_000),
        react.settings((4, 2**31)),
        react.window_update(0, 0),
    ],
    ids=["noise", "HTTP/1.1", "unknown stream", "push", "large", "setting", "window"],
)
def test_fan_out_delivers_after_garbage_over_http2(http2: Start, garbage: bytes) -> None:
    """That HTTP connection is dropped, the answers that came before count."""

    def send_garbage(peer: Peer, _post: Post) -> None:
        peer.raw(garbage)
        peer.hang_up()

    posting = http2(_once_in(50, send_garbage), backoff=PERSISTENT)

    delivery = posting.deliver(200)

    posting.check_delivered_once(delivery)


def test_fan_out_tells_the_server_what_was_wrong(http2: Start) -> None:
    """And shows in the account what came."""

    def script(peer: Peer, post: Post) -> None:
        if post.number == 1:
            peer.raw(react.headers(2))

    posting = http2(script, threads=1)

    delivery = posting.deliver(10)

    assert delivery.facts() == {(Outcome.PENDING, TRIES, 0)}
    (reason,) = delivery.reasons()
    assert reason.startswith("Http2Error: the server sent b'stream 2', expected")
    peers = [peer for peer in posting.server.peers if peer.posts]
    posting.server.wait_for(lambda: {one.goodbye for one in peers} == {react.PROTOCOL_ERROR})


@pytest.mark.parametrize(
    "bad",
    [
        lambda stream_id: react.headers(stream_id, b"\x84"),
        lambda stream_id: react.headers(stream_id, b"\x08\x03abc"),
        lambda stream_id: react.headers(stream_id, b"\x08\x03100"),
        lambda stream_id: react.data(stream_id, b"{}", is_end=True),
        lambda stream_id: (
            react.headers(stream_id, is_end=False) + react.headers(stream_id, is_end=False)
        ),
        lambda stream_id: react.window_update(stream_id, 0),
    ],
    ids=["no status", "no number", "news only", "no head", "two heads", "window"],
)
def test_fan_out_gives_up_one_stream_for_what_is_wrong_with_that_one_alone(
    http2: Start, bad: Callable[[int], bytes]
) -> None:
    """The posts beside it, on the same HTTP connection, are unharmed."""
    posting = http2(_once_in(20, lambda peer, post: peer.raw(bad(post.stream_id))), threads=1)
    posting.deliver(1)

    delivery = posting.deliver(100)

    assert delivery.ids(Outcome.DELIVERED) == ids(delivery)
    assert posting.server.opened == 1


def test_fan_out_waits_for_a_slow_first_byte_over_http2(http2: Start) -> None:
    """Slow is no fault, and holds up no other post."""
    posting = http2(_once_in(10, react.answers(200, after_seconds=0.1)))

    delivery = posting.deliver(100)

    assert delivery.facts() == {(Outcome.DELIVERED, 1, 0)}
    posting.check_delivered_once(delivery)
