"""Fetches an issuer's JWKS document over https: the one module of access that does I/O.

All of it takes 2 s at most, finding the address and a body that trickles included. It goes to the
host that the deploy names and nowhere else: no proxy, and one redirect within that host. It is
the standard library's client, because botocore's would double what a cold start imports.
"""

import io
import socket
import ssl
import time
from collections.abc import Callable
from contextlib import closing
from http.client import HTTPConnection, HTTPException, HTTPResponse
from ipaddress import ip_address
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, Final

from access.key_errors import KeysError
from access.key_set import MOST_BYTES
from access.key_url import KeyUrl

MOST_SECONDS: Final = 2.0
_MOST_ANSWER_BYTES: Final = 2 * MOST_BYTES
"""Of the head and the body, with all that a server may send before them."""

_MOST_ADDRESSES: Final = 4
_HEADERS: Final = {"Accept": "application/json", "User-Agent": "crier", "Connection": "close"}
"""Firewalls before an issuer refuse requests of programs that do not say which one they are.

https://docs.aws.amazon.com/waf/latest/developerguide/aws-managed-rule-groups-baseline.html
"""

_OK: Final = 200
_REDIRECTS: Final = (301, 302, 303, 307, 308)


class KeyFetcher:
    """Fetches one URL. `tls` is for https; `monotonic` is a clock in seconds."""

    def __init__(
        self,
        url: KeyUrl,
        *,
        tls: ssl.SSLContext | None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url = url
        self._tls = tls
        self._monotonic = monotonic

    def fetch(self) -> bytes:
        """Return the document, of up to 64 KB. Raises KeysError, which says nothing of the URL."""
        deadline = _Deadline(self._monotonic, MOST_SECONDS)
        try:
            found = self._get(self._url, deadline)
            if isinstance(found, bytes):
                return found
            again = self._get(_redirected(self._url, found), deadline)
        except (OSError, HTTPException, ValueError) as error:
            raise KeysError(f"the keys could not be fetched: {type(error).__name__}") from error
        if isinstance(again, bytes):
            return again
        raise KeysError("the keys could not be fetched: a second redirect, expected one at most")

    def _get(self, url: KeyUrl, deadline: "_Deadline") -> bytes | str:
        """Return the document, or where a redirect leads."""
        with closing(_connect(url, deadline)) as plain:
            sock = plain
            if url.scheme == "https":
                plain.settimeout(deadline.remaining())
                tls = self._tls or tls_context()
                sock = tls.wrap_socket(plain, server_hostname=url.host)
            with closing(sock):
                return _ask(url, _TimedSocket(sock, deadline))


def _redirected(url: KeyUrl, location: str) -> KeyUrl:
    try:
        return url.redirected(location)
    except ValueError as error:
        raise KeysError(f"the keys were answered with a wrong redirect: {error}") from error


def tls_context() -> ssl.SSLContext:
    """Return TLS 1.2 or newer that verifies the server by the system's authorities."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context


class _Deadline:
    """When all must be over."""

    def __init__(self, monotonic: Callable[[], float], seconds: float) -> None:
        self._monotonic = monotonic
        self._at = monotonic() + seconds

    def remaining(self) -> float:
        """Return the seconds that remain. Raises TimeoutError when none do."""
        seconds = self._at - self._monotonic()
        if seconds <= 0:
            raise TimeoutError("no time remains")
        return seconds


class _TimedSocket:
    """As much of a socket as http.client needs; each step has the time that remains."""

    def __init__(self, sock: socket.socket, deadline: _Deadline) -> None:
        self._sock = sock
        self._deadline = deadline

    def sendall(self, data: bytes) -> None:
        self._sock.settimeout(self._deadline.remaining())
        self._sock.sendall(data)

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_TimedStream(self._sock, self._deadline))

    def close(self) -> None:
        """Do nothing: the client closes it before it reads, and the fetcher closes the socket."""


class _TimedStream(io.RawIOBase):
    """What a socket receives, up to a time and a size."""

    def __init__(self, sock: socket.socket, deadline: _Deadline) -> None:
        self._sock = sock
        self._deadline = deadline
        self._received = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._sock.settimeout(self._deadline.remaining())
        count = self._sock.recv_into(buffer)
        self._received += count
        if self._received > _MOST_ANSWER_BYTES:
            raise KeysError(f"the answer has over {_MOST_ANSWER_BYTES} bytes, expected fewer")
        return count


def _ask(url: KeyUrl, sock: _TimedSocket) -> bytes | str:
    client = HTTPConnection(url.host, url.port)
    client.sock = sock
    client.request("GET", url.target, headers={"Host": url.authority, **_HEADERS})
    return _document(client.getresponse())


def _document(response: HTTPResponse) -> bytes | str:
    """Return the document of an answer, or where a redirect leads."""
    if response.status in _REDIRECTS:
        return response.getheader("Location") or ""
    if response.status != _OK:
        raise KeysError(f"the keys were answered with status {response.status}, expected {_OK}")
    data = response.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise KeysError(f"the key set has over {MOST_BYTES} bytes, expected no more")
    return data


def _connect(url: KeyUrl, deadline: _Deadline) -> socket.socket:
    """Connect to one of the host's addresses. Each gets its share of the time that remains."""
    found = [one for one in _resolve(url, deadline) if _may_go_to(url, one[4][0])]
    error: OSError = OSError("the host has no address that may be asked")
    addresses = found[:_MOST_ADDRESSES]
    for place, (family, kind, protocol, _, address) in enumerate(addresses):
        try:
            seconds = deadline.remaining() / (len(addresses) - place)
            return _connected(socket.socket(family, kind, protocol), address, seconds)
        except OSError as refused:  # also of a kind of address that this machine does not have
            error = refused
    raise error


def _connected(sock: socket.socket, address: Any, seconds: float) -> socket.socket:
    """Connect a socket within some seconds. Raises OSError, and closes it then."""
    try:
        sock.settimeout(seconds)
        sock.connect(address)
    except OSError:
        sock.close()
        raise
    return sock


def _may_go_to(url: KeyUrl, address: str | int) -> bool:
    """Tell whether an address may be asked: plain http never leaves the machine."""
    return url.scheme == "https" or ip_address(str(address).partition("%")[0]).is_loopback


def _resolve(url: KeyUrl, deadline: _Deadline) -> list[Any]:
    """Look a host up. The system takes its time for that, so a thread of its own waits for it."""
    answers: SimpleQueue[list[Any] | Exception] = SimpleQueue()

    def look_up() -> None:
        try:
            answers.put(socket.getaddrinfo(url.host, url.port, type=socket.SOCK_STREAM))
        except (OSError, ValueError) as error:
            answers.put(error)

    Thread(target=look_up, daemon=True).start()
    try:
        found = answers.get(timeout=deadline.remaining())
    except Empty:
        raise TimeoutError("the host was not found in time") from None
    if isinstance(found, Exception):
        raise found
    return found
