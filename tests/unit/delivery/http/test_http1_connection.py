"""One connection, both of its ends in the test's hands: each byte goes when the test says so."""

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from typing import Any

import pytest

from delivery.http.connection import ClosedError, MalformedAnswerError, Response
from delivery.http.handshake import Handshake, Wrap
from delivery.http.http1_connection import READ, WRITE, Http1Connection
from delivery.http.http1_request import text_of
from delivery.http.http1_response import MAX_ANSWER_BYTES
from delivery.http.request import Request, RequestTemplate
from delivery.http.tls import tls_context
from testbed.stand_in.certificate import ServerCertificate, issue_certificate
from tests.support.loopback import GONE, OK, PATIENCE_SECONDS, is_readable, reset


def _request(body: bytes) -> Request:
    return Request(RequestTemplate((), body), "/prod/@connections/a", "signed")


REQUEST = _request(b"hi")
POST = text_of(REQUEST)
LARGE_REQUEST = _request(b"x" * (128 * 1024))
NAME = "a"
LOST = OSError("lost")
SMALL_BUFFER = 4096
STRAY = [b"x", OK]


class Ends:
    """A client's connection, as yet not open, and the server's end of it."""

    http: Http1Connection[str]

    def __init__(self, certificate: ServerCertificate | None, stack: ExitStack) -> None:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL_BUFFER)
        client.settimeout(0)
        client.connect_ex(listener.getsockname())
        self._handshake = Handshake(client, _wrap_with(certificate) if certificate else None)
        stack.callback(self._handshake.close)
        accepted, _ = listener.accept()
        self.server = accepted
        if certificate:
            self.server = certificate.server_context().wrap_socket(
                accepted, server_side=True, do_handshake_on_connect=False
            )
        self.server.settimeout(0)
        stack.callback(self.server.close)

    def open(self) -> None:
        """Advance both ends until a post can be sent; TLS's session tickets come after that."""
        while (http := self._handshake.advance()) is None:
            if isinstance(self.server, ssl.SSLSocket):
                assert is_readable(self.server)
                self._shake_hands(self.server)
        assert isinstance(http, Http1Connection)
        self.http = http

    def finish_opening(self) -> None:
        """Let the server take note of the handshake's end, and send its session tickets."""
        if isinstance(self.server, ssl.SSLSocket):
            assert is_readable(self.server)
            self._shake_hands(self.server)

    def receive(self, size: int) -> bytes:
        """Receive a number of bytes at the server's end, while the client goes on."""
        data = b""
        while len(data) < size:
            assert self.http.advance() == ()
            try:
                data += self.server.recv(size - len(data))
            except (BlockingIOError, ssl.SSLWantReadError):
                is_readable(self.server, 0.01)
        return data

    def answer(self, data: bytes) -> Response | Exception | None:
        """Send bytes from the server in one piece, and return what the client makes of them."""
        assert self.server.send(data) == len(data)
        return _advance(self.http)

    @staticmethod
    def _shake_hands(server: ssl.SSLSocket) -> None:
        with suppress(ssl.SSLWantReadError):
            server.do_handshake()


def _wrap_with(certificate: ServerCertificate) -> Wrap:
    context = tls_context(str(certificate.ca_path))

    def wrap(sock: socket.socket) -> ssl.SSLSocket:
        return context.wrap_socket(sock, do_handshake_on_connect=False, server_hostname="127.0.0.1")

    return wrap


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> ServerCertificate:
    """Return a certificate for loopback."""
    return issue_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(params=["http", "https"])
def ends(request: pytest.FixtureRequest, certificate: ServerCertificate) -> Iterator[Ends]:
    """Return both ends of an open connection, plain and with TLS."""
    with ExitStack() as stack:
        ends = Ends(certificate if request.param == "https" else None, stack)
        ends.open()
        ends.finish_opening()
        yield ends


