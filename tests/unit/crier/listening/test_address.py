"""Where a client connects to, and how its token goes with it."""

import pytest

from crier.errors import CrierError
from crier.listening.address import Address


@pytest.mark.parametrize(
    "url",
    [
        *("", "x", "http://h", "https://h/prod", "wss://", "ws:///prod", "//h/prod", "wss:h"),
        *("ws://[::1", "ws://h:port", "ws://h:99999", "ws://h/#part", "ws://h/a b", "ws://h/prod "),
        *("ws://h/\n", "ws://h/\x00", "ws://h/\u202e"),
    ],
)
def test_url_that_is_none_is_refused(url: str) -> None:
    """With what was found, and what one looks like."""
    with pytest.raises(CrierError, match="expected the URL of a WebSocket API") as caught:
        Address(url)

    assert repr(url) in str(caught.value)


def test_long_url_that_is_none_is_shown_in_part() -> None:
    """An error is for reading."""
    with pytest.raises(CrierError) as caught:
        Address("x" * 10_000)

    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    "url",
    ["wss://a.execute-api.b.amazonaws.com/prod", "ws://127.0.0.1:80/_aws/x?a=b", "ws://[::1]:1"],
)
def test_url_without_a_token_stays_as_it_is(url: str) -> None:
    """No sub-protocol is offered."""
    assert Address(url).with_token(None) == (url, None)
    assert Address(url, is_token_in_protocol=True).with_token(None) == (url, None)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("wss://h/prod", "wss://h/prod?token=a.b-_"),
        ("wss://h", "wss://h?token=a.b-_"),
        ("wss://h/prod?x=%20&y", "wss://h/prod?x=%20&y&token=a.b-_"),
    ],
)
def test_token_goes_into_the_query(url: str, expected: str) -> None:
    """What stands there is kept."""
    assert Address(url).with_token("a.b-_") == (expected, None)


def test_token_is_quoted_in_the_query() -> None:
    """It may have any characters."""
    assert Address("ws://h/").with_token("a/b&c=ü")[0] == "ws://h/?token=a%2Fb%26c%3D%C3%BC"


def test_token_goes_into_a_sub_protocol() -> None:
    """Beside the one that the server answers."""
    address = Address("ws://h/?x=1", is_token_in_protocol=True)

    assert address.with_token("a.b") == ("ws://h/?x=1", ["crier.v1", "bearer.a.b"])


@pytest.mark.parametrize("token", ["", "a b", "a,b", "a\n", "ü", "a/b", "a=b"])
def test_sub_protocol_takes_only_what_http_calls_a_token(token: str) -> None:
    """The query takes all."""
    assert not Address("ws://h", is_token_in_protocol=True).takes(token)
    assert Address("ws://h", is_token_in_protocol=True).takes("a.b-c_d~1")
    assert Address("ws://h").takes(token)
