"""The core of a connection: what becomes of each post, whatever the server sends, in any order."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery.http import http2_frames as wire
from delivery.http import http2_protocol
from delivery.http.connection import MalformedAnswerError, NotProcessedError, Response
from delivery.http.http2_frames import ErrorCode, Setting
from delivery.http.http2_protocol import MAX_GIVEN_UP, MAX_STREAMS, Http2Protocol
from delivery.http.http2_receiver import MAX_BODY_BYTES, StreamResetError
from delivery.http.http2_sender import WINDOW_BYTES
from delivery.http.http2_settings import STREAM_WINDOW_BYTES
from tests.support.http2_oracle import Oracle
from tests.support.http2_wire import GONE_BLOCK, LITTLE, Client, Sent, data, headers

LOST = ConnectionError("lost")
GONE, OK = Response(410), Response(200)
HEAD = wire.END_HEADERS
NAMES = st.sampled_from(["server", "x-amzn-requestid", "content-type", "connection-id"])
FIELDS = st.lists(
    st.tuples(NAMES, st.text("abcABC019-;/ ", max_size=30).map(str.strip)), max_size=5
)
RESPONSES = st.tuples(
    st.lists(st.sampled_from([100, 102, 103, 199]), max_size=2),
    st.integers(200, 599),
    FIELDS,
    st.lists(st.tuples(st.binary(max_size=300), st.integers(0, 255)), max_size=4),
    st.booleans(),
)
"""News of a response (1xx), its status and fields, its body in padded parts, whether a trailer."""


def _reset(stream_id: int, code: int) -> bytes:
    return wire.frame(wire.RST_STREAM, 0, stream_id, code.to_bytes(4))


def _leave(last_id: int, code: int = 0) -> bytes:
    return wire.frame(wire.GOAWAY, 0, 0, last_id.to_bytes(4) + code.to_bytes(4) + b"why")


def _codes(client: Client) -> list[tuple[int, int]]:
    """Return the streams that were reset since the last call, and why."""
    resets = [frame for frame in client.sent() if frame.kind == wire.RST_STREAM]
    return [(frame.stream_id, int.from_bytes(frame.payload)) for frame in resets]


def _respond(oracle: Oracle, stream_id: int, response: tuple[Any, ...]) -> None:
    """Let the server queue a response."""
    news, status, fields, parts, has_trailer = response
    server, is_short = oracle.server, not parts and not response[4]
    for one in news:
        server.send_headers(stream_id, [(":status", str(one))])
    server.send_headers(stream_id, [(":status", str(status)), *fields], end_stream=is_short)
    for number, (part, padding) in enumerate(parts, start=1):
        is_last = number == len(parts) and not has_trailer
        server.send_data(stream_id, part, end_stream=is_last, pad_length=padding)
    if has_trailer:
        server.send_headers(stream_id, [("x-trailer", "value")], end_stream=True)


@given(st.lists(RESPONSES, max_size=8), st.randoms(use_true_random=False), st.integers(1, 500))
def test_responses_are_those_that_another_implementation_sent(
    responses: list[tuple[Any, ...]], random: Any, piece_bytes: int
) -> None:
    """Any status and fields, any body, padded; 1xx before, trailers after; in any order and cut."""
    oracle = Oracle()
    for token in range(len(responses)):
        oracle.post(str(token))
    oracle.exchange()

    for token in random.sample(range(len(responses)), len(responses)):
        _respond(oracle, 1 + 2 * token, responses[token])
        if random.random() < 0.3:
            oracle.server.ping(b"12345678")
            oracle.server.update_settings({})
    oracle.exchange(piece_bytes)

    expected = {
        str(token): Response(status, b"".join(part for part, _ in parts))
        for token, (_, status, _, parts, _) in enumerate(responses)
    }
    assert dict(oracle.endings) == expected
    assert len(oracle.endings) == len(responses)
    assert (oracle.core.under_way, oracle.given_up) == (0, [])


def test_response_may_have_a_head_of_many_frames() -> None:
    """Another implementation continues what is larger than a frame."""
    oracle = Oracle()
    oracle.post("a")
    oracle.exchange()

    oracle.server.send_headers(1, [(":status", "410"), ("server", "x" * 40_000)], end_stream=True)
    oracle.exchange()

    assert oracle.endings == [("a", GONE)]


def test_responses_end_their_own_posts_in_any_order() -> None:
    """A response belongs to the stream that asked."""
    client = Client()
    client.post("a", "b", "c")

    first = client.feed(headers(5), headers(1, GONE_BLOCK))
    second = client.feed(headers(3))

    assert first == [("c", OK), ("a", GONE)]
    assert second == [("b", OK)]
    assert (client.core.under_way, client.core.is_usable) == (0, True)


@pytest.mark.parametrize("end", [headers(1, b""), data(1, b"", flags=wire.END_STREAM)])
def test_response_has_a_body_until_its_end(end: bytes) -> None:
    """In many parts; its end is in the last one, or in a trailer, which is not read."""
    client = Client()
    client.post("a")

    before = client.feed(
        headers(1, GONE_BLOCK, HEAD), data(1, b"it ", 0), data(1, b"", 0), data(1, b"is gone", 0)
    )
    after = client.feed(end)

    assert (before, after) == ([], [("a", Response(410, b"it is gone"))])


def test_response_is_over_when_its_body_is_larger_than_is_read() -> None:
    """The remainder is skipped; what is kept is bounded."""
    client, part = Client(), b"x" * wire.LEAST_MAX_FRAME_BYTES
    client.post("a")
    parts = [data(1, part, 0)] * (MAX_BODY_BYTES // len(part))

    before = client.feed(headers(1, GONE_BLOCK, HEAD), *parts)
    after = client.feed(data(1, b"!", 0))
    late = client.feed(data(1, part, 0), data(1, part))

    assert (before, after, late) == ([], [("a", Response(410, part * 4 + b"!"))], [])
    assert _codes(client) == [(1, ErrorCode.CANCEL)]


def test_response_to_half_a_post_may_refuse_it() -> None:
    """The server needs no more of the request, and is told that no more will come."""
    client = Client()
    client.post("a", "b", body=b"x" * 70_000)

    endings = client.feed(headers(1, b"\x8c"))
    codes = _codes(client)
    widened = client.feed(wire.window_update_frame(0, 2**20), wire.window_update_frame(1, 99))

    assert (endings, codes, widened) == ([("a", Response(400))], [(1, ErrorCode.CANCEL)], [])
    assert {frame.stream_id for frame in client.sent()} == {3}


@pytest.mark.parametrize("has_body", [False, True])
def test_response_to_half_a_post_is_no_delivery(
    has_body: bool,  # noqa: FBT001 - a parameter of pytest's
) -> None:
    """A 200 before the whole post was sent is no answer to it."""
    client = Client()
    client.post("a", body=b"x" * 70_000)

    sent = (headers(1, flags=HEAD), data(1, b"{}")) if has_body else (headers(1),)
    ((token, error),) = client.feed(*sent)

    assert (token, type(error)) == ("a", MalformedAnswerError)
    assert "before the whole post was sent" in str(error)
    assert _codes(client) == [(1, ErrorCode.CANCEL)]


def test_response_that_began_early_counts_when_the_whole_post_was_sent() -> None:
    """Its end came after the request's end."""
    client = Client()
    client.post("a", body=b"x" * 70_000)

    early = client.feed(headers(1, flags=HEAD))
    client.feed(wire.window_update_frame(0, 2**20), wire.window_update_frame(1, 2**20))
    endings = client.feed(data(1, b"{}"))

    assert (early, endings) == ([], [("a", Response(200, b"{}"))])
    assert _codes(client) == []


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (ErrorCode.REFUSED_STREAM, NotProcessedError),
        (ErrorCode.INTERNAL_ERROR, StreamResetError),
        (ErrorCode.NO_ERROR, StreamResetError),
        (0xFFFF, StreamResetError),
    ],
)
def test_stream_that_the_server_resets_ends_its_post_only(
    code: int, error: type[Exception]
) -> None:
    """What was refused was not processed: RFC 9113, 8.7."""
    client = Client()
    client.post("a", "b", body=b"x" * 70_000)
    client.sent()

    ((token, reason),) = client.feed(_reset(1, code))
    later = client.feed(wire.window_update_frame(1, 9), _reset(1, code), headers(3, GONE_BLOCK))

    assert (token, type(reason)) == ("a", error)
    assert "reset the stream" in str(reason)
    assert later == [("b", GONE)]
    assert [frame.stream_id for frame in client.sent()] == [3]
    assert client.core.is_usable


