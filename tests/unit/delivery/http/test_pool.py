"""The connections of one thread: how many there are, what they send, when they are given up.

How they are opened is in test_openings.py.
"""

import os
import selectors
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from threading import Event, Thread
from typing import Any

import pytest

from delivery.http.connection import (
    SILENT_SECONDS,
    ClosedError,
    Ending,
    IdleClosedError,
    MalformedAnswerError,
    NotProcessedError,
    Response,
)
from delivery.http.connector import Connector
from delivery.http.endpoint import parse_endpoint
from delivery.http.http1_connection import Http1Connection
from delivery.http.http1_request import text_of
from delivery.http.openings import OPENING_AT_ONCE
from delivery.http.pool import HttpPool, Timeouts
from delivery.http.request import Request, RequestTemplate
from delivery.http.tls import tls_context
from delivery.http.waker import Waker
from testbed.model.fakes import NOW_MS, FakeTime
from testbed.stand_in.certificate import ServerCertificate, issue_certificate
from tests.support.loopback import (
    GONE,
    OK,
    PATIENCE_SECONDS,
    Loopback,
    is_readable,
    read_post,
    reset,
    wait_for_end,
)


def _request(body: bytes) -> Request:
    return Request(RequestTemplate((("host", "a"),), body), "/prod/@connections/a", "signed")


REQUEST = _request(b"hi")
LARGE_REQUEST = _request(b"x" * 8_000_000)
"""Larger than what the buffers of Linux take at once: 4 MB of the sender."""

OK_ANSWER = Response(200, b"{}")
TIMEOUTS = Timeouts(connect_seconds=2.0, read_seconds=5.0)


def _answer_each(server: socket.socket) -> None:
    while read_post(server):
        server.sendall(OK)


@pytest.fixture
def time() -> FakeTime:
    """Return the time of the time-outs, which the test moves."""
    return FakeTime()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> ServerCertificate:
    """Return a certificate for loopback."""
    return issue_certificate(tmp_path_factory.mktemp("certificate"))


Make = Callable[..., HttpPool[str]]


@pytest.fixture
def make(time: FakeTime, certificate: ServerCertificate) -> Iterator[Make]:
    """Return what makes pools, and closes them."""
    with ExitStack() as stack:

        def make(url: str, size: int = 64, most_connections: int = 64) -> HttpPool[str]:
            context = tls_context(str(certificate.ca_path))
            connector = Connector(parse_endpoint(url), context, time.clock)
            stack.callback(connector.close)
            connector.resolve(PATIENCE_SECONDS)
            pool = HttpPool[str](
                connector,
                size=size,
                most_connections=most_connections,
                timeouts=TIMEOUTS,
                clock=time.clock,
            )
            stack.callback(pool.close)
            return pool

        yield make


@pytest.fixture(params=["http", "https"])
def serve(
    request: pytest.FixtureRequest, certificate: ServerCertificate
) -> Iterator[Callable[..., Loopback]]:
    """Return what starts servers, plain or with TLS; they end after the pools."""
    with ExitStack() as stack:

        def serve(handler: Callable[[socket.socket], None] = _answer_each) -> Loopback:
            tls = certificate.server_context() if request.param == "https" else None
            return stack.enter_context(Loopback(handler, tls))

        yield serve


Serve = Callable[..., Loopback]


def _endings(pool: HttpPool[str], number_of: int = 1) -> list[Ending[str]]:
    """Poll until a number of posts has ended."""
    endings: list[Ending[str]] = []
    while len(endings) < number_of:
        news = pool.poll(PATIENCE_SECONDS)
        assert news or pool.under_way, "nothing ends any more"
        endings += news
    return endings


def _result(pool: HttpPool[str]) -> Response | Exception:
    ((_, result),) = _endings(pool)
    return result


def _open(pool: HttpPool[str], number_of: int = 1) -> None:
    """Open a number of connections."""
    for _ in range(number_of):
        pool.open()
    _poll_until(pool, lambda: not pool.is_opening)
    assert pool.take_failures() == []


def _send(pool: HttpPool[str], request: Request = REQUEST) -> Response | Exception:
    """Send one post and return its result, on a new connection if none is idle."""
    if not pool.room:
        _open(pool)
    pool.send([("a", request)])
    return _result(pool)


