"""Any bytes from the server: each post ends once, by what was sent for it, or with the connection.

What is sent is a valid exchange that was changed, cut, and repeated in parts; frames without sense;
or no frames at all.
"""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from delivery.http import http2_frames as wire
from delivery.http.connection import Ending, Response
from delivery.http.http2_frame_reader import MAX_BLOCK_BYTES
from delivery.http.http2_frames import Http2Error, Setting
from delivery.http.http2_protocol import MAX_GIVEN_UP, MAX_STREAMS
from delivery.http.http2_receiver import MAX_BODY_BYTES
from delivery.http.http2_settings import STREAM_WINDOW_BYTES
from tests.support.http2_wire import (
    GONE_BLOCK,
    OK_BLOCK,
    SERVER_SETTINGS,
    Client,
    Sent,
    data,
    frames_in,
    headers,
)

LOST = ConnectionError("lost")
TOKENS = "abcdef"
STREAMS = st.sampled_from([0, 1, 2, 3, 5, 7, 9, 11, 13, 2**30 + 1])
KINDS = st.integers(0, 10)
FLAGS = st.sampled_from([0, 1, 4, 5, 8, 9, 12, 13, 0x20, 0x25, 0x2D, 0xFF])
BLOCKS = st.sampled_from(
    [OK_BLOCK, GONE_BLOCK, b"\x8c", b"\x08\x03429", b"\x08\x03103", b"\x20\x88"]
)
SETTINGS = st.lists(
    st.tuples(st.sampled_from(Setting), st.sampled_from([0, 1, 2, 100, 16_384, 65_535, 2**31 - 1])),
    max_size=3,
).map(wire.settings_frame)
SENSIBLE = st.one_of(
    st.builds(headers, STREAMS, BLOCKS, st.sampled_from([1, 4, 5])),
    st.builds(data, STREAMS, st.binary(max_size=50), st.sampled_from([0, 1])),
    st.builds(wire.rst_stream_frame, STREAMS, st.sampled_from(wire.ErrorCode)),
    st.builds(wire.window_update_frame, STREAMS, st.sampled_from([0, 1, 9_999, 2**31 - 1])),
    SETTINGS,
    st.builds(wire.frame, st.just(wire.CONTINUATION), FLAGS, STREAMS, BLOCKS),
    st.builds(
        lambda last_id, code: wire.frame(wire.GOAWAY, 0, 0, last_id.to_bytes(4) + code.to_bytes(4)),
        STREAMS,
        st.sampled_from(wire.ErrorCode),
    ),
)
FRAMES = SENSIBLE | st.builds(wire.frame, KINDS, FLAGS, STREAMS, st.binary(max_size=20))
CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["change", "insert", "cut", "repeat"]),
        st.integers(0, 400),
        st.binary(min_size=1, max_size=12),
    ),
    max_size=4,
)


def _valid(order: Sequence[int]) -> bytes:
    """Return an exchange in which every post is answered, each one in another form."""
    answers = [
        headers(1),
        headers(3, b"\x20" + GONE_BLOCK, wire.END_HEADERS) + data(3, b"of b"),
        headers(5, b"\x08\x03103", wire.END_HEADERS) + headers(5),
        wire.frame(wire.HEADERS, 1, 7, b"\x08\x03")
        + wire.frame(wire.CONTINUATION, wire.END_HEADERS, 7, b"429"),
        headers(9, GONE_BLOCK, 4) + data(9, b"of ", 0) + data(9, b"e", 0) + headers(9, b"x"),
        wire.rst_stream_frame(11, wire.ErrorCode.REFUSED_STREAM),
    ]
    others = wire.frame(wire.PING, 0, 0, bytes(8)) + wire.window_update_frame(0, 9)
    return others.join(answers[number] for number in order)


def _changed(sent: bytes, changes: Sequence[tuple[str, int, bytes]]) -> bytes:
    for kind, where, content in changes:
        at = where % (len(sent) + 1)
        after = {"change": at + len(content), "insert": at, "cut": at + len(content), "repeat": 0}
        kept = b"" if kind == "cut" else content if kind != "repeat" else sent[: at % 60]
        sent = sent[:at] + kept + sent[at if kind == "repeat" else after[kind] :]
    return sent


