"""How a socket becomes an open connection, step by step, and what may go wrong on the way."""

import socket
import ssl
from contextlib import closing

import pytest

from delivery.http.handshake import READ, WRITE, Handshake
from delivery.http.http1_connection import Http1Connection
from delivery.http.tls import tls_context
from testbed.stand_in.certificate import ServerCertificate, issue_certificate
from tests.support.loopback import is_readable, unused_port


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> ServerCertificate:
    """Return a certificate for loopback."""
    return issue_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.mark.parametrize("is_tls", [False, True])
def test_handshake_fails_when_the_connection_is_refused(
    is_tls: bool,  # noqa: FBT001 - a parameter of pytest's
    certificate: ServerCertificate,
) -> None:
    """No server listens on that port."""
    context = tls_context(str(certificate.ca_path))
    sock = socket.socket()
    sock.settimeout(0)
    sock.connect_ex(("127.0.0.1", unused_port()))

    with closing(Handshake(sock, context.wrap_socket if is_tls else None)) as handshake:
        assert is_readable(handshake)
        with pytest.raises(OSError, match=r".+"):
            handshake.advance()


class _Tls(ssl.SSLSocket):
    """TLS that wants what a test says before its handshake is done."""

    def __init__(self, wants: list[Exception]) -> None:
        self.wants = wants
        socket.socket.__init__(self)

    def do_handshake(self, *_: object) -> None:
        if self.wants:
            raise self.wants.pop(0)

    def selected_alpn_protocol(self) -> str | None:
        return None


def test_handshake_waits_for_what_tls_wants() -> None:
    """To read, then to write; then the connection is open."""
    tls = _Tls([ssl.SSLWantReadError(), ssl.SSLWantWriteError()])
    with closing(Handshake(tls, lambda _sock: tls)) as handshake:
        began = handshake.interest

        steps = [(handshake.advance(), handshake.interest) for _ in range(2)]
        http = handshake.advance()

        assert (began, steps) == (WRITE, [(None, READ), (None, WRITE)])
        assert isinstance(http, Http1Connection)
        assert http.interest == READ
