"""An HTTP/2 connection that cannot be written to any more: what came before is still read."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from delivery.http.connection import NotProcessedError, Response
from delivery.http.http2_connection import READ, WRITE, Http2Connection
from delivery.http.request import Request, RequestTemplate
from tests.support import http2_reactions as react
from tests.support.loopback import is_readable, reset

REQUEST = Request(RequestTemplate((("host", "h"),), b"hi"), "/prod/@connections/a", "signed")
LOST = OSError("lost")


class _Tls(ssl.SSLSocket):
    """TLS whose next calls do what a test says; when nothing is said, it sends and waits."""

    def __init__(self) -> None:
        self.sends: list[Exception | int] = []
        self.receives: list[Exception | bytes] = []
        socket.socket.__init__(self)

    def send(self, data: Any, *_: object) -> int:
        result = self.sends.pop(0) if self.sends else len(data)
        if isinstance(result, Exception):
            raise result
        return result

    def recv(self, *_: object) -> bytes:
        result = self.receives.pop(0) if self.receives else ssl.SSLWantReadError()
        if isinstance(result, Exception):
            raise result
        return result


@pytest.fixture
def tls() -> Iterator[_Tls]:
    """Return TLS in the test's hands."""
    with _Tls() as tls:
        yield tls


def _begun(tls: _Tls, *tokens: str) -> Http2Connection[str]:
    http: Http2Connection[str] = Http2Connection(tls)
    http.send([(token, REQUEST) for token in tokens], 0.0)
    return http


def test_connection_returns_what_has_ended_though_it_cannot_write(tls: _Tls) -> None:
    """The answer and the reason to write come together, and the end is there already."""
    http = _begun(tls, "a")
    tls.receives = [react.settings() + react.headers(1)]
    tls.sends = [LOST]

    endings = http.advance()

    assert list(endings) == [("a", Response(200))]
    assert not http.is_usable


def test_connection_reads_all_before_it_is_lost(tls: _Tls) -> None:
    """It takes no more posts meanwhile, and is lost for the reason why it cannot be written to."""
    http = _begun(tls, "a", "b")
    tls.sends = [LOST]
    tls.receives = [react.settings(), react.headers(1)]

    assert list(http.advance()) == [("a", Response(200))]
    assert (http.room, http.is_usable, http.interest) == (0, True, READ)
    with pytest.raises(OSError, match="lost"):
        http.advance()

    assert list(http.close(LOST)) == [("b", LOST)]


def test_connection_is_lost_when_it_cannot_be_written_to_and_no_selector_shows_it(
    tls: _Tls,
) -> None:
    """Nothing comes to be read: the second look finds it out."""
    http = _begun(tls, "a")
    tls.receives, tls.sends = [react.settings()], [LOST]
    http.advance()

    http.look(1.0)
    with pytest.raises(OSError, match="lost"):
        http.look(1.1)


def test_connection_says_that_posts_were_not_processed_when_not_a_byte_of_them_was_sent(
    tls: _Tls,
) -> None:
    """Those before may have been."""
    http = _begun(tls, "a")
    tls.sends = [LOST]

    http.send([("b", REQUEST), ("c", REQUEST)], 0.0)
    endings = dict(http.close(LOST))

    assert endings["a"] is LOST
    assert {type(endings[token]) for token in "bc"} == {NotProcessedError}


def test_connection_does_not_know_what_was_processed_when_some_was_sent(tls: _Tls) -> None:
    """A part of the posts may have reached the server."""
    http = _begun(tls, "a")
    tls.sends = [10, LOST]

    http.send([("b", REQUEST), ("c", REQUEST)], 0.0)

    assert dict(http.close(LOST)) == dict.fromkeys("abc", LOST)


def test_connection_waits_for_what_writing_wants(tls: _Tls) -> None:
    """TLS may have to read before it can write."""
    http: Http2Connection[str] = Http2Connection(tls)
    tls.sends = [ssl.SSLWantReadError(), ssl.SSLWantWriteError()]

    http.send([("a", REQUEST)], 0.0)
    interests = [http.interest]
    for _ in range(2):
        http.advance()
        interests.append(http.interest)

    assert interests == [READ, READ | WRITE, READ]


def test_connection_waits_when_tls_has_to_write_before_it_can_read(tls: _Tls) -> None:
    """Its own messages come in between."""
    http = _begun(tls, "a")
    tls.receives = [ssl.SSLWantWriteError()]

    assert http.advance() == ()
    assert http.interest == READ | WRITE


def test_connection_reads_answers_that_came_before_a_reset_of_the_socket() -> None:
    """Of a real one: the system keeps them until they are read."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        client = stack.enter_context(socket.create_connection(listener.getsockname()))
        client.settimeout(0)
        server, _ = listener.accept()
        http: Http2Connection[str] = Http2Connection(client)
        http.send([("a", REQUEST)], 0.0)
        server.sendall(react.settings() + react.headers(1))
        reset(server)
        assert is_readable(client)

        http.send([("b", REQUEST)], 0.0)
        endings = dict(http.advance())

    assert endings["a"] == Response(200)
    assert isinstance(endings["b"], NotProcessedError)
