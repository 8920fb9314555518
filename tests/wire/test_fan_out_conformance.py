"""The port, as both ways of posting keep it: boto3's client, and our selector loops.

Each test runs against real sockets, plain, with TLS, and over HTTP/2, and asks the stand-in which
connection received what.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from threading import Event

import pytest

from broadcasting.breaker import REFUSALS_IN_A_ROW
from broadcasting.connection import Connection
from broadcasting.frame import MAX_FRAME_BYTES
from broadcasting.outcome import Outcome
from broadcasting.trouble import Trouble
from delivery.fan_out import FanOut
from delivery.selector_fan_out import TAKEN_AHEAD
from testbed.audience import KnownAudience
from testbed.stand_in.certificate import ServerCertificate, issue_certificate
from testbed.stand_in.reaction import Answer, Post, Reaction, Script
from testbed.stand_in.server import StandIn
from tests.support.loopback import PATIENCE_SECONDS
from tests.support.posting import (
    CLOCK,
    FRAME,
    LONG_SECONDS,
    OLD_MS,
    TRIES,
    answer,
    boto3_fan_out,
    connections,
    deliver,
    number_of,
    once,
    selector_fan_out,
)

AT_ONCE = 8
"""How many posts are under way at once."""

FEW = 11
"""A few connections: the breaker stays closed for them, though every try of theirs is lost."""

MOST_AHEAD = TAKEN_AHEAD + 2 * AT_ONCE
"""The fast one takes connections some thousands ahead of need, boto3's only as many as threads."""

_MAKERS: dict[str, Callable[[str, Path | None], AbstractContextManager[FanOut]]] = {
    "boto3": partial(boto3_fan_out, workers=AT_ONCE),
    "selector-1": partial(selector_fan_out, threads=1, in_flight=AT_ONCE),
    "selector-4": partial(selector_fan_out, threads=4, in_flight=AT_ONCE),
}


@dataclass(frozen=True, slots=True)
class Posting:
    """A fan-out and the stand-in that it posts to."""

    fan_out: FanOut
    stand_in: StandIn

    def received(self) -> dict[str, int]:
        """Return how many messages reached each connection."""
        return dict(self.stand_in.report().received)


Start = Callable[[Script], Posting]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> ServerCertificate:
    """Return a certificate for loopback."""
    return issue_certificate(tmp_path_factory.mktemp("certificate"))


_WAYS = [
    (wire, maker)
    for wire in ("http", "https", "h2")
    for maker in _MAKERS
    if (wire, maker) != ("h2", "boto3")  # it speaks HTTP/1.1 only
]
"""The wire, plain HTTP/1.1, with TLS around it, or HTTP/2; and what posts on it."""


@pytest.fixture(params=_WAYS, ids="-".join)
def start(request: pytest.FixtureRequest, certificate: ServerCertificate) -> Iterator[Start]:
    """Return what starts a stand-in with a script, and makes a fan-out to it."""
    wire, maker = request.param
    protocol = "h2" if wire == "h2" else "http/1.1"
    started: list[StandIn] = []
    with ExitStack() as stack:

        def start(script: Script) -> Posting:
            tls = None if wire == "http" else certificate
            stand_in = stack.enter_context(StandIn(script, tls=tls, protocols=(protocol,)))
            started.append(stand_in)
            make = _MAKERS[maker]
            fan_out = stack.enter_context(make(stand_in.url, certificate.ca_path))
            return Posting(fan_out, stand_in)

        yield start
        assert all(
            stand_in.report().connections_by_protocol.keys() <= {protocol} for stand_in in started
        )


def _ok(_post: Post) -> Reaction:
    return Answer(200)


def test_fan_out_delivers_the_frame_to_each_connection_exactly_once(start: Start) -> None:
    """Many more connections than posts under way."""
    frames = set()

    def script(post: Post) -> Reaction:
        frames.add(post.body)
        return Answer(200)

    posting, everyone = start(script), connections(300)

    delivery = deliver(posting.fan_out, everyone)

    assert delivery.taken == everyone
    assert delivery.facts() == {(Outcome.DELIVERED, 1, 0)}
    assert delivery.reasons() == {""}
    assert posting.received() == once(one.id for one in everyone)
    assert frames == {FRAME.encode()}


@pytest.mark.parametrize(
    ("status", "outcome", "tries"),
    [
        (200, Outcome.DELIVERED, 1),
        (400, Outcome.FAILED, 1),
        (403, Outcome.PENDING, TRIES),
        (408, Outcome.PENDING, TRIES),
        (410, Outcome.GONE, 1),
        (413, Outcome.FAILED, 1),
        (429, Outcome.PENDING, TRIES),
        (500, Outcome.PENDING, TRIES),
        (502, Outcome.PENDING, TRIES),
        (503, Outcome.PENDING, TRIES),
        (504, Outcome.PENDING, TRIES),
    ],
)
def test_fan_out_ends_by_the_answer(
    start: Start, status: int, outcome: Outcome, tries: int
) -> None:
    """What can never succeed ends at once; what may is tried, then pending; nothing is raised."""
    posting = start(lambda _post: answer(status))

    delivery = deliver(posting.fan_out, connections(FEW))

    throttles = tries if status == 429 else 0
    assert delivery.facts() == {(outcome, tries, throttles)}
    assert posting.stand_in.report().answers == {status: FEW * tries}
    assert delivery.watch.breaker.is_closed
    if status != 200:
        (reason,) = delivery.reasons()
        assert reason.startswith(f"{status} ")
        assert "injected" in reason


