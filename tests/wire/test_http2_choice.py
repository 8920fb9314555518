"""Which protocol a server picks, and what it speaks then.

It is picked for each HTTP connection by ALPN; a server that does not keep to it harms no other.
"""

import socket
import ssl
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

import pytest

from broadcasting.outcome import Outcome
from delivery.http import http2_connection
from delivery.http.pool import Timeouts
from testbed.stand_in.certificate import (
    LOOPBACK_NAMES,
    WRONG_NAMES,
    ServerCertificate,
    issue_certificate,
)
from tests.support import http2_reactions as react
from tests.support.http2_posting import Start, ids
from tests.support.http2_server import Http2Server, Peer, server_tls
from tests.support.loopback import OK, Loopback, read_post, wait_for_end
from tests.support.posting import connections, deliver, selector_fan_out

HTTP1_ERROR = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


@pytest.fixture
def hasty_pings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a dead connection found out soon."""
    monkeypatch.setattr(http2_connection, "SILENT_SECONDS", 0.1)
    monkeypatch.setattr(http2_connection, "PING_SECONDS", 0.2)


class _Http1:
    """Answers posts over HTTP/1.1, and counts them; remembers what was picked."""

    def __init__(self) -> None:
        self.received: Counter[bytes] = Counter()
        self.picked: set[str | None] = set()
        self._lock = Lock()

    def __call__(self, server: socket.socket) -> None:
        assert isinstance(server, ssl.SSLSocket)
        with self._lock:
            self.picked.add(server.selected_alpn_protocol())
        while post := read_post(server):
            with self._lock:
                self.received[post.split(b" ", 2)[1]] += 1
            server.sendall(OK)


@pytest.mark.parametrize(
    ("offered", "picked"), [(("http/1.1",), "http/1.1"), ((), None), (("spdy/3",), None)]
)
def test_fan_out_speaks_http1_when_the_server_does_not_pick_http2(
    loopback_certificate: ServerCertificate, offered: tuple[str, ...], picked: str | None
) -> None:
    """HTTP/1.1 is the equal second: by the server's choice, or because it chooses nothing."""
    handler = _Http1()
    with (
        Loopback(handler, server_tls(loopback_certificate, offered)) as server,
        selector_fan_out(server.url, loopback_certificate.ca_path) as fan_out,
    ):
        delivery = deliver(fan_out, connections(100))

    assert delivery.facts() == {(Outcome.DELIVERED, 1, 0)}
    assert sorted(handler.received.values()) == [1] * 100
    assert handler.picked == {picked}


@contextmanager
def _mixed(loopback_certificate: ServerCertificate, http1: _Http1) -> Iterator[str]:
    """Serve HTTP/2 and HTTP/1.1 at one address, by turns."""
    http2 = Http2Server(react.ok, server_tls(loopback_certificate))
    turns = iter(range(10_000))
    contexts = [
        server_tls(loopback_certificate),
        server_tls(loopback_certificate, ("http/1.1",)),
    ]

    def handle(plain: socket.socket) -> None:
        turn = next(turns) % 2
        with contexts[turn].wrap_socket(plain, server_side=True) as sock:
            (http1 if turn else http2.serve)(sock)

    with http2, Loopback(handle) as server:
        yield server.url.replace("http:", "https:")
    for one, number in http2.received.items():
        http1.received[one.encode()] += number


def test_fan_out_speaks_both_protocols_at_once_when_servers_differ(
    loopback_certificate: ServerCertificate,
) -> None:
    """Each HTTP connection has its own: behind one address there may be old servers and new."""
    http1 = _Http1()
    with (
        _mixed(loopback_certificate, http1) as url,
        selector_fan_out(url, loopback_certificate.ca_path) as fan_out,
    ):
        delivery = deliver(fan_out, connections(400))
        protocols = {http.protocol for pool in fan_out._pools for http in pool._connections}

    assert delivery.facts() == {(Outcome.DELIVERED, 1, 0)}
    assert sorted(http1.received.values()) == [1] * 400
    assert protocols == {"h2", "http/1.1"}


