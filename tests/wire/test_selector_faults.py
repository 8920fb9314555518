"""Faults at the wire: whatever the fast fan-out meets, each connection ends exactly once.

`deliver` of `posting` checks that; each test also asks the stand-in which connection
received what.
"""

import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from threading import Event, Lock
from typing import Any

import pytest

from broadcasting.breaker import REFUSALS_IN_A_ROW
from broadcasting.connection import Connection
from broadcasting.outcome import Outcome, Verdict
from broadcasting.pacing.budget import Ask, Grant
from broadcasting.pacing.pace import Pace
from broadcasting.retry import Backoff
from broadcasting.trouble import Trouble
from delivery import next_posts
from delivery.fan_out import Watch
from delivery.http.connection import Ending
from delivery.http.endpoint import parse_endpoint
from delivery.http.http1_connection import Http1Connection
from delivery.http.openings import OPENING_AT_ONCE
from delivery.http.pool import HttpPool, Timeouts
from delivery.post import NOT_ANSWERED
from delivery.selector_fan_out import IN_FLIGHT as MOST_IN_FLIGHT
from delivery.selector_fan_out import TAKEN_AHEAD, SelectorFanOut
from delivery.session import DeliverySession
from delivery.signing import Credentials
from testbed.audience import KnownAudience
from testbed.model.fakes import FAR, FakeTime, half
from testbed.stand_in.behaviour import Behaviour
from testbed.stand_in.certificate import WRONG_NAMES, ServerCertificate, issue_certificate
from testbed.stand_in.http2_frames import END_HEADERS, Kind, frame
from testbed.stand_in.reaction import (
    Answer,
    Garbage,
    HalfAnswer,
    Post,
    Raw,
    Reaction,
    Reset,
    Script,
    Silence,
    StreamReset,
)
from testbed.stand_in.server import StandIn
from tests.support.loopback import (
    GONE,
    OK,
    PATIENCE_SECONDS,
    Loopback,
    read_post,
    silent_port,
    unused_port,
)
from tests.support.posting import (
    CLOCK,
    CREDENTIALS,
    FRAME,
    IMPATIENT,
    IN_FLIGHT,
    LONG_SECONDS,
    OLD_MS,
    PERSISTENT,
    REGION,
    TRIES,
    Delivery,
    answer,
    connections,
    deliver,
    number_of,
    once,
    selector_fan_out,
)

RAW_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

SOON_LATE_SECONDS = 0.2
"""By how much a delivery may miss its deadline."""


class Posting:
    """A fast fan-out and the stand-in that it posts to."""

    def __init__(self, fan_out: SelectorFanOut, stand_in: StandIn) -> None:
        self.fan_out = fan_out
        self.stand_in = stand_in

    def received(self) -> dict[str, int]:
        """Return how many messages reached each connection."""
        return dict(self.stand_in.report().received)


Start = Callable[..., Posting]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> ServerCertificate:
    """Return a certificate for loopback."""
    return issue_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(params=["http", "https", "h2"])
def start(request: pytest.FixtureRequest, certificate: ServerCertificate) -> Iterator[Start]:
    """Return what starts a stand-in with a script, and makes a fan-out with options to it.

    They speak HTTP/1.1, plain and with TLS, and HTTP/2.
    """
    yield from _starting(request.param, certificate)


@pytest.fixture(params=["http", "https"])
def start_http1(request: pytest.FixtureRequest, certificate: ServerCertificate) -> Iterator[Start]:
    """Return the same for faults that HTTP/1.1 alone has, and those that end a connection.

    Over HTTP/2 that ends many posts, so that their number is another one: see the tests of its own
    faults.
    """
    yield from _starting(request.param, certificate)


def _starting(wire: str, certificate: ServerCertificate) -> Iterator[Start]:
    protocol = "h2" if wire == "h2" else "http/1.1"
    with ExitStack() as stack:

        def start(
            script: Script | Behaviour, *, close_after_answers: int = 0, **options: Any
        ) -> Posting:
            tls = None if wire == "http" else certificate
            if isinstance(script, Behaviour):
                stand_in = StandIn.of(script, tls=tls, protocols=(protocol,))
            else:
                stand_in = StandIn(
                    script,
                    tls=tls,
                    close_after_answers=close_after_answers,
                    protocols=(protocol,),
                )
            stack.enter_context(stand_in)
            fan_out = selector_fan_out(stand_in.url, certificate.ca_path, **options)
            return Posting(stack.enter_context(fan_out), stand_in)

        yield start


def _ok(_post: Post) -> Reaction:
    return Answer(200)


def _first(reaction: Reaction) -> Script:
    """Return a script that reacts so to each connection's first post, and delivers the next."""
    return lambda post: reaction if post.attempt == 1 else Answer(200)


def _ids(wanted: list[Connection]) -> set[str]:
    return {one.id for one in wanted}


def _posts(delivery: Delivery) -> Mapping[str, int]:
    """Return how many tries each connection is said to have had."""
    return {one.connection.id: one.tries for one in delivery.settlements}