def _poll_until(pool: HttpPool[str], is_so: Callable[[], bool]) -> None:
    """Poll while nothing ends, until something shows."""
    while not is_so():
        assert pool.poll(PATIENCE_SECONDS) == []


def _settle(pool: HttpPool[str]) -> None:
    """Poll until there is no news, session tickets included."""
    while pool.poll(0.05) or pool.has_answered or not pool._is_quiet:
        pass


def test_pool_sends_posts_and_says_which_answer_is_whose(serve: Serve, make: Make) -> None:
    """Many at once, each on its own connection."""

    def echo(server: socket.socket) -> None:
        while post := read_post(server):
            name = post.split(b"\r\n\r\n")[1]
            server.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" + name)

    pool = make(serve(echo).url)
    names = [f"{n:02}" for n in range(OPENING_AT_ONCE)]
    _open(pool, len(names))
    for name in names:
        pool.send([(name, _request(name.encode()))])

    endings = _endings(pool, len(names))

    assert dict(endings) == {name: Response(200, name.encode()) for name in names}
    assert pool.under_way == 0


def test_pool_uses_a_connection_again(serve: Serve, make: Make) -> None:
    """One connection for one post after another; TLS's session tickets are no stray bytes."""
    server = serve()
    pool = make(server.url)

    answers = []
    for _ in range(5):
        answers.append(_send(pool))
        _settle(pool)

    assert answers == [OK_ANSWER] * 5
    assert server.accepted == 1


def test_pool_sends_a_large_post_while_the_server_reads_slowly(serve: Serve, make: Make) -> None:
    """The selector wakes it whenever there is room again, and no byte is lost."""
    lengths = []

    def read_slowly(server: socket.socket) -> None:
        for _ in range(2):
            lengths.append(len(read_post(server)))
            server.sendall(OK)

    pool = make(serve(read_slowly).url)

    answers = [_send(pool, LARGE_REQUEST)]
    _settle(pool)
    answers.append(_send(pool, LARGE_REQUEST))

    assert answers == [OK_ANSWER, OK_ANSWER]
    assert lengths == [len(text_of(LARGE_REQUEST))] * 2


def test_pool_drops_a_connection_that_answers_half_a_post(serve: Serve, make: Make) -> None:
    """The next post begins on a fresh connection, not in the middle of the last."""
    posts: list[bytes] = []
    is_over = Event()

    def answer_early(server: socket.socket) -> None:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        start = server.recv(100)
        posts.append(start[:4])
        server.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        assert is_over.wait(PATIENCE_SECONDS)

    pool = make(serve(answer_early).url)

    results = [_send(pool, LARGE_REQUEST), _send(pool, LARGE_REQUEST)]
    is_over.set()

    assert [result.status for result in results if isinstance(result, Response)] == [413, 413]
    assert posts == [b"POST", b"POST"]


def test_pool_has_room_for_no_more_than_its_size(serve: Serve, make: Make) -> None:
    """Then posts wait for those that are under way."""
    pool = make(serve().url, size=2)
    _open(pool, 2)
    pool.send([("a", REQUEST)])
    pool.send([("b", REQUEST)])

    room_meanwhile = (pool.room, pool.lacks_connections(99))
    _endings(pool, 2)
    _settle(pool)

    assert room_meanwhile == (0, False)
    assert (pool.room, pool.lacks_connections(99)) == (2, False)


def test_pool_opens_nothing_while_there_is_news(serve: Serve, make: Make) -> None:
    """A connection is opened where nothing else is to do."""
    is_told = Event()

    def answer_when_told(server: socket.socket) -> None:
        read_post(server)
        is_told.wait(PATIENCE_SECONDS)
        server.sendall(OK)
        wait_for_end(server)

    pool = make(serve(answer_when_told).url)
    _open(pool)
    pool.send([("a", REQUEST)])

    after_news = (pool.may_open(1), pool.lacks_connections(1))
    _settle(pool)
    after_quiet = (pool.may_open(1), pool.lacks_connections(1))
    is_told.set()
    _endings(pool)

    assert after_news == (False, True)
    assert after_quiet == (True, True)


