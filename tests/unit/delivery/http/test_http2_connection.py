"""The shell of a connection: what is written and read when, and what a silent server is worth."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from typing import cast

import pytest

from delivery.http import http2_frames as wire
from delivery.http.connection import (
    SILENT_SECONDS,
    ClosedError,
    IdleClosedError,
    MalformedAnswerError,
    NotProcessedError,
    Response,
)
from delivery.http.handshake import Handshake
from delivery.http.http2_connection import PING_SECONDS, READ, WRITE, Http2Connection
from delivery.http.http2_frames import ErrorCode, Http2Error, Setting
from delivery.http.tls import tls_context
from testbed.stand_in.certificate import issue_certificate
from tests.support.http2_wire import (
    GONE_BLOCK,
    SERVER_SETTINGS,
    Sent,
    data,
    frames_in,
    headers,
    request,
    template,
)
from tests.support.loopback import is_readable

OK, GONE = Response(200), Response(410)
LOST = OSError("lost")
POSTS = [(token, request(template(), token)) for token in "abc"]
SMALL_BUFFER = 4_096
PING_OF_THE_SERVER = wire.frame(wire.PING, 0, 0, b"12345678")


class Ends:
    """An open connection, and the server's end of its socket."""

    def __init__(self, stack: ExitStack) -> None:
        client, self.server = socket.socketpair()
        for sock in (client, self.server):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL_BUFFER)
            sock.settimeout(0)
            stack.callback(sock.close)
        self.http: Http2Connection[str] = Http2Connection(client)

    def answer(self, *frames: bytes) -> list[tuple[str, Response | Exception]]:
        """Send frames from the server, and return what the client makes of them."""
        self.server.sendall(b"".join(frames))
        return list(self.http.advance())

    def received(self) -> list[Sent]:
        """Return what the server can read now."""
        sent = b""
        with suppress(BlockingIOError):
            while piece := self.server.recv(65_536):
                sent += piece
        return frames_in(sent)


@pytest.fixture
def ends() -> Iterator[Ends]:
    """Return both ends of an open connection."""
    with ExitStack() as stack:
        yield Ends(stack)


class _Socket:
    """A socket that does what a test says, step by step: returns a number, bytes, or an error."""

    def __init__(self, *steps: int | bytes | Exception) -> None:
        self.steps = list(steps)
        self.is_closed = False
        self.written: list[bytes] = []

    def send(self, unsent: memoryview) -> int:
        step = self._step(len(unsent))
        assert isinstance(step, int)
        self.written.append(bytes(unsent[:step]))
        return step

    def recv(self, _size: int) -> bytes:
        step = self._step(b"")
        assert isinstance(step, bytes)
        return step

    def fileno(self) -> int:
        return 99

    def close(self) -> None:
        self.is_closed = True

    def _step(self, otherwise: int | bytes) -> int | bytes:
        step = self.steps.pop(0) if self.steps else otherwise
        if isinstance(step, Exception):
            raise step
        return step


def _connection(sock: _Socket) -> Http2Connection[str]:
    return Http2Connection(cast("socket.socket", sock))


def test_connection_writes_all_posts_of_a_turn_together() -> None:
    """With the preface before the first ones: one write for all of them."""
    sock = _Socket()
    http = _connection(sock)

    http.send(POSTS, 1.0)
    http.send(POSTS[:1], 1.0)

    assert [written.startswith(wire.PREFACE) for written in sock.written] == [True, False]
    streams = [[frame.stream_id for frame in frames_in(written)] for written in sock.written]
    assert streams == [[0, 0, 1, 1, 3, 3, 5, 5], [7, 7]]
    assert (http.under_way, http.room, http.is_usable, http.interest) == (4, 96, True, READ)
    assert (http.fileno(), http.protocol, http.wants_calm) == (99, "h2", False)


def test_connection_returns_what_has_ended(ends: Ends) -> None:
    """All that has come in one read."""
    ends.http.send(POSTS, 1.0)

    first = ends.answer(SERVER_SETTINGS, headers(3), headers(1, GONE_BLOCK))
    second = ends.http.advance()

    assert (first, second) == ([("b", OK), ("a", GONE)], ())
    assert (ends.http.under_way, ends.http.room) == (1, 99)
    assert ends.received()[-1] == (wire.SETTINGS, wire.ACK, 0, b"")


