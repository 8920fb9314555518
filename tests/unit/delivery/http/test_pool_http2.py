"""The pool over HTTP/2: what its tests in test_pool.py ask of HTTP/1.1, asked of few connections.

The server is the testbed's stand-in: its HTTP/2 is not the client's.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import cast

import pytest

from delivery.http.connection import (
    SILENT_SECONDS,
    Ending,
    MalformedAnswerError,
    NotProcessedError,
    Response,
)
from delivery.http.connector import Connector
from delivery.http.endpoint import parse_endpoint
from delivery.http.openings import OPENING_AT_ONCE
from delivery.http.pool import HttpPool, Timeouts
from delivery.http.request import Request, RequestTemplate
from delivery.http.tls import tls_context
from testbed.model.fakes import NOW_MS, FakeTime
from testbed.stand_in.certificate import ServerCertificate, issue_certificate
from testbed.stand_in.errors import error_answer
from testbed.stand_in.http2_frames import Setting
from testbed.stand_in.http2_settings import Http2Limits
from testbed.stand_in.reaction import (
    Announce,
    Answer,
    Garbage,
    GoAway,
    HalfAnswer,
    Post,
    Reaction,
    Reset,
    Silence,
    StreamReset,
    calm,
    refuse,
)
from testbed.stand_in.server import StandIn
from tests.support.loopback import PATIENCE_SECONDS
from tests.support.wire_client import HEADERS

TIMEOUTS = Timeouts(connect_seconds=2.0, read_seconds=5.0)
OK = Response(200)


def _request(name: str, body: bytes = b"hi") -> Request:
    fields = (("host", "a"), ("x-amz-date", HEADERS["X-Amz-Date"]))
    template = RequestTemplate(fields, body)
    return Request(template, f"/prod/@connections/{name}", HEADERS["Authorization"])


@pytest.fixture
def time() -> FakeTime:
    """Return the time of the time-outs, which the test moves."""
    return FakeTime()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> ServerCertificate:
    """Return a certificate for loopback."""
    return issue_certificate(tmp_path_factory.mktemp("certificate"))


Start = Callable[..., tuple[HttpPool[str], StandIn]]


@pytest.fixture
def start(time: FakeTime, certificate: ServerCertificate) -> Iterator[Start]:
    """Return what starts a stand-in, of which each reaction is by the post's id, and a pool."""
    with ExitStack() as stack:

        def start(
            reactions: dict[str, Reaction] | None = None,
            *,
            size: int = 512,
            limits: Http2Limits | None = None,
        ) -> tuple[HttpPool[str], StandIn]:
            def script(post: Post) -> Reaction:
                return (reactions or {}).get(post.connection_id, Answer(200))

            server = StandIn(script, tls=certificate, protocols=("h2",), limits=limits)
            stack.enter_context(server)
            context = tls_context(str(certificate.ca_path))
            connector = Connector(parse_endpoint(server.url), context, time.clock)
            stack.callback(connector.close)
            connector.resolve(PATIENCE_SECONDS)
            pool = HttpPool[str](
                connector, size=size, most_connections=size, timeouts=TIMEOUTS, clock=time.clock
            )
            stack.callback(pool.close)
            return pool, server

        yield start


def _open(pool: HttpPool[str], number_of: int = 1) -> None:
    """Open a number of connections, and learn their limits."""
    for _ in range(number_of):
        pool.open()
    while pool.is_opening or not pool.room:
        assert pool.poll(PATIENCE_SECONDS) == []
    assert pool.take_failures() == []
    _settle(pool)


def _settle(pool: HttpPool[str]) -> None:
    """Poll until there is no news."""
    while pool.poll(0.05) or not pool._is_quiet:
        pass


def _send(pool: HttpPool[str], *names: str, body: bytes = b"hi") -> None:
    """Send posts; a connection that has just answered has room after a quiet poll."""
    while pool.has_answered:
        pool.poll(0.05)
    assert pool.room >= len(names)
    assert pool.send([(name, _request(name, body)) for name in names]) == []


