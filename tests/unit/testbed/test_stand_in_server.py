"""The server against clients that are slow, greedy, rude or gone."""

import socket
import ssl
import struct
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from testbed.stand_in import http_connection
from testbed.stand_in.behaviour import Behaviour
from testbed.stand_in.certificate import WRONG_NAMES, ServerCertificate, issue_certificate
from testbed.stand_in.reaction import Answer, Post, Silence
from testbed.stand_in.server import StandIn
from tests.support.wire_client import (
    TIMEOUT_SECONDS,
    Client,
    always,
    first_then_ok,
    post_bytes,
)

OK = always(Answer(200))
LIMIT_BYTES = 131_072


def _wait_until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + TIMEOUT_SECONDS
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.01)


def _is_closed(client: Client) -> bool:
    try:
        client.send(b"more")
    except ConnectionError:
        return True
    return False


def test_server_counts_what_each_connection_received() -> None:
    """Duplicates and losses show."""
    with StandIn(OK, tls=None) as stand_in, Client(stand_in.url) as client:
        for connection_id in ("a=", "b=", "a=", "a="):
            client.post(connection_id)
        report = stand_in.report()

    assert report.received == {"a=": 3, "b=": 1}
    assert (report.posts, report.delivered, report.duplicates) == (4, 4, 2)
    assert (report.connections_reached, report.answers) == (2, {200: 4})
    assert report.http_connections_opened == 1
    assert report.cpu_seconds > 0
    assert report.wall_seconds > 0


def test_server_tells_the_script_which_attempt_it_is() -> None:
    """A connection's posts are numbered from 1."""
    seen: list[Post] = []

    def script(post: Post) -> Answer:
        seen.append(post)
        return Answer(200)

    with StandIn(script, tls=None) as stand_in, Client(stand_in.url) as client:
        client.post("a", b"1")
        client.post("b", b"2")
        client.post("a", b"3")

    assert seen == [Post("a", 1, b"1"), Post("b", 1, b"2"), Post("a", 2, b"3")]


def test_server_serves_many_clients_over_tls(certificate: ServerCertificate) -> None:
    """Handshakes and posts of different clients do not wait for each other."""
    with (
        StandIn(OK, tls=certificate) as stand_in,
        Client(stand_in.url),  # it never begins its handshake
        ExitStack() as stack,
    ):
        clients = [
            stack.enter_context(Client(stand_in.url, certificate.ca_path)) for _ in range(20)
        ]
        statuses = [client.post() for client in clients for _ in range(3)]
        report = stand_in.report()

    assert set(statuses) == {200}
    assert (report.handshakes, report.http_connections_opened, report.posts) == (20, 21, 60)


@pytest.mark.parametrize("rsa", [False, True])
def test_server_shows_a_certificate_that_verifies(tmp_path: Path, *, rsa: bool) -> None:
    """Both kinds of keys, and both names of loopback."""
    certificate = issue_certificate(tmp_path, rsa=rsa)

    with StandIn(OK, tls=certificate) as stand_in:
        for name in ("127.0.0.1", "localhost"):
            with Client(stand_in.url, certificate.ca_path, name=name) as client:
                assert client.post() == 200


def test_server_serves_on_when_a_client_does_not_trust_it(
    tmp_path: Path, certificate: ServerCertificate
) -> None:
    """A certificate for another name is refused by the client, and that is all."""
    wrong = issue_certificate(tmp_path, names=WRONG_NAMES)

    with StandIn(OK, tls=wrong) as stand_in:
        with pytest.raises(ssl.SSLCertVerificationError, match="IP address mismatch"):
            Client(stand_in.url, wrong.ca_path)
        with pytest.raises(ssl.SSLCertVerificationError):
            Client(stand_in.url, certificate.ca_path)
        with Client(stand_in.url, wrong.ca_path, name=WRONG_NAMES[0]) as client:
            assert client.post() == 200
        report = stand_in.report()

    assert report.handshakes >= 1


def test_server_serves_on_when_a_client_speaks_no_tls(certificate: ServerCertificate) -> None:
    """Plain HTTP on the TLS port ends that connection only."""
    with StandIn(OK, tls=certificate) as stand_in:
        with Client(stand_in.url) as plain:
            plain.send(post_bytes())
            plain.remainder()
        with Client(stand_in.url, certificate.ca_path) as client:
            status = client.post()

    assert status == 200


def test_server_reads_a_post_that_comes_byte_by_byte() -> None:
    """No split of the bytes matters."""
    with StandIn(OK, tls=None) as stand_in, Client(stand_in.url) as client:
        client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in post_bytes("slow=", b"hello"):
            client.send(bytes([byte]))
        status = client.answer()[0]
        report = stand_in.report()

    assert (status, report.received) == (200, {"slow=": 1})


