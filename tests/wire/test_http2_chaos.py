"""Faults of HTTP/2 at the wire, many at once and in any order: nothing is lost, and none is twice.

A fault that fails once fails again with its seed, as far as threads let it.
"""

import random
from collections.abc import Callable, Sequence

import pytest
from h2.settings import SettingCodes

from broadcasting.outcome import Outcome
from delivery.http.connection import Ending, Response
from delivery.http.connector import Connector
from delivery.http.endpoint import parse_endpoint
from delivery.http.pool import HttpPool, Timeouts
from delivery.http.request import Request
from delivery.http.tls import tls_context
from delivery.signing import Signer
from testbed.stand_in.certificate import ServerCertificate
from tests.support import http2_reactions as react
from tests.support.http2_posting import Start, ids, tries
from tests.support.http2_server import Http2Server, Peer, Post, Script, server_tls
from tests.support.posting import CLOCK, CREDENTIALS, PATIENT, PERSISTENT, REGION

SEEDS = pytest.mark.parametrize("seed", range(6))


def _limit_streams(peer: Peer, number: int) -> None:
    peer.change(SettingCodes.MAX_CONCURRENT_STREAMS, number)


def _limit_window(peer: Peer, size: int) -> None:
    peer.change(SettingCodes.INITIAL_WINDOW_SIZE, size)
    peer.later(0.02, lambda: peer.change(SettingCodes.INITIAL_WINDOW_SIZE, 65_535))


def _limit_table(peer: Peer, size: int) -> None:
    peer.change(SettingCodes.HEADER_TABLE_SIZE, size)


def _polite(seed: int) -> Script:
    """Return a script that changes its mind, refuses and leaves, and always says so."""
    chance = random.Random(seed)  # noqa: S311 - a test's, not a secret
    changes: Sequence[Callable[[Peer], None]] = (
        lambda peer: _limit_streams(peer, chance.choice((1, 3, 20, 100))),
        lambda peer: _limit_window(peer, chance.choice((0, 1, 20, 70_000))),
        lambda peer: _limit_table(peer, chance.choice((0, 90, 700, 4_096))),
        lambda peer: peer.raw(react.ping()),
        lambda peer: peer.raw(react.window_update(0, 1)),
        lambda peer: peer.raw(react.goaway(react.NO_LIMIT)),
    )

    def script(peer: Peer, post: Post) -> None:
        if chance.random() < 0.1:
            chance.choice(changes)(peer)
        if chance.random() < 0.05 and post.attempt <= 2:
            react.refuse(peer, post)
        elif chance.random() < 0.5:
            peer.later(0.02 * chance.random(), lambda: react.ok(peer, post))
        else:
            react.ok(peer, post)
        if chance.random() < 0.03:
            react.leave(peer, post.stream_id, chance.choice((0, 2)))

    return script


def _reset_amid_answer(peer: Peer, post: Post) -> None:
    react.begin_answer(peer, post)
    react.refuse(peer, post)


def _cut_after(peer: Peer, post: Post) -> None:
    react.ok(peer, post)
    peer.cut()


def _rude(seed: int) -> Script:
    """Return a script that ends streams and connections at any time, too."""
    chance = random.Random(seed)  # noqa: S311 - a test's, not a secret
    polite = _polite(seed)
    faults: Sequence[Script] = (
        react.answers(503),
        react.answers(429),
        lambda peer, post: react.refuse(peer, post, react.INTERNAL_ERROR),
        _reset_amid_answer,
        lambda peer, post: peer.raw(react.headers(post.stream_id, b"\x84")),
        lambda peer, _post: peer.cut(),
        lambda peer, _post: peer.hang_up(),
        _cut_after,
        lambda peer, _post: peer.raw(b"\xff" * 20),
    )

    def script(peer: Peer, post: Post) -> None:
        is_faulty = chance.random() < 0.03 and post.attempt <= 2
        (chance.choice(faults) if is_faulty else polite)(peer, post)

    return script


@SEEDS
def test_fan_out_delivers_once_at_the_first_try_whatever_a_polite_server_does(
    http2: Start, seed: int
) -> None:
    """What the server says it has not processed is no try, and no duplicate."""
    posting = http2(_polite(seed), in_flight=64)

    delivery = posting.deliver(600)

    assert delivery.facts() == {(Outcome.DELIVERED, 1, 0)}
    posting.check_delivered_once(delivery)


@SEEDS
def test_fan_out_delivers_whatever_a_rude_server_does(http2: Start, seed: int) -> None:
    """A connection that received the frame twice has had a try without an answer."""
    posting = http2(_rude(seed), in_flight=64, backoff=PERSISTENT)

    delivery = posting.deliver(600)

    assert delivery.ids(Outcome.DELIVERED) == ids(delivery) == posting.server.received.keys()
    had = tries(delivery)
    assert all(number <= had[one] for one, number in posting.server.received.items())
    assert [pool.under_way for pool in posting.fan_out._pools] == [0, 0]


@SEEDS
@pytest.mark.parametrize("make_script", [_polite, _rude])
def test_pool_gives_each_token_back_once_whatever_a_server_does(
    loopback_certificate: ServerCertificate, make_script: Callable[[int], Script], seed: int
) -> None:
    """With a response or a reason; a 200 is one that the server has given to this very post."""
    with Http2Server(make_script(seed), server_tls(loopback_certificate)) as server:
        endings = _send_all(server, str(loopback_certificate.ca_path), 300)

    delivered = [token for token, result in endings if result_is_200(result)]
    assert sorted(token for token, _ in endings) == sorted(f"c{one}=" for one in range(300))
    assert set(delivered) <= server.received.keys()
    assert set(server.received.values()) == {1}


def result_is_200(result: Response | Exception) -> bool:
    """Tell whether a post was delivered."""
    return isinstance(result, Response) and result.status == 200


def _send_all(server: Http2Server, ca_path: str, number: int) -> list[Ending[str]]:
    """Send a number of posts, each once; return how they end."""
    endpoint = parse_endpoint(server.url)
    connector = Connector(endpoint, tls_context(ca_path), CLOCK)
    connector.resolve(PATIENT.connect_seconds)
    pool: HttpPool[str] = HttpPool(
        connector, size=40, most_connections=20, timeouts=Timeouts(30.0, 2.0), clock=CLOCK
    )
    signer = Signer(endpoint, region=REGION, credentials=lambda: CREDENTIALS)
    template = signer.template(b"frame", CLOCK.epoch_ms() / 1000)
    waiting = [(f"c{one}=", template.sign(f"c{one}=")) for one in range(number)]
    endings = _drive(pool, waiting)
    assert pool.under_way == 0
    pool.close()
    connector.close()
    return endings


def _drive(pool: HttpPool[str], waiting: list[tuple[str, Request]]) -> list[Ending[str]]:
    endings: list[Ending[str]] = []
    while waiting or pool.under_way:
        going = min(pool.room, len(waiting))
        if going:
            endings += pool.send(waiting[:going])
            del waiting[:going]
        if pool.may_open(len(waiting)):
            pool.open()
        endings += pool.poll(0.01)
        endings += pool.expire()
        assert not pool.take_failures()
    return endings