@pytest.fixture
def tls_ends(certificate: ServerCertificate) -> Iterator[Ends]:
    """Return both ends of a TLS connection that the client has just opened."""
    with ExitStack() as stack:
        ends = Ends(certificate, stack)
        ends.open()
        yield ends


def test_connection_sends_one_post_after_another(ends: Ends) -> None:
    """The same connection, a new answer each time."""
    http = ends.http

    for number, expected in enumerate([Response(200, b"{}"), Response(410)], start=1):
        http.send([(NAME, REQUEST)], 0.0)
        received = ends.receive(len(POST))
        received_before = http._has_received
        answer = ends.answer(OK if number == 1 else GONE)

        assert (received, answer) == (POST, expected)
        assert (received_before, http._has_received) == (False, True)
        assert (http._answers, http.interest) == (number, READ)


def test_connection_waits_for_nothing_but_the_server_once_it_is_open(ends: Ends) -> None:
    """It has no post yet: a selector that still watched it for writing would never sleep."""
    assert ends.http.interest == READ
    assert (ends.http.room, ends.http.is_usable) == (1, True)
    assert ends.http.close(LOST) == ()


def test_connection_sends_a_large_post_in_parts_when_the_server_reads_slowly(ends: Ends) -> None:
    """Every byte arrives once; meanwhile an early answer would be read."""
    request = _request(bytes(n % 251 for n in range(128 * 1024)))
    post = text_of(request)

    ends.http.send([(NAME, request)], 0.0)
    interest = ends.http.interest
    received = ends.receive(len(post))
    answer = ends.answer(OK)

    assert interest == READ | WRITE
    assert received == post
    assert answer == Response(200, b"{}")
    assert ends.http.interest == READ


