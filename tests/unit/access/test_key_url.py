"""Where an issuer's keys may be."""

import pytest

from access.key_url import MOST_CHARACTERS, parse_key_url


def test_key_url_is_taken_apart() -> None:
    """As a request needs it."""
    url = parse_key_url("https://Issuer.example/a/.well-known/jwks.json?v=1")
    bare = parse_key_url("https://[2001:db8::1]:8443")

    assert (url.scheme, url.host, url.port) == ("https", "issuer.example", 443)
    assert (url.authority, url.target) == ("issuer.example", "/a/.well-known/jwks.json?v=1")
    assert (bare.host, bare.port, bare.target) == ("2001:db8::1", 8443, "/")
    assert bare.authority == "[2001:db8::1]:8443"


def test_key_url_may_have_2_048_characters() -> None:
    """One more is refused."""
    longest = "https://a/".ljust(2_048, "x")

    assert parse_key_url(longest).text == longest
    with pytest.raises(ValueError, match="expected"):
        parse_key_url(longest + "x")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "LOCALHOST", "127.0.0.1:80"])
def test_key_url_may_be_http_on_this_machine(host: str) -> None:
    """It never leaves it."""
    assert parse_key_url(f"http://{host}/keys")[1::2] == ("http", 80, "/keys")


ELSEWHERE = [
    "http://issuer.example/",
    "http://127.0.0.2/",
    "http://127.0.0.1.example/",
    "http://0.0.0.0/",
    "http://localhost.example/",
    "http://127.1/",
    "http://[::ffff:127.0.0.1]/",
    "http://a@127.0.0.1/",
    "https://user:secret@a/",
    "https://@a/",
    "https://a/#b",
    "https://a/#",
    "https://a:x/",
    "https://a:65536/",
    "keys",
    "//a/keys",
    "https://",
    "https:///keys",
    "https://:443/",
    "ftp://a/",
    "ftp://127.0.0.1/",
    "ws://localhost/",
    "file:///a",
    "https://[a/",
    "https://é/",
]
ODD = ["", "https://a b/", " https://a/", "https://a/\n", "https://a/\r\nHost: b", "https://a\t/"]
LONG = "https://a/" + "x" * MOST_CHARACTERS


@pytest.mark.parametrize("text", [*ELSEWHERE, *ODD, LONG])
def test_key_url_is_refused_when_keys_from_there_could_be_anyones(text: str) -> None:
    """The error says what is expected, and does not repeat what may hold a password."""
    with pytest.raises(ValueError, match=r"^expected an https URL") as caught:
        parse_key_url(text)

    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("location", "target"),
    [("/b", "/b"), ("b?c", "/x/b?c"), ("https://a:443/b", "/b"), ("//A/b", "/b")],
)
def test_key_url_follows_a_redirect_within_its_host(location: str, target: str) -> None:
    """However it is written."""
    assert parse_key_url("https://a/x/y").redirected(location).target == target


REDIRECTS = [
    "https://b/y",
    "//b/y",
    "http://a/y",
    "https://a:8443/y",
    "https://a@b/y",
    "https://b@a/y",
    "https://a.b/y",
    "/y#z",
    "http://127.0.0.1/",
    "file:///etc/passwd",
    "https://[x",
]


@pytest.mark.parametrize("location", REDIRECTS)
def test_key_url_follows_no_redirect_elsewhere(location: str) -> None:
    """Nor to http, nor to another port."""
    with pytest.raises(ValueError, match=r"expected|Invalid"):
        parse_key_url("https://a/x").redirected(location)