def test_fan_out_tries_a_410_again_when_the_connection_is_young(start: Start) -> None:
    """`$connect` may only just have returned; later the socket is open."""
    posting = start(lambda post: answer(410 if post.attempt < 2 else 200))

    delivery = deliver(posting.fan_out, connections(20, connected_at=CLOCK.epoch_ms()))

    assert delivery.facts() == {(Outcome.DELIVERED, 2, 0)}


def test_fan_out_leaves_a_young_connection_pending_when_it_stays_gone(start: Start) -> None:
    """Its row is not deleted yet."""
    posting = start(lambda _post: answer(410))

    delivery = deliver(posting.fan_out, connections(5, connected_at=CLOCK.epoch_ms()))

    assert delivery.facts() == {(Outcome.PENDING, TRIES, 0)}


@pytest.mark.parametrize(
    ("status", "throttles"), [(429, 2), (403, 0), (408, 0), (500, 0), (503, 0)]
)
def test_fan_out_delivers_when_a_later_try_succeeds(
    start: Start, status: int, throttles: int
) -> None:
    """The reason is forgotten, the throttles are counted."""
    posting = start(lambda post: answer(status if post.attempt < TRIES else 200))

    delivery = deliver(posting.fan_out, connections(FEW))

    assert delivery.facts() == {(Outcome.DELIVERED, TRIES, throttles)}
    assert delivery.reasons() == {""}
    assert posting.received() == once(one.id for one in delivery.taken)


def test_fan_out_ends_each_connection_by_its_own_answers(start: Start) -> None:
    """One connection's error never touches another."""
    statuses = [200, 410, 400, 429, 503, 413]
    posting = start(lambda post: answer(statuses[number_of(post.connection_id) % 6]))

    delivery = deliver(posting.fan_out, connections(120))

    expected = [Outcome.DELIVERED, Outcome.GONE, Outcome.FAILED, Outcome.PENDING, Outcome.PENDING]
    expected.append(Outcome.FAILED)
    ended = {one.connection.id: one.outcome for one in delivery.settlements}
    assert ended == {one.id: expected[number_of(one.id) % 6] for one in delivery.taken}
    assert posting.received() == once(delivery.ids(Outcome.DELIVERED))


def test_fan_out_stops_within_some_dozens_of_posts_when_it_is_forbidden(start: Start) -> None:
    """Nothing is raised, and no connection fails because of our own permissions."""
    posting, untaken = start(lambda _post: answer(403)), iter(connections(10_000))

    delivery = deliver(posting.fan_out, untaken)

    breaker = delivery.watch.breaker
    assert (breaker.stopped_by, delivery.error) == (Trouble.FORBIDDEN, None)
    assert "injected" in breaker.reason
    assert delivery.ids(Outcome.PENDING) == {one.id for one in delivery.taken}
    assert {one.reason for one in delivery.settlements} == {breaker.reason}
    assert len(delivery.taken) + len(list(untaken)) == 10_000
    assert posting.received() == {}
    posts = posting.stand_in.report().answers[403]
    assert posts <= TRIES * REFUSALS_IN_A_ROW + AT_ONCE  # boto3's repeats before it goes on


def test_fan_out_takes_its_audience_lazily(start: Start) -> None:
    """An endless audience is not read to its end: memory is flat."""
    posting, numbers = start(_ok), count()
    audience = (Connection(f"c{number}=", OLD_MS) for number in numbers)

    settlements = posting.fan_out.deliver(
        FRAME, KnownAudience(audience), CLOCK.monotonic() + LONG_SECONDS
    )
    ended = [next(settlements) for _ in range(50)]

    # The fast one yields in batches: more may have ended than were asked for.
    assert next(numbers) <= MOST_AHEAD + posting.stand_in.report().posts
    assert {one.outcome for one in ended} == {Outcome.DELIVERED}
    settlements.close()


def test_fan_out_yields_while_it_reads_when_the_audience_is_slow(start: Start) -> None:
    """Settlements do not pile up until a slow audience is at its end."""
    is_posted = Event()

    def script(_post: Post) -> Reaction:
        is_posted.set()
        return Answer(200)

    def audience() -> Iterator[Connection]:
        for connection in connections(3_000):
            is_posted.clear()
            taken.append(connection)
            yield connection
            if len(taken) > AT_ONCE:  # boto3's takes one for each thread first
                assert is_posted.wait(PATIENCE_SECONDS)

    taken: list[Connection] = []
    posting = start(script)

    settlements = posting.fan_out.deliver(
        FRAME, KnownAudience(audience()), CLOCK.monotonic() + LONG_SECONDS
    )
    next(settlements)

    assert len(taken) < 3_000
    settlements.close()