@pytest.mark.parametrize("with_tls", [False, True])
def test_server_reads_the_largest_body_in_pieces(
    certificate: ServerCertificate, *, with_tls: bool
) -> None:
    """128 KiB arrive as they were sent, and the connection goes on."""
    bodies: list[bytes] = []

    def script(post: Post) -> Answer:
        bodies.append(post.body)
        return Answer(200)

    body = bytes(number * 7 % 251 for number in range(LIMIT_BYTES))
    tls, ca_path = (certificate, certificate.ca_path) if with_tls else (None, None)
    with StandIn(script, tls=tls) as stand_in, Client(stand_in.url, ca_path) as client:
        data = post_bytes(body=body)
        for begin in range(0, len(data), 9_999):
            client.send(data[begin : begin + 9_999])
        statuses = [client.answer()[0], client.post(body=body), client.post()]

    assert statuses == [200, 200, 200]
    assert bodies == [body, body, b"hello"]


def test_server_answers_413_when_the_body_is_too_large() -> None:
    """The whole of it is read, so the connection goes on."""
    with StandIn(OK, tls=None) as stand_in, Client(stand_in.url) as client:
        statuses = [client.post(body=bytes(LIMIT_BYTES + 1)), client.post()]
        report = stand_in.report()

    assert statuses == [413, 200]
    assert (report.delivered, report.answers) == (1, {413: 1, 200: 1})


@pytest.mark.parametrize("with_tls", [False, True])
@pytest.mark.parametrize("delay_seconds", [0.0, 0.05])
def test_server_answers_in_order_when_posts_come_at_once(
    certificate: ServerCertificate, *, with_tls: bool, delay_seconds: float
) -> None:
    """Each is answered after the one before it, each with its own answer."""

    def script(post: Post) -> Answer:
        delay = delay_seconds if post.connection_id == "0" else 0.0
        return Answer(200, post.connection_id.encode(), delay_seconds=delay)

    tls, ca_path = (certificate, certificate.ca_path) if with_tls else (None, None)
    with StandIn(script, tls=tls) as stand_in, Client(stand_in.url, ca_path) as client:
        client.send(b"".join(post_bytes(str(number)) for number in range(300)))
        bodies = client.bodies(300)

    assert bodies == [str(number).encode() for number in range(300)]


@pytest.mark.parametrize("with_tls", [False, True])
def test_server_refuses_what_is_no_post(certificate: ServerCertificate, *, with_tls: bool) -> None:
    """The answer is 400, the connection is closed, and it is counted."""
    tls, ca_path = (certificate, certificate.ca_path) if with_tls else (None, None)

    with StandIn(OK, tls=tls) as stand_in, Client(stand_in.url, ca_path) as client:
        client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" + bytes(500_000))
        data = client.remainder()
        report = stand_in.report()

    assert data.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert data.count(b"HTTP/1.1 ") == 1
    assert b"\r\nConnection: close\r\n" in data
    assert (report.malformed, report.posts, report.answers) == (1, 0, {400: 1})


def test_server_refuses_bytes_past_the_content_length() -> None:
    """They are the begin of another request, and a wrong one."""
    with StandIn(OK, tls=None) as stand_in, Client(stand_in.url) as client:
        client.send(post_bytes(headers={"Content-Length": "4"}) + b"\r\n\r\n")
        data = client.remainder()
        report = stand_in.report()

    assert [line[9:12] for line in data.split(b"\r\n") if line[:9] == b"HTTP/1.1 "] == [
        b"200",
        b"400",
    ]
    assert (report.posts, report.malformed) == (1, 1)


def test_server_closes_a_refused_client_that_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """It lingers for a while, not for ever."""
    monkeypatch.setattr(http_connection, "_LINGER_SECONDS", 0.1)

    with StandIn(OK, tls=None) as stand_in, Client(stand_in.url) as client:
        client.send(b"nonsense\r\n\r\n")
        client.remainder()
        _wait_until(lambda: _is_closed(client))


@pytest.mark.parametrize("with_tls", [False, True])
@pytest.mark.parametrize("sent_share", [0.0, 0.5, 1.0])
def test_server_serves_on_when_clients_vanish(
    certificate: ServerCertificate, *, with_tls: bool, sent_share: float
) -> None:
    """Whatever they had sent, with a goodbye or with a reset."""
    tls, ca_path = (certificate, certificate.ca_path) if with_tls else (None, None)
    data = post_bytes()
    part = data[: int(len(data) * sent_share)]

    with StandIn(always(Answer(200, delay_seconds=0.05)), tls=tls) as stand_in:
        for linger in ((0, 0), (1, 0)):
            with Client(stand_in.url, ca_path) as client:
                client.send(part)
                client.socket.setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", *linger)
                )
        with Client(stand_in.url, ca_path) as client:
            assert client.post() == 200
            assert client.post() == 200


def test_server_says_goodbye_when_a_client_does(certificate: ServerCertificate) -> None:
    """TLS is closed from both sides, also right after a post."""
    with StandIn(OK, tls=certificate) as stand_in:
        with Client(stand_in.url, certificate.ca_path) as client:
            client.post()
            assert isinstance(client.socket, ssl.SSLSocket)
            client.socket.unwrap().close()
        with Client(stand_in.url, certificate.ca_path) as client:
            assert client.post() == 200