def _results(pool: HttpPool[str], number_of: int) -> dict[str, Response | Exception]:
    """Poll until a number of posts has ended."""
    endings: list[Ending[str]] = []
    while len(endings) < number_of:
        news = pool.poll(PATIENCE_SECONDS)
        assert news or pool.under_way, "nothing ends any more"
        endings += news
    results = dict(endings)
    assert len(results) == len(endings), "a post has ended twice"
    return results


def test_pool_sends_posts_and_says_which_answer_is_whose(start: Start) -> None:
    """All of them at once, on one connection."""
    names = [f"c{n}" for n in range(100)]
    pool, server = start({name: Answer(200, name.encode()) for name in names})
    _open(pool)

    _send(pool, *names)
    results = _results(pool, 100)

    assert results == {name: Response(200, name.encode()) for name in names}
    report = server.report()
    assert (report.http_connections_opened, report.malformed) == (1, 0)
    assert (pool.under_way, report.received) == (0, dict.fromkeys(names, 1))


def test_pool_sends_large_posts_as_the_windows_allow(start: Start) -> None:
    """Each is larger than a stream's window, all of them than the connection's."""
    limits = Http2Limits(window_bytes=9_999, connection_window_bytes=65_535)
    pool, server = start(limits=limits)
    names = [f"c{n}" for n in range(4)]
    _open(pool)

    _send(pool, *names, body=bytes(130_000))
    results = _results(pool, 4)

    assert results == dict.fromkeys(names, OK)
    assert server.report().received == dict.fromkeys(names, 1)


def test_pool_knows_at_once_that_small_posts_find_more_room_than_large_ones(start: Start) -> None:
    """The first small one is sent where only one large one had room; more posts may follow it."""
    limits = Http2Limits(max_streams=3, connection_window_bytes=65_535)
    pool, server = start({"a": Silence()}, limits=limits)
    _open(pool)
    _send(pool, "large", body=bytes(60_000))
    assert _results(pool, 1) == {"large": OK}

    while pool.has_answered:
        pool.poll(0.05)
    before = pool.room
    _send(pool, "a")

    assert (before, pool.room, pool.lacks_connections(9)) == (1, 2, False)
    _send(pool, "b", "c")
    assert _results(pool, 2) == {"b": OK, "c": OK}
    assert server.report().http_connections_opened == 1


@pytest.mark.parametrize(("body_bytes", "room"), [(0, 100), (2, 100), (1_000, 65), (100_000, 1)])
def test_pool_has_room_for_no_more_bodies_than_a_window_takes(
    start: Start, body_bytes: int, room: int
) -> None:
    """The first connection knows it before the first post, if the size is known."""
    pool, _ = start(limits=Http2Limits(connection_window_bytes=65_535))
    pool._connector.expect(body_bytes)

    _open(pool)

    assert min(pool.room, 100) == room
    assert min(pool._connector.room, 100) == room


@pytest.mark.parametrize("window_bytes", [1, 0])
def test_pool_sends_posts_though_the_window_is_narrow(start: Start, window_bytes: int) -> None:
    """One byte at a time; none at all until it is widened."""
    pool, server = start(limits=Http2Limits(window_bytes=window_bytes))
    _open(pool)

    _send(pool, "a", "b", body=b"twenty bytes of text")
    if not window_bytes:
        assert pool.poll(0.05) == []
        server.announce((Setting.INITIAL_WINDOW_SIZE, 7))
    results = _results(pool, 2)

    assert results == {"a": OK, "b": OK}


def test_pool_has_room_for_as_many_as_the_server_allows(start: Start) -> None:
    """Its own size is one limit, the server's streams on each connection are the other."""
    pool, server = start({"a": Silence(), "b": Silence()}, limits=Http2Limits(max_streams=2))
    _open(pool)

    before = pool.room
    _send(pool, "a", "b")
    meanwhile = (pool.room, pool.lacks_connections(99))

    assert (before, meanwhile) == (2, (0, True))
    _open(pool)
    assert pool.room == 2
    assert server.report().malformed == 0