def test_fan_out_counts_a_tenth_as_gone(start: Start) -> None:
    """The others are delivered."""
    posting = start(lambda post: answer(200 if number_of(post.connection_id) % 10 else 410))

    delivery = deliver(posting.fan_out, connections(400))

    assert delivery.facts() == {(Outcome.DELIVERED, 1, 0), (Outcome.GONE, 1, 0)}
    assert delivery.ids(Outcome.GONE) == {f"c{number}=" for number in range(0, 400, 10)}
    assert posting.received() == once(delivery.ids(Outcome.DELIVERED))


def test_fan_out_counts_all_connections_as_gone(start: Start) -> None:
    """No connection exists any more, so none receives anything."""
    posting = start(lambda _post: answer(410))

    delivery = deliver(posting.fan_out, connections(200))

    assert delivery.facts() == {(Outcome.GONE, 1, 0)}
    assert posting.received() == {}


def test_fan_out_delivers_after_a_burst_of_429(start: Start) -> None:
    """The quota was used up for a moment: every connection of that moment is tried again."""
    posting = start(
        lambda post: answer(
            429 if post.attempt == 1 and number_of(post.connection_id) < 100 else 200
        )
    )

    delivery = deliver(posting.fan_out, connections(200))

    assert delivery.facts() == {(Outcome.DELIVERED, 1, 0), (Outcome.DELIVERED, 2, 1)}
    assert posting.received() == once(_ids(delivery.taken))


def test_fan_out_slows_down_for_429_and_still_delivers(start: Start) -> None:
    """The AWS account's bucket is small, ours is not."""
    behaviour = Behaviour(
        latency_median_seconds=0.001, quota_posts_per_second=1_000, quota_burst=50
    )
    posting = start(behaviour, backoff=Backoff(tries=50, base_seconds=0.005, cap_seconds=0.05))

    delivery = deliver(posting.fan_out, connections(300))

    assert delivery.ids(Outcome.DELIVERED) == _ids(delivery.taken)
    assert posting.received() == once(_ids(delivery.taken))
    throttles = sum(one.throttles for one in delivery.settlements)
    assert throttles == posting.stand_in.report().answers.get(429, 0) > 0


def test_fan_out_keeps_its_pace_after_a_round_of_stragglers(start: Start) -> None:
    """A connection that was throttled in an earlier invocation says nothing about the quota."""
    full = [Connection(f"full-{number}", OLD_MS, rounds=1) for number in range(60)]
    posting = start(
        lambda post: Answer(429 if post.connection_id.startswith("full") else 200),
        pace=Pace(1_000.0, 1.0),
    )
    round_of_stragglers = deliver(posting.fan_out, full)

    began = CLOCK.monotonic()
    delivery = deliver(posting.fan_out, connections(500))

    assert round_of_stragglers.ids(Outcome.PENDING) == _ids(full)
    assert delivery.facts() == {(Outcome.DELIVERED, 1, 0)}
    assert CLOCK.monotonic() - began < 5.0  # half a second at the full pace, 10 s at the slowest


def test_fan_out_stops_without_an_error_when_credentials_cannot_be_had(start: Start) -> None:
    """Whatever asking for them raises: no connection is lost, and nothing is repeated."""

    def fail() -> Credentials:
        raise OSError("metadata service away")

    posting = start(_ok, credentials=fail)

    delivery = deliver(posting.fan_out, connections(20))

    breaker, reason = delivery.watch.breaker, "no credentials to sign with: metadata service away"
    assert (breaker.stopped_by, breaker.reason) == (Trouble.FORBIDDEN, reason)
    assert delivery.facts() == {(Outcome.PENDING, 0, 0)}
    assert (delivery.reasons(), delivery.error) == ({reason}, None)
    assert posting.received() == {}


def test_fan_out_refuses_a_second_call_while_one_has_not_ended(start: Start) -> None:
    """Two calls would take each other's connections; the first one goes on."""
    posting = start(_ok)
    first = posting.fan_out.deliver("frame", KnownAudience(connections(20)), CLOCK.monotonic() + 5)
    settled = [next(first)]

    with pytest.raises(RuntimeError, match="one broadcast at a time"):
        next(posting.fan_out.deliver("frame", KnownAudience(connections(5)), CLOCK.monotonic() + 5))

    assert len([*settled, *first]) == 20


def test_fan_out_leaves_connections_pending_when_their_buffers_stay_full(start: Start) -> None:
    """They are tried as often as is allowed; no other connection waits for them."""
    posting = start(lambda post: answer(200 if number_of(post.connection_id) % 10 else 429))

    delivery = deliver(posting.fan_out, connections(300))

    full = {f"c{number}=" for number in range(0, 300, 10)}
    assert delivery.facts() == {(Outcome.DELIVERED, 1, 0), (Outcome.PENDING, TRIES, TRIES)}
    assert delivery.ids(Outcome.PENDING) == full
    assert posting.received() == once(_ids(delivery.taken) - full)


