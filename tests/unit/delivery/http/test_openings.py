"""How a pool opens connections: how many, how long, to which address, and what goes wrong."""

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from threading import Event

import pytest

from delivery.http.connection import IdleClosedError
from delivery.http.connector import ATTEMPT_DELAY_SECONDS, FAILURE_DELAY_SECONDS, Connector
from delivery.http.endpoint import parse_endpoint
from delivery.http.openings import OPENING_AT_ONCE
from delivery.http.pool import HttpPool, Timeouts
from delivery.http.request import Request, RequestTemplate
from delivery.http.tls import tls_context
from testbed.model.fakes import NOW_MS, FakeTime
from testbed.stand_in.certificate import WRONG_NAMES, ServerCertificate, issue_certificate
from tests.support.loopback import (
    OK,
    PATIENCE_SECONDS,
    Loopback,
    found,
    is_readable,
    is_writable,
    read_post,
    reset,
    silent_port,
    swallowing_port,
    unused_port,
    wait_for_end,
)

REQUEST = Request(RequestTemplate((), b"hi"), "/prod/@connections/a", "signed")
TIMEOUTS = Timeouts(connect_seconds=2.0, read_seconds=5.0)


@pytest.fixture
def time() -> FakeTime:
    """Return the time of the time-outs, which the test moves."""
    return FakeTime()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> ServerCertificate:
    """Return a certificate for loopback."""
    return issue_certificate(tmp_path_factory.mktemp("certificate"))


Connect = Callable[[str], Connector]
Make = Callable[..., HttpPool[str]]


@pytest.fixture
def connect(time: FakeTime, certificate: ServerCertificate) -> Iterator[Connect]:
    """Return what makes connectors that have looked up their host, and closes them."""
    with ExitStack() as stack:

        def connect(url: str) -> Connector:
            context = tls_context(str(certificate.ca_path))
            connector = Connector(parse_endpoint(url), context, time.clock)
            stack.callback(connector.close)
            connector.resolve(PATIENCE_SECONDS)
            return connector

        yield connect


@pytest.fixture
def make(time: FakeTime, connect: Connect) -> Iterator[Make]:
    """Return what makes pools, of a connector or of one of their own, and closes them."""
    with ExitStack() as stack:

        def make(to: str | Connector, size: int = 64) -> HttpPool[str]:
            connector = connect(to) if isinstance(to, str) else to
            pool = HttpPool[str](
                connector, size=size, most_connections=size, timeouts=TIMEOUTS, clock=time.clock
            )
            stack.callback(pool.close)
            return pool

        yield make


@pytest.fixture
def silent() -> Iterator[str]:
    """Return the URL of a server that accepts, and never shakes hands."""
    with silent_port() as port:
        yield f"https://127.0.0.1:{port}/prod"


@pytest.fixture
def refusing() -> str:
    """Return a URL where no server listens."""
    return f"http://127.0.0.1:{unused_port()}/prod"


def _answer_each(server: socket.socket) -> None:
    while read_post(server):
        server.sendall(OK)


def _host(monkeypatch: pytest.MonkeyPatch, *addresses: tuple[str, int]) -> list[str]:
    """Give every host these addresses from now on; return the list of the look-ups to come."""
    asked: list[str] = []

    def look_up(host: str, *_: object, **__: object) -> object:
        asked.append(host)
        return found(*addresses)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return asked


def _quieten(pool: HttpPool[str]) -> None:
    """Poll until there is no news."""
    while pool.poll(0.02) or not pool._is_quiet:
        pass


def _end_openings(pool: HttpPool[str]) -> list[Exception]:
    """Poll until nothing is being opened; return what went wrong."""
    while pool.is_opening:
        assert pool.poll(PATIENCE_SECONDS) == []
    return pool.take_failures()


def _wait_for_look_up(connector: Connector) -> None:
    """Wait until the look-up under way, if any, has ended."""
    connector._resolver._thread.submit(int).result(PATIENCE_SECONDS)


