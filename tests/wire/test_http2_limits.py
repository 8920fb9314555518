"""Faults of HTTP/2 at the wire: what a server allows, and how it changes its mind.

The server's own `h2` enforces what it has announced as soon as the client has acknowledged it.
"""

from collections.abc import Callable

import pytest
from h2.settings import SettingCodes

from broadcasting.frame import MAX_FRAME_BYTES
from broadcasting.outcome import Outcome
from delivery import signing
from delivery.http.openings import OPENING_AT_ONCE
from delivery.signing import Credentials
from tests.support import http2_reactions as react
from tests.support.http2_posting import Posting, Start, ids
from tests.support.http2_server import Peer, Post
from tests.support.posting import CREDENTIALS, IMPATIENT, connections, deliver, once

LARGE = "x" * MAX_FRAME_BYTES
TOKEN = "t" * 1_100


def _announcing(name: SettingCodes, value: int) -> Callable[[Peer], None]:
    """Return what begins a connection, and announces a setting at once."""

    def begin(peer: Peer) -> None:
        peer.begin()
        peer.change(name, value)

    return begin


def _warm_up(posting: Posting) -> None:
    """Open a connection, and let the client take its limits before more posts go."""
    for _ in range(2):  # limits come one after the other, each before an answer
        posting.deliver(1)
    posting.server.received.clear()


def test_fan_out_posts_one_at_a_time_when_a_server_takes_one_stream(http2: Start) -> None:
    """What it has sent before it knew of the limit may be refused: no try."""

    def script(peer: Peer, post: Post) -> None:
        if peer.h2.open_inbound_streams > 1:
            react.refuse(peer, post)
        else:
            react.ok(peer, post)

    posting = http2(
        script, on_open=_announcing(SettingCodes.MAX_CONCURRENT_STREAMS, 1), in_flight=64
    )

    delivery = posting.deliver(300)

    assert delivery.facts() == {(Outcome.DELIVERED, 1, 0)}
    posting.check_delivered_once(delivery)


@pytest.mark.parametrize("least", [1, 0])
def test_fan_out_goes_on_when_a_server_lowers_its_streams_and_raises_them(
    http2: Start, least: int
) -> None:
    """With none allowed nothing is posted on that connection until there are some again."""

    def script(peer: Peer, post: Post) -> None:
        react.ok(peer, post)
        if post.number == 20:
            peer.change(SettingCodes.MAX_CONCURRENT_STREAMS, least)
            peer.later(0.1, lambda: peer.change(SettingCodes.MAX_CONCURRENT_STREAMS, 50))

    posting = http2(script, in_flight=64)

    delivery = posting.deliver(600)

    assert delivery.facts() == {(Outcome.DELIVERED, 1, 0)}
    posting.check_delivered_once(delivery)


def test_fan_out_opens_few_connections_when_servers_take_no_stream_at_all(http2: Start) -> None:
    """Nothing was posted: all are pending, without a try."""
    posting = http2(
        react.refuse,
        on_open=_announcing(SettingCodes.MAX_CONCURRENT_STREAMS, 0),
        threads=1,
    )

    delivery = posting.deliver(100, seconds=1.0)

    assert delivery.ids(Outcome.PENDING) == ids(delivery)
    assert posting.server.received == {}
    assert posting.server.opened <= 2 * OPENING_AT_ONCE  # as many open, as many being opened


def test_fan_out_keeps_to_the_streams_that_a_server_allows(http2: Start) -> None:
    """Answers are slow, so all streams are used, and no more."""
    posting = http2(
        react.answers(200, after_seconds=0.01),
        on_open=_announcing(SettingCodes.MAX_CONCURRENT_STREAMS, 7),
        in_flight=64,
        threads=1,
    )

    delivery = posting.deliver(600)

    assert delivery.facts() == {(Outcome.DELIVERED, 1, 0)}
    posting.check_delivered_once(delivery)
    assert posting.server.opened <= 64 // 7 + 1 + OPENING_AT_ONCE


