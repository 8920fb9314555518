"""Requests of any method, as both protocols write them."""

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, Event, RequestReceived, StreamEnded
from hypothesis import given
from hypothesis import strategies as st

from delivery.http.http1_request import text_of
from delivery.http.http2_protocol import Http2Protocol
from delivery.http.request import Request, RequestTemplate

FIELDS = (("host", "a.example"), ("x-amz-date", "20240101T000000Z"))


def _request(method: str, body: bytes = b"") -> Request:
    return Request(RequestTemplate(FIELDS, body, method), "/prod/@connections/a%3D", "signed")


def _received_over_http2(*requests: Request) -> list[Event]:
    """Send requests to the server of another implementation; return what it has received."""
    protocol: Http2Protocol[int] = Http2Protocol(is_tls=True)
    server = H2Connection(H2Configuration(client_side=False))
    server.initiate_connection()
    events = []
    for token, request in enumerate(requests):
        protocol.begin(token, request, 0.0)
        events += server.receive_data(protocol.sender.take())
    return [one for one in events if isinstance(one, RequestReceived | DataReceived | StreamEnded)]


def _head(received: RequestReceived) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in received.headers}


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_http1_text_has_no_body_and_no_length_but_for_a_post(method: str) -> None:
    """RFC 9110, 8.6: a length that is not meant is not sent."""
    text = text_of(_request(method))

    assert (
        text
        == (
            f"{method} /prod/@connections/a%3D HTTP/1.1\r\n"
            "host: a.example\r\nx-amz-date: 20240101T000000Z\r\nauthorization: signed\r\n\r\n"
        ).encode()
    )


@pytest.mark.parametrize("body", [b"hear", b""])
def test_http1_text_of_a_post_has_its_length(body: bytes) -> None:
    """An empty body is one, too."""
    text = text_of(_request("POST", body))

    assert text.startswith(b"POST /prod/@connections/a%3D HTTP/1.1\r\n")
    assert f"\r\ncontent-length: {len(body)}\r\n".encode() in text
    assert text.endswith(b"\r\n\r\n" + body)


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_http2_stream_ends_with_the_headers_of_a_request_without_a_body(method: str) -> None:
    """There is no DATA frame, and no length."""
    received, ended = _received_over_http2(_request(method))

    assert isinstance(received, RequestReceived)
    assert received.stream_ended is ended
    assert _head(received) == {
        ":method": method,
        ":scheme": "https",
        ":authority": "a.example",
        ":path": "/prod/@connections/a%3D",
        "x-amz-date": "20240101T000000Z",
        "authorization": "signed",
    }


@given(st.lists(st.sampled_from([_request("GET"), _request("POST", b"hear"), _request("DELETE")])))
def test_http2_methods_do_not_mix_whatever_their_order(requests: list[Request]) -> None:
    """What one template has entered into the server's table is no other's."""
    events = _received_over_http2(*requests)

    heads = [_head(one) for one in events if isinstance(one, RequestReceived)]
    bodies = [one.data for one in events if isinstance(one, DataReceived)]
    assert [head[":method"] for head in heads] == [one.template.method for one in requests]
    assert [head.get("content-length") for head in heads] == [
        "4" if one.template.body else None for one in requests
    ]
    assert bodies == [b"hear"] * sum(one.template.method == "POST" for one in requests)


def test_template_refuses_a_body_that_would_not_be_sent() -> None:
    """Its signature would be of what the server does not receive."""
    with pytest.raises(ValueError, match="GET with a body of 4 bytes, expected none"):
        _request("GET", b"hear")