def test_fan_out_takes_no_new_connection_while_too_many_wait(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory stays flat when no connection can be reached; each still has all its tries."""
    monkeypatch.setattr(next_posts, "MAX_WAITING", 4)
    posting = start(lambda _post: answer(503))

    delivery = deliver(posting.fan_out, connections(11))

    assert delivery.facts() == {(Outcome.PENDING, TRIES, 0)}
    assert posting.stand_in.report().answers == {503: 11 * TRIES}


def _count_polls(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return the list that the time-out of each poll is added to from now on."""
    polls: list[float] = []
    poll = HttpPool.poll

    def count(
        pool: HttpPool[Any], timeout_seconds: float, deadline: float = FAR
    ) -> list[Ending[Any]]:
        polls.append(timeout_seconds)
        return poll(pool, timeout_seconds, deadline)

    monkeypatch.setattr(HttpPool, "poll", count)
    return polls


def test_fan_out_does_not_wake_up_for_each_answer_while_the_pace_holds_up_its_posts(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No answer would let a post go: they are taken together, with the next posts."""
    posting = start(
        lambda post: Answer(200, delay_seconds=0.02 + number_of(post.connection_id) % 10 / 1000),
        threads=1,
        pace=Pace(posts_per_second=1_000.0, burst=20.0),
    )
    deliver(posting.fan_out, connections(60))
    polls = _count_polls(monkeypatch)

    delivery = deliver(posting.fan_out, connections(400))

    assert delivery.facts() == {(Outcome.DELIVERED, 1, 0)}
    assert len(polls) < 300


def test_fan_out_sleeps_while_retries_are_due_and_every_connection_is_busy(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only an answer makes room for them: asking for it again and again would cost the core."""
    polls = _count_polls(monkeypatch)
    posting = start(
        lambda post: (
            answer(503)
            if post.attempt == 1 and post.connection_id == "c0="
            else Answer(200, delay_seconds=0.2)
        ),
        threads=1,
        in_flight=1,
    )

    delivery = deliver(posting.fan_out, connections(3))

    assert delivery.facts() == {(Outcome.DELIVERED, 1, 0), (Outcome.DELIVERED, 2, 0)}
    assert len(polls) < 100


@pytest.mark.parametrize("status", [500, 503])
def test_fan_out_delivers_after_a_burst_of_server_errors(start: Start, status: int) -> None:
    """Every connection's first post gets such an error."""
    posting = start(_first(answer(status)))

    delivery = deliver(posting.fan_out, connections(200))

    assert delivery.facts() == {(Outcome.DELIVERED, 2, 0)}
    assert posting.received() == once(_ids(delivery.taken))


def test_fan_out_delivers_after_resets_before_the_answer(start: Start) -> None:
    """Nothing had been delivered: each connection gets the message once."""
    posting = start(_first(StreamReset()))

    delivery = deliver(posting.fan_out, connections(200))

    assert delivery.ids(Outcome.DELIVERED) == _ids(delivery.taken)
    assert posting.received() == once(_ids(delivery.taken))


def test_fan_out_posts_again_after_resets_during_the_answer(start_http1: Start) -> None:
    """The answer is lost: the same frame goes again, and clients know it by its id."""
    posting = start_http1(_first(Reset("during")))

    delivery = deliver(posting.fan_out, connections(200))

    assert delivery.facts() == {(Outcome.DELIVERED, 2, 0)}
    assert posting.received() == dict.fromkeys(_ids(delivery.taken), 2)


def test_fan_out_believes_an_answer_that_is_followed_by_a_reset(start: Start) -> None:
    """An answer that was read before the reset counts; a post without one is sent again."""
    posting = start(_first(StreamReset(when="after")), backoff=PERSISTENT)

    delivery = deliver(posting.fan_out, connections(200))

    assert delivery.ids(Outcome.DELIVERED) == _ids(delivery.taken)
    assert posting.received().keys() == _ids(delivery.taken)
    assert set(posting.received().values()) <= {1, 2}


def test_fan_out_leaves_connections_pending_when_their_answers_are_always_reset(
    start: Start,
) -> None:
    """They have all tries that are allowed, and one more on a used HTTP connection."""
    posting = start(
        lambda post: Answer(200) if number_of(post.connection_id) % 10 else StreamReset()
    )

    delivery = deliver(posting.fan_out, connections(200))

    lost = {f"c{number}=" for number in range(0, 200, 10)}
    assert delivery.facts() == {(Outcome.DELIVERED, 1, 0), (Outcome.PENDING, TRIES, 0)}
    assert delivery.ids(Outcome.PENDING) == lost
    assert posting.received() == once(_ids(delivery.taken) - lost)


def test_fan_out_loses_nothing_when_connections_close_after_some_answers(start: Start) -> None:
    """A post that was sent just as the connection ended is sent again.

    HTTP/1.1 does not announce the end, HTTP/2 does.
    """
    posting = start(_ok, close_after_answers=3, backoff=PERSISTENT)

    delivery = deliver(posting.fan_out, connections(300))

    assert delivery.ids(Outcome.DELIVERED) == _ids(delivery.taken)
    assert posting.received() == once(_ids(delivery.taken))
    report = posting.stand_in.report()
    assert report.http_connections_opened >= (100 if "http/1.1" in report.posts_by_protocol else 10)


def test_fan_out_loses_nothing_when_connections_close_after_each_answer(start: Start) -> None:
    """It is announced, by `Connection: close` or GOAWAY, and few are opened in vain.

    Over HTTP/2, the posts that were under way beside the first one are answered, too.
    """
    posting = start(lambda _post: Answer(200, close=True))

    delivery = deliver(posting.fan_out, connections(100))

    assert delivery.facts() == {(Outcome.DELIVERED, 1, 0)}
    assert posting.received() == once(_ids(delivery.taken))
    report = posting.stand_in.report()
    least = 100 if "http/1.1" in report.posts_by_protocol else 100 // IN_FLIGHT
    assert least <= report.http_connections_opened <= 100 + 2 * OPENING_AT_ONCE


def test_fan_out_notices_connections_that_were_closed_between_two_calls() -> None:
    """An idle connection's end is seen before it is used."""
    served: list[socket.socket] = []
    posts: list[bytes] = []

    def serve(server: socket.socket) -> None:
        served.append(server)
        while post := read_post(server):
            posts.append(post)
            server.sendall(OK)

    with Loopback(serve) as server, selector_fan_out(server.url) as fan_out:
        deliver(fan_out, connections(50))
        for idle in served:
            idle.shutdown(socket.SHUT_RDWR)
        before = server.accepted

        delivery = deliver(fan_out, connections(50))

        assert delivery.facts() == {(Outcome.DELIVERED, 1, 0)}
        assert len(posts) == 100
        assert server.accepted > before


def test_fan_out_opens_connections_anew_when_the_environment_was_frozen(start: Start) -> None:
    """After a minute it is not known whether a connection still works."""
    time = FakeTime()
    clock = CLOCK._replace(epoch_ms=lambda: time.epoch_ms)
    posting = start(_ok, clock=clock, threads=1, in_flight=1)
    opened = []

    for pause_ms in (0, 49_000, 51_000):
        time.epoch_ms += pause_ms
        delivery = deliver(posting.fan_out, connections(20))
        assert delivery.facts() == {(Outcome.DELIVERED, 1, 0)}
        opened.append(posting.stand_in.report().http_connections_opened)

    assert opened == [1, 1, 2]


def test_fan_out_repeats_a_post_once_at_no_cost_when_the_connection_was_closed() -> None:
    """Its single try is not spent on a connection that was dead already."""
    posts: list[bytes] = []

    def answer_first_only(server: socket.socket) -> None:
        posts.append(read_post(server))
        server.sendall(OK)
        posts.append(read_post(server))

    one_try = Backoff(tries=1)
    with (
        Loopback(answer_first_only) as server,
        selector_fan_out(server.url, threads=1, in_flight=1, backoff=one_try) as fan_out,
    ):
        delivery = deliver(fan_out, connections(2))

        assert delivery.facts() == {(Outcome.DELIVERED, 1, 0)}
        assert server.accepted == 2


def test_fan_out_posts_again_when_half_an_answer_is_followed_by_silence(start_http1: Start) -> None:
    """The answer is given up after the read time-out; no other connection waits for it."""
    posting = start_http1(
        lambda post: (
            HalfAnswer()
            if post.attempt == 1 and not number_of(post.connection_id) % 10
            else Answer(200)
        ),
        timeouts=IMPATIENT,
    )

    delivery = deliver(posting.fan_out, connections(200))

    halved = {f"c{number}=" for number in range(0, 200, 10)}
    assert delivery.ids(Outcome.DELIVERED) == _ids(delivery.taken)
    assert posting.received() == _posts(delivery)
    assert {one for one, tries in _posts(delivery).items() if tries > 1} >= halved


def _bodiless(status: int) -> Raw:
    """Return an answer of whose body only one byte comes, in the protocol of the connection."""

    def data(stream_id: int) -> bytes:
        if not stream_id:
            return b"HTTP/1.1 %d Some\r\nContent-Length: 10\r\n\r\n{" % status
        block = b"\x08\x03%d" % status
        head = frame(Kind.HEADERS, END_HEADERS, stream_id, block)
        return head + frame(Kind.DATA, 0, stream_id, b"{")

    return Raw(data, status=status)


def test_fan_out_takes_the_status_when_the_body_never_comes(start: Start) -> None:
    """It was delivered: no connection gets it twice."""
    posting = start(lambda _post: _bodiless(200), timeouts=IMPATIENT)

    delivery = deliver(posting.fan_out, connections(40))

    assert delivery.facts() == {(Outcome.DELIVERED, 1, 0)}
    assert posting.received() == once(_ids(delivery.taken))


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(200, Outcome.DELIVERED), (410, Outcome.GONE), (503, Outcome.PENDING)],
)
def test_fan_out_takes_the_status_when_the_deadline_comes_before_the_body(
    start: Start, status: int, outcome: Outcome
) -> None:
    """What is known at the deadline counts: no connection is posted to again for want of a body."""
    posting = start(lambda _post: _bodiless(status))

    delivery = deliver(posting.fan_out, connections(30), seconds=1.0)

    assert {one.outcome for one in delivery.settlements} == {outcome}


