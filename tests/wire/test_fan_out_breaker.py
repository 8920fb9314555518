"""The breaker at the wire: an endpoint that is down gets some dozens of posts, not thousands.

A moment's trouble, or that of a few connections, stops no other one. `deliver` of `posting` checks
that each connection which was taken ends exactly once.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

import pytest

from broadcasting.breaker import (
    PROBES_AT_ONCE,
    PROBES_AT_SECONDS,
    PROBING_SECONDS,
    WINDOW_POSTS,
    Breaker,
)
from broadcasting.connection import Connection
from broadcasting.outcome import Outcome, Verdict
from broadcasting.pacing.budget import Ask, Grant
from broadcasting.retry import Backoff
from broadcasting.trouble import Answers, Evidence, Trouble
from delivery.fan_out import Watch
from delivery.http.connector import Connector
from delivery.http.handshake import Handshake
from delivery.http.pool import Timeouts
from delivery.selector_fan_out import SelectorFanOut
from testbed.audience import KnownAudience
from testbed.stand_in.certificate import WRONG_NAMES, ServerCertificate, issue_certificate
from testbed.stand_in.greeting import PROTOCOLS
from testbed.stand_in.reaction import (
    Answer,
    Garbage,
    Post,
    Reaction,
    Reset,
    Script,
    Silence,
    StreamReset,
)
from testbed.stand_in.server import StandIn
from testbed.stand_in.wire import HTTP2
from tests.support.loopback import Loopback, reset, silent_port, unused_port
from tests.support.posting import (
    CLOCK,
    FRAME,
    IN_FLIGHT,
    LONG_SECONDS,
    TRIES,
    answer,
    connections,
    deliver,
    number_of,
    once,
    selector_fan_out,
)

QUICK = Timeouts(connect_seconds=0.3, read_seconds=0.3)
PATIENT_PROBES = PROBES_AT_ONCE * len(PROBES_AT_SECONDS)
THREADS = 2
MOST_IN_VAIN = IN_FLIGHT + 2 * WINDOW_POSTS + THREADS * PATIENT_PROBES
"""Those under way, until it is noticed, and the probes: some dozens, whatever the audience."""

PROBED_SECONDS = 1.0
"""How long `hasty_probes` are sent."""


class Down(NamedTuple):
    """An endpoint that is down, and how many posts it has got."""

    url: str
    ca_path: Path | None = None
    posts: Callable[[], int] = lambda: 0


Kind = Callable[[ServerCertificate, Path], AbstractContextManager[Down]]


@contextmanager
def _refusing(_certificate: ServerCertificate, _folder: Path) -> Iterator[Down]:
    yield Down(f"http://127.0.0.1:{unused_port()}/prod")


@contextmanager
def _reset_when_accepted(_certificate: ServerCertificate, _folder: Path) -> Iterator[Down]:
    with Loopback(reset) as server:
        yield Down(server.url)


@contextmanager
def _not_resolved(_certificate: ServerCertificate, _folder: Path) -> Iterator[Down]:
    yield Down("http://a..b/prod")


@contextmanager
def _not_shaking_hands(certificate: ServerCertificate, _folder: Path) -> Iterator[Down]:
    with silent_port() as port:
        yield Down(f"https://127.0.0.1:{port}/prod", certificate.ca_path)


@contextmanager
def _wrong_certificate(_certificate: ServerCertificate, folder: Path) -> Iterator[Down]:
    elsewhere = issue_certificate(folder, names=WRONG_NAMES)
    with StandIn(_ok, tls=elsewhere) as stand_in:
        yield Down(stand_in.url, elsewhere.ca_path, lambda: stand_in.report().posts)


@contextmanager
def _reacting(
    reaction: Reaction, protocol: str, certificate: ServerCertificate, _folder: Path
) -> Iterator[Down]:
    with StandIn(lambda _post: reaction, tls=certificate, protocols=(protocol,)) as stand_in:
        yield Down(stand_in.url, certificate.ca_path, lambda: stand_in.report().posts)


_KINDS: Mapping[str, Kind] = {
    "refused": _refusing,
    "reset when accepted": _reset_when_accepted,
    "not resolved": _not_resolved,
    "no handshake": _not_shaking_hands,
    "wrong certificate": _wrong_certificate,
} | {
    f"{name} over {protocol}": partial(_reacting, reaction, protocol)
    for protocol in PROTOCOLS
    for name, reaction in (
        ("reset", Reset("before")),
        ("stream reset", StreamReset()),
        ("503", answer(503)),
        ("silence", Silence()),
        ("garbage", Garbage()),
    )
}


def _ok(_post: Post) -> Reaction:
    return Answer(200)


@contextmanager
def _posting(
    script: Script,
    certificate: ServerCertificate | None = None,
    *,
    protocol: str = HTTP2,
    **options: Any,
) -> Iterator[tuple[SelectorFanOut, StandIn]]:
    """Start a stand-in and make a fan-out to it, with TLS if there is a certificate.

    With TLS they speak the protocol, without it HTTP/1.1.
    """
    ca_path = certificate.ca_path if certificate else None
    with (
        StandIn(script, tls=certificate, protocols=(protocol,)) as stand_in,
        selector_fan_out(stand_in.url, ca_path, **options) as fan_out,
    ):
        yield fan_out, stand_in


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> ServerCertificate:
    """Return a certificate for loopback."""
    return issue_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def openings(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return the times at which HTTP connections are begun to be opened."""
    begun: list[float] = []
    open_one, lock = Connector.open, Lock()

    def note(connector: Connector) -> Handshake:
        with lock:
            begun.append(CLOCK.monotonic())
        return open_one(connector)

    monkeypatch.setattr(Connector, "open", note)
    return begun