@pytest.mark.parametrize("size", [1, 100, 65_535, 2**31 - 1])
def test_fan_out_keeps_to_a_stream_window_of_any_size(http2: Start, size: int) -> None:
    """The body waits for the window, however small, and arrives as it was sent."""
    frame = "x" * min(2_000, 20 * size)
    begin = _announcing(SettingCodes.INITIAL_WINDOW_SIZE, size)
    posting = http2(react.ok, on_open=begin, threads=1)
    _warm_up(posting)

    delivery = posting.deliver(40, frame=frame)

    assert delivery.facts() == {(Outcome.DELIVERED, 1, 0)}
    posting.check_delivered_once(delivery)
    warm, *others = posting.server.peers  # more when the window of the whole connection is used up
    posts = warm.posts[2:] + [post for peer in others for post in peer.posts]
    assert {post.body for post in posts} == {frame.encode()}


def test_fan_out_waits_while_a_stream_window_is_closed(http2: Start) -> None:
    """It opens after a while: the body that waits is sent then."""

    def begin(peer: Peer) -> None:
        peer.begin()
        peer.change(SettingCodes.INITIAL_WINDOW_SIZE, 0)
        peer.later(0.2, lambda: peer.change(SettingCodes.INITIAL_WINDOW_SIZE, 65_535))

    posting = http2(react.ok, on_open=begin)

    delivery = posting.deliver(100)

    assert delivery.facts() == {(Outcome.DELIVERED, 1, 0)}
    posting.check_delivered_once(delivery)


def test_fan_out_waits_while_stream_windows_are_negative(http2: Start) -> None:
    """Half of a large frame has gone when the server takes back more than it had allowed."""

    def begin(peer: Peer) -> None:
        peer.widens = False
        peer.begin()
        peer.h2.increment_flow_control_window(2**24)
        peer.later(0.1, lambda: peer.change(SettingCodes.INITIAL_WINDOW_SIZE, 10))
        peer.later(0.2, lambda: peer.change(SettingCodes.INITIAL_WINDOW_SIZE, 200_000))

    posting = http2(react.ok, on_open=begin)

    delivery = posting.deliver(20, frame=LARGE)

    assert delivery.facts() == {(Outcome.DELIVERED, 1, 0)}
    posting.check_delivered_once(delivery)
    bodies = {post.body for peer in posting.server.peers for post in peer.posts}
    assert bodies == {LARGE.encode()}


def test_fan_out_posts_elsewhere_when_a_window_never_opens(http2: Start) -> None:
    """Such posts take too long; the others have gone before."""

    def begin(peer: Peer) -> None:
        peer.begin()
        if len(posting.server.peers) == 1:
            peer.widens = False

    posting = http2(react.ok, on_open=begin, timeouts=IMPATIENT, threads=1)

    delivery = posting.deliver(20, frame="x" * 20_000)

    assert delivery.ids(Outcome.DELIVERED) == ids(delivery)
    posting.check_delivered_once(delivery)


@pytest.mark.parametrize("largest", [16_384, 20_000, 2**24 - 1])
def test_fan_out_keeps_to_the_largest_frame_that_a_server_takes(http2: Start, largest: int) -> None:
    """A message of 127 KiB goes in as many frames as it needs, through windows of 64 KiB."""
    begin = _announcing(SettingCodes.MAX_FRAME_SIZE, largest)
    posting = http2(react.ok, on_open=begin, threads=1)
    _warm_up(posting)

    delivery = posting.deliver(60, frame=LARGE)

    assert delivery.facts() == {(Outcome.DELIVERED, 1, 0)}
    posting.check_delivered_once(delivery)
    warm, *others = posting.server.peers  # more when the window of the whole connection is used up
    posts = warm.posts[2:] + [post for peer in others for post in peer.posts]
    assert {post.body for post in posts} == {LARGE.encode()}


def _with_token(token: str) -> Callable[[], Credentials]:
    return lambda: Credentials(CREDENTIALS.access_key, CREDENTIALS.secret_key, token)


def _fields(posts: list[Post], name: str) -> set[str]:
    return {post.fields[name] for post in posts}