def test_connection_is_given_up_when_the_server_answers_half_a_post(ends: Ends) -> None:
    """The remainder of the post would be taken for the next one."""
    ends.http.send([(NAME, LARGE_REQUEST)], 0.0)

    answer = ends.answer(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")

    assert answer == Response(413, b"", keeps_alive=False)


def test_connection_believes_no_delivery_of_half_a_post(ends: Ends) -> None:
    """A server that answers 200 before it has the message has not delivered it."""
    ends.http.send([(NAME, LARGE_REQUEST)], 0.0)

    with pytest.raises(MalformedAnswerError, match="before the whole post was sent"):
        ends.answer(OK)

    assert ends.http.close(LOST) == ((NAME, LOST),)


def test_connection_keeps_the_answer_to_half_a_post_when_the_server_has_reset_it(
    ends: Ends,
) -> None:
    """What came before the reset is read, though the remainder can no more be sent."""
    ends.http.send([(NAME, LARGE_REQUEST)], 0.0)
    ends.server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    ends.server.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
    reset(ends.server)

    answer = _advance(ends.http)

    assert answer == Response(413, b"", keeps_alive=False)


def test_connection_is_lost_when_half_a_post_is_all_that_can_be_sent(ends: Ends) -> None:
    """No answer has come: the reason is why it could not be sent on."""
    ends.http.send([(NAME, LARGE_REQUEST)], 0.0)
    reset(ends.server)

    with pytest.raises(ConnectionError) as lost:
        _advance(ends.http)

    assert ends.http.close(lost.value) == ((NAME, lost.value),)


def test_connection_waits_when_tls_has_to_send_before_it_can_receive() -> None:
    """A change of keys may come in between."""
    client, server = socket.socketpair()

    class WantsToSend(socket.socket):
        def recv(self, *_: Any) -> bytes:
            raise ssl.SSLWantWriteError

    sock = WantsToSend(fileno=client.detach())
    http = Http1Connection[str](sock)
    http.send([(NAME, REQUEST)], 0.0)

    with closing(sock), closing(server):
        assert http.advance() == ()
        assert http.interest == READ | WRITE


def test_connection_puts_an_answer_together_from_pieces(ends: Ends) -> None:
    """No piece is too small."""
    ends.http.send([(NAME, REQUEST)], 0.0)
    ends.receive(len(POST))

    answers = [ends.answer(OK[n : n + 1]) for n in range(len(OK))]

    assert answers == [None] * (len(OK) - 1) + [Response(200, b"{}")]


@pytest.mark.parametrize("stray", STRAY)
def test_connection_is_given_up_when_bytes_come_with_the_answer(ends: Ends, stray: bytes) -> None:
    """In the same segment, and in the same TLS record."""
    ends.http.send([(NAME, REQUEST)], 0.0)
    ends.receive(len(POST))

    answer = ends.answer(GONE + stray)

    assert answer == Response(410, b"", keeps_alive=False)


def test_connection_is_given_up_when_tls_holds_more_than_was_read(tls_ends: Ends) -> None:
    """The answer ends where a read ends, and bytes follow in the same record."""
    tls_ends.finish_opening()
    tls_ends.http.send([(NAME, REQUEST)], 0.0)
    tls_ends.receive(len(POST))
    start = b"HTTP/1.1 410 Gone\r\nContent-Length: 4000\r\nX: "
    data = start + b"x" * (4096 - 4000 - len(start) - 4) + b"\r\n\r\n" + b"y" * 4000

    answer = tls_ends.answer(data + OK)

    assert len(data) == 4096
    assert answer == Response(410, b"y" * 4000, keeps_alive=False)


@pytest.mark.parametrize("stray", STRAY)
def test_connection_is_not_quiet_when_bytes_come_after_the_answer(ends: Ends, stray: bytes) -> None:
    """In a segment and a record of their own."""
    ends.http.send([(NAME, REQUEST)], 0.0)
    ends.receive(len(POST))
    answer = ends.answer(OK)

    ends.server.send(stray)

    assert answer == Response(200, b"{}")
    assert is_readable(ends.http)
    with pytest.raises(OSError, match=r".+"):
        ends.http.advance()


def test_connection_is_quiet_when_nothing_has_come(ends: Ends) -> None:
    """It can be used again."""
    ends.http.send([(NAME, REQUEST)], 0.0)
    ends.receive(len(POST))
    ends.answer(OK)

    assert ends.http.advance() == ()


def test_connection_is_quiet_when_session_tickets_have_come(tls_ends: Ends) -> None:
    """They are TLS's own: readable for the selector, nothing for us."""
    tls_ends.finish_opening()
    is_woken = is_readable(tls_ends.http)

    endings = tls_ends.http.advance()

    assert (is_woken, endings) == (True, ())
    assert not is_readable(tls_ends.http, 0)


def test_connection_is_not_quiet_when_the_server_has_closed_it(ends: Ends) -> None:
    """The server says goodbye in TLS first, as API Gateway does after ten minutes."""
    ends.server.close()

    assert is_readable(ends.http)
    with pytest.raises(OSError, match=r".+"):
        ends.http.advance()


def test_connection_is_not_quiet_when_the_server_has_reset_it(ends: Ends) -> None:
    """The server says nothing first, as a load balancer does."""
    reset(ends.server)

    assert is_readable(ends.http)
    with pytest.raises(OSError, match=r".+"):
        ends.http.advance()


def test_connection_is_closed_before_the_answer(ends: Ends) -> None:
    """The post may or may not have arrived."""
    ends.http.send([(NAME, REQUEST)], 0.0)
    ends.receive(len(POST))
    ends.server.close()

    with pytest.raises(ClosedError, match="before it had answered"):
        _advance(ends.http)
    assert ends.http.close(LOST) == ((NAME, LOST),)


def test_connection_is_closed_within_the_answer(ends: Ends) -> None:
    """The status has come: that is answer enough."""
    ends.http.send([(NAME, REQUEST)], 0.0)
    ends.receive(len(POST))
    ends.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{")
    ends.server.close()

    assert _advance(ends.http) == Response(200, b"", keeps_alive=False)


def test_connection_keeps_the_status_when_it_is_reset_within_the_answer(ends: Ends) -> None:
    """TLS takes a reset for an end, TCP raises it: `close` returns what the error does not say."""
    ends.http.send([(NAME, REQUEST)], 0.0)
    ends.receive(len(POST))
    ends.answer(b"HTTP/1.1 410 Gone\r\nContent-Length: 9\r\n\r\n{")
    reset(ends.server)

    try:
        answer = _advance(ends.http)
    except ConnectionResetError as error:
        ((_, answer),) = ends.http.close(error)

    assert answer == Response(410, b"", keeps_alive=False)


def test_connection_refuses_garbage(ends: Ends) -> None:
    """What is no answer is an error of its own."""
    ends.http.send([(NAME, REQUEST)], 0.0)
    ends.receive(len(POST))

    with pytest.raises(MalformedAnswerError):
        ends.answer(b"\x00\xff\r\n\r\n")


def test_connection_refuses_news_without_end(ends: Ends) -> None:
    """A server that sends faster than we read must not hold the thread."""
    news = b"HTTP/1.1 100 Continue\r\n\r\n" * 40
    ends.http.send([(NAME, REQUEST)], 0.0)
    ends.receive(len(POST))

    answers = [ends.answer(news) for _ in range(MAX_ANSWER_BYTES // len(news))]

    assert answers == [None] * len(answers)
    with pytest.raises(MalformedAnswerError, match="an answer of up to"):
        ends.answer(news)


def _advance(http: Http1Connection[str]) -> Response | Exception | None:
    """Go on as soon as something has come; return what has become of the post, if it has ended."""
    assert is_readable(http, PATIENCE_SECONDS)
    endings = http.advance()
    assert [token for token, _ in endings] == [NAME] * len(endings)
    return endings[0][1] if endings else None


class _Tls(ssl.SSLSocket):
    """TLS that wants what a test says before it does anything: its states are hard to provoke."""

    def __init__(self, wants: list[Exception]) -> None:
        self.wants = wants
        self.sent = b""
        socket.socket.__init__(self)

    def send(self, data: Any, *_: object) -> int:
        self._want()
        self.sent += bytes(data)
        return len(data)

    def recv(self, *_: object) -> bytes:
        raise ssl.SSLWantReadError

    def _want(self) -> None:
        if self.wants:
            raise self.wants.pop(0)


@pytest.fixture
def wanting() -> Iterator[Callable[..., tuple[Http1Connection[str], _Tls]]]:
    """Return what makes a connection whose TLS wants something."""
    with ExitStack() as stack:

        def make(*wants: Exception) -> tuple[Http1Connection[str], _Tls]:
            tls = stack.enter_context(_Tls(list(wants)))
            return Http1Connection(tls), tls

        yield make


Wanting = Callable[..., tuple[Http1Connection[str], _Tls]]


def test_connection_waits_for_what_sending_wants(wanting: Wanting) -> None:
    """TLS may have to read before it can send: its own messages come in between."""
    http, tls = wanting()
    tls.wants = [ssl.SSLWantReadError(), ssl.SSLWantWriteError()]

    http.send([(NAME, REQUEST)], 0.0)
    interests = [http.interest]
    while not tls.sent:
        http.advance()
        interests.append(http.interest)

    assert interests == [READ, READ | WRITE, READ]
    assert tls.sent == POST


def test_connection_is_lost_when_it_cannot_send_on_and_all_is_read(wanting: Wanting) -> None:
    """Nothing more will come that could be waited for."""
    http, tls = wanting()
    tls.wants = [ssl.SSLWantWriteError(), LOST]
    http.send([(NAME, REQUEST)], 0.0)

    with pytest.raises(OSError, match="lost"):
        http.advance()

    assert http.close(LOST) == ((NAME, LOST),)