def test_pool_opens_nothing_while_a_connection_is_idle(serve: Serve, make: Make) -> None:
    """Nor while one will be as soon as a poll has shown that it is quiet."""
    pool = make(serve().url)
    _send(pool)

    after_answer = (pool.room, pool.lacks_connections(99), pool.has_answered)
    _settle(pool)
    after_quiet = (pool.room, pool.lacks_connections(99), pool.has_answered)

    assert after_answer == (0, False, True)
    assert after_quiet == (1, False, False)


@pytest.mark.parametrize("close", [socket.socket.close, reset])
def test_pool_drops_a_connection_that_is_closed_while_idle(
    serve: Serve, make: Make, close: Callable[[socket.socket], None]
) -> None:
    """The poll before the next post shows it: no post is lost on it."""
    is_told = Event()

    def answer_once(server: socket.socket) -> None:
        read_post(server)
        server.sendall(OK)
        if not is_told.is_set():
            is_told.wait(PATIENCE_SECONDS)
            close(server)
        wait_for_end(server)

    server = serve(answer_once)
    pool = make(server.url)
    first = _send(pool)
    _settle(pool)
    is_told.set()

    _poll_until(pool, lambda: not pool._connections._ready)
    second = _send(pool)

    assert (first, second) == (OK_ANSWER, OK_ANSWER)
    assert server.accepted == 2


def test_pool_says_that_a_post_was_in_vain_when_the_connection_closed_unnoticed(
    serve: Serve, make: Make
) -> None:
    """The server closes just as the post comes: it may be repeated at no cost."""

    def answer_only_the_first(server: socket.socket) -> None:
        read_post(server)
        server.sendall(OK)
        read_post(server)

    pool = make(serve(answer_only_the_first).url)
    first = _send(pool)
    _settle(pool)

    second = _send(pool)

    assert first == OK_ANSWER
    assert isinstance(second, IdleClosedError)
    assert not pool.under_way


def test_pool_says_that_a_post_was_in_vain_when_it_cannot_even_be_sent(
    serve: Serve, make: Make
) -> None:
    """The reset has come since the last poll."""
    is_told, is_reset = Event(), Event()

    def answer_and_reset(server: socket.socket) -> None:
        read_post(server)
        server.sendall(OK)
        is_told.wait(PATIENCE_SECONDS)
        reset(server)
        is_reset.set()

    pool = make(serve(answer_and_reset).url)
    _send(pool)
    _settle(pool)
    (http,) = pool._connections._ready
    is_told.set()
    assert is_reset.wait(PATIENCE_SECONDS)
    assert is_readable(http)

    ((token, result),) = pool.send([("a", REQUEST)])

    assert (token, type(result)) == ("a", IdleClosedError)
    assert not pool.under_way
    assert pool.lacks_connections(1)


def test_pool_does_not_call_a_post_in_vain_that_had_no_answer_for_long(
    serve: Serve, make: Make, time: FakeTime
) -> None:
    """Had the connection been closed while it was idle, that would have shown at once."""
    is_late = Event()

    def be_late(server: socket.socket) -> None:
        read_post(server)
        server.sendall(OK)
        read_post(server)
        assert is_late.wait(PATIENCE_SECONDS)

    pool = make(serve(be_late).url)
    first = _send(pool)
    _settle(pool)
    pool.send([("a", REQUEST)])
    time.run(SILENT_SECONDS)
    looked = pool.expire()
    is_late.set()

    second = _result(pool)

    assert (first, looked) == (OK_ANSWER, [])
    assert isinstance(second, ClosedError)


def test_pool_does_not_call_a_first_post_in_vain(serve: Serve, make: Make) -> None:
    """Nothing was idle: the server has read the post, and closed."""
    result = _send(make(serve(read_post).url))

    assert isinstance(result, ClosedError)


def test_pool_says_that_a_first_post_was_in_vain_when_the_connection_was_idle(
    serve: Serve, make: Make
) -> None:
    """It was opened in an earlier run, and never needed there."""
    pool = make(serve(read_post).url)
    _open(pool)
    pool.drop_idle(NOW_MS - 1)

    result = _send(pool)

    assert isinstance(result, IdleClosedError)