@pytest.mark.parametrize("is_tls", [False, True])
def test_pool_has_room_as_soon_as_a_connection_is_open(
    make: Make,
    time: FakeTime,
    certificate: ServerCertificate,
    is_tls: bool,  # noqa: FBT001 - a parameter of pytest's
) -> None:
    """In the poll that ends the handshake: the next turn posts on it."""
    with Loopback(_answer_each, certificate.server_context() if is_tls else None) as server:
        pool = make(server.url)
        time.epoch_ms += 7
        pool.open()
        while_opening = (pool.room, pool.is_opening, pool.under_way)

        failures = _end_openings(pool)

        assert while_opening == (0, True, 0)
        assert failures == []
        assert (pool.room, pool.is_opening, pool.under_way) == (1, False, 0)
        assert list(pool._connections._used_ms.values()) == [NOW_MS + 7]
        pool.close()


def test_pool_opens_one_connection_in_a_poll(make: Make) -> None:
    """The next turn posts on it; it need not wait for the handshakes of the others."""
    with Loopback(_answer_each) as server:
        pool = make(server.url)
        for _ in range(3):
            pool.open()
        assert all(is_writable(http) for http in pool._openings._begun_at)

        rooms = []
        for _ in range(3):
            pool.poll(PATIENCE_SECONDS)
            rooms.append(pool.room)

        assert rooms == [1, 2, 3]
        pool.close()


def test_pool_limits_how_many_connections_it_opens_at_once(make: Make, silent: str) -> None:
    """Opening costs the processor: the other openings wait until some are done."""
    pool = make(silent)
    while pool.may_open(99):
        pool.open()

    assert len(pool._openings) == OPENING_AT_ONCE
    assert pool.under_way == 0
    assert not pool.lacks_connections(99)


def test_pool_opens_no_more_than_its_size(make: Make, silent: str) -> None:
    """Those that are being opened count."""
    pool = make(silent, size=3)
    while pool.may_open(99):
        pool.open()

    assert len(pool._openings) == 3


def test_pool_opens_no_more_than_posts_wait(make: Make, silent: str) -> None:
    """No post waits, so none is opened."""
    pool = make(silent)

    asked = []
    for opening in range(3):
        asked += [pool.may_open(opening), pool.may_open(opening + 1)]
        pool.open()

    assert asked == [False, True] * 3


def test_pool_counts_what_other_threads_open_for_the_posts_that_wait(
    make: Make, connect: Connect, silent: str
) -> None:
    """One post needs no connection of each thread."""
    connector = connect(silent)
    pool, other = make(connector), make(connector)

    other.open()

    assert not pool.may_open(1)
    assert pool.may_open(2)
    assert not pool.is_opening


def test_pool_lets_another_attempt_race_one_that_takes_long(
    make: Make, time: FakeTime, silent: str
) -> None:
    """RFC 8305: after a quarter of a second; the first one may still succeed."""
    pool = make(silent)
    pool.open()
    time.seconds = ATTEMPT_DELAY_SECONDS - 0.01
    too_early = pool.may_open(1)
    time.seconds = ATTEMPT_DELAY_SECONDS

    assert not too_early
    assert pool.may_open(1)
    assert pool.is_opening


def test_pool_gives_up_a_connection_that_is_not_open_in_time(
    make: Make, time: FakeTime, silent: str
) -> None:
    """The server accepts, and never shakes hands: no post ends by it."""
    pool = make(silent)
    pool.open()
    time.seconds = 1.0
    pool.open()
    time.seconds = TIMEOUTS.connect_seconds

    endings = pool.expire()

    (failure,) = pool.take_failures()
    assert endings == []
    assert isinstance(failure, TimeoutError)
    assert str(failure) == "no connection within 2.0 s"
    assert len(pool._openings) == 1
    assert pool.take_failures() == []


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_pool_says_why_a_connection_was_refused(make: Make, scheme: str) -> None:
    """No server listens."""
    pool = make(f"{scheme}://127.0.0.1:{unused_port()}/prod")
    pool.open()

    (failure,) = _end_openings(pool)

    assert isinstance(failure, ConnectionError)
    assert not isinstance(failure, IdleClosedError)


def test_pool_says_why_a_handshake_failed(make: Make) -> None:
    """For example, the connection is reset in the middle of it."""

    def reset_early(server: socket.socket) -> None:
        server.recv(1)
        reset(server)

    with Loopback(reset_early) as server:
        pool = make(f"https://127.0.0.1:{server.port}/prod")
        pool.open()

        (failure,) = _end_openings(pool)

        assert isinstance(failure, OSError)


