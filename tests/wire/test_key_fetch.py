"""Fetching an issuer's keys over real connections: what is taken, and what is refused in time."""

import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Thread, current_thread
from typing import Any

import pytest

from access import key_fetch
from access.key_errors import KeysError
from access.key_fetch import KeyFetcher
from access.key_set import MOST_BYTES, parse_key_set
from access.key_url import parse_key_url
from delivery.http.tls import ALPN_OF_HTTP1, tls_context
from testbed.stand_in.certificate import WRONG_NAMES, ServerCertificate, issue_certificate
from tests.support.loopback import Handler, Loopback, found, silent_port, swallowing_port
from tests.support.tokens import jwks, rsa_jwk, rsa_key

KEYS = jwks(rsa_jwk(rsa_key(), kid="rsa"))
SPARE_SECONDS = 1.5
"""How much later than its deadline a fetch may end on a busy machine."""


def _answer(body: bytes, status: str = "200 OK", **headers: object) -> bytes:
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body


def _read_request(sock: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        piece = sock.recv(65_536)
        if not piece:
            break
        data += piece
    return data


def _answering(*answers: bytes, requests: list[bytes] | None = None) -> Handler:
    """Return a server that gives an answer for each connection."""
    left = list(answers)

    def handle(sock: socket.socket) -> None:
        request = _read_request(sock)
        if requests is not None:
            requests.append(request)
        sock.sendall(left.pop(0))

    return handle


@pytest.fixture
def trusting(loopback_certificate: ServerCertificate) -> ssl.SSLContext:
    """Return what trusts the servers of these tests."""
    return tls_context(str(loopback_certificate.ca_path), ALPN_OF_HTTP1)


@pytest.fixture
def served(loopback_certificate: ServerCertificate) -> Callable[[Handler], Loopback]:
    """Return what makes an https server of a handler."""
    return lambda handler: Loopback(handler, loopback_certificate.server_context(("http/1.1",)))


def _fetcher(server: Loopback, tls: ssl.SSLContext | None, path: str = "/keys") -> KeyFetcher:
    url = f"{server.url.removesuffix('/prod')}{path}"
    return KeyFetcher(parse_key_url(url), tls=tls)


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a fetch end after 0.3 seconds, where the waiting is not the point."""
    monkeypatch.setattr(key_fetch, "MOST_SECONDS", 0.3)


@contextmanager
def _in_time() -> Iterator[None]:
    begun = time.monotonic()
    yield
    assert time.monotonic() - begun < key_fetch.MOST_SECONDS + SPARE_SECONDS


Serve = Callable[[Handler], Loopback]


def test_fetch_takes_the_document_of_an_https_server(
    served: Serve, trusting: ssl.SSLContext
) -> None:
    """It asks for one path, of one host, and sends nothing else."""
    requests: list[bytes] = []

    with served(_answering(_answer(KEYS), requests=requests)) as server:
        document = _fetcher(server, trusting, "/pool/keys?v=1").fetch()

    assert len(parse_key_set(document)) == 1
    assert requests[0].splitlines() == [
        b"GET /pool/keys?v=1 HTTP/1.1",
        b"Accept-Encoding: identity",
        f"Host: 127.0.0.1:{server.port}".encode(),
        b"Accept: application/json",
        b"User-Agent: crier",
        b"Connection: close",
        b"",
    ]


def test_fetch_takes_a_document_in_chunks_and_one_that_ends_with_the_connection(
    served: Serve, trusting: ssl.SSLContext
) -> None:
    """Servers send either."""
    head = b"HTTP/1.1 200 OK\r\n"
    chunked = head + b"Transfer-Encoding: chunked\r\n\r\n"
    chunked += b"%x\r\n%s\r\n0\r\n\r\n" % (len(KEYS), KEYS)

    with served(_answering(chunked, head + b"\r\n" + KEYS)) as server:
        fetcher = _fetcher(server, trusting)
        documents = [fetcher.fetch(), fetcher.fetch()]

    assert documents == [KEYS, KEYS]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_fetch_takes_the_document_of_an_http_server_on_this_machine(host: str) -> None:
    """As the local run has one."""
    with Loopback(_answering(_answer(KEYS))) as server:
        url = parse_key_url(f"http://{host}:{server.port}/keys")

        assert KeyFetcher(url, tls=None).fetch() == KEYS


def test_fetch_sends_plain_http_to_no_other_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the name localhost stands for."""
    elsewhere = found(("192.0.2.1", 80), ("2001:db8::1", 80))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: elsewhere)
    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("asked another machine"))

    with pytest.raises(KeysError, match="OSError"):
        KeyFetcher(parse_key_url("http://localhost/keys"), tls=None).fetch()