@pytest.mark.parametrize("stray", [b"x", GONE])
@pytest.mark.parametrize("is_in_one_piece", [True, False])
def test_pool_never_takes_stray_bytes_for_the_next_answer(
    serve: Serve,
    make: Make,
    stray: bytes,
    is_in_one_piece: bool,  # noqa: FBT001 - a parameter of pytest's
) -> None:
    """With the answer or just after it, in the same TLS record or in its own."""
    is_sent = Event()

    def answer_too_much(server: socket.socket) -> None:
        read_post(server)
        for piece in [OK + stray] if is_in_one_piece else [OK, stray]:
            server.sendall(piece)
        is_sent.set()
        wait_for_end(server)

    server = serve(answer_too_much)
    pool = make(server.url)

    statuses = []
    for _ in range(3):
        answer = _send(pool)
        statuses.append(answer.status if isinstance(answer, Response) else answer)
        assert is_sent.wait(PATIENCE_SECONDS)
        _poll_until(pool, lambda: not pool._connections._ready and not pool.has_answered)
        is_sent.clear()

    assert statuses == [200, 200, 200]
    assert server.accepted == 3


def test_pool_never_takes_an_answer_that_comes_late_for_the_next(serve: Serve, make: Make) -> None:
    """Stray bytes on a connection that has been idle for long."""
    is_told, is_sent = Event(), Event()

    def answer_twice(server: socket.socket) -> None:
        read_post(server)
        server.sendall(OK)
        if is_told.wait(PATIENCE_SECONDS) and not is_sent.is_set():
            server.sendall(GONE)
            is_sent.set()
        wait_for_end(server)

    server = serve(answer_twice)
    pool = make(server.url)
    _send(pool)
    _settle(pool)
    is_told.set()
    assert is_sent.wait(PATIENCE_SECONDS)
    pool.poll(PATIENCE_SECONDS)

    assert _send(pool) == OK_ANSWER
    assert server.accepted == 2


def test_pool_ends_a_post_with_what_goes_wrong_and_leaves_the_others(
    serve: Serve, make: Make
) -> None:
    """Garbage on one connection: the others are unharmed."""

    def answer_by_name(server: socket.socket) -> None:
        name = read_post(server)[-2:]
        server.sendall(b"\x00\xff\r\n\r\n" if name == b"01" else OK)
        wait_for_end(server)

    pool = make(serve(answer_by_name).url)
    _open(pool, 3)
    for name in ("00", "01", "02"):
        pool.send([(name, _request(name.encode()))])

    results = dict(_endings(pool, 3))

    assert isinstance(results.pop("01"), MalformedAnswerError)
    assert results == {"00": OK_ANSWER, "02": OK_ANSWER}


def test_pool_gives_up_an_answer_that_does_not_come_in_time(
    serve: Serve, make: Make, time: FakeTime
) -> None:
    """Opening does not count; a post on a used connection is not called in vain."""
    is_read = Event()

    def answer_once(server: socket.socket) -> None:
        read_post(server)
        server.sendall(OK)
        read_post(server)
        is_read.set()
        wait_for_end(server)

    pool = make(serve(answer_once).url)
    _send(pool)
    _settle(pool)
    time.seconds = 1.0
    pool.send([("a", REQUEST)])
    assert is_read.wait(PATIENCE_SECONDS)
    time.seconds = 1.0 + TIMEOUTS.read_seconds - 0.01
    too_early = pool.expire()
    time.seconds = 1.0 + TIMEOUTS.read_seconds

    ((_, result),) = pool.expire()

    assert too_early == []
    assert isinstance(result, TimeoutError)
    assert str(result) == "no answer within 5.0 s"
    assert pool.under_way == 0


