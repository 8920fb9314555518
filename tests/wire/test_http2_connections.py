"""How many HTTP/2 connections are opened, and when the first posts leave."""

import socket

import pytest

from broadcasting.outcome import Outcome
from delivery.http import http2_connection
from delivery.selector_fan_out import IN_FLIGHT, THREADS
from testbed.stand_in.certificate import ServerCertificate
from tests.support import http2_reactions as react
from tests.support.http2_posting import Start
from tests.support.http2_server import Http2Server, server_tls
from tests.support.loopback import Loopback, wait_for_end
from tests.support.posting import PATIENT, connections, deliver, once, selector_fan_out

MOST_CONNECTIONS = 32
"""How many are opened for 3,000 posts and more: no more than that."""


@pytest.fixture(autouse=True)
def patient_pings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have pings wait as long as posts do: the server shares this process and its lock.

    On a busy machine none of its threads may run for three seconds. Then it is taken for dead, as
    it has not answered a ping for two, and its posts need a second try. test_http2_time.py is about
    that.
    """
    monkeypatch.setattr(http2_connection, "PING_SECONDS", PATIENT.read_seconds)


def test_fan_out_opens_few_connections_for_many_posts(http2: Start) -> None:
    """Each carries many posts at once; all are under way together."""
    posting = http2(react.answers(200, after_seconds=0.02), in_flight=3_000)

    delivery = posting.deliver(3_000)

    assert delivery.facts() == {(Outcome.DELIVERED, 1, 0)}
    posting.check_delivered_once(delivery)
    assert posting.server.opened <= MOST_CONNECTIONS


def test_fan_out_opens_few_connections_when_as_many_posts_are_under_way_as_usual(
    http2: Start,
) -> None:
    """As in a function where nothing is set."""
    shape = {"in_flight": IN_FLIGHT, "threads": THREADS}
    posting = http2(react.answers(200, after_seconds=0.02), **shape)

    delivery = posting.deliver(3_000)

    assert delivery.facts() == {(Outcome.DELIVERED, 1, 0)}
    assert posting.server.opened <= MOST_CONNECTIONS


def test_fan_out_opens_one_connection_for_one_post(http2: Start) -> None:
    """As over HTTP/1.1."""
    posting = http2(react.ok, in_flight=512)

    posting.deliver(1)

    assert posting.server.opened == 1


def test_fan_out_needs_no_more_connections_than_are_open(http2: Start) -> None:
    """One has room for a hundred posts; the next calls use it."""
    posting = http2(react.answers(200, after_seconds=0.01), in_flight=512, threads=1)
    posting.deliver(1)

    for number in (1, 20, 90):
        assert posting.deliver(number).facts() == {(Outcome.DELIVERED, 1, 0)}

    assert posting.server.opened == 1


def test_fan_out_posts_as_soon_as_the_first_connection_is_open(
    loopback_certificate: ServerCertificate,
) -> None:
    """No other one ever opens: nothing waits for it."""
    server = Http2Server(react.ok, server_tls(loopback_certificate))
    context, turns = server_tls(loopback_certificate), iter(range(1_000))

    def handle(plain: socket.socket) -> None:
        if next(turns):
            wait_for_end(plain)
            return
        with context.wrap_socket(plain, server_side=True) as sock:
            server.serve(sock)

    with (
        server,
        Loopback(handle) as listener,
        selector_fan_out(
            listener.url.replace("http:", "https:"),
            loopback_certificate.ca_path,
            threads=1,
        ) as fan_out,
    ):
        delivery = deliver(fan_out, connections(200))

    assert delivery.facts() == {(Outcome.DELIVERED, 1, 0)}
    assert server.received == once({one.id for one in delivery.taken})
