"""A fan-out tells which protocol its connections speak, and how often it was asked for calm."""

import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from itertools import count

import pytest
from botocore.session import Session

from broadcasting.outcome import Outcome
from delivery.selector_fan_out import SelectorFanOut
from settings import BroadcastSettings
from testbed.function.event_source import Queue
from testbed.stand_in.certificate import ServerCertificate, issue_certificate
from testbed.tables import function_environment
from tests.support.http2_probed import Status, serve_http2
from tests.support.loopback import OK, Loopback, read_post, unused_port
from tests.support.posting import (
    CLOCK,
    REGION,
    boto3_fan_out,
    connections,
    deliver,
    selector_fan_out,
)
from wiring import build_broadcast


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> ServerCertificate:
    """Return a certificate for loopback."""
    return issue_certificate(tmp_path_factory.mktemp("certificate"))


def _ok(_head: Mapping[str, str]) -> int:
    return 200


@contextmanager
def _serving(tls: ssl.SSLContext, status_of: Status = _ok) -> Iterator[Loopback]:
    """Serve whichever protocol TLS has agreed on."""

    def answer(sock: socket.socket) -> None:
        assert isinstance(sock, ssl.SSLSocket)
        if sock.selected_alpn_protocol() == "h2":
            serve_http2(sock, status_of)
        while read_post(sock):
            sock.sendall(OK)

    with Loopback(answer, tls) as server:
        yield server


@contextmanager
def _posting(
    certificate: ServerCertificate, tls: ssl.SSLContext, status_of: Status = _ok
) -> Iterator[SelectorFanOut]:
    """Serve, and make a fan-out to that server."""
    with (
        _serving(tls, status_of) as server,
        selector_fan_out(server.url, certificate.ca_path, threads=1) as fan_out,
    ):
        yield fan_out


@pytest.mark.parametrize("protocol", ["h2", "http/1.1"])
def test_fan_out_tells_what_its_connections_speak(
    certificate: ServerCertificate, protocol: str
) -> None:
    """What the server has chosen; nothing before a connection was open."""
    tls = certificate.server_context()
    tls.set_alpn_protocols([protocol])
    with _posting(certificate, tls) as fan_out:
        before = fan_out.protocol

        delivery = deliver(fan_out, connections(20))

        assert len(delivery.ids(Outcome.DELIVERED)) == 20
        assert (before, fan_out.protocol, fan_out.calmed) == ("", protocol, 0)


def test_fan_out_tells_both_protocols_when_its_connections_speak_both(
    certificate: ServerCertificate,
) -> None:
    """As while the server is being replaced by one that speaks another."""
    tls, handshakes = certificate.server_context(), count()

    def choose(sock: ssl.SSLObject | ssl.SSLSocket, *_: object) -> None:
        chosen = certificate.server_context()
        chosen.set_alpn_protocols(["h2" if next(handshakes) % 2 else "http/1.1"])
        sock.context = chosen

    tls.sni_callback = choose
    with _posting(certificate, tls) as fan_out:
        fan_out._pools[0].poll(0)
        fan_out._make_ready(float("inf"))
        for _ in range(2):
            fan_out._pools[0].open()
        while fan_out._pools[0].is_opening:
            fan_out._pools[0].poll(1)

        told = fan_out.protocol

        assert told == "h2+http/1.1"


def test_fan_out_counts_how_often_it_was_asked_for_calm(certificate: ServerCertificate) -> None:
    """The server has processed nothing: the post goes again once it is calm."""
    tls, requests = certificate.server_context(), count()
    tls.set_alpn_protocols(["h2"])
    with _posting(certificate, tls, lambda _: 200 if next(requests) else 0) as fan_out:
        delivery = deliver(fan_out, connections(1))

        assert {(one.outcome, one.tries) for one in delivery.settlements} == {
            (Outcome.DELIVERED, 1)
        }
        assert (fan_out.protocol, fan_out.calmed) == ("h2", 1)


def test_reference_tells_the_protocol_once_it_has_posted(certificate: ServerCertificate) -> None:
    """What botocore speaks does not depend on what the server offers."""
    tls = certificate.server_context()
    tls.set_alpn_protocols(["h2", "http/1.1"])

    def answer(sock: socket.socket) -> None:
        while read_post(sock):
            sock.sendall(OK)

    with (
        Loopback(answer, tls) as server,
        boto3_fan_out(server.url, certificate.ca_path) as fan_out,
    ):
        before = fan_out.protocol

        deliver(fan_out, connections(5))

        assert (before, fan_out.protocol, fan_out.calmed) == ("", "http/1.1", 0)


@pytest.mark.parametrize(("is_offered", "protocol"), [(True, "h2"), (False, "http/1.1")])
def test_function_speaks_http2_only_where_its_settings_offer_it(
    certificate: ServerCertificate,
    monkeypatch: pytest.MonkeyPatch,
    is_offered: bool,  # noqa: FBT001 - a parameter of pytest's
    protocol: str,
) -> None:
    """The server takes both, and would choose HTTP/2."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{unused_port()}")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    tls = certificate.server_context()
    tls.set_alpn_protocols(["h2", "http/1.1"])
    with _serving(tls) as server:
        settings = BroadcastSettings.read(
            function_environment(
                callback_url=server.url,
                slices=Queue("http://q/slices", "arn:slices", "http://q/slice-dead"),
                dead_letters_url="http://q/dead",
                posts_per_second=1_000,
                post_burst=1_000,
            )
            | {"HTTP2": str(is_offered).lower(), "AWS_CA_BUNDLE": str(certificate.ca_path)}
        )
        fan_out = build_broadcast(settings, Session(), CLOCK).worker.fan_out
        assert isinstance(fan_out, SelectorFanOut)
        with closing(fan_out):
            delivery = deliver(fan_out, connections(3))

            assert len(delivery.ids(Outcome.DELIVERED)) == 3
            assert fan_out.protocol == protocol