def test_pool_raises_when_opening_cannot_even_begin(make: Make) -> None:
    """For example, its host is unknown."""
    pool = make("http://nowhere.invalid/prod")

    with pytest.raises(OSError, match="not resolved"):
        pool.open()
    assert not pool.is_opening
    assert pool.take_failures() == []


def test_pool_pauses_for_a_moment_when_every_address_has_failed(
    make: Make, time: FakeTime, refusing: str
) -> None:
    """A refusal comes at once: attempts without a pause would only burn the processor."""
    pool = make(refusing)
    before = pool.may_open(1)
    pool.open()
    _end_openings(pool)
    _quieten(pool)

    at_once = (pool.may_open(1), pool.lacks_connections(1))
    time.seconds = FAILURE_DELAY_SECONDS
    later = pool.may_open(1)

    assert before
    assert at_once == (False, False)
    assert later


def test_pool_pauses_for_a_moment_when_the_host_is_not_resolved(make: Make, time: FakeTime) -> None:
    """Each attempt would say the same until the name server has answered."""
    pool = make("http://nowhere.invalid/prod")
    with pytest.raises(OSError, match="not resolved"):
        pool.open()

    at_once = pool.may_open(1)
    time.seconds = FAILURE_DELAY_SECONDS

    assert not at_once
    assert pool.may_open(1)


def test_pool_does_not_pause_when_a_run_begins_anew(
    make: Make, connect: Connect, refusing: str
) -> None:
    """What failed in the last one may work by now."""
    connector = connect(refusing)
    pool = make(connector)
    pool.open()
    _end_openings(pool)
    _quieten(pool)

    connector.resolve(PATIENCE_SECONDS)

    assert pool.may_open(1)


