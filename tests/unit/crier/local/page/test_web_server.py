"""What the page's server does with what is no request of its page, and says on the screen."""

import socket
from contextlib import ExitStack, suppress
from http.client import RemoteDisconnected
from http.server import ThreadingHTTPServer
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest

from crier.local.page.answers import HEADERS, Answer, Asked
from crier.local.page.web_server import served


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ConnectionResetError(), ""),
        (BrokenPipeError(), ""),
        (ZeroDivisionError("a fault"), "ZeroDivisionError: a fault"),
    ],
    ids=repr,
)
def test_browser_that_goes_away_is_no_error(
    capsys: pytest.CaptureFixture[str], error: Exception, said: str
) -> None:
    """It does so whenever a page is loaded again; a fault of ours is shown."""

    def fail(_asked: Asked, _port: int) -> Answer:
        raise error

    with served(fail, port=0) as url, suppress(RemoteDisconnected):
        urlopen(url, timeout=10).close()  # noqa: S310 - our own

    shown = capsys.readouterr().err
    assert bool(shown) == bool(said)
    assert said in shown


def port_of(url: str) -> int:
    """Return the port of a URL that has one."""
    return urlsplit(url).port or 0


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"HEAD / HTTP/1.1\r\n\r\n", 501),
        (b"<b> / HTTP/1.1\r\n\r\n", 501),
        (b"GET / / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 200 + b"\r\n", 431),
    ],
)
def test_what_is_no_request_has_the_headers_of_every_answer(sent: bytes, status: int) -> None:
    """And no HTML; HEAD has no body."""
    with (
        served(lambda *_: Answer(204), port=0) as url,
        socket.create_connection(("127.0.0.1", port_of(url)), timeout=10) as client,
        client.makefile("rb") as answer,
    ):
        client.sendall(sent)
        head, _, body = answer.read().decode().partition("\r\n\r\n")

    first, *headers = head.splitlines()
    assert first.startswith(f"HTTP/1.0 {status} ")
    assert {f"{name}: {value}" for name, value in HEADERS.items()} <= set(headers)
    assert {"Content-Type: application/json", "Cache-Control: no-store"} <= set(headers)
    assert body.startswith('{"error": ') != sent.startswith(b"HEAD")


def test_many_connections_at_once_find_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also before the server takes them: a browser that finds none waits a second, or longer."""
    for name in ("serve_forever", "shutdown"):
        monkeypatch.setattr(ThreadingHTTPServer, name, lambda *_: None)

    with served(lambda *_: Answer(204), port=0) as url, ExitStack() as stack:
        place = ("127.0.0.1", port_of(url))
        clients = [
            stack.enter_context(socket.create_connection(place, timeout=0.5)) for _ in range(100)
        ]
        reached = [client.getpeername() for client in clients]

    assert reached == [place] * 100