def test_pool_obeys_a_limit_that_changes(start: Start) -> None:
    """To nothing, to one, and to many again."""
    pool, server = start()
    _open(pool)

    rooms = []
    for limit in (0, 1, 128):
        server.announce((Setting.MAX_CONCURRENT_STREAMS, limit))
        while pool.room != limit:
            assert pool.poll(PATIENCE_SECONDS) == []
        rooms.append(pool.room)
    _send(pool, "a")

    assert rooms == [0, 1, 128]
    assert _results(pool, 1) == {"a": OK}


def test_pool_opens_no_more_when_servers_allow_no_stream_and_keep_what_they_got(
    start: Start,
) -> None:
    """A post that each got before it told so is no reason to open one more for the next post."""
    names = [f"silent{number}" for number in range(OPENING_AT_ONCE)]
    shuts = Announce(((Setting.MAX_CONCURRENT_STREAMS, 0),), then=Silence())
    pool, _ = start(dict.fromkeys(names, shuts))
    _open(pool, OPENING_AT_ONCE)

    for name in names:  # the connections are used in turn
        _send(pool, name)
    while pool.has_room:
        assert pool.poll(PATIENCE_SECONDS) == []

    assert pool.under_way == OPENING_AT_ONCE
    assert not pool.lacks_connections(50)


def test_pool_obeys_a_table_that_shrinks(start: Start) -> None:
    """The server's decoder insists on being told so before the next field."""
    announce = Announce(((Setting.HEADER_TABLE_SIZE, 0),), then=Answer(200))
    pool, server = start({"shrinks": announce})
    _open(pool)

    for name in ("a", "shrinks", "b", "c"):
        _send(pool, name)
        assert _results(pool, 1) == {name: OK}

    assert server.report().malformed == 0


def test_pool_ends_a_post_with_what_goes_wrong_and_leaves_the_others(start: Start) -> None:
    """A stream that is reset, or refused, is no trouble of the connection."""
    pool, server = start({"reset": StreamReset(), "refused": refuse(), "gone": error_answer(410)})
    _open(pool)

    _send(pool, "a", "reset", "refused", "gone", "b")
    results = _results(pool, 5)

    assert isinstance(results["reset"], ConnectionError)
    assert not isinstance(results["reset"], NotProcessedError)
    assert isinstance(results["refused"], NotProcessedError)
    assert cast("Response", results["gone"]).status == 410
    assert (results["a"], results["b"]) == (OK, OK)
    _send(pool, "c")
    assert _results(pool, 1) == {"c": OK}
    assert server.report().http_connections_opened == 1


def test_pool_ends_all_posts_of_a_connection_that_sends_garbage(start: Start) -> None:
    """Those that were answered before have their answers."""
    pool, _ = start({"slow": Silence(), "bad": Garbage()})
    _open(pool)

    _send(pool, "a", "slow", "bad")
    results = _results(pool, 3)

    assert results.pop("a") == OK
    assert {type(result).__mro__[1] for result in results.values()} == {MalformedAnswerError}
    assert pool.room == 0


def test_pool_loses_the_posts_of_a_connection_that_is_reset(start: Start) -> None:
    """Each of them once, and a new connection takes the next ones."""
    pool, server = start({"slow": Answer(200, delay_seconds=9.0), "bad": Reset()})
    _open(pool)

    _send(pool, "slow", "bad")
    results = _results(pool, 2)
    _open(pool)
    _send(pool, "a")

    assert {type(result).__mro__[-5] for result in results.values()} <= {OSError, ConnectionError}
    assert _results(pool, 1) == {"a": OK}
    assert server.report().received == {"a": 1}


def test_pool_says_what_was_not_processed_when_the_server_goes_away(start: Start) -> None:
    """What came before is answered; nothing is sent on that connection any more."""
    pool, server = start(
        {
            "before": Answer(200, delay_seconds=0.2),
            "leaves": GoAway(delay_seconds=0.1),
            "after": Answer(200, delay_seconds=0.2),
        }
    )
    _open(pool)

    _send(pool, "before", "leaves", "after")
    results = _results(pool, 3)

    assert isinstance(results.pop("after"), NotProcessedError)
    assert results == {"before": OK, "leaves": OK}
    assert server.report().received == {"before": 1, "leaves": 1}
    assert pool.room == 0