def test_pool_does_not_pause_while_one_address_works(
    make: Make, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one that refuses is left out from then on."""
    with Loopback(_answer_each) as server:
        _host(monkeypatch, ("127.0.0.1", unused_port()), ("127.0.0.1", server.port))
        connector = connect("http://two.example/prod")
        pool = make(connector)
        pool.open()

        (failure,) = _end_openings(pool)
        _quieten(pool)
        may_open = pool.may_open(1)
        for _ in range(4):
            pool.open()
        failures = _end_openings(pool)

        assert isinstance(failure, ConnectionRefusedError)
        assert may_open
        assert failures == []
        assert pool.room == 4
        pool.close()


def test_pool_reaches_the_good_address_when_another_swallows_what_is_sent(
    make: Make, connect: Connect, time: FakeTime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A few attempts hang there until their time is up; then it is left out."""
    with Loopback(_answer_each) as server, swallowing_port() as port:
        _host(monkeypatch, ("127.0.0.1", port), ("127.0.0.1", server.port))
        pool = make(connect("http://two.example/prod"))
        for wanted in range(6):
            pool.open()
            while len(pool._openings) > 1:
                pool.poll(PATIENCE_SECONDS)
            assert pool.room == wanted
        time.seconds = TIMEOUTS.connect_seconds
        pool.expire()
        failures = pool.take_failures()
        for _ in range(2):
            pool.open()
        later = _end_openings(pool)

        assert [type(one) for one in failures] == [TimeoutError]
        assert later == []
        assert pool.room == 7
        pool.close()


def test_pool_leaves_out_an_address_whose_certificate_is_wrong(
    make: Make,
    connect: Connect,
    certificate: ServerCertificate,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """A failed handshake is a failure of the address, as a refusal is."""
    elsewhere = issue_certificate(tmp_path_factory.mktemp("elsewhere"), names=WRONG_NAMES)
    with (
        Loopback(_answer_each, elsewhere.server_context()) as wrong,
        Loopback(_answer_each, certificate.server_context()) as right,
    ):
        _host(monkeypatch, ("127.0.0.1", wrong.port), ("127.0.0.1", right.port))
        pool = make(connect("https://127.0.0.1/prod"))
        pool.open()
        (failure,) = _end_openings(pool)
        for _ in range(3):
            pool.open()

        assert "certificate verify failed" in str(failure)
        assert _end_openings(pool) == []
        assert pool.room == 3
        pool.close()


def test_pool_looks_the_host_up_anew_when_a_connection_cannot_be_opened(
    make: Make, connect: Connect, time: FakeTime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has moved within the run: no clock but the epoch's need go on for that."""
    with Loopback(_answer_each) as server:
        _host(monkeypatch, ("127.0.0.1", unused_port()))
        connector = connect("http://moving.example/prod")
        pool = make(connector)
        time.epoch_ms += 1_000
        asked = _host(monkeypatch, ("127.0.0.1", server.port))
        pool.open()
        (failure,) = _end_openings(pool)
        _wait_for_look_up(connector)

        pool.open()

        assert isinstance(failure, ConnectionRefusedError)
        assert _end_openings(pool) == []
        assert pool.room == 1
        assert asked == ["moving.example"]
        assert not connector.is_delayed
        pool.close()


def test_pool_looks_the_host_up_anew_while_an_attempt_takes_long(
    make: Make, connect: Connect, time: FakeTime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old address swallows what is sent to it: its time-out is not waited for."""
    with Loopback(_answer_each) as server, swallowing_port() as port:
        _host(monkeypatch, ("127.0.0.1", port))
        connector = connect("http://moving.example/prod")
        pool = make(connector)
        pool.open()
        time.run(1.0)
        _host(monkeypatch, ("127.0.0.1", server.port))

        pool.open()
        _wait_for_look_up(connector)
        pool.open()
        while not pool.room:
            assert pool.poll(PATIENCE_SECONDS) == []

        assert pool.take_failures() == []
        assert len(pool._openings) == 2
        pool.close()


@pytest.mark.parametrize("is_noticed_early", [False, True])
def test_pool_looks_the_host_up_anew_when_a_connection_is_lost_with_its_post(
    make: Make,
    connect: Connect,
    time: FakeTime,
    monkeypatch: pytest.MonkeyPatch,
    is_noticed_early: bool,  # noqa: FBT001 - a parameter of pytest's
) -> None:
    """Whether the post cannot be sent, or is never answered."""
    is_told, is_reset = Event(), Event()

    def lose(server: socket.socket) -> None:
        if is_noticed_early:
            is_told.wait(PATIENCE_SECONDS)
        else:
            read_post(server)
        reset(server)
        is_reset.set()

    with Loopback(lose) as server:
        asked = _host(monkeypatch, ("127.0.0.1", server.port))
        connector = connect("http://shaky.example/prod")
        pool = make(connector)
        pool.open()
        _end_openings(pool)
        time.epoch_ms += 1_000
        if is_noticed_early:
            is_told.set()
            assert is_reset.wait(PATIENCE_SECONDS)
            assert is_readable(next(iter(pool._connections._ready)))
            ((_, lost),) = pool.send([("a", REQUEST)])
            assert isinstance(lost, OSError)
        else:
            pool.send([("a", REQUEST)])
            while pool.under_way:
                pool.poll(PATIENCE_SECONDS)
        _wait_for_look_up(connector)

        assert asked == ["shaky.example"] * 2
        pool.close()


def test_pool_gives_back_what_it_was_opening_when_it_is_abandoned(
    make: Make, connect: Connect, silent: str
) -> None:
    """No address has failed by that."""
    connector = connect(silent)
    pool = make(connector)
    pool.open()
    pool.open()

    abandoned = pool.abandon()

    assert abandoned == []
    assert not pool.is_opening
    assert connector.young == 0
    assert [route.opening for route in connector._addresses.in_order()] == [0]
    assert not connector._addresses.have_all_failed


def test_pool_reports_no_failure_of_an_earlier_run(
    make: Make, connect: Connect, refusing: str
) -> None:
    """It says nothing of the next one."""
    pool = make(connect(refusing))
    pool.open()
    while pool.is_opening:
        pool.poll(PATIENCE_SECONDS)

    pool.abandon()

    assert pool.take_failures() == []


def test_pool_ends_a_connection_that_was_open_before_the_server_hung_up(make: Make) -> None:
    """It is idle for a moment; then its end shows, and no post is lost on it."""

    def hang_up(server: socket.socket) -> None:
        server.shutdown(socket.SHUT_WR)
        wait_for_end(server)

    with Loopback(hang_up) as server:
        pool = make(server.url)
        pool.open()
        failures = _end_openings(pool)
        _quieten(pool)

        assert failures == []
        assert pool.room == 0
        pool.close()
