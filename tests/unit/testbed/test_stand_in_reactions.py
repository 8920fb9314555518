"""Every reaction, as a client sees it."""

import ssl
import time

import pytest

from testbed.stand_in.certificate import ServerCertificate
from testbed.stand_in.errors import error_answer
from testbed.stand_in.reaction import (
    Answer,
    Garbage,
    HalfAnswer,
    Raw,
    Reset,
    Silence,
)
from testbed.stand_in.server import StandIn
from tests.support.wire_client import Client, always, first_then_ok, post_bytes

SHORT_SECONDS = 0.2


def test_answer_looks_like_the_service_s() -> None:
    """A success is an empty body with the service's headers."""
    with StandIn(always(Answer(200)), tls=None) as stand_in, Client(stand_in.url) as client:
        client.send(post_bytes())
        status, body, headers = client.answer()

    assert (status, body) == (200, b"")
    assert headers["content-type"] == "application/json"
    assert headers["content-length"] == "0"
    assert headers["connection"] == "keep-alive"
    assert {"date", "x-amzn-requestid", "x-amz-apigw-id"} <= headers.keys()


def test_answers_have_request_ids_of_their_own() -> None:
    """No two answers look the same."""
    with StandIn(always(Answer(200)), tls=None) as stand_in, Client(stand_in.url) as client:
        ids = set()
        for _ in range(3):
            client.send(post_bytes())
            ids.add(client.answer()[2]["x-amzn-requestid"])

    assert len(ids) == 3


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (410, "GoneException"),
        (429, "LimitExceededException"),
        (403, "ForbiddenException"),
        (413, "PayloadTooLargeException"),
    ],
)
def test_errors_say_what_the_service_says(status: int, kind: str) -> None:
    """Clients find the error's type in a header and a message in the body."""
    with (
        StandIn(always(error_answer(status)), tls=None) as stand_in,
        Client(stand_in.url) as client,
    ):
        client.send(post_bytes())
        answered, body, headers = client.answer()

    assert (answered, headers["x-amzn-errortype"]) == (status, kind)
    assert b'"message"' in body


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("status", [200, 299, 410, 599])
def test_answer_carries_body_and_headers(status: int, *, chunked: bool) -> None:
    """What a script wants to be answered is answered, then the next post is."""
    wanted = Answer(status, b'{"a": 1}', headers=(("X-Extra", "yes"),), chunked=chunked)

    with StandIn(first_then_ok(wanted), tls=None) as stand_in, Client(stand_in.url) as client:
        client.send(post_bytes())
        found = client.answer()
        again = client.post()

    assert (*found[:2], found[2]["x-extra"]) == (status, b'{"a": 1}', "yes")
    assert ("transfer-encoding" in found[2]) is chunked
    assert again == 200


def test_answer_waits_for_its_delay() -> None:
    """A delay is a lower bound."""
    with (
        StandIn(always(Answer(200, delay_seconds=SHORT_SECONDS)), tls=None) as stand_in,
        Client(stand_in.url) as client,
    ):
        begin = time.monotonic()
        client.post()
        seconds = time.monotonic() - begin

    assert SHORT_SECONDS <= seconds < SHORT_SECONDS + 2


def test_answer_closes_when_it_says_so() -> None:
    """The header and the deed go together."""
    with (
        StandIn(always(Answer(410, b"{}", close=True)), tls=None) as stand_in,
        Client(stand_in.url) as client,
    ):
        client.send(post_bytes())
        data = client.remainder()

    assert b"\r\nConnection: close\r\n" in data
    assert data.endswith(b"{}")


@pytest.mark.parametrize("with_tls", [False, True])
def test_reset_comes_before_the_answer(certificate: ServerCertificate, *, with_tls: bool) -> None:
    """Nothing is delivered, and the client's connection is reset."""
    ca_path = certificate.ca_path if with_tls else None
    tls = certificate if with_tls else None

    with StandIn(always(Reset()), tls=tls) as stand_in, Client(stand_in.url, ca_path) as client:
        client.send(post_bytes())
        with pytest.raises((ConnectionResetError, ssl.SSLEOFError)):
            client.remainder()
        report = stand_in.report()

    assert (report.posts, report.delivered, report.answers) == (1, 0, {})


@pytest.mark.parametrize("with_tls", [False, True])
def test_reset_comes_in_the_middle_of_the_answer(
    certificate: ServerCertificate, *, with_tls: bool
) -> None:
    """The message is delivered, but the client cannot know."""
    ca_path = certificate.ca_path if with_tls else None
    tls = certificate if with_tls else None

    with (
        StandIn(always(Reset("during")), tls=tls) as stand_in,
        Client(stand_in.url, ca_path) as client,
    ):
        client.send(post_bytes())
        with pytest.raises((ConnectionResetError, ssl.SSLEOFError)):
            client.answer()
        report = stand_in.report()

    assert (report.received, report.answers) == ({"one=": 1}, {})


def test_reset_comes_after_the_answer() -> None:
    """The answer can be read; the connection cannot be used any more."""
    with (
        StandIn(always(Reset("after")), tls=None) as stand_in,
        Client(stand_in.url) as client,
    ):
        client.send(post_bytes())
        status = client.answer()[0]
        with pytest.raises(ConnectionError):
            client.post()
        report = stand_in.report()

    assert (status, report.answers, report.delivered) == (200, {200: 1}, 1)


def test_half_answer_is_followed_by_silence() -> None:
    """Half of the bytes come, then none, and the connection stays open."""
    with StandIn(always(HalfAnswer()), tls=None) as stand_in, Client(stand_in.url) as client:
        client.send(post_bytes())
        half = client.socket.recv(65536)
        client.socket.settimeout(SHORT_SECONDS)
        with pytest.raises(TimeoutError):
            client.remainder()
        report = stand_in.report()

    assert half.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\n\r\n" not in half
    assert (report.delivered, report.answers) == (1, {})


def test_silence_says_nothing_however_often_it_is_asked() -> None:
    """What comes after a post that is not answered is not read as a post."""
    with StandIn(always(Silence()), tls=None) as stand_in, Client(stand_in.url) as client:
        client.send(post_bytes() * 2)
        client.socket.settimeout(SHORT_SECONDS)
        with pytest.raises(TimeoutError):
            client.remainder()
        report = stand_in.report()

    assert (report.posts, report.delivered) == (1, 0)


def test_garbage_is_no_answer_and_the_connection_goes_on() -> None:
    """What follows garbage is answered as usual."""
    with (
        StandIn(first_then_ok(Garbage(data=b"\x00\x01")), tls=None) as stand_in,
        Client(stand_in.url) as client,
    ):
        client.send(post_bytes())
        garbage = client.socket.recv(2)
        status = client.post()
        report = stand_in.report()

    assert (garbage, status, report.answers) == (b"\x00\x01", 200, {200: 1})


def test_raw_bytes_are_sent_as_they_are() -> None:
    """Scripts may write answers of their own, and say what they count as."""
    data = b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 Fine\r\nContent-Length: 0\r\n\r\n"

    with (
        StandIn(always(Raw(data, close=True, status=200)), tls=None) as stand_in,
        Client(stand_in.url) as client,
    ):
        client.send(post_bytes())
        found = client.remainder()
        report = stand_in.report()

    assert found == data
    assert (report.answers, report.delivered) == ({200: 1}, 1)


def test_reaction_refuses_a_wrong_delay() -> None:
    """A wrong value cannot exist."""
    with pytest.raises(ValueError, match="delay_seconds"):
        Silence(delay_seconds=-1.0)
