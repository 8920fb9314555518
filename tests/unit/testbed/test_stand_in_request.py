"""Reading posts: what is read, and what is refused as malformed."""

import pytest

from testbed.stand_in.request import MAX_HEAD_BYTES, Request, RequestReader
from testbed.stand_in.request_head import MalformedError
from tests.support.wire_client import HEADERS, post_bytes

AUTHORIZATION = HEADERS["Authorization"]
LINE = b"POST /prod/@connections/one%3D HTTP/1.1"


def _read(data: bytes) -> Request:
    request = RequestReader().read(data)
    assert isinstance(request, Request)
    return request


def test_reader_reads_a_post() -> None:
    """Everything that a handler needs is there."""
    data = post_bytes("L0SM9cOFvHcCIhw=", b"frame")

    request = _read(data)

    assert request.connection_id == "L0SM9cOFvHcCIhw="
    assert request.path == b"/prod/@connections/L0SM9cOFvHcCIhw%3D"
    assert request.signature == b"0123456789abcdef" * 4
    assert (request.body, request.size_bytes) == (b"frame", len(data))
    assert request.head.signed_headers == ("host", "x-amz-date")


@pytest.mark.parametrize("connection_id", ["a", "a=b=", "per%cent", "%3D", "späße/@ +", "=%="])
def test_reader_decodes_the_connection_id_whatever_it_is(connection_id: str) -> None:
    """Decoding is the inverse of percent-encoding."""
    request = _read(post_bytes(connection_id))

    assert request.connection_id == connection_id


@pytest.mark.parametrize("body", [b"", b"x", b"\r\n\r\nPOST", bytes(131_072)])
def test_reader_takes_the_body_as_it_is(body: bytes) -> None:
    """A body may hold anything."""
    assert _read(post_bytes(body=body)).body == body


def test_reader_leaves_what_follows_a_post() -> None:
    """The size says where the next one begins."""
    first, second = post_bytes("first", b"1"), post_bytes("second", b"22")

    request = _read(first + second)

    assert _read((first + second)[request.size_bytes :]).connection_id == "second"


def test_reader_asks_for_more_when_a_post_is_not_whole() -> None:
    """No part of a post is a post, and the wanted size is never past its end."""
    data = post_bytes(body=b"hello")
    reader = RequestReader()

    wanted = [reader.read(data[:size]) for size in range(len(data))]

    assert all(isinstance(one, int) and size < one <= len(data) for size, one in enumerate(wanted))


def test_reader_keeps_connections_apart_when_their_heads_are_alike() -> None:
    """A head that was seen before brings no id, signature or body with it."""
    reader = RequestReader()
    other = {"Authorization": AUTHORIZATION.replace("0123", "ffff")}

    first = reader.read(post_bytes("first", b"11"))
    second = reader.read(post_bytes("second", b"22", other))

    assert isinstance(first, Request)
    assert isinstance(second, Request)
    assert (second.connection_id, second.body) == ("second", b"22")
    assert (
        second.signature == b"ffff456789abcdef" + b"0123456789abcdef".replace(b"0123", b"ffff") * 3
    )
    assert first.head is second.head


def test_reader_forgets_heads_when_they_are_many() -> None:
    """A client that varies its headers costs no memory without end."""
    reader = RequestReader()

    for number in range(3000):
        reader.read(post_bytes(headers={"X-Attempt": str(number)}))

    assert len(reader._heads) <= 1024


@pytest.mark.parametrize(
    "line",
    [
        b"GET /prod/@connections/one%3D HTTP/1.1",
        b"post /prod/@connections/one%3D HTTP/1.1",
        b"POST /prod/@connections/one%3D HTTP/1.0",
        b"POST /prod/@connections/one= HTTP/1.1",
        b"POST /prod/@connections/one%3 HTTP/1.1",
        b"POST /prod/@connections/one%zz HTTP/1.1",
        b"POST /prod/@connections/%FF%FE HTTP/1.1",
        b"POST /prod/@connections/ HTTP/1.1",
        b"POST /prod/@connections HTTP/1.1",
        b"POST /prod/@connections/a/b HTTP/1.1",
        b"POST /@connections/one%3D HTTP/1.1",
        b"POST /prod/connections/one%3D HTTP/1.1",
        b"POST /prod/@connections/one%3D?a=b HTTP/1.1",
        b"POST  /prod/@connections/one%3D HTTP/1.1",
        b"POST https://127.0.0.1/prod/@connections/one%3D HTTP/1.1",
        b"\r\nPOST /prod/@connections/one%3D HTTP/1.1",
        b"\x16\x03\x01\x00",
    ],
)
def test_reader_refuses_a_wrong_request_line(line: bytes) -> None:
    """Only a POST to a connection of a stage is a post."""
    data = post_bytes().replace(LINE, line)

    with pytest.raises(MalformedError):
        RequestReader().read(data)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Host", ""),
        ("X-Amz-Date", ""),
        ("X-Amz-Date", "2026-01-02T03:04:05Z"),
        ("Content-Length", ""),
        ("Content-Length", "+5"),
        ("Content-Length", "5, 5"),
        ("Content-Length", "0x5"),
        ("Content-Length", "\N{SUPERSCRIPT TWO}"),
        ("Content-Length", "10485761"),
        ("Content-Length", "9" * 5000),
        ("Transfer-Encoding", "chunked"),
        ("Expect", "100-continue"),
        ("content-length", "5"),
        ("X Space", "1"),
        ("X-Null", "a\0b"),
        ("X-Line", "a\nb"),
        ("Authorization", ""),
        ("Authorization", "Basic eDp5"),
        ("Authorization", AUTHORIZATION.replace("AWS4-HMAC-SHA256", "AWS4")),
        ("Authorization", AUTHORIZATION.replace("SignedHeaders", "Signed")),
        ("Authorization", AUTHORIZATION.replace("/aws4_request", "")),
        ("Authorization", AUTHORIZATION.replace("Credential=AKIDEXAMPLE/", "Credential=")),
        ("Authorization", AUTHORIZATION[:-1]),
        ("Authorization", AUTHORIZATION + "0"),
        ("Authorization", AUTHORIZATION.replace("abcdef", "ABCDEF")),
    ],
)
def test_reader_refuses_a_wrong_header(name: str, value: str) -> None:
    """Every header that a post needs is checked, and none may mislead about its length."""
    data = post_bytes(headers={name: value})

    with pytest.raises(MalformedError, match="expected"):
        RequestReader().read(data)


def test_reader_refuses_a_head_without_end() -> None:
    """A head cannot fill the memory."""
    with pytest.raises(MalformedError, match="end"):
        RequestReader().read(b"POST" + b"x" * MAX_HEAD_BYTES)