def test_fetch_asks_four_addresses_each_with_its_share_of_the_time(
    monkeypatch: pytest.MonkeyPatch, trusting: ssl.SSLContext
) -> None:
    """Those of an https server may be anywhere; what the first ones leave is for the last one."""
    several = found(*[(f"192.0.2.{number}", 443) for number in range(1, 6)])
    asked: list[tuple[str, float]] = []

    def refuse(sock: socket.socket, address: Any, seconds: float) -> socket.socket:
        sock.close()
        asked.append((address[0], seconds))
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: several)
    monkeypatch.setattr(key_fetch, "_connected", refuse)
    url = parse_key_url("https://issuer.example/keys")

    with pytest.raises(KeysError, match="ConnectionRefusedError"):
        KeyFetcher(url, tls=trusting, monotonic=lambda: 0.0).fetch()

    shares = [key_fetch.MOST_SECONDS / left for left in (4, 3, 2, 1)]
    assert asked == [(f"192.0.2.{place}", share) for place, share in enumerate(shares, 1)]


def test_fetch_asks_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that the environment names would see the keys, and could change them."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")

    with Loopback(_answering(_answer(KEYS))) as server:
        assert _fetcher(server, None).fetch() == KEYS


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_fetch_follows_one_redirect_within_its_host(
    status: int, served: Serve, trusting: ssl.SSLContext
) -> None:
    """Issuers move their keys."""
    requests: list[bytes] = []
    moved = _answer(b"", f"{status} Moved", Location="/other?a")

    with served(_answering(moved, _answer(KEYS), requests=requests)) as server:
        assert _fetcher(server, trusting).fetch() == KEYS

    assert requests[1].startswith(b"GET /other?a HTTP/1.1\r\n")


def test_fetch_follows_no_second_redirect(served: Serve, trusting: ssl.SSLContext) -> None:
    """It could go on for ever."""
    moved = _answer(b"", "302 Found", Location="/keys")

    with (
        served(_answering(moved, moved)) as server,
        pytest.raises(KeysError, match="a second redirect"),
    ):
        _fetcher(server, trusting).fetch()

    assert server.accepted == 2


def test_fetch_stays_with_its_url_when_a_redirect_names_none() -> None:
    """It asks once more, and for nothing else."""
    requests: list[bytes] = []
    moved = _answer(b"", "302 Found")

    with (
        Loopback(_answering(moved, moved, requests=requests)) as server,
        pytest.raises(KeysError, match="a second redirect"),
    ):
        _fetcher(server, None, "/pool/keys").fetch()

    assert [one.split()[1] for one in requests] == [b"/pool/keys"] * 2