def _post(client: Client) -> None:
    client.post("a", "b", "c", body=b"x" * 30_000)
    client.post("d", "e", "f")


def _take(
    client: Client, pieces: Sequence[bytes]
) -> tuple[list[Ending[str]], wire.ErrorCode | None]:
    """Feed bytes as a connection does; return what has ended, and why the connection did."""
    endings: list[Ending[str]] = []
    try:
        for piece in pieces:
            endings += client.core.feed(piece)
    except Http2Error as error:
        return [*endings, *client.core.end(LOST)], error.code
    return endings, None


def _cut(sent: bytes, cuts: Sequence[int]) -> list[bytes]:
    places = sorted(cut % (len(sent) + 1) for cut in cuts)
    return [sent[start:end] for start, end in pairwise((0, *places, len(sent)))]


def _require_sense(sent: bytes, endings: Sequence[Ending[str]], *, is_over: bool) -> None:
    """Require that each post has ended once at most, and by a response on its own stream."""
    counts = Counter(token for token, _ in endings)
    assert max(counts.values(), default=1) == 1
    assert not is_over or len(counts) == len(TOKENS)
    answered = {frame.stream_id for frame in frames_in(sent) if frame.kind == wire.HEADERS}
    for token, result in endings:
        if isinstance(result, Response):
            assert 1 + 2 * TOKENS.index(token) in answered
            assert 200 <= result.status <= 999


def _results(endings: Sequence[Ending[str]]) -> list[tuple[str, object]]:
    return [(token, one if isinstance(one, Response) else type(one)) for token, one in endings]


@settings(max_examples=300)
@given(
    st.permutations(range(len(TOKENS))),
    CHANGES,
    st.lists(st.integers(0, 400), max_size=9),
)
def test_exchange_that_was_changed_ends_each_post_once(
    order: Sequence[int], changes: Sequence[tuple[str, int, bytes]], cuts: Sequence[int]
) -> None:
    """In the same way however it is cut, up to the same error."""
    sent = _changed(_valid(order), changes)
    whole, parts = Client(), Client()
    _post(whole)
    _post(parts)

    endings, error = _take(whole, [sent])
    in_parts, same_error = _take(parts, _cut(sent, cuts))

    _require_sense(sent, endings, is_over=error is not None)
    assert (_results(endings), error) == (_results(in_parts), same_error)
    assert whole.sent() == parts.sent()
    if not changes:
        assert (len(endings), error) == (len(TOKENS), None)


@settings(max_examples=300)
@given(
    st.lists(FRAMES, max_size=12).map(b"".join) | st.binary(max_size=60),
    st.lists(st.integers(0, 400), max_size=9),
)
def test_frames_without_sense_end_each_post_once(sent: bytes, cuts: Sequence[int]) -> None:
    """In the same way however they are cut, up to the same error."""
    whole, parts = Client(), Client()
    _post(whole)
    _post(parts)

    endings, error = _take(whole, [sent])
    in_parts, same_error = _take(parts, _cut(sent, cuts))

    _require_sense(sent, endings, is_over=error is not None)
    assert (_results(endings), error) == (_results(in_parts), same_error)
    assert whole.sent() == parts.sent()


@given(st.binary(max_size=200))
def test_bytes_that_are_no_http2_end_the_connection_or_are_awaited(sent: bytes) -> None:
    """From the first byte on."""
    client = Client.__new__(Client)
    client.core = type(Client().core)(is_tls=True)
    client.post(*TOKENS)

    endings, error = _take(client, [sent])

    assert (len(endings) == len(TOKENS)) is (error is not None)
    assert not any(isinstance(result, Response) for _, result in endings)