@pytest.mark.parametrize("code", [ErrorCode.NO_ERROR, ErrorCode.CANCEL, ErrorCode.REFUSED_STREAM])
def test_status_counts_though_the_stream_is_reset_after_it(code: ErrorCode) -> None:
    """Its body will never come."""
    client = Client()
    client.post("a", "b", body=b"x" * 70_000)

    endings = client.feed(headers(1, GONE_BLOCK, HEAD), data(1, b"it", 0), _reset(1, code))
    ((_, half),) = client.feed(headers(3, flags=HEAD), _reset(3, code))

    assert endings == [("a", Response(410, b"it"))]
    assert isinstance(half, ConnectionError)


def test_stream_that_is_reset_after_its_response_is_over_already() -> None:
    """RFC 9113, 8.1: the server needs none of the rest of the request."""
    client = Client()
    client.post("a", "b")

    endings = client.feed(headers(1, b"\x8c"), _reset(1, ErrorCode.NO_ERROR))

    assert endings == [("a", Response(400))]
    assert client.core.under_way == 1


def test_goaway_returns_what_was_not_processed_and_awaits_the_others() -> None:
    """GOAWAY: to repeat them elsewhere is no risk. RFC 9113, 6.8."""
    client = Client()
    client.post("a", "b", "c", body=b"x" * 30_000)
    client.sent()

    endings = dict(client.feed(_leave(1)))
    widened = client.feed(wire.window_update_frame(0, 99_999))
    is_usable, room = client.core.is_usable, client.core.room

    assert {token: type(error) for token, error in endings.items()} == {
        "b": NotProcessedError,
        "c": NotProcessedError,
    }
    assert (widened, client.sent()) == ([], [])
    assert (is_usable, room) == (True, 0)
    assert client.feed(headers(1)) == [("a", OK)]
    assert not client.core.is_usable