def test_pool_takes_the_status_when_the_remainder_does_not_come_in_time(
    serve: Serve, make: Make, time: FakeTime
) -> None:
    """The message was delivered: it must not be posted again."""

    def answer_half(server: socket.socket) -> None:
        read_post(server)
        server.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{")
        wait_for_end(server)

    pool = make(serve(answer_half).url)
    _open(pool)
    pool.send([("a", REQUEST)])
    (http,) = pool._connections
    assert isinstance(http, Http1Connection)
    _poll_until(pool, lambda: http._has_received)
    time.seconds = TIMEOUTS.read_seconds

    ((_, result),) = pool.expire()

    assert result == Response(200, b"", keeps_alive=False)
    assert not pool._connections._ready


def test_pool_abandons_what_is_under_way(serve: Serve, make: Make) -> None:
    """Posts without an answer come back; their connections are closed, and those opening."""
    is_closed = Event()

    def never_answer(server: socket.socket) -> None:
        read_post(server)
        wait_for_end(server)
        is_closed.set()

    pool = make(serve(never_answer).url)
    _open(pool, 2)
    for name in ("a", "b"):
        pool.send([(name, REQUEST)])
    pool.open()

    abandoned = pool.abandon()

    assert {(name, type(result)) for name, result in abandoned} == {
        ("a", TimeoutError),
        ("b", TimeoutError),
    }
    assert is_closed.wait(PATIENCE_SECONDS)
    assert (pool.under_way, pool.is_opening) == (0, False)
    assert pool.poll(0) == []


def test_pool_drops_what_is_idle(serve: Serve, make: Make) -> None:
    """Those that have only just answered too; the next post opens a connection."""
    server = serve()
    pool = make(server.url)
    _open(pool, 2)
    pool.send([("a", REQUEST)])
    pool.send([("b", REQUEST)])
    _endings(pool, 1)

    _settle_under_way(pool)
    pool.drop_idle(NOW_MS)
    answer = _send(pool)

    assert answer == OK_ANSWER
    assert server.accepted == 3


def test_pool_keeps_what_has_been_used_lately(serve: Serve, make: Make, time: FakeTime) -> None:
    """Each connection has a time of its own: a busy pool still loses those that it never uses."""
    pool = make(serve().url)
    _open(pool, 2)
    _settle(pool)
    time.epoch_ms += 1
    assert _send(pool) == OK_ANSWER

    pool.drop_idle(NOW_MS)

    assert pool.room == 1


@pytest.mark.parametrize(("idle_ms", "kept"), [(-1, 0), (0, 2), (49_999, 2), (50_000, 0)])
def test_pool_drops_what_is_idle_for_too_long_or_since_a_time_to_come(
    serve: Serve, make: Make, time: FakeTime, idle_ms: int, kept: int
) -> None:
    """The epoch clock has been set back: how long it has been idle, nothing can tell."""
    pool = make(serve().url)
    _open(pool, 2)
    time.epoch_ms += idle_ms

    pool.drop_idle(time.epoch_ms - 50_000)

    assert pool.room == kept


def test_pool_tells_what_its_connections_have_spoken_since_the_last_look(
    serve: Serve, make: Make, time: FakeTime
) -> None:
    """Also those that are closed by now, and those that were open before."""
    pool = make(serve(lambda server: read_post(server) and server.sendall(OK)).url)
    unopened = pool.protocols
    _send(pool)
    _poll_until(pool, lambda: not pool._connections)

    closed = pool.protocols
    pool.drop_idle(NOW_MS - 1)

    assert [set(one) for one in (unopened, closed, pool.protocols)] == [set(), {"http/1.1"}, set()]

    _open(pool)
    time.epoch_ms += 1
    pool.drop_idle(NOW_MS - 1)

    assert pool.protocols == {"http/1.1"}


def test_pool_settles_each_post_once_when_the_selector_names_it_twice(
    serve: Serve, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As kqueue does for a connection that waits for both: the second time it may be closed."""
    pool = make(serve(read_post).url)
    select = selectors.DefaultSelector.select

    def twice(self: Any, timeout: float | None = None) -> list[Any]:
        return [event for event in select(self, timeout) for _ in range(2)]

    monkeypatch.setattr(selectors.DefaultSelector, "select", twice)
    _open(pool)
    pool.send([("a", REQUEST)])

    endings = _endings(pool)

    assert len(endings) == 1
    assert isinstance(endings[0][1], ClosedError)


def _settle_under_way(pool: HttpPool[str]) -> None:
    while pool.under_way:
        pool.poll(PATIENCE_SECONDS)
    assert pool.has_answered


class _Roomy:
    """A connection of a protocol that takes `most` requests at once."""

    protocol = "two"
    most = 2

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._names: list[str] = []
        self._begun_at = 0.0
        self.interest = self.watched = selectors.EVENT_READ
        self.is_usable, self.was_idle = True, False
        self.takes_none = self.wants_calm = False

    @property
    def room(self) -> int:
        """How many more it takes."""
        return self.most - len(self._names)

    def fileno(self) -> int:
        return self._socket.fileno()

    @property
    def under_way(self) -> int:
        return len(self._names)

    def send(self, requests: Sequence[tuple[str, Request]], now: float) -> None:
        self._names += [token for token, _ in requests]
        self._begun_at = now

    def advance(self) -> list[Ending[str]]:
        """Take an answer to the request that was begun last."""
        assert self._socket.recv(1)
        return [(self._names.pop(), OK_ANSWER)]

    def look(self, now: float) -> None:
        """Wait for a chance to write a ping; nothing shows that it is dead."""
        assert now >= self._begun_at
        self.interest |= selectors.EVENT_WRITE

    def give_up(self, until: float, error: Exception) -> list[Ending[str]]:
        """Give up all requests that were begun by then; the connection goes on."""
        if self._begun_at > until:
            return []
        names, self._names = self._names, []
        return [(name, error) for name in names]

    def close(self, error: Exception) -> list[Ending[str]]:
        self._socket.close()
        names, self._names = self._names, []
        return [(name, error) for name in names]


def test_pool_gives_a_connection_as_many_requests_as_it_has_room_for(make: Make) -> None:
    """Each has its own ending, in the order of the answers; what has no answer is abandoned."""
    pool = make("http://127.0.0.1:1/prod")
    client, server = socket.socketpair()
    roomy = _Roomy(client)
    pool._selector.register(roomy, roomy.interest, roomy)
    pool._connections.add(roomy)

    rooms = [pool.room]
    for name in ("a", "b"):
        pool.send([(name, REQUEST)])
        rooms.append(pool.room)
    server.send(b"!")
    endings = _endings(pool)
    _settle(pool)
    rooms.append(pool.room)
    abandoned = pool.abandon()

    assert rooms == [2, 1, 0, 1]
    assert endings == [("b", OK_ANSWER)]
    assert [(name, type(error)) for name, error in abandoned] == [("a", TimeoutError)]
    assert pool.has_room  # the connection goes on
    server.close()


def test_pool_watches_a_connection_for_what_a_look_has_it_wait_for(make: Make) -> None:
    """A ping that cannot be written at once goes later."""
    pool = make("http://127.0.0.1:1/prod")
    client, server = socket.socketpair()
    roomy = _Roomy(client)
    pool._selector.register(roomy, roomy.interest, roomy)
    pool._connections.add(roomy)

    ended = pool.expire()

    assert ended == []
    assert pool._selector.get_key(roomy).events == roomy.interest == roomy.watched
    server.close()


def test_pool_carries_fewer_requests_while_places_are_kept_empty(make: Make) -> None:
    """At least one; those that are under way go on."""
    pool = make("http://127.0.0.1:1/prod", size=8)
    client, server = socket.socketpair()
    roomy = _Roomy(client)
    roomy.most = 9
    pool._selector.register(roomy, roomy.interest, roomy)
    pool._connections.add(roomy)
    most = [pool.limit(9), pool.limit(6)]

    rooms = []
    for number, empty in enumerate((0, 3, 4, 99, 0)):
        pool.keep_empty(empty)
        rooms.append((pool.room, pool.has_room))
        pool.send([(str(number), REQUEST)] if number < 2 else [])

    assert most == [8, 6]
    assert rooms == [(6, True), (2, True), (0, False), (0, False), (4, True)]
    server.close()


def test_pool_gives_nothing_to_a_connection_that_takes_nothing_once_it_is_quiet(make: Make) -> None:
    """It has answered, and has since been told to take fewer requests."""
    pool = make("http://127.0.0.1:1/prod")
    client, server = socket.socketpair()
    roomy = _Roomy(client)
    pool._selector.register(roomy, roomy.interest, roomy)
    pool._connections.add(roomy)
    pool.send([("a", REQUEST)])
    server.send(b"!")
    endings = _endings(pool)
    roomy.most = 0

    news = pool.poll(0)

    assert (endings, news) == ([("a", OK_ANSWER)], [])
    assert not pool.has_room
    server.close()


def test_pool_opens_no_more_connections_than_it_may(serve: Serve, make: Make) -> None:
    """Each takes a descriptor, of which a function has 1,024."""
    pool = make(serve().url, most_connections=1)
    _open(pool)
    pool.send([("a", REQUEST)])

    assert not pool.lacks_connections(5)
    assert make(serve().url, most_connections=1).lacks_connections(5)


def test_pool_uses_connections_in_turn(make: Make) -> None:
    """A dead one gets its share of the posts, and not all of them, before it is found out."""
    pool = make("http://127.0.0.1:1/prod")
    pairs = [socket.socketpair() for _ in range(3)]
    connections = [_Roomy(client) for client, _ in pairs]
    for one in connections:
        pool._selector.register(one, one.interest, one)
        pool._connections.add(one)

    for name in "abc":
        pool.send([(name, REQUEST)])
    in_turn = [one.under_way for one in connections]
    ended = pool.send([(name, REQUEST) for name in "defg"])

    assert in_turn == [1, 1, 1]
    assert [name for name, _ in ended] == ["g"]
    for _, server in pairs:
        server.close()


def test_pool_is_woken_by_another_thread(make: Make) -> None:
    """A poll that waits ends, once for each time or several."""
    pool = make("http://127.0.0.1:1/prod")
    thread = Thread(target=pool.wake)
    pool.wake()
    thread.start()

    woken = pool.poll(PATIENCE_SECONDS)
    thread.join()

    assert woken == []
    assert not pool._is_quiet


def test_waker_can_be_rung_and_cleared_however_often() -> None:
    """It is a bell, not a counter: what does not fit is not needed."""
    waker = Waker()
    for _ in range(10_000):
        waker.wake()
    is_awake = is_readable(waker, 0)

    while is_readable(waker, 0):
        waker.clear()
    waker.clear()

    assert is_awake
    waker.close()


def test_pool_drops_a_connection_that_answers_before_it_has_a_post(make: Make) -> None:
    """The answer would be taken for that of the first post."""
    is_sent = Event()

    def answer_first(server: socket.socket) -> None:
        server.sendall(OK)
        is_sent.set()
        wait_for_end(server)

    with Loopback(answer_first) as server:
        pool = make(server.url, size=1)
        pool.open()
        assert is_sent.wait(PATIENCE_SECONDS)

        _poll_until(pool, lambda: not pool.is_opening)
        _poll_until(pool, lambda: not pool.room)

        assert pool.poll(0) == []
        assert pool._is_quiet
        pool.close()


def test_pool_is_quiet_when_the_answer_came_with_the_last_of_the_post(
    serve: Serve, make: Make
) -> None:
    """It was watched for writing till then, as the post did not fit into the socket."""

    def answer_each(server: socket.socket) -> None:
        while read_post(server):
            server.sendall(OK)

    pool = make(serve(answer_each).url, size=1)

    for _ in range(10):
        assert _send(pool, LARGE_REQUEST) == OK_ANSWER

        _settle(pool)
        assert pool.poll(0) == []
        assert pool._is_quiet


def test_pool_keeps_an_idle_connection_until_tls_has_said_something_whole(
    make: Make, certificate: ServerCertificate
) -> None:
    """Part of a record says nothing yet, as a session ticket says nothing to us."""
    are_told, are_sent = [Event(), Event()], [Event(), Event()]

    def send_a_record_in_parts(server: socket.socket) -> None:
        read_post(server)
        server.sendall(OK)
        for part, is_told, is_sent in zip(
            [b"\x17\x03\x03\x00", b"\x20" + b"x" * 32], are_told, are_sent, strict=True
        ):
            is_told.wait(PATIENCE_SECONDS)
            os.write(server.fileno(), part)
            is_sent.set()
        wait_for_end(server)

    with Loopback(send_a_record_in_parts, certificate.server_context()) as server:
        pool = make(server.url)
        _send(pool)
        _settle(pool)

        kept = []
        for is_told, is_sent in zip(are_told, are_sent, strict=True):
            is_told.set()
            assert is_sent.wait(PATIENCE_SECONDS)
            assert pool.poll(PATIENCE_SECONDS) == []
            kept.append(len(pool._connections._ready))

        assert kept == [1, 0]
        pool.close()


def test_pool_gives_back_requests_for_which_no_connection_has_room(make: Make) -> None:
    """They have not left, so that to repeat them is no try."""
    pool = make("http://127.0.0.1:1/prod")

    endings = pool.send([("a", REQUEST), ("b", REQUEST)])

    assert [(token, type(error)) for token, error in endings] == [
        ("a", NotProcessedError),
        ("b", NotProcessedError),
    ]
    assert pool.under_way == 0