def test_fan_out_ends_at_the_deadline_when_servers_never_stop_sending(start: Start) -> None:
    """One server's flood holds up neither the others nor the end."""
    flood = b"HTTP/1.1 100 Continue\r\n\r\n" * 12_000
    posting = start(lambda _post: Raw(flood), in_flight=256)

    delivery, late_seconds = _late_by(
        lambda: deliver(posting.fan_out, connections(300), seconds=1.0), 1.0
    )

    assert late_seconds <= SOON_LATE_SECONDS
    assert {one.outcome for one in delivery.settlements} == {Outcome.PENDING}


@pytest.mark.parametrize(
    "data",
    [
        Garbage().data,
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n" * 1_000,
        b"HTTP/1.1 100 Continue\r\n\r\n" * 16_000,
    ],
    ids=["no http", "no length", "no end", "news without end"],
)
def test_fan_out_delivers_after_garbage(start_http1: Start, data: bytes) -> None:
    """That connection is dropped, the others are unharmed."""
    posting = start_http1(
        lambda post: (
            Garbage(data)
            if post.attempt == 1 and not number_of(post.connection_id) % 25
            else Answer(200)
        )
    )

    delivery = deliver(posting.fan_out, connections(100))

    assert delivery.facts() == {(Outcome.DELIVERED, 1, 0), (Outcome.DELIVERED, 2, 0)}
    assert posting.received() == once(_ids(delivery.taken))