def test_server_serves_on_when_a_client_vanishes_in_its_handshake(
    certificate: ServerCertificate,
) -> None:
    """Half a handshake is no reason to stop."""
    with StandIn(OK, tls=certificate) as stand_in:
        with Client(stand_in.url) as rude:
            rude.send(b"\x16\x03\x01\x02\x00\x01")
        with Client(stand_in.url, certificate.ca_path) as client:
            assert client.post() == 200


def test_server_resets_a_client_that_floods_it() -> None:
    """What waits behind a post without an answer is bounded."""
    with (
        StandIn(always(Silence()), tls=None) as stand_in,
        Client(stand_in.url) as client,
    ):
        client.send(post_bytes())
        with pytest.raises(ConnectionError):
            client.send(bytes(40_000_000))


@pytest.mark.parametrize("with_tls", [False, True])
def test_server_keeps_what_a_slow_reader_does_not_take(
    certificate: ServerCertificate, *, with_tls: bool
) -> None:
    """An answer larger than the socket's buffers arrives whole."""
    body = bytes(range(256)) * 40_000
    tls, ca_path = (certificate, certificate.ca_path) if with_tls else (None, None)

    with (
        StandIn(first_then_ok(Answer(200, body)), tls=tls) as stand_in,
        Client(stand_in.url, ca_path) as slow,
        Client(stand_in.url, ca_path) as other,
    ):
        slow.send(post_bytes("slow"))
        _wait_until(lambda: stand_in.report().posts == 1)
        statuses = [other.post("slow") for _ in range(3)]
        found = slow.answer()
        statuses.append(slow.post("slow"))

    assert found[:2] == (200, body)
    assert statuses == [200] * 4


def test_server_waits_for_a_client_that_posts_without_reading() -> None:
    """Its answers do not pile up: the next post is read when the last answer is sent."""
    body = bytes(10_000_000)

    with StandIn(always(Answer(200, body)), tls=None) as stand_in, Client(stand_in.url) as client:
        client.send(b"".join(post_bytes(str(number)) for number in range(3)))
        _wait_until(lambda: stand_in.report().posts == 1)
        time.sleep(0.1)
        before = stand_in.report().posts
        bodies = client.bodies(3)
        after = stand_in.report().posts

    assert (before, after) == (1, 3)
    assert bodies == [body] * 3


def test_server_closes_after_a_slow_reader_has_all() -> None:
    """Closing does not cut off what the socket had not taken yet."""
    body = bytes(10_000_000)

    with (
        StandIn(always(Answer(200, body, close=True)), tls=None) as stand_in,
        Client(stand_in.url) as client,
    ):
        client.send(post_bytes())
        _wait_until(lambda: stand_in.report().posts == 1)
        data = client.remainder()

    assert data.endswith(b"\r\n\r\n" + body)


@pytest.mark.parametrize("with_tls", [False, True])
def test_server_closes_unannounced_after_so_many_answers(
    certificate: ServerCertificate, *, with_tls: bool
) -> None:
    """The last answer says keep-alive as the others do."""
    tls, ca_path = (certificate, certificate.ca_path) if with_tls else (None, None)

    with StandIn(OK, tls=tls, close_after_answers=3) as stand_in:
        with Client(stand_in.url, ca_path) as client:
            statuses = [client.post(), client.post()]
            client.send(post_bytes())
            data = client.remainder()
        report = stand_in.report()

    assert statuses == [200, 200]
    assert b"Connection: keep-alive" in data
    assert report.posts == 3


def test_server_behaves_anew_when_told() -> None:
    """The counts and the bucket begin anew; connections stay."""
    first = Behaviour(latency_median_seconds=0.0, quota_posts_per_second=1, quota_burst=1)
    second = Behaviour(latency_median_seconds=0.0, gone_share=1.0)

    with StandIn.of(first, tls=None) as stand_in, Client(stand_in.url) as client:
        statuses = [client.post(), client.post()]
        stand_in.behave(first)
        statuses += [client.post()]
        before = stand_in.report()
        stand_in.behave(second)
        statuses += [client.post()]
        after = stand_in.report()

    assert statuses == [200, 429, 200, 410]
    assert (before.answers, after.answers) == ({200: 1}, {410: 1})
    assert after.http_connections_opened == 0


def test_server_raises_what_a_script_raised() -> None:
    """A wrong script fails its test, at once and not by a time-out."""

    def script(_post: Post) -> Answer:
        raise RuntimeError("no such script")

    stand_in = StandIn(script, tls=None).__enter__()
    with Client(stand_in.url) as client:
        client.send(post_bytes())
        rest = client.remainder()

    assert rest == b""
    with pytest.raises(RuntimeError, match="no such script"):
        stand_in.__exit__(None, None, None)


def test_server_closes_everything_when_it_stops() -> None:
    """Clients see the end, and the port is free."""
    with StandIn(OK, tls=None) as stand_in:
        client = Client(stand_in.url)
        client.post()

    with client:
        assert client.remainder() == b""
        with pytest.raises(ConnectionRefusedError):
            Client(stand_in.url)
    assert stand_in.report().posts == 1