def test_fetch_follows_no_redirect_elsewhere(served: Serve, trusting: ssl.SSLContext) -> None:
    """To another host, another port or to http: another server is never asked.

    The operator is told that it is the redirect, without its URL.
    """
    elsewhere, wrong = "a redirect to another host", "wrong redirect: expected an https URL"
    with Loopback(_answering(_answer(KEYS))) as other:
        for location, expected in (
            (f"http://127.0.0.1:{other.port}/keys", elsewhere),
            (f"https://127.0.0.1:{other.port}/keys", elsewhere),
            (f"https://localhost:{other.port}/keys", elsewhere),
            (f"//127.0.0.1:{other.port}/keys", elsewhere),
            ("file:///etc/passwd", wrong),
            ("https://[::1/keys", wrong),
            ("", "a second redirect"),
        ):
            moved = _answer(b"", "302 Found", Location=location)
            again = _answer(b"", "302 Found", Location=location)
            with (
                served(_answering(moved, again)) as server,
                pytest.raises(KeysError, match=expected) as error,
            ):
                _fetcher(server, trusting).fetch()
            assert str(other.port) not in str(error.value)

    assert other.accepted == 0


@pytest.mark.parametrize("status", ["201 Created", "204 None", "304 Same", "403 No", "500 Down"])
def test_fetch_takes_no_other_status(status: str, served: Serve, trusting: ssl.SSLContext) -> None:
    """The error names it, and not the URL."""
    expected = f"status {status[:3]}, expected 200"

    with (
        served(_answering(_answer(KEYS, status))) as server,
        pytest.raises(KeysError, match=expected) as caught,
    ):
        _fetcher(server, trusting).fetch()

    assert "127.0.0.1" not in str(caught.value)


@pytest.mark.parametrize(
    "answer",
    [
        _answer(b"x" * (MOST_BYTES + 1)),
        _answer(b"x" * 2**20),
        b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 2**20,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"400\r\n" + b"x" * 2**20,
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 2**17,
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 2**20,
        b"HTTP/1.1 100 Continue\r\n\r\n" * 2**15,
    ],
)
def test_fetch_takes_no_large_answer(
    answer: bytes, served: Serve, trusting: ssl.SSLContext
) -> None:
    """Neither a large document nor a large head, nor any number of answers before it."""
    handler = _answering(answer)

    def handle(sock: socket.socket) -> None:
        with suppress(OSError):  # it hangs up in the middle
            handler(sock)

    with _in_time(), served(handle) as server, pytest.raises(KeysError):
        _fetcher(server, trusting).fetch()


def test_fetch_takes_a_document_of_64_kb(served: Serve, trusting: ssl.SSLContext) -> None:
    """The largest one."""
    with served(_answering(_answer(b"x" * MOST_BYTES))) as server:
        assert len(_fetcher(server, trusting).fetch()) == MOST_BYTES


@pytest.mark.parametrize("more", [0, 1])
def test_fetch_counts_all_that_comes_before_a_document(
    more: int, served: Serve, trusting: ssl.SSLContext
) -> None:
    """128 KB are taken, head and body, and not a byte beyond them."""
    document = _answer(b"x" * MOST_BYTES)
    interim = b"HTTP/1.1 100 Continue\r\n%s\r\n"
    left = 2 * MOST_BYTES + more - len(document)
    before = [interim % b""] * 1_000
    padding = left - sum(map(len, before)) - len(interim % b"X: \r\n")
    answer = b"".join([*before, interim % (b"X: %s\r\n" % (b"y" * padding)), document])

    with served(_answering(answer)) as server:
        fetcher = _fetcher(server, trusting)
        if more == 0:
            assert len(fetcher.fetch()) == MOST_BYTES
        else:
            with pytest.raises(KeysError, match="the answer has over 131072 bytes"):
                fetcher.fetch()


@pytest.mark.parametrize(
    "answer", [b"", b"\r\n\r\n", b"SSH-2.0-x\r\n", b"HTTP/9 x\r\n\r\n", b"\0" * 99]
)
def test_fetch_takes_no_answer_that_is_not_http(
    answer: bytes, served: Serve, trusting: ssl.SSLContext
) -> None:
    """It is an error like others, so that the last keys hold."""
    with served(_answering(answer)) as server, pytest.raises(KeysError):
        _fetcher(server, trusting).fetch()