def test_goaway_may_come_twice() -> None:
    """First with no stream named, for what is on its way; then with the last one."""
    client = Client()
    client.post("a", "b")

    first = client.feed(_leave(wire.MAX_STREAM_ID))
    ((token, error),) = client.feed(_leave(1))
    third = client.feed(_leave(3))

    assert (first, third, token, type(error)) == ([], [], "b", NotProcessedError)
    assert client.feed(headers(1)) == [("a", OK)]


def test_goaway_loses_no_response_that_has_begun() -> None:
    """A server that names too low a stream contradicts itself: it did process that post."""
    client = Client()
    client.post("a")

    endings = client.feed(headers(1, GONE_BLOCK, HEAD), _leave(0))

    assert endings == [("a", GONE)]


def test_goaway_while_idle_ends_the_connection() -> None:
    """No post goes to it any more."""
    client = Client()

    assert client.feed(_leave(0)) == []
    assert (client.core.is_usable, client.core.room) == (False, 0)


@pytest.mark.parametrize(
    "sent", [_reset(1, ErrorCode.ENHANCE_YOUR_CALM), _leave(1, ErrorCode.ENHANCE_YOUR_CALM)]
)
def test_calm_is_for_the_whole_connection(sent: bytes) -> None:
    """It takes no more posts; those under way are awaited."""
    client = Client()
    client.post("a", "b")
    was_calmed = client.core.is_calmed

    client.feed(sent)

    assert (was_calmed, client.core.is_calmed) == (False, True)
    assert (client.core.room, client.core.is_usable) == (0, True)