@pytest.mark.usefixtures("hasty_probes")
@pytest.mark.parametrize("kind", _KINDS)
def test_fan_out_stops_within_some_dozens_when_its_endpoint_is_down(
    kind: str, certificate: ServerCertificate, tmp_path: Path, openings: list[float]
) -> None:
    """A large audience costs no more posts and HTTP connections than a small one."""
    with (
        _KINDS[kind](certificate, tmp_path) as down,
        selector_fan_out(down.url, down.ca_path, timeouts=QUICK, backoff=Backoff()) as fan_out,
    ):
        began = CLOCK.monotonic()
        delivery = deliver(fan_out, connections(500))
        seconds = CLOCK.monotonic() - began

        breaker = delivery.watch.breaker
        assert breaker.stopped_by is Trouble.OUTAGE
        assert delivery.ids(Outcome.PENDING) == {one.id for one in delivery.taken}
        assert all(one.reason for one in delivery.settlements)
        assert down.posts() <= MOST_IN_VAIN
        assert len(openings) <= MOST_IN_VAIN
        assert seconds < PROBED_SECONDS + 4.0


def test_fan_out_stops_after_six_seconds_of_probing(certificate: ServerCertificate) -> None:
    """Not sooner, so that a short outage is waited for; then the slice is delayed."""
    reaction = answer(503)
    with _posting(lambda _post: reaction, certificate) as (fan_out, stand_in):
        began = CLOCK.monotonic()
        delivery = deliver(fan_out, connections(500))
        seconds = CLOCK.monotonic() - began

        assert delivery.watch.breaker.stopped_by is Trouble.OUTAGE
        assert stand_in.report().posts <= MOST_IN_VAIN
        assert PROBING_SECONDS <= seconds < PROBING_SECONDS + 3.0


@pytest.mark.parametrize("reaction", [StreamReset(), answer(503)], ids=["reset", "503"])
@pytest.mark.parametrize("in_flight", [IN_FLIGHT, 512])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_fan_out_delivers_to_all_when_there_is_a_blip_in_the_middle(
    certificate: ServerCertificate, reaction: Reaction, in_flight: int, protocol: str
) -> None:
    """Half a second in which nothing is answered costs about as much, and no round."""
    lock, began_at, posts = Lock(), 0.0, 0

    def script(_post: Post) -> Reaction:
        nonlocal began_at, posts
        with lock:
            posts += 1
            if posts < 1_000:
                return Answer(200)
            began_at = began_at or CLOCK.monotonic()
        return reaction if CLOCK.monotonic() < began_at + 0.5 else Answer(200)

    options: dict[str, Any] = {"in_flight": in_flight, "backoff": Backoff()}
    with _posting(script, certificate, protocol=protocol, **options) as (fan_out, stand_in):
        delivery = deliver(fan_out, connections(3_000))

        ids = {one.id for one in delivery.taken}
        assert (len(ids), delivery.ids(Outcome.DELIVERED)) == (3_000, ids)
        assert dict(stand_in.report().received) == once(ids)
        assert delivery.watch.breaker.is_closed
        assert delivery.watch.breaker.answers.lost <= in_flight + WINDOW_POSTS + 2 * PATIENT_PROBES