@pytest.mark.parametrize("sizes", [(0,), (200,), (4_096, 0, 4_096), (4_096, 1_500, 300, 0, 65_536)])
def test_fan_out_keeps_to_the_header_table_that_a_server_allows(
    http2: Start, sizes: tuple[int, ...]
) -> None:
    """Though it shrinks in the middle: each post has all fields, as they were signed."""

    def script(peer: Peer, post: Post) -> None:
        react.ok(peer, post)
        step, is_time = divmod(post.number, 10)
        if not is_time and step < len(sizes):
            peer.change(SettingCodes.HEADER_TABLE_SIZE, sizes[step])

    posting = http2(
        script,
        on_open=_announcing(SettingCodes.HEADER_TABLE_SIZE, sizes[0]),
        credentials=_with_token(TOKEN),
        threads=1,
    )
    _warm_up(posting)

    delivery = posting.deliver(300)

    assert delivery.facts() == {(Outcome.DELIVERED, 1, 0)}
    posting.check_delivered_once(delivery)
    posts = [post for peer in posting.server.peers for post in peer.posts]
    assert _fields(posts, "x-amz-security-token") == {TOKEN}


@pytest.mark.parametrize("size", [4_000, 5_000, 16_384, 20_000])
def test_fan_out_sends_a_token_that_is_larger_than_the_table(http2: Start, size: int) -> None:
    """It goes with each post, in more than one frame where it has to."""
    token = "t" * size
    posting = http2(react.ok, credentials=_with_token(token))

    delivery = posting.deliver(50)

    assert delivery.facts() == {(Outcome.DELIVERED, 1, 0)}
    posts = [post for peer in posting.server.peers for post in peer.posts]
    assert _fields(posts, "x-amz-security-token") == {token}


def test_fan_out_enters_rotated_credentials_anew(
    http2: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the middle of a broadcast, on the same HTTP connections: all fields fit together."""
    monkeypatch.setattr(signing, "TEMPLATE_SECONDS", 0.02)
    tokens = (f"{number}" + TOKEN for number in range(10_000))
    posting = http2(
        react.answers(200, after_seconds=0.005),
        credentials=lambda: Credentials("key-" + (token := next(tokens))[:3], "secret", token),
        threads=1,
        in_flight=16,
    )
    posting.deliver(1)

    delivery = posting.deliver(400)

    assert delivery.facts() == {(Outcome.DELIVERED, 1, 0)}
    posting.server.peers.sort(key=lambda peer: len(peer.posts))
    posts = posting.server.peers[-1].posts
    assert len(_fields(posts, "x-amz-security-token")) > 3
    assert all(
        f"Credential=key-{post.fields['x-amz-security-token'][:3]}/" in post.fields["authorization"]
        for post in posts
    )


def test_fan_out_signs_anew_on_the_same_connections_for_the_next_frame(http2: Start) -> None:
    """Two broadcasts, one after the other: bodies and lengths fit together."""
    posting = http2(react.ok, threads=1, credentials=_with_token(TOKEN))

    for frame in ("first", "second, and longer"):
        delivery = deliver(posting.fan_out, connections(50), frame=frame)
        assert delivery.facts() == {(Outcome.DELIVERED, 1, 0)}

    posts = [post for peer in posting.server.peers for post in peer.posts]
    assert {(post.body, post.fields["content-length"]) for post in posts} == {
        (b"first", "5"),
        (b"second, and longer", "18"),
    }
    assert posting.server.received == dict.fromkeys(once(ids(delivery)), 2)


def test_fan_out_begins_no_more_large_posts_than_a_new_connection_has_room_for(
    http2: Start,
) -> None:
    """Those that began and waited for the window might take too long before they are sent."""
    begun: list[int] = []

    def script(peer: Peer, post: Post) -> None:
        begun.append(peer.h2.open_inbound_streams)
        react.ok(peer, post)

    posting = http2(script, threads=1)

    delivery = posting.deliver(60, frame=LARGE)

    assert begun[0] < 8
    posting.check_delivered_once(delivery)