@pytest.mark.parametrize(
    ("limit", "room"), [(None, 100), (1, 1), (0, 0), (50, 50), (2**32 - 1, MAX_STREAMS)]
)
def test_room_is_what_the_server_and_we_allow(limit: int | None, room: int) -> None:
    """100 streams before the server has told its limit."""
    settings = [] if limit is None else [(Setting.MAX_CONCURRENT_STREAMS, limit)]

    assert Client(*settings).core.room == room


def test_room_follows_a_limit_that_is_lowered_and_raised() -> None:
    """Those under way are awaited, though they are more than the limit."""
    client = Client()
    client.post("a", "b", "c")
    rooms = []

    for limit in (4, 1, 0, 5):
        client.feed(wire.settings_frame([(Setting.MAX_CONCURRENT_STREAMS, limit)]))
        rooms.append(client.core.room)

    assert (rooms, client.core.is_usable) == ([1, 0, 0, 2], True)
    assert client.feed(headers(3)) == [("b", OK)]
    assert client.core.room == 3


def test_room_is_nil_while_the_connections_window_is_closed() -> None:
    """A post that could not begin to be sent goes elsewhere."""
    client = Client((Setting.INITIAL_WINDOW_SIZE, 2**20))
    client.post("a", body=b"x" * 70_000)

    closed = client.core.room
    client.feed(wire.window_update_frame(0, 70_000))
    narrow = client.core.room
    client.feed(wire.window_update_frame(0, 2**23))

    assert (closed, narrow, client.core.room) == (0, 1, 99)


def test_room_is_what_the_connections_window_has_room_for() -> None:
    """Posts that would wait for the window find it on another connection sooner."""
    client = Client((Setting.INITIAL_WINDOW_SIZE, 2**20))

    before = client.core.room
    client.post("a", body=b"x" * 10_000)

    assert (before, client.core.room) == (100, 5)


def test_posts_that_take_too_long_are_given_up() -> None:
    """Those begun by then; what comes of them later is skipped, and the others go on."""
    client = Client()
    client.post("a", "b", now=1.0)
    client.post("c", now=2.0)
    client.feed(headers(3, GONE_BLOCK, HEAD))
    client.sent()

    endings = client.core.give_up(1.5, LOST)

    assert endings == [("a", LOST), ("b", GONE)]
    assert _codes(client) == [(1, ErrorCode.CANCEL), (3, ErrorCode.CANCEL)]
    late = client.feed(
        *(headers(1, flags=HEAD), data(1, b"late")),
        *(data(3, b"late", 0), _reset(3, ErrorCode.NO_ERROR)),
    )
    assert late == []
    assert (client.core.give_up(1.5, LOST), client.core._streams.given_up) == ([], 0)
    assert client.feed(headers(5)) == [("c", OK)]


def test_posts_that_are_given_up_while_they_wait_are_not_sent_on() -> None:
    """The window opens too late."""
    client = Client()
    client.post("a", body=b"x" * 70_000)
    client.core.give_up(1.0, LOST)
    client.sent()

    client.feed(wire.window_update_frame(0, 99_999), wire.window_update_frame(1, 99_999))

    assert client.sent() == []


def test_connection_ends_after_many_posts_that_were_given_up() -> None:
    """Each one may be open at the server for ever; what is kept of them is bounded."""
    client = Client((Setting.MAX_CONCURRENT_STREAMS, 1_000))
    usable = []

    for _ in range(3):
        client.post(*map(str, range(MAX_STREAMS)))
        assert len(client.core.give_up(1.0, LOST)) == MAX_STREAMS
        usable.append(client.core.is_usable)

    assert MAX_GIVEN_UP == 2 * MAX_STREAMS
    assert (usable, client.core.room) == ([True, True, False], 0)


