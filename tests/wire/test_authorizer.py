"""The authorizer with its own fetch of keys, over a real connection."""

import socket
import time

import pytest
from botocore.session import Session

from access.key_fetch import MOST_SECONDS
from authorizer_wiring import AuthorizerWiring, build_authorizer
from handlers.authorize import decide
from settings import AuthorizerSettings
from system_clock import SYSTEM_CLOCK
from tests.support.authorizing import PUBLIC_KEYS, connecting, effect
from tests.support.loopback import Loopback, silent_port
from tests.support.tokens import CLAIMS, jwks, rsa_jwk, rsa_key, signed_rsa

KEYS = jwks(rsa_jwk(rsa_key(), kid="rsa"))


def _no_session() -> Session:
    pytest.fail("public keys need no AWS")


def _wired(url: str) -> AuthorizerWiring:
    settings = AuthorizerSettings.read(PUBLIC_KEYS | {"JWKS_URL": url})
    return build_authorizer(settings, _no_session, SYSTEM_CLOCK)


def _token(kid: str = "rsa") -> str:
    return signed_rsa(CLAIMS | {"exp": int(time.time()) + 60}, kid=kid)


def _publish(sock: socket.socket) -> None:
    sock.recv(65_536)
    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(KEYS), KEYS))


def test_authorizer_lets_in_by_the_keys_that_its_issuer_publishes() -> None:
    """It fetches them for the first client, and not for those that follow."""
    with Loopback(_publish) as issuer:
        wired = _wired(f"{issuer.url}/keys")
        answers = [decide(connecting(_token()), lambda: wired) for _ in range(3)]
        unknown = decide(connecting(_token("made-up")), lambda: wired)

    assert [effect(one) for one in answers] == ["Allow"] * 3
    assert effect(unknown) == "Deny"
    assert issuer.accepted == 1


def test_authorizer_refuses_in_time_when_its_issuer_is_silent() -> None:
    """The first client waits for that, the next one does not."""
    with silent_port() as port:
        wired = _wired(f"http://127.0.0.1:{port}/keys")
        begun = time.monotonic()
        answers = [decide(connecting(_token()), lambda: wired) for _ in range(5)]

    assert [effect(one) for one in answers] == ["Deny"] * 5
    assert time.monotonic() - begun < 2 * MOST_SECONDS