def _trickle(sock: socket.socket, head: bytes, piece: bytes) -> None:
    _read_request(sock)
    with suppress(OSError):
        sock.sendall(head)
        for _ in range(500):
            time.sleep(0.02)
            sock.sendall(piece)


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize(
    ("head", "piece"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n", b"x"),
        (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
        (b"HTTP/1.1 200 OK\r\nX: ", b"y"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
)
def test_fetch_is_over_in_time_when_the_answer_trickles(
    head: bytes, piece: bytes, served: Serve, trusting: ssl.SSLContext
) -> None:
    """The time is for all of it, not for each piece."""
    with (
        served(lambda sock: _trickle(sock, head, piece)) as server,
        _in_time(),
        pytest.raises(KeysError, match="TimeoutError"),
    ):
        _fetcher(server, trusting).fetch()


def test_fetch_takes_2_seconds_at_most() -> None:
    """A client waits, and the function has 5 for all that it does."""
    assert key_fetch.MOST_SECONDS == 2.0


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("open_port", [silent_port, swallowing_port])
@pytest.mark.parametrize("scheme", ["https", "http"])
def test_fetch_is_over_in_time_when_the_server_says_nothing(
    open_port: Callable[[], Any], scheme: str, trusting: ssl.SSLContext
) -> None:
    """It does not accept, or accepts and is silent: before TLS, too."""
    with open_port() as port, _in_time(), pytest.raises(KeysError, match="TimeoutError"):
        KeyFetcher(parse_key_url(f"{scheme}://127.0.0.1:{port}/"), tls=trusting).fetch()


@pytest.mark.parametrize("scheme", ["https", "http"])
def test_fetch_sends_nothing_once_its_time_is_over(
    scheme: str, monkeypatch: pytest.MonkeyPatch, trusting: ssl.SSLContext
) -> None:
    """Neither a request nor, over https, the handshake before it."""
    # It begins, looks the host up, connects, and then its time is over.
    clock = iter([0.0, 0.0, 0.0, *[key_fetch.MOST_SECONDS] * 9])
    ours, theirs = socket.socketpair()
    theirs.shutdown(socket.SHUT_WR)

    def connected(sock: socket.socket, *_: object) -> socket.socket:
        sock.close()
        return ours

    monkeypatch.setattr(key_fetch, "_connected", connected)
    url = parse_key_url(f"{scheme}://127.0.0.1/keys")

    with theirs:
        with pytest.raises(KeysError, match="TimeoutError"):
            KeyFetcher(url, tls=trusting, monotonic=lambda: next(clock)).fetch()

        assert theirs.recv(1) == b""


@pytest.mark.usefixtures("hasty")
def test_fetch_is_over_in_time_when_the_host_is_not_found(
    monkeypatch: pytest.MonkeyPatch, trusting: ssl.SSLContext
) -> None:
    """The system looks a host up for as long as it likes, and keeps no process from its end."""
    lookers: list[Thread] = []

    def look_up(*_: object, **__: object) -> None:
        lookers.append(current_thread())
        time.sleep(1.0)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    begun = time.monotonic()

    with pytest.raises(KeysError, match="TimeoutError"):
        KeyFetcher(parse_key_url("https://issuer.example/"), tls=trusting).fetch()

    assert time.monotonic() - begun < 1.0
    assert [one.daemon for one in lookers] == [True]


def test_fetch_tells_when_there_is_no_such_host(
    monkeypatch: pytest.MonkeyPatch, trusting: ssl.SSLContext
) -> None:
    """By the kind of error."""

    def fail(*_: object, **__: object) -> None:
        raise socket.gaierror("not found")

    monkeypatch.setattr(socket, "getaddrinfo", fail)

    with pytest.raises(KeysError, match="gaierror"):
        KeyFetcher(parse_key_url("https://issuer.example/"), tls=trusting).fetch()


def test_fetch_tells_when_its_host_is_no_name(trusting: ssl.SSLContext) -> None:
    """Python refuses it before it asks the system."""
    with pytest.raises(KeysError, match="UnicodeError"):
        KeyFetcher(parse_key_url("https://issuer..example/"), tls=trusting).fetch()


def test_fetch_goes_to_the_next_address_when_one_is_dead(
    monkeypatch: pytest.MonkeyPatch, served: Serve, trusting: ssl.SSLContext
) -> None:
    """One that refuses costs nothing, one that is silent its share of the time."""
    with swallowing_port() as silent, served(_answering(_answer(KEYS))) as server:
        addresses = found(("127.0.0.1", 1), ("127.0.0.1", silent), ("127.0.0.1", server.port))
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: addresses)

        with _in_time():
            assert _fetcher(server, trusting).fetch() == KEYS


def test_fetch_passes_over_a_kind_of_address_that_the_machine_does_not_have(
    monkeypatch: pytest.MonkeyPatch, served: Serve, trusting: ssl.SSLContext
) -> None:
    """A host often has IPv6 addresses, which come first, and a machine may be without IPv6."""
    unknown = (65_000, socket.SOCK_STREAM, 0, "", ("127.0.0.1", 1))
    with served(_answering(_answer(KEYS))) as server:
        addresses = [unknown, *found(("127.0.0.1", server.port))]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: addresses)

        assert _fetcher(server, trusting).fetch() == KEYS


def test_fetch_believes_only_servers_that_the_authorities_vouch_for(
    tmp_path_factory: pytest.TempPathFactory,
    loopback_certificate: ServerCertificate,
) -> None:
    """An unknown authority, and a certificate of another name."""
    wrong = issue_certificate(tmp_path_factory.mktemp("wrong"), names=WRONG_NAMES)
    by_system = key_fetch.tls_context()
    by_wrong = tls_context(str(wrong.ca_path), ALPN_OF_HTTP1)

    for handler_tls, tls in (
        (loopback_certificate.server_context(), by_system),
        (loopback_certificate.server_context(), None),
        (wrong.server_context(), by_wrong),
    ):
        with (
            Loopback(_answering(_answer(KEYS)), handler_tls) as server,
            pytest.raises(KeysError, match="SSLCertVerificationError"),
        ):
            _fetcher(server, tls).fetch()


def test_fetch_speaks_tls_1_2_at_least() -> None:
    """With verification, by the system's authorities."""
    context = key_fetch.tls_context()

    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert (context.check_hostname, context.verify_mode) == (True, ssl.CERT_REQUIRED)


def test_fetch_says_that_it_speaks_http_1_1(loopback_certificate: ServerCertificate) -> None:
    """A server that prefers HTTP/2 would be free to speak that."""
    context = key_fetch.tls_context()
    context.load_verify_locations(loopback_certificate.ca_path)
    chosen: list[str | None] = []

    def handle(sock: socket.socket) -> None:
        assert isinstance(sock, ssl.SSLSocket)
        chosen.append(sock.selected_alpn_protocol())
        _answering(_answer(KEYS))(sock)

    with Loopback(handle, loopback_certificate.server_context(("h2", "http/1.1"))) as server:
        assert _fetcher(server, context).fetch() == KEYS

    assert chosen == ["http/1.1"]


def test_fetch_closes_what_it_opens(served: Serve, trusting: ssl.SSLContext) -> None:
    """Whether it goes well or not: a function lives for hours. Warnings would be errors."""
    closed: list[bytes] = []

    def handle(sock: socket.socket) -> None:
        _read_request(sock)
        sock.sendall(_answer(KEYS) if len(closed) == 0 else _answer(b"", "500 Down"))
        closed.append(sock.recv(1))

    with served(handle) as server:
        assert _fetcher(server, trusting).fetch() == KEYS
        with pytest.raises(KeysError):
            _fetcher(server, trusting).fetch()

    assert closed == [b"", b""]