_REFUSED = {
    "the first": {0},
    "the last": {1_999},
    "the first three": {0, 1, 2},
    "three in the middle": {998, 999, 1_000},
    "three anywhere": {3, 777, 1_998},
    "the last three": {1_997, 1_998, 1_999},
    "the first thirty": set(range(30)),
    "thirty anywhere": set(range(17, 2_000, 67)),
    "the last thirty": set(range(1_970, 2_000)),
}


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("refused", _REFUSED.values(), ids=_REFUSED)
def test_fan_out_delivers_to_the_others_when_some_are_always_refused(
    certificate: ServerCertificate, refused: set[int], protocol: str
) -> None:
    """Wherever they stand, they are pending after all their tries; the breaker stays closed."""

    def script(post: Post) -> Reaction:
        return answer(403 if number_of(post.connection_id) in refused else 200)

    with _posting(script, certificate, protocol=protocol) as (fan_out, stand_in):
        delivery = deliver(fan_out, connections(2_000))

        ids = {f"c{number}=" for number in refused}
        tries = {one.connection.id: one.tries for one in delivery.settlements if one.reason}
        others = {one.id for one in delivery.taken} - ids
        assert tries == dict.fromkeys(ids, TRIES)
        assert delivery.ids(Outcome.DELIVERED) == others
        assert dict(stand_in.report().received) == once(others)
        assert delivery.watch.breaker.is_closed


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("reaction", [answer(503), StreamReset()], ids=["503", "reset"])
def test_fan_out_delivers_to_the_others_when_thirty_are_always_lost(
    certificate: ServerCertificate, reaction: Reaction, protocol: str
) -> None:
    """The first ones: the endpoint may be probed for a moment, but it does answer."""

    def script(post: Post) -> Reaction:
        return reaction if number_of(post.connection_id) < 30 else Answer(200)

    with _posting(script, certificate, protocol=protocol) as (fan_out, stand_in):
        delivery = deliver(fan_out, connections(2_000))

        lost = {f"c{number}=" for number in range(30)}
        assert delivery.ids(Outcome.PENDING) == lost
        assert dict(stand_in.report().received) == once({f"c{n}=" for n in range(30, 2_000)})
        assert delivery.watch.breaker.stopped_by is None


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_fan_out_probes_first_when_its_slice_was_in_trouble(
    certificate: ServerCertificate, protocol: str
) -> None:
    """The endpoint works again: a few posts go first, then all connections are delivered."""
    until = CLOCK.monotonic() + LONG_SECONDS
    with _posting(_ok, certificate, protocol=protocol) as (fan_out, stand_in):
        watch = Watch(breaker=Breaker(probes_from=CLOCK.monotonic()))
        settlements = fan_out.deliver(FRAME, KnownAudience(connections(500)), until, watch=watch)
        delivered = [one.outcome for one in settlements]

        assert delivered == [Outcome.DELIVERED] * 500
        assert watch.breaker.is_closed
        assert CLOCK.monotonic() < until - LONG_SECONDS + 3.0
        assert set(stand_in.report().received.values()) == {1}


@pytest.mark.usefixtures("hasty_probes")
def test_fan_out_probes_only_when_its_slice_was_in_trouble_and_still_is() -> None:
    """It gets as many posts as there are probes, for each thread."""
    reaction = answer(503)
    with _posting(lambda _post: reaction) as (fan_out, stand_in):
        watch = Watch(breaker=Breaker(Evidence(9_000), probes_from=CLOCK.monotonic()))

        delivery = deliver(fan_out, connections(500), watch=watch)

        assert watch.breaker.stopped_by is Trouble.OUTAGE
        assert 0 < stand_in.report().posts <= THREADS * PATIENT_PROBES
        assert sum(one.tries for one in delivery.settlements) == stand_in.report().posts


class _OpenHanded:
    """A budget that grants all that is asked for, and counts it."""

    def __init__(self) -> None:
        self.granted = 0

    def reserve(self, ask: Ask) -> Grant:
        self.granted += ask.uncharged + ask.most
        return Grant(ask.uncharged + ask.most, CLOCK.epoch_ms() - 10_000.0, 0.001)