@pytest.mark.usefixtures("hasty_probes")
@pytest.mark.parametrize(
    "spoken",
    [HTTP1_ERROR, b"\x00" * 100_000, b"SSH-2.0-OpenSSH_9.6\r\n", react.headers(1), b""],
    ids=["HTTP/1.1", "zeros", "SSH", "answer before SETTINGS", "end"],
)
def test_fan_out_leaves_all_pending_when_servers_pick_http2_and_speak_something_else(
    loopback_certificate: ServerCertificate, spoken: bytes
) -> None:
    """Nothing of it is taken for an answer."""

    def speak(server: socket.socket) -> None:
        server.recv(1)
        server.sendall(spoken)
        if spoken:
            wait_for_end(server)

    with (
        Loopback(speak, server_tls(loopback_certificate)) as server,
        selector_fan_out(server.url, loopback_certificate.ca_path) as fan_out,
    ):
        delivery = deliver(fan_out, connections(20))

    assert delivery.ids(Outcome.PENDING) == ids(delivery)
    assert all(reason.split(":")[0] in _REASONS for reason in delivery.reasons())


_REASONS = {"Http2Error", "ClosedError", "ConnectionResetError", "SSLEOFError"}


@pytest.mark.usefixtures("hasty_probes", "hasty_pings")
def test_fan_out_leaves_all_pending_when_servers_pick_http2_and_say_nothing(
    loopback_certificate: ServerCertificate,
) -> None:
    """A ping finds it out, long before the posts would take too long."""
    with (
        Loopback(wait_for_end, server_tls(loopback_certificate)) as server,
        selector_fan_out(server.url, loopback_certificate.ca_path) as fan_out,
    ):
        delivery = deliver(fan_out, connections(20), seconds=20.0)

    assert delivery.ids(Outcome.PENDING) == ids(delivery)
    assert delivery.reasons() & {"TimeoutError: the server has not answered a ping within 0.2 s"}


def test_fan_out_delivers_when_some_servers_speak_no_http2(http2: Start) -> None:
    """The others take the posts."""

    def begin(peer: Peer) -> None:
        if len(posting.server.peers) % 3 == 1:
            peer.raw(HTTP1_ERROR)
            peer.hang_up()
        peer.begin()

    posting = http2(react.ok, on_open=begin)

    delivery = posting.deliver(200)

    posting.check_delivered_once(delivery)


def test_fan_out_posts_before_a_server_has_sent_its_settings(http2: Start) -> None:
    """It takes long to say hello: the posts are there by then."""

    def begin(peer: Peer) -> None:
        peer.pause(0.3)
        peer.begin()

    posting = http2(react.ok, on_open=begin)

    delivery = posting.deliver(200)

    assert delivery.facts() == {(Outcome.DELIVERED, 1, 0)}
    posting.check_delivered_once(delivery)


@pytest.mark.usefixtures("hasty_probes")
@pytest.mark.parametrize("wrong", ["name", "authority"])
def test_fan_out_sends_nothing_over_http2_when_the_certificate_does_not_verify(
    loopback_certificate: ServerCertificate, tmp_path: Path, wrong: str
) -> None:
    """Not a byte of a message goes to that server; nothing counts as a try."""
    names = WRONG_NAMES if wrong == "name" else LOOPBACK_NAMES
    other = issue_certificate(tmp_path, names=names)
    trusted = other if wrong == "name" else loopback_certificate
    with (
        Http2Server(react.ok, server_tls(other)) as server,
        selector_fan_out(server.url, trusted.ca_path) as fan_out,
    ):
        delivery = deliver(fan_out, connections(20))

    assert delivery.facts() == {(Outcome.PENDING, 0, 0)}
    assert all("certificate verify failed" in reason for reason in delivery.reasons())
    assert server.peers == []


@pytest.mark.usefixtures("hasty_probes")
def test_fan_out_leaves_all_pending_when_the_handshake_hangs(
    loopback_certificate: ServerCertificate,
) -> None:
    """The time-out for opening covers TLS and ALPN."""
    with (
        Loopback(wait_for_end) as server,
        selector_fan_out(
            server.url.replace("http:", "https:"),
            loopback_certificate.ca_path,
            timeouts=Timeouts(connect_seconds=0.1),
        ) as fan_out,
    ):
        delivery = deliver(fan_out, connections(20))

    assert delivery.facts() == {(Outcome.PENDING, 0, 0)}
    assert delivery.reasons() == {"TimeoutError: no connection within 0.1 s"}