def test_connection_speaks_through_tls(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Once the server has chosen it; what is more than a record is read to its end."""
    certificate = issue_certificate(tmp_path_factory.mktemp("certificate"))
    context, server_context = tls_context(str(certificate.ca_path)), certificate.server_context()
    server_context.set_alpn_protocols(["h2"])
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        client = socket.create_connection(listener.getsockname())
        client.settimeout(0)
        handshake = Handshake(
            client,
            lambda sock: context.wrap_socket(
                sock, do_handshake_on_connect=False, server_hostname="127.0.0.1"
            ),
        )
        stack.callback(handshake.close)
        server = server_context.wrap_socket(
            listener.accept()[0], server_side=True, do_handshake_on_connect=False
        )
        stack.callback(server.close)
        server.settimeout(0)
        while (http := handshake.advance()) is None:
            assert is_readable(server)
            with suppress(ssl.SSLWantReadError):
                server.do_handshake()
        assert is_readable(server)
        server.do_handshake()
        assert isinstance(http, Http2Connection)

        http.send(POSTS[:2], 1.0)
        assert is_readable(server)
        received = frames_in(server.recv(65_536))
        body = b"x" * 16_000
        parts = (data(1, body, 0), data(1, body, 0), data(1, body))
        server.sendall(SERVER_SETTINGS + headers(1, GONE_BLOCK, wire.END_HEADERS) + b"".join(parts))
        endings = list(http.advance())
        while not endings:
            assert is_readable(http)
            endings += http.advance()

    assert endings == [("a", Response(410, body * 3))]
    assert [frame.stream_id for frame in received] == [0, 0, 1, 1, 3, 3]
    assert received[2].payload[:2] == b"\x83\x87"


def test_connection_writes_on_when_the_socket_takes_more(ends: Ends) -> None:
    """What is begun meanwhile comes after it; nothing is lost, or sent twice."""
    http = ends.http
    ends.answer(
        wire.settings_frame([(Setting.INITIAL_WINDOW_SIZE, 2**20)]),
        wire.window_update_frame(0, 2**20),
    )
    large = template(b"x" * 60_000)
    http.send([(token, request(large, token)) for token in "abc"], 1.0)
    interests, sent = [http.interest], b""

    http.send([("d", request(template(), "d"))], 1.0)
    while http.interest & WRITE:
        sent += ends.server.recv(65_536)
        assert http.advance() == ()
        interests.append(http.interest)
    sent += ends.server.recv(65_536)

    bodies = dict.fromkeys((1, 3, 5, 7), b"")
    frames = frames_in(sent)
    for frame in frames:
        if frame.kind == wire.DATA:
            bodies[frame.stream_id] += frame.payload
    assert bodies == {1: large.body, 3: large.body, 5: large.body, 7: b"hi"}
    assert (interests[0], interests[-1]) == (READ | WRITE, READ)
    assert sum(wire.HEAD_BYTES + len(frame.payload) for frame in frames) + 24 == len(sent)


@pytest.mark.parametrize(
    ("error", "interest"),
    [
        (ssl.SSLWantWriteError(), READ | WRITE),
        (BlockingIOError(), READ | WRITE),
        (ssl.SSLWantReadError(), READ),
    ],
)
def test_connection_waits_for_what_a_write_wants(error: Exception, interest: int) -> None:
    """TLS may have to read before it can write; the remainder goes with the next turn."""
    sock = _Socket(30, error, ssl.SSLWantReadError())
    http = _connection(sock)

    http.send(POSTS, 1.0)
    waited = http.interest
    ended = http.advance()

    assert (waited, ended, http.interest) == (interest, (), READ)
    assert len(sock.written) == 2
    assert [frame.stream_id for frame in frames_in(b"".join(sock.written))][-1] == 5


def test_connection_waits_for_what_a_read_wants() -> None:
    """TLS may have to write before it can read."""
    http = _connection(_Socket(ssl.SSLWantWriteError(), 1_000, ssl.SSLWantReadError()))

    wanted = http.advance(), http.interest
    then = http.advance(), http.interest

    assert (wanted, then) == (((), READ | WRITE), ((), READ))


def test_connection_is_lost_when_the_server_closes_it(ends: Ends) -> None:
    """Its posts get the reason, or their answers where the status has come."""
    ends.http.send(POSTS, 1.0)
    ends.answer(SERVER_SETTINGS, headers(1, GONE_BLOCK, wire.END_HEADERS))
    ends.received()
    ends.server.close()

    with pytest.raises(ClosedError) as caught:
        ends.http.advance()
    endings = ends.http.close(caught.value)

    assert endings == [("a", GONE), ("b", caught.value), ("c", caught.value)]
    assert (ends.http.under_way, ends.http.is_usable, ends.http.close(LOST)) == (0, False, [])


def test_connection_loses_no_post_that_it_could_not_write() -> None:
    """The caller gets all of them when it closes."""
    http = _connection(_Socket(ConnectionResetError("reset"), ConnectionResetError("reset")))

    with suppress(OSError):
        http.send(POSTS, 1.0)
    endings = http.close(LOST)

    assert [token for token, _ in endings] == ["a", "b", "c"]
    assert all(isinstance(error, OSError) for _, error in endings)


def test_connection_copies_nothing_that_waits_for_the_socket() -> None:
    """What is begun meanwhile waits in its own place, however often the socket is tried."""
    sock = _Socket(30, *[BlockingIOError()] * 9)
    http = _connection(sock)
    http.send(POSTS, 1.0)
    waiting = http._unsent.obj

    for _ in range(3):
        http.send(POSTS, 1.0)

    assert http._unsent.obj is waiting
    assert len(sock.steps) == 5
    sock.steps.clear()
    http.send(POSTS, 1.0)
    assert [frame.stream_id for frame in frames_in(b"".join(sock.written))][-1] == 29


def test_connection_that_cannot_write_is_read_to_its_end() -> None:
    """The server may have answered before it closed; what was never written is no try."""
    sock = _Socket()
    http = _connection(sock)
    http.send(POSTS[:2], 1.0)
    lost = ConnectionResetError("reset")
    sock.steps = [lost]
    http.send(POSTS[2:], 1.0)

    sock.steps = [SERVER_SETTINGS + headers(1)]
    endings = dict(http.advance())
    sock.steps = [BlockingIOError()]
    with pytest.raises(ConnectionResetError):
        http.advance()

    assert endings.pop("a") == OK
    assert {token: type(error) for token, error in endings.items()} == {"c": NotProcessedError}
    assert (http.room, http.close(lost)) == (0, [("b", lost)])


def test_connection_that_cannot_write_is_dead_when_the_server_is_silent() -> None:
    """No ping could be sent."""
    sock = _Socket()
    http = _connection(sock)
    http.send(POSTS[:1], 1.0)
    http.send(POSTS[1:], 2.0)
    sock.steps = [ConnectionResetError("reset")]
    assert http.give_up(1.0, LOST) == [("a", LOST)]
    http.look(2.0)

    with pytest.raises(ConnectionResetError):
        http.look(2.1)


def test_connection_writes_nothing_after_what_was_cut_off() -> None:
    """The server would take it for the rest of a frame, and perhaps for a whole post."""
    sock = _Socket(30, OSError("no buffer space"))
    http = _connection(sock)
    http.send(POSTS, 1.0)

    http.give_up(1.0, LOST)
    http.close(LOST)

    assert len(sock.written) == 1


def test_connection_knows_what_the_server_has_told(ends: Ends) -> None:
    """Its limits, as of now."""
    limits = {Setting.MAX_CONCURRENT_STREAMS: 128, Setting.MAX_HEADER_LIST_SIZE: 9_999}
    before = dict(ends.http.told)

    ends.answer(wire.settings_frame(limits.items()))

    assert (before, ends.http.told) == ({}, limits)


def test_connection_gives_up_posts_though_it_cannot_write() -> None:
    """The next poll shows that it is lost."""
    sock = _Socket()
    http = _connection(sock)
    http.send(POSTS, 1.0)
    sock.steps = [ConnectionResetError("reset")]

    assert http.give_up(1.0, LOST) == [(token, LOST) for token, _ in POSTS]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Http2Error(ErrorCode.FLOW_CONTROL_ERROR, b"", ""), ErrorCode.FLOW_CONTROL_ERROR),
        (MalformedAnswerError(b"", ""), ErrorCode.NO_ERROR),
        (TimeoutError(), ErrorCode.NO_ERROR),
    ],
)
def test_connection_tells_the_server_why_it_closes(
    ends: Ends, error: Exception, code: ErrorCode
) -> None:
    """RFC 9113, 5.4.1, with what was not written yet before it."""
    ends.http.send(POSTS, 1.0)
    ends.received()

    endings = ends.http.close(error)

    assert endings == [(token, error) for token, _ in POSTS]
    assert ends.received() == [(wire.GOAWAY, 0, 0, bytes(4) + code.to_bytes(4))]
    assert ends.server.recv(1) == b""


def test_connection_that_hears_nonsense_ends(ends: Ends) -> None:
    """What had ended before is returned, too: each post once."""
    ends.http.send(POSTS, 1.0)
    ends.server.sendall(SERVER_SETTINGS + headers(1) + headers(2))

    with pytest.raises(Http2Error) as caught:
        ends.http.advance()
    endings = ends.http.close(caught.value)

    assert endings == [("a", OK), ("b", caught.value), ("c", caught.value)]
    assert ends.received()[-1].payload[4:] == ErrorCode.PROTOCOL_ERROR.to_bytes(4)


def test_connection_gives_up_some_posts_and_goes_on(ends: Ends) -> None:
    """Those that were begun by then; the server is told."""
    ends.http.send(POSTS[:2], 1.0)
    ends.http.send(POSTS[2:], 2.0)
    ends.received()

    endings = ends.http.give_up(1.5, LOST)

    assert endings == [("a", LOST), ("b", LOST)]
    assert [frame[:3] for frame in ends.received()] == [
        (wire.RST_STREAM, 0, 1),
        (wire.RST_STREAM, 0, 3),
    ]
    assert ends.answer(SERVER_SETTINGS, headers(1), headers(5)) == [("c", OK)]


def test_connection_tells_of_calm_and_goaway(ends: Ends) -> None:
    """The pool opens none for a while, and sends nothing more here."""
    ends.http.send(POSTS, 1.0)
    calm = ErrorCode.ENHANCE_YOUR_CALM.to_bytes(4)

    endings = ends.answer(SERVER_SETTINGS, wire.frame(wire.GOAWAY, 0, 0, (3).to_bytes(4) + calm))

    assert [token for token, _ in endings] == ["c"]
    assert (ends.http.wants_calm, ends.http.room, ends.http.is_usable) == (True, 0, True)
    assert len(ends.answer(headers(1), headers(3))) == 2
    assert not ends.http.is_usable


def _pings(ends: Ends) -> list[bytes]:
    return [frame.payload for frame in ends.received() if frame[:2] == (wire.PING, 0)]


def test_connection_pings_a_server_that_is_silent(ends: Ends) -> None:
    """One that answers is slow, and is waited for; it is asked again when it is silent again."""
    http = ends.http
    http.send(POSTS, 1.0)
    ends.answer(SERVER_SETTINGS)
    http.look(10.0)
    http.look(10.0 + SILENT_SECONDS * 0.9)
    early = _pings(ends)

    http.look(10.0 + SILENT_SECONDS)
    (ping,) = _pings(ends)
    ends.answer(wire.frame(wire.PING, wire.ACK, 0, ping))
    http.look(20.0)
    http.look(20.0 + SILENT_SECONDS)

    assert (early, _pings(ends)) == ([], [ping])


def test_connection_is_dead_when_the_server_answers_no_ping(ends: Ends) -> None:
    """Not slow: a slow one answers pings."""
    http = ends.http
    http.send(POSTS, 1.0)
    http.look(10.0)
    http.look(11.0)
    http.look(11.0 + PING_SECONDS * 0.9)

    with pytest.raises(TimeoutError, match="ping") as caught:
        http.look(11.0 + PING_SECONDS)

    assert http.close(caught.value) == [(token, caught.value) for token, _ in POSTS]


def test_connection_is_not_dead_when_answers_come_in_place_of_the_pings(ends: Ends) -> None:
    """An answer is a sign of life; the time that a server may be silent begins anew."""
    http = ends.http
    http.send(POSTS, 1.0)
    http.look(10.0)
    http.look(11.0)
    assert ends.answer(SERVER_SETTINGS, headers(1)) == [("a", OK)]

    for seconds in (20.0, 20.5, 20.9):
        http.look(seconds)

    assert http.under_way == 2


def test_connection_asks_nothing_while_it_carries_nothing(ends: Ends) -> None:
    """It may be idle for long: the time begins with its next post."""
    http = ends.http
    http.send(POSTS[:1], 1.0)
    assert ends.answer(SERVER_SETTINGS, headers(1)) == [("a", OK)]

    for seconds in (10.0, 20.0, 30.0):
        http.look(seconds)
    http.send(POSTS[1:], 99.0)
    http.look(99.0)

    assert _pings(ends) == []


@pytest.mark.parametrize("is_between_broadcasts", [False, True])
def test_connection_that_was_closed_while_idle_lost_posts_in_vain(
    ends: Ends,
    is_between_broadcasts: bool,  # noqa: FBT001 - a parameter of pytest's
) -> None:
    """A server may close what is idle without a word: to post again is no try."""
    http = ends.http
    http.send(POSTS[:1], 1.0)
    if is_between_broadcasts:
        http.give_up(1.0, LOST)
        http.was_idle = True
    else:
        assert ends.answer(SERVER_SETTINGS, headers(1)) == [("a", OK)]

    http.send(POSTS[1:], 2.0)
    endings = http.close(LOST)

    assert [token for token, _ in endings] == ["b", "c"]
    assert {type(error) for _, error in endings} == {IdleClosedError}


@pytest.mark.parametrize("case", ["new", "something has come", "a time-out", "a silence before"])
def test_connection_that_was_not_idle_lost_posts_for_another_reason(ends: Ends, case: str) -> None:
    """A new one was never idle, one that has sent something was open, one that is slow is open.

    The end of one that was closed while it was idle shows at once.
    """
    http, error = ends.http, TimeoutError() if case == "a time-out" else LOST
    if case != "new":
        http.send(POSTS[:1], 1.0)
        assert ends.answer(SERVER_SETTINGS, headers(1)) == [("a", OK)]
    http.send(POSTS[1:], 2.0)
    if case == "something has come":
        assert ends.answer(PING_OF_THE_SERVER) == []
    if case == "a silence before":
        http.look(2.0)
        http.look(2.0 + SILENT_SECONDS)

    assert http.close(error) == [("b", error), ("c", error)]


def test_connection_reads_all_that_has_come_before_it_tells_the_end() -> None:
    """Records are read together; what failed after them is raised by the next turn."""
    sock = _Socket(1_000)
    http = _connection(sock)
    http.send(POSTS[:2], 1.0)
    sock.steps = [SERVER_SETTINGS, headers(1), LOST, 1_000]

    endings, room = http.advance(), http.room
    sock.steps = [ssl.SSLWantReadError()]

    assert (list(endings), room) == ([("a", OK)], 0)
    with pytest.raises(OSError, match="lost"):
        http.advance()


def test_connection_leaves_the_others_their_turn_when_a_server_never_stops_sending() -> None:
    """One turn reads a bounded number of records; the next turn reads on."""
    sock = _Socket(1_000)
    http = _connection(sock)
    http.send(POSTS[:1], 1.0)
    ping = wire.frame(wire.PING, 0, 0, bytes(8))
    sock.steps = [SERVER_SETTINGS, *[ping] * 15, 1_000, *[ping] * 9]

    http.advance()

    assert sock.steps == [ping] * 9