def test_fan_out_shows_what_came_when_there_is_only_garbage(start_http1: Start) -> None:
    """The reason is for the reader of the account."""
    posting = start_http1(lambda _post: Garbage())

    delivery = deliver(posting.fan_out, connections(10))

    assert delivery.facts() == {(Outcome.PENDING, TRIES, 0)}
    (reason,) = delivery.reasons()
    assert reason.startswith("MalformedAnswerError: the server sent b'\\x00\\xff this is not HTTP")


@pytest.mark.parametrize("stray", [b"x", GONE])
def test_fan_out_never_takes_stray_bytes_for_an_answer(start_http1: Start, stray: bytes) -> None:
    """Each answer is followed by a 410 that answers no post: no connection is gone."""
    posting = start_http1(lambda _post: Raw(RAW_OK + stray, status=200))

    delivery = deliver(posting.fan_out, connections(100))

    assert delivery.facts() == {(Outcome.DELIVERED, 1, 0)}
    assert posting.received() == once(_ids(delivery.taken))


def test_fan_out_waits_for_a_slow_first_byte(start: Start) -> None:
    """Slow is no fault."""
    posting = start(
        lambda post: Answer(200, delay_seconds=0.0 if number_of(post.connection_id) % 10 else 0.1)
    )

    delivery = deliver(posting.fan_out, connections(100))

    assert delivery.facts() == {(Outcome.DELIVERED, 1, 0)}
    assert posting.received() == once(_ids(delivery.taken))


def test_fan_out_posts_again_when_the_first_byte_is_too_slow(start: Start) -> None:
    """The late answer is never taken for another post's: its HTTP connection is closed."""
    late = Answer(410, delay_seconds=10.0)
    posting = start(_first(late), timeouts=IMPATIENT)

    delivery = deliver(posting.fan_out, connections(40))

    assert delivery.facts() == {(Outcome.DELIVERED, 2, 0)}
    assert posting.received() == once(_ids(delivery.taken))


def test_fan_out_delivers_to_the_others_when_some_servers_are_silent(start: Start) -> None:
    """Connections without an answer are pending, each with its reason."""
    posting = start(
        lambda post: Answer(200) if number_of(post.connection_id) % 20 else Silence(),
        timeouts=IMPATIENT,
    )

    delivery = deliver(posting.fan_out, connections(200))

    silent = {f"c{number}=" for number in range(0, 200, 20)}
    assert delivery.ids(Outcome.PENDING) == silent
    assert posting.received() == once(_ids(delivery.taken) - silent)
    assert delivery.reasons() == {"", "TimeoutError: no answer within 0.3 s"}


@pytest.mark.usefixtures("hasty_probes")
def test_fan_out_leaves_all_pending_when_the_certificate_is_for_another_name(
    tmp_path: Path,
) -> None:
    """Not a byte of a message goes to that server."""
    elsewhere = issue_certificate(tmp_path, names=WRONG_NAMES)
    with (
        StandIn(_ok, tls=elsewhere) as stand_in,
        selector_fan_out(stand_in.url, elsewhere.ca_path) as fan_out,
    ):
        delivery = deliver(fan_out, connections(10))

        assert delivery.facts() == {(Outcome.PENDING, 0, 0)}
        assert all("IP address mismatch" in reason for reason in delivery.reasons())
        assert stand_in.report().posts == 0


@pytest.mark.usefixtures("hasty_probes")
def test_fan_out_leaves_all_pending_when_the_authority_is_unknown(
    certificate: ServerCertificate, tmp_path: Path
) -> None:
    """The right name is not enough."""
    with (
        StandIn(_ok, tls=issue_certificate(tmp_path)) as stand_in,
        selector_fan_out(stand_in.url, certificate.ca_path) as fan_out,
    ):
        delivery = deliver(fan_out, connections(10))

        assert delivery.facts() == {(Outcome.PENDING, 0, 0)}
        assert all("certificate verify failed" in reason for reason in delivery.reasons())
        assert stand_in.report().posts == 0


@pytest.mark.usefixtures("hasty_probes")
@pytest.mark.parametrize("host", ["nowhere.invalid", "a..b"])
def test_fan_out_leaves_all_pending_when_the_host_does_not_resolve(host: str) -> None:
    """It may resolve the next time."""
    with selector_fan_out(f"http://{host}/prod") as fan_out:
        delivery = deliver(fan_out, connections(50))

    assert delivery.facts() == {(Outcome.PENDING, 0, 0)}
    assert all(f"{host} not resolved" in reason for reason in delivery.reasons())