def test_pool_opens_nothing_for_a_while_when_the_server_asks_for_calm(start: Start) -> None:
    """The post was not processed: it may be sent again later."""
    pool, _ = start({"a": calm()})
    _open(pool)

    _send(pool, "a")
    results = _results(pool, 1)

    assert isinstance(results["a"], NotProcessedError)
    assert pool._connector.is_delayed
    assert pool._connector.calmed == 1


@pytest.mark.parametrize(("reaction", "status"), [(Silence(), 0), (HalfAnswer(), 200)])
def test_pool_gives_up_a_stream_and_keeps_the_connection(
    start: Start, time: FakeTime, reaction: Reaction, status: int
) -> None:
    """A status that has come counts; the late rest is skipped."""
    pool, server = start({"late": reaction})
    _open(pool)
    _send(pool, "late", "a")
    first = _results(pool, 1)
    _settle(pool)
    time.seconds = TIMEOUTS.read_seconds

    results = dict(pool.expire())
    _send(pool, "b")

    assert first == {"a": OK}
    result = results.pop("late")
    assert results == {}
    if status:
        assert cast("Response", result).status == status
    else:
        assert isinstance(result, TimeoutError)
    assert _results(pool, 1) == {"b": OK}
    assert server.report().http_connections_opened == 1


def test_pool_abandons_what_is_under_way(start: Start) -> None:
    """Posts without an answer come back."""
    pool, _ = start({"a": Silence(), "b": Silence()})
    _open(pool)
    _send(pool, "a", "b")

    abandoned = dict(pool.abandon())

    assert {name: type(result) for name, result in abandoned.items()} == dict.fromkeys(
        ("a", "b"), TimeoutError
    )
    assert pool.under_way == 0


def test_pool_drops_what_is_idle(start: Start) -> None:
    """The next post opens a connection."""
    pool, server = start()
    _open(pool)
    _send(pool, "a")
    _results(pool, 1)

    pool.drop_idle(NOW_MS)
    room = pool.room
    _open(pool)
    _send(pool, "b")

    assert room == 0
    assert _results(pool, 1) == {"b": OK}
    assert server.report().http_connections_opened == 2


def test_pool_wants_another_connection_when_a_window_is_used_up(start: Start) -> None:
    """The one that is open is not ready, though it has streams: no post waits for its window."""
    pool, _ = start(limits=Http2Limits(connection_window_bytes=65_535))
    _open(pool)

    pool.send([(f"c{number}", _request(f"c{number}", b"x" * 20_000)) for number in range(4)])

    assert (pool.room, pool.has_room, pool.lacks_connections(9)) == (0, False, True)


def _with_a_ping(start: Start, time: FakeTime) -> HttpPool[str]:
    """Return a pool whose one connection has been silent, and was just sent a ping."""
    pool, _ = start({"slow": Silence()})
    _open(pool)
    _send(pool, "slow")
    pool.expire()
    time.seconds += SILENT_SECONDS
    pool.expire()
    return pool


def test_pool_gives_nothing_new_to_a_connection_that_owes_an_answer_to_a_ping(
    start: Start, time: FakeTime
) -> None:
    """It may be dead: posts, and the breaker's probes, go elsewhere."""
    pool = _with_a_ping(start, time)

    pinged = pool.has_room, pool.lacks_connections(9)
    while not pool.has_room:
        pool.poll(PATIENCE_SECONDS)

    assert pinged == (False, True)
    assert pool.room


def test_pool_drops_a_connection_that_is_given_up_while_it_may_be_dead(
    start: Start, time: FakeTime
) -> None:
    """The next broadcast does not wait for it."""
    pool = _with_a_ping(start, time)

    ((name, error),) = pool.abandon()

    assert (name, type(error)) == ("slow", TimeoutError)
    assert (len(pool._connections), pool.under_way) == (0, 0)


def test_pool_carries_no_more_than_it_is_limited_to(start: Start) -> None:
    """Until it is limited otherwise; its size is the most."""
    pool, _ = start(size=8)
    _open(pool)

    rooms = []
    for most in (3, 100, 0):
        pool.limit(most)
        rooms.append(pool.room)

    assert rooms == [3, 8, 1]
