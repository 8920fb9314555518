"""A callback URL, taken apart."""

import re

import pytest

from delivery.http.endpoint import Endpoint, parse_endpoint


@pytest.mark.parametrize(
    ("url", "endpoint"),
    [
        (
            "https://abc.execute-api.eu-central-1.amazonaws.com/prod",
            Endpoint(
                "https",
                "abc.execute-api.eu-central-1.amazonaws.com",
                443,
                "abc.execute-api.eu-central-1.amazonaws.com",
                "/prod",
            ),
        ),
        ("https://h.example/prod/", Endpoint("https", "h.example", 443, "h.example", "/prod")),
        ("https://h.example", Endpoint("https", "h.example", 443, "h.example", "")),
        ("https://h.example/", Endpoint("https", "h.example", 443, "h.example", "")),
        ("https://h.example:443/p", Endpoint("https", "h.example", 443, "h.example", "/p")),
        ("https://h.example:80/p", Endpoint("https", "h.example", 80, "h.example:80", "/p")),
        ("http://h.example:80/p", Endpoint("http", "h.example", 80, "h.example", "/p")),
        ("http://127.0.0.1:4566/p", Endpoint("http", "127.0.0.1", 4566, "127.0.0.1:4566", "/p")),
        ("http://[::1]:4566/p", Endpoint("http", "::1", 4566, "[::1]:4566", "/p")),
        ("https://[2001:db8::1]/p", Endpoint("https", "2001:db8::1", 443, "[2001:db8::1]", "/p")),
        ("HTTPS://H.Example/P", Endpoint("https", "h.example", 443, "h.example", "/P")),
        (
            "http://127.0.0.1:4566/_aws/execute-api/a1/prod",
            Endpoint("http", "127.0.0.1", 4566, "127.0.0.1:4566", "/_aws/execute-api/a1/prod"),
        ),
    ],
)
def test_endpoint_is_taken_from_a_callback_url(url: str, endpoint: Endpoint) -> None:
    """Default ports are not part of the authority, IPv6 addresses keep their brackets there."""
    assert parse_endpoint(url) == endpoint


def test_endpoint_is_tls_for_https_only() -> None:
    """The scheme decides."""
    schemes = {url: parse_endpoint(url).is_tls for url in ("https://h/p", "http://h/p")}

    assert schemes == {"https://h/p": True, "http://h/p": False}


@pytest.mark.parametrize(
    "url",
    [
        "",
        "h.example/prod",
        "wss://h.example/prod",
        "https://",
        "https:///prod",
        "//h.example/prod",
        "https://h example/prod",
        "https://h.example/my stage",
        "https://h.example/prod\r\nx: y",
        "https://h.example/\u00e9",
    ],
)
def test_endpoint_refuses_what_is_no_callback_url(url: str) -> None:
    """The message shows what was found."""
    with pytest.raises(ValueError, match="expected https://host/stage"):
        parse_endpoint(url)


@pytest.mark.parametrize("url", ["https://h:65536/p", "https://h:x/p", "https://[::1/p"])
def test_endpoint_refuses_a_port_or_an_address_that_is_none(url: str) -> None:
    """The message shows the whole URL, and what is wrong with it."""
    found = rf"callback URL is {re.escape(repr(url))} \(.+\), expected https://host/stage"
    with pytest.raises(ValueError, match=found):
        parse_endpoint(url)