def test_fan_out_delivers_when_a_second_look_up_succeeds(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One failure of the name server costs a retry, not the whole broadcast."""
    posting, look_up = start(_ok), socket.getaddrinfo
    failures = [OSError("name server away")]

    def fail_once(*args: Any, **options: Any) -> list[Any]:
        if failures:
            raise failures.pop()
        return look_up(*args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", fail_once)

    delivery = deliver(posting.fan_out, connections(50))

    assert delivery.ids(Outcome.DELIVERED) == _ids(connections(50))
    assert posting.received() == once(_ids(connections(50)))


def test_fan_out_leaves_all_pending_when_looking_up_the_host_hangs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The deadline holds for the name server too."""
    is_over = Event()

    def hang(*_: object, **__: object) -> list[Any]:
        is_over.wait(PATIENCE_SECONDS)
        raise OSError("too late")

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    deadline = CLOCK.monotonic() + 0.3
    with selector_fan_out("http://slow.example/prod") as fan_out:
        delivery = deliver(fan_out, connections(10), seconds=0.3)
        is_over.set()

    assert CLOCK.monotonic() <= deadline + SOON_LATE_SECONDS
    assert {one.outcome for one in delivery.settlements} <= {Outcome.PENDING}


@pytest.mark.usefixtures("hasty_probes")
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_fan_out_leaves_all_pending_when_the_host_refuses(scheme: str) -> None:
    """No server listens: no post was sent, so none counts as a try."""
    with selector_fan_out(f"{scheme}://127.0.0.1:{unused_port()}/prod") as fan_out:
        delivery = deliver(fan_out, connections(50))

    assert delivery.facts() == {(Outcome.PENDING, 0, 0)}
    assert all("Connection refused" in reason for reason in delivery.reasons())


@pytest.mark.usefixtures("hasty_probes")
def test_fan_out_leaves_all_pending_when_no_server_shakes_hands(
    certificate: ServerCertificate,
) -> None:
    """The connect time-out covers TLS."""
    timeouts = Timeouts(connect_seconds=0.1)
    with (
        silent_port() as port,
        selector_fan_out(
            f"https://127.0.0.1:{port}/prod", certificate.ca_path, timeouts=timeouts
        ) as fan_out,
    ):
        delivery = deliver(fan_out, connections(20))

    assert delivery.facts() == {(Outcome.PENDING, 0, 0)}
    assert delivery.reasons() == {"TimeoutError: no connection within 0.1 s"}


def _verifying(**options: str) -> Behaviour:
    return Behaviour(
        latency_median_seconds=0.0,
        verify_signatures=True,
        region=REGION,
        **{"access_key": CREDENTIALS.access_key, "secret_key": CREDENTIALS.secret_key, **options},  # type: ignore[arg-type]
    )


def test_fan_out_signs_what_a_strict_server_accepts(start: Start) -> None:
    """The stand-in verifies with botocore."""
    posting = start(
        _verifying(session_token="a/token+="),
        credentials=lambda: Credentials(
            CREDENTIALS.access_key, CREDENTIALS.secret_key, "a/token+="
        ),
    )

    delivery = deliver(posting.fan_out, connections(100))

    assert delivery.facts() == {(Outcome.DELIVERED, 1, 0)}
    assert posting.received() == once(_ids(delivery.taken))


def test_fan_out_stops_when_its_credentials_are_refused(start: Start) -> None:
    """No connection fails, and only some dozens are refused."""
    posting = start(_verifying(secret_key="another"))

    delivery = deliver(posting.fan_out, connections(200))

    breaker = delivery.watch.breaker
    assert (breaker.stopped_by, delivery.error) == (Trouble.FORBIDDEN, None)
    assert "signature we calculated does not match" in breaker.reason
    assert delivery.ids(Outcome.PENDING) == _ids(delivery.taken)
    assert posting.stand_in.report().answers[403] <= REFUSALS_IN_A_ROW + IN_FLIGHT
    assert posting.received() == {}


def test_fan_out_keeps_what_was_delivered_when_its_credentials_are_refused_later(
    start: Start,
) -> None:
    """They expire in the middle: what was delivered stays so, and only some dozens are refused."""
    posts = iter(range(10_000))
    lock = Lock()

    def script(_post: Post) -> Reaction:
        with lock:
            return answer(200 if next(posts) < 1_000 else 403)

    posting = start(script, threads=1)  # else a 200 that is late interrupts the row

    delivery = deliver(posting.fan_out, connections(3_000))

    assert delivery.watch.breaker.stopped_by is Trouble.FORBIDDEN
    assert len(delivery.ids(Outcome.DELIVERED)) == 1_000
    assert delivery.ids(Outcome.PENDING) == _ids(delivery.taken) - delivery.ids(Outcome.DELIVERED)
    refused = posting.stand_in.report().answers[403]
    assert refused <= REFUSALS_IN_A_ROW + 2 * IN_FLIGHT  # some come together with the last 200s
    assert posting.received() == once(delivery.ids(Outcome.DELIVERED))


def test_fan_out_counts_the_tries_of_waiting_connections_when_it_is_forbidden(start: Start) -> None:
    """Whether they count is decided once the round is over."""
    posting = start(
        lambda post: answer(403 if number_of(post.connection_id) > 8 else 503),
        backoff=Backoff(tries=TRIES, base_seconds=1e6, cap_seconds=1e6),
        threads=1,
        in_flight=1,
    )

    delivery = deliver(posting.fan_out, connections(200))

    assert delivery.watch.breaker.stopped_by is Trouble.FORBIDDEN
    posted = {f"c{number}=" for number in range(9 + REFUSALS_IN_A_ROW)}
    assert _posts(delivery) == {one.id: int(one.id in posted) for one in delivery.taken}
    assert posting.stand_in.report().answers == {503: 9, 403: REFUSALS_IN_A_ROW}


def test_fan_out_is_forbidden_to_post_without_credentials(start: Start) -> None:
    """For example, the function has no role."""
    posting = start(_ok, credentials=lambda: None)

    delivery = deliver(posting.fan_out, connections(20))

    breaker = delivery.watch.breaker
    assert (breaker.stopped_by, delivery.error) == (Trouble.FORBIDDEN, None)
    assert "no credentials" in breaker.reason
    assert delivery.facts() == {(Outcome.PENDING, 0, 0)}
    assert posting.stand_in.report().posts == 0


def test_fan_out_takes_no_dots_in_an_id_for_steps_to_another_path(start: Start) -> None:
    """Whatever a row says, only `@connections` is posted to."""
    odd = [".", "..", "../..", "%2e%2e", "../../other/@connections/x"]
    posting = start(_ok)

    delivery = deliver(posting.fan_out, [Connection(one, OLD_MS) for one in odd])

    assert delivery.facts() == {(Outcome.DELIVERED, 1, 0)}
    assert posting.received() == once(odd)


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


@pytest.mark.parametrize(
    "reaction",
    [Answer(200, delay_seconds=0.02), Silence(), HalfAnswer(), answer(429), answer(503)],
    ids=["steady", "silent", "half", "throttled", "failing"],
)
def test_fan_out_ends_at_the_deadline(start: Start, reaction: Reaction) -> None:
    """Within 200 ms, whatever the servers do; a connection without an answer is pending."""
    persistent = Backoff(tries=1_000, base_seconds=0.01, cap_seconds=0.2)
    posting = start(lambda _post: reaction, backoff=persistent)
    audience = iter(connections(0))

    def attempt() -> Delivery:
        nonlocal audience
        audience = iter(connections(8_000))
        return deliver(posting.fan_out, audience, seconds=0.6)

    delivery, late_seconds = _late_by(attempt, 0.6)

    assert -0.3 <= late_seconds <= SOON_LATE_SECONDS
    posted = {connection_id for connection_id, tries in _posts(delivery).items() if tries}
    assert len(delivery.taken) + len(list(audience)) == 8_000
    assert delivery.ids(Outcome.DELIVERED) <= posting.received().keys() <= posted
    assert delivery.ids(Outcome.DELIVERED) | delivery.ids(Outcome.PENDING) == _ids(delivery.taken)


def test_fan_out_loses_posts_that_have_no_answer_by_the_deadline(start: Start) -> None:
    """The time to read was not over yet: they are lost all the same, as the breaker observes."""
    posting, watch = start(lambda _post: Silence()), Watch()

    deadline = CLOCK.monotonic() + 0.5
    settled = list(
        posting.fan_out.deliver(FRAME, KnownAudience(connections(20)), deadline, watch=watch)
    )

    assert {(one.outcome, one.verdict) for one in settled} == {(Outcome.PENDING, Verdict.LOST)}
    assert {one.reason for one in settled} == {NOT_ANSWERED}
    assert watch.breaker.answers.lost == 20


def test_fan_out_knows_when_it_is_the_pace_that_posts_wait_for(start: Start) -> None:
    """Then more workers would not be faster."""
    unpaced, paced = start(_ok), start(_ok, pace=Pace(posts_per_second=200.0, burst=10.0))

    for posting in (unpaced, paced):
        deliver(posting.fan_out, connections(100))

    assert (unpaced.fan_out.is_paced, paced.fan_out.is_paced) == (False, True)


class _OpenHanded:
    """A budget that grants all that is asked for, at once, and remembers it."""

    def __init__(self) -> None:
        self.asks: list[Ask] = []

    def reserve(self, ask: Ask) -> Grant:
        self.asks.append(ask)
        return Grant(ask.uncharged + ask.most, CLOCK.epoch_ms() - 10_000.0, 0.001)


def test_fan_out_reserves_for_all_that_are_to_come_in_one_go(start: Start) -> None:
    """Though it takes only some ahead of need: each request costs time and money."""
    budget = _OpenHanded()
    posting = start(_ok, budget=budget)

    deadline = CLOCK.monotonic() + LONG_SECONDS
    settled = list(
        posting.fan_out.deliver(FRAME, KnownAudience(connections(2 * TAKEN_AHEAD)), deadline)
    )

    assert len(settled) == 2 * TAKEN_AHEAD
    asked = budget.asks[0].uncharged + budget.asks[0].most
    assert asked in (
        2 * TAKEN_AHEAD - 1,
        2 * TAKEN_AHEAD,
    )  # one is just being taken from the audience


class _Stingy:
    """A budget that is slow, grants a few at a time, and remembers when it was asked."""

    def __init__(self) -> None:
        self.asked_at: list[float] = []

    def reserve(self, ask: Ask) -> Grant:
        self.asked_at.append(CLOCK.monotonic())
        time.sleep(0.05)
        return Grant(ask.uncharged + min(ask.most, 4), CLOCK.epoch_ms() - 10_000.0, 5.0)


def test_fan_out_reserves_nothing_for_posts_that_it_does_not_make(start: Start) -> None:
    """In the last quarter of the time before its deadline it starts none."""
    budget = _Stingy()
    posting = start(_ok, budget=budget, pace=Pace(posts_per_second=1_000.0, burst=10.0))

    deadline = CLOCK.monotonic() + 1.2
    settled = list(posting.fan_out.deliver(FRAME, KnownAudience(connections(5_000)), deadline))

    assert {one.outcome for one in settled} == {Outcome.DELIVERED, Outcome.PENDING}
    assert len(budget.asked_at) > 5
    assert max(budget.asked_at) < deadline - 0.2


def test_fan_out_ends_at_the_deadline_when_the_pace_is_slow(start: Start) -> None:
    """A connection whose post may not go yet is pending."""
    posting = start(_ok, pace=Pace(posts_per_second=50.0, burst=1.0))

    delivery, late_seconds = _late_by(
        lambda: deliver(posting.fan_out, connections(100), seconds=1.0), 1.0
    )

    assert late_seconds <= SOON_LATE_SECONDS
    assert 1 <= len(delivery.ids(Outcome.DELIVERED)) <= 52  # 50 a second, and the burst
    assert posting.received() == once(delivery.ids(Outcome.DELIVERED))


def test_fan_out_ends_its_posts_when_its_consumer_stops_in_the_middle(start: Start) -> None:
    """Closing the generator ends the threads at once: none of them posts after that."""
    posting = start(lambda _post: Answer(200, delay_seconds=0.02))
    settlements: Any = posting.fan_out.deliver(
        FRAME, KnownAudience(connections(5_000)), CLOCK.monotonic() + LONG_SECONDS
    )
    next(settlements)

    settlements.close()

    assert [pool.under_way for pool in posting.fan_out._pools] == [0, 0]
    delivery = deliver(posting.fan_out, [Connection("next", OLD_MS)])
    assert delivery.facts() == {(Outcome.DELIVERED, 1, 0)}
    assert posting.received()["next"] == 1


def test_fan_out_gives_back_what_it_was_admitted_when_another_thread_takes_the_post(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pace allows three posts, and no fourth: one that was lost would be missed."""
    take_post, is_late = DeliverySession.take_post, iter([True])

    def late(session: DeliverySession) -> object:
        return None if next(is_late, False) else take_post(session)

    monkeypatch.setattr(DeliverySession, "take_post", late)
    posting = start(_ok, pace=Pace(posts_per_second=0.001, burst=3))

    delivery = deliver(posting.fan_out, connections(3), seconds=PATIENCE_SECONDS)

    assert delivery.facts() == {(Outcome.DELIVERED, 1, 0)}
    assert posting.received() == once(_ids(delivery.taken))


def test_fan_out_tries_again_when_the_connection_is_lost_in_sending(
    start_http1: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loss is known at once: no poll has to find it."""
    send_on, is_lost = Http1Connection._send_on, iter([True])

    def lose_one(http: Http1Connection[Any]) -> None:
        if next(is_lost, False):
            raise ConnectionResetError("lost in sending")
        send_on(http)

    monkeypatch.setattr(Http1Connection, "_send_on", lose_one)
    posting = start_http1(_ok)

    delivery = deliver(posting.fan_out, connections(3))

    assert sorted(_posts(delivery).values()) == [1, 1, 2]
    assert posting.received() == once(_ids(delivery.taken))
    assert delivery.ids(Outcome.DELIVERED) == _ids(delivery.taken)


def test_fan_out_divides_its_connections_among_its_threads() -> None:
    """Each has one at least, so there are no more threads than connections."""
    shapes = []
    for in_flight, threads in ((1, 4), (7, 3), (8, 4)):
        with selector_fan_out(
            "http://127.0.0.1:1/prod", in_flight=in_flight, threads=threads
        ) as fan_out:
            shapes.append([pool._size for pool in fan_out._pools])

    assert shapes == [[1], [3, 2, 2], [2, 2, 2, 2]]


def test_fan_out_has_defaults_for_production() -> None:
    """One thread makes all posts; the usual backoff and time-outs."""
    fan_out = SelectorFanOut(
        parse_endpoint("http://127.0.0.1:1/prod"),
        region=REGION,
        credentials=lambda: CREDENTIALS,
        tls=None,
        pace=Pace(1.0, 1.0),
        clock=CLOCK,
        jitter=half,
    )

    assert [pool._size for pool in fan_out._pools] == [MOST_IN_FLIGHT]
    assert (fan_out._backoff, fan_out._timeouts) == (Backoff(), Timeouts())
    fan_out.close()