class Connection(RuleBasedStateMachine):
    """A connection's life: posts begin, the server sends anything, posts are given up, it ends."""

    def __init__(self) -> None:
        super().__init__()
        self.client = Client()
        self.begun: list[str] = []
        self.ended: Counter[str] = Counter()
        self.received = [SERVER_SETTINGS]
        self.is_over = False
        self.now = 1.0

    def _end(self, endings: Sequence[Ending[str]]) -> None:
        self.ended.update(token for token, _ in endings)
        heads = {
            frame.stream_id
            for frame in frames_in(b"".join(self.received))
            if frame.kind == wire.HEADERS
        }
        for token, result in endings:
            assert not isinstance(result, Response) or 1 + 2 * int(token) in heads

    @precondition(lambda self: not self.is_over and self.client.core.room)
    @rule(size=st.sampled_from([0, 1, 40_000, 127 * 1024]))
    def begin(self, size: int) -> None:
        """Begin a post."""
        self.now += 1
        self.begun.append(str(len(self.begun)))
        self.client.post(self.begun[-1], body=b"x" * size, now=self.now)

    @precondition(lambda self: not self.is_over)
    @rule(frames=st.lists(SENSIBLE, min_size=1, max_size=4).map(b"".join), cut=st.integers(0, 99))
    def receive(self, frames: bytes, cut: int) -> None:
        """Receive frames, in two pieces."""
        for piece in _cut(frames, [cut]):
            if not self.is_over:
                self._feed(piece)

    @precondition(lambda self: not self.is_over)
    @rule(number=st.integers(0, 200), block=BLOCKS)
    def receive_an_answer(self, number: int, block: bytes) -> None:
        """Receive what may be the answer to a post that is under way."""
        streams = list(self.client.core._streams.open)
        if streams:
            self._feed(headers(streams[number % len(streams)], block))

    @precondition(lambda self: not self.is_over)
    @rule(size=st.integers(1, 99_999))
    def receive_leave_to_send(self, size: int) -> None:
        """Receive a wider window of the connection."""
        self._feed(wire.window_update_frame(0, size))

    def _feed(self, piece: bytes) -> None:
        self.received.append(piece)
        try:
            self._end(self.client.core.feed(piece))
        except Http2Error:
            self.close()

    @precondition(lambda self: not self.is_over)
    @rule(age=st.integers(0, 4))
    def give_up(self, age: int) -> None:
        """Give up what takes too long."""
        self._end(self.client.core.give_up(self.now - age, LOST))

    @rule()
    def take(self) -> None:
        """Write what is to be sent."""
        self.client.sent()

    @rule()
    def close(self) -> None:
        """End the connection, perhaps once more."""
        self._end(self.client.core.end(LOST))
        self.is_over = True
        assert self.client.core.under_way == 0

    @invariant()
    def each_post_ends_once(self) -> None:
        """Those that have not are under way."""
        assert set(self.ended.values()) <= {1}
        assert len(self.begun) - len(self.ended) == self.client.core.under_way

    @invariant()
    def what_is_kept_is_bounded(self) -> None:
        """Nothing grows but with the posts under way."""
        core = self.client.core
        streams = core._streams
        assert 0 <= core.room <= MAX_STREAMS
        assert streams.given_up <= MAX_GIVEN_UP + MAX_STREAMS
        assert self.is_over or set(core.sender._blocked) <= set(streams.open)
        assert len(core._reader._buffer) <= wire.LEAST_MAX_FRAME_BYTES + wire.HEAD_BYTES
        assert len((core._reader._block or Sent(0, 0, 0, b""))[3]) <= MAX_BLOCK_BYTES
        for stream in streams.open.values():
            assert len(stream.body) <= MAX_BODY_BYTES
            assert stream.received_bytes <= STREAM_WINDOW_BYTES
            assert stream.window_bytes <= wire.MAX_WINDOW_BYTES

    def teardown(self) -> None:
        """Whatever has happened, each post has ended once."""
        self._end(self.client.core.end(LOST))
        assert self.ended == Counter(self.begun)


Connection.TestCase.settings = settings(stateful_step_count=40, deadline=None)
TestConnection = Connection.TestCase