def test_connection_ends_long_before_its_ids_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 9113, 5.1.1: there is no id after 2^31 - 1."""
    monkeypatch.setattr(http2_protocol, "MAX_ID", 3)
    client = Client()
    client.post("a")
    before = client.core.room

    client.post("b")

    assert (before, client.core.room, client.core.is_usable) == (99, 0, True)
    assert client.feed(headers(1), headers(3)) == [("a", OK), ("b", OK)]
    assert not client.core.is_usable


def test_end_returns_each_post_once() -> None:
    """With its response where the status has come, after what had ended before the error."""
    client = Client()
    client.post("a", "b", "c", body=LITTLE)
    client.feed(headers(1, GONE_BLOCK, HEAD))
    with pytest.raises(MalformedAnswerError):
        client.feed(headers(3), wire.frame(wire.PUSH_PROMISE, 0, 1))

    endings = client.core.end(LOST)

    assert endings == [("b", OK), ("a", GONE), ("c", LOST)]
    assert (client.core.end(LOST), client.core.under_way, client.core.is_usable) == ([], 0, False)


def test_end_loses_half_a_post_though_it_was_answered() -> None:
    """200 for half a post is no delivery."""
    client = Client()
    client.post("a", body=b"x" * 70_000)
    client.feed(headers(1, flags=HEAD))

    assert client.core.end(LOST) == [("a", LOST)]


def test_window_of_all_responses_is_kept_open() -> None:
    """The server never waits for us, however much it sends."""
    client, part = Client(), b"x" * wire.LEAST_MAX_FRAME_BYTES
    allowed = 0

    for stream_id in range(1, 2 * 200, 2):
        client.post(str(stream_id))
        client.feed(headers(stream_id, GONE_BLOCK, HEAD), *[data(stream_id, part, 0)] * 3)
        assert client.feed(data(stream_id, part)) == [(str(stream_id), Response(410, part * 4))]
        sizes = [
            int.from_bytes(one.payload) for one in client.sent() if one.kind == wire.WINDOW_UPDATE
        ]
        allowed += sum(sizes)

    received = 200 * 4 * len(part)
    assert 0 <= received - allowed <= WINDOW_BYTES // 2
    assert received > 0


def test_stream_has_a_window_for_all_that_is_read_of_a_body() -> None:
    """It is not widened: what is larger than that is given up."""
    assert STREAM_WINDOW_BYTES >= MAX_BODY_BYTES + wire.LEAST_MAX_FRAME_BYTES


def test_ping_of_the_server_is_answered_and_ours_awaited() -> None:
    """With the same eight bytes; after our own ping any byte shows that the server is alive."""
    client = Client()
    client.feed(wire.frame(wire.PING, 0, 0, b"12345678"))
    answered = client.sent()

    client.core.ping()
    ((*_, payload),) = client.sent()
    was_pinging = client.core.is_pinging
    client.feed(wire.frame(wire.PING, wire.ACK, 0, payload))

    assert answered == [Sent(wire.PING, wire.ACK, 0, b"12345678")]
    assert (was_pinging, client.core.is_pinging) == (True, False)


def test_frames_that_need_no_answer_are_skipped() -> None:
    """Unknown types, advice on priority, acknowledgements that are not awaited, any flags."""
    client = Client()
    client.post("a")
    client.sent()

    endings = client.feed(
        wire.frame(0x77, 0xFF, 0, b"anything"),
        wire.frame(0x77, 0xFF, 2, b""),
        wire.frame(wire.PRIORITY, 0xFF, 2, b"12345"),
        wire.frame(wire.PRIORITY, 0, 99, b"12345"),
        wire.frame(wire.SETTINGS, wire.ACK, 0),
        wire.frame(wire.SETTINGS, wire.ACK, 0),
        wire.window_update_frame(1, 1),
        headers(1, flags=wire.END_HEADERS | wire.END_STREAM | 0xD0),
    )

    assert (endings, client.sent()) == ([("a", OK)], [])


@pytest.mark.parametrize("is_tls", [False, True])
def test_core_has_room_before_the_server_has_said_anything(
    is_tls: bool,  # noqa: FBT001 - a parameter of pytest's
) -> None:
    """The first posts leave with the preface."""
    core: Http2Protocol[str] = Http2Protocol(is_tls=is_tls)

    assert (core.room, core.under_way, core.is_usable) == (100, 0, True)
    assert core.sender.has_unsent