@pytest.mark.usefixtures("hasty_probes")
def test_fan_out_reserves_only_what_it_probes_while_its_endpoint_is_down() -> None:
    """The others' posts are not put off by thousands that are never made."""
    reaction, budget = answer(503), _OpenHanded()
    with _posting(lambda _post: reaction, budget=budget) as (fan_out, stand_in):
        watch = Watch(breaker=Breaker(probes_from=CLOCK.monotonic()))

        deliver(fan_out, connections(3_000), watch=watch)

        assert watch.breaker.stopped_by is Trouble.OUTAGE
        assert 0 < stand_in.report().posts <= THREADS * PATIENT_PROBES
        assert budget.granted <= 2 * THREADS * PATIENT_PROBES


def test_fan_out_starts_no_post_until_its_pause_is_moved() -> None:
    """The caller's tick alone can move it; until then nothing is even opened."""
    with _posting(_ok) as (fan_out, stand_in):
        posts: list[int] = []
        watch = Watch(pause_at=CLOCK.monotonic() - 1.0)

        def tick() -> None:
            posts.append(stand_in.report().posts)
            if len(posts) == 3:
                watch.pause_at = CLOCK.monotonic() + LONG_SECONDS

        watch.tick = tick

        delivery = deliver(fan_out, connections(300), watch=watch)

        assert posts[:3] == [0, 0, 0]
        assert delivery.facts() == {(Outcome.DELIVERED, 1, 0)}


def test_fan_out_pauses_in_the_middle_and_goes_on() -> None:
    """What is under way is answered; nothing else is posted in the meantime."""
    with _posting(_ok, in_flight=4) as (fan_out, stand_in):
        watch, posts = Watch(), []

        def tick() -> None:
            posts.append(stand_in.report().posts)
            if len(posts) == 4:
                watch.pause_at = CLOCK.monotonic() + LONG_SECONDS

        def audience() -> Iterator[Connection]:
            for number, connection in enumerate(connections(2_000)):
                if number == 1_500:
                    watch.pause_at = 0.0
                yield connection

        watch.tick = tick

        delivery = deliver(fan_out, audience(), watch=watch)

        assert posts[1] == posts[2] == posts[3] < 2_000
        assert delivery.facts() == {(Outcome.DELIVERED, 1, 0)}


def test_fan_out_ends_at_its_deadline_when_its_pause_is_never_moved() -> None:
    """Every connection that was taken is pending, without a try."""
    with _posting(_ok) as (fan_out, stand_in):
        delivery = deliver(fan_out, connections(300), seconds=0.5, watch=Watch(pause_at=0.0))

        assert delivery.facts() == {(Outcome.PENDING, 0, 0)}
        assert stand_in.report().posts == 0


def test_fan_out_waits_for_answers_when_it_is_to_stop() -> None:
    """No post starts after that, but those under way count by their answers."""
    with _posting(lambda _post: Answer(200, delay_seconds=0.5)) as (fan_out, stand_in):
        began = CLOCK.monotonic()
        watch = Watch(stop_at=began + 0.3)

        delivery = deliver(fan_out, connections(300), watch=watch)

        delivered = delivery.ids(Outcome.DELIVERED)
        assert 1 <= len(delivered) <= IN_FLIGHT
        assert dict(stand_in.report().received) == once(delivered)
        assert {one.tries for one in delivery.settlements if one.outcome is Outcome.PENDING} == {0}
        assert 0.5 <= CLOCK.monotonic() - began < 5.0


def test_fan_out_tells_of_an_endpoint_that_is_silent_though_its_time_is_short() -> None:
    """Its posts were not answered in time, and are too many to be each connection's own trouble."""
    watch = Watch()
    with (
        StandIn(lambda _post: Silence(), tls=None) as stand_in,
        selector_fan_out(stand_in.url, None) as fan_out,
    ):
        deadline = CLOCK.monotonic() + 0.4
        settled = list(
            fan_out.deliver(FRAME, KnownAudience(connections(20)), deadline, watch=watch)
        )

    tried = [one for one in settled if one.tries]
    assert tried
    assert {(one.outcome, one.verdict) for one in tried} == {(Outcome.PENDING, Verdict.LOST)}
    assert watch.breaker.answers == Answers(lost=len(tried))