def test_fan_out_takes_and_posts_nothing_when_the_deadline_is_over(start: Start) -> None:
    """The connections that are not taken remain."""
    posting, untaken = start(_ok), iter(connections(10))

    delivery = deliver(posting.fan_out, untaken, seconds=-1.0)

    assert delivery.settlements == []
    assert len(list(untaken)) == 10
    assert posting.stand_in.report().posts == 0


def test_fan_out_counts_each_connection_when_the_deadline_comes_in_the_middle(start: Start) -> None:
    """The connections that were taken are delivered or pending; the others remain.

    The fast one ends at the deadline; boto3's waits for the answers under way, up to 7 s.
    """
    posting, untaken = (
        start(lambda _post: Answer(200, delay_seconds=0.01)),
        iter(connections(9_000)),
    )

    delivery = deliver(posting.fan_out, untaken, seconds=0.4)

    delivered, pending = delivery.ids(Outcome.DELIVERED), delivery.ids(Outcome.PENDING)
    assert delivered
    assert len(delivered) + len(pending) + len(list(untaken)) == 9_000
    posted = {one.connection.id for one in delivery.settlements if one.tries}
    assert delivered <= posting.received().keys() <= posted
    assert set(posting.received().values()) == {1}


def test_fan_out_delivers_the_largest_frame(start: Start) -> None:
    """127 KiB each, every byte of them."""
    frame = "ü" * (MAX_FRAME_BYTES // 2)
    wrong: list[str] = []

    def script(post: Post) -> Reaction:
        if post.body != frame.encode():
            wrong.append(post.connection_id)
        return Answer(200)

    posting = start(script)

    delivery = deliver(posting.fan_out, connections(40), frame=frame)

    assert delivery.facts() == {(Outcome.DELIVERED, 1, 0)}
    assert posting.received() == once(one.id for one in delivery.taken)
    assert wrong == []


def test_fan_out_delivers_to_odd_connection_ids(start: Start) -> None:
    """Whatever is text is an id, as far as posting goes.

    `.` and `..` are not in the list: boto3 asks for another path then, ours does not.
    """
    ids = ["a b", "ä", "😀", "a/b?c#d&e%20", '"quoted"', "a+b=", "~", "a.b..c", "\r\n", "x" * 2_000]
    posting = start(_ok)

    delivery = deliver(posting.fan_out, [Connection(one, OLD_MS) for one in ids])

    assert delivery.facts() == {(Outcome.DELIVERED, 1, 0)}
    assert posting.received() == once(ids)


def test_fan_out_raises_what_its_audience_raises_when_those_taken_have_ended(start: Start) -> None:
    """A page that cannot be read stops the reading, not the posting."""
    posting = start(_ok)

    def audience() -> Iterator[Connection]:
        yield from connections(30)
        raise LookupError("no more pages")

    delivery = deliver(posting.fan_out, audience())

    assert isinstance(delivery.error, LookupError)
    assert delivery.facts() == {(Outcome.DELIVERED, 1, 0)}
    assert posting.received() == once(one.id for one in connections(30))


def test_fan_out_can_be_used_again_when_its_consumer_has_stopped_in_the_middle(
    start: Start,
) -> None:
    """What was under way is not waited for, and nothing of it appears in the next call."""
    posting = start(lambda _post: Answer(200, delay_seconds=0.005))
    audience = iter(connections(10_000))
    settlements = posting.fan_out.deliver(
        FRAME, KnownAudience(audience), CLOCK.monotonic() + LONG_SECONDS
    )
    next(settlements)
    settlements.close()
    late = [Connection(f"late{number}", OLD_MS) for number in range(50)]

    delivery = deliver(posting.fan_out, late)

    assert delivery.facts() == {(Outcome.DELIVERED, 1, 0)}
    assert delivery.ids(Outcome.DELIVERED) == {one.id for one in late}
    assert len(list(audience)) >= 10_000 - MOST_AHEAD - posting.stand_in.report().posts


def test_fan_out_keeps_its_http_connections_for_the_next_call(start: Start) -> None:
    """A warm function posts at once."""
    posting = start(_ok)

    for _ in range(3):
        delivery = deliver(posting.fan_out, connections(60))
        assert delivery.facts() == {(Outcome.DELIVERED, 1, 0)}

    report = posting.stand_in.report()
    assert report.delivered == 180
    assert report.posts_by_protocol.keys() == report.connections_by_protocol.keys()
    assert report.http_connections_opened <= AT_ONCE


def test_fan_out_ends_at_once_when_its_audience_is_empty(start: Start) -> None:
    """An empty audience has no settlements, and no posts."""
    posting = start(_ok)

    delivery = deliver(posting.fan_out, [])

    assert delivery.settlements == []
    assert delivery.error is None
    assert posting.stand_in.report().posts == 0
