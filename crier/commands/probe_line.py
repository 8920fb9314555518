"""One connection for `crier probe`, step by step, and how long each step takes."""

import socket
import ssl
import time
from contextlib import ExitStack
from typing import NamedTuple

from crier.commands import probe_words as words
from crier.commands.probe_result import Tls
from crier.errors import CrierError

STEP_SECONDS = 5.0
"""Neither TCP nor TLS nor the answer may take longer than this, each."""


class Line(NamedTuple):
    """An open socket, with TLS around it or without, and how many milliseconds that took.

    `took` is for looking the host up, for TCP, and for TLS.
    """

    sock: socket.socket
    address: str
    tls: Tls | None
    took: tuple[float, float, float | None]


def open_line(host: str, port: int, tls: ssl.SSLContext | None, opened: ExitStack) -> Line:
    """Open a connection, with TLS if given; it is closed with the stack. Raises CrierError."""
    began_at = time.perf_counter()
    addresses = _resolve(host, port)
    resolve_ms, began_at = since(began_at), time.perf_counter()
    sock = opened.enter_context(_connect(addresses, place_of(host, port)))
    tcp_ms, began_at = since(began_at), time.perf_counter()
    address = sock.getpeername()[0]
    if tls is None:
        return Line(sock, address, None, (resolve_ms, tcp_ms, None))
    secured = opened.enter_context(_secure(sock, host, port, tls))
    tls_ms = since(began_at)
    cipher = secured.cipher()
    agreed = Tls(secured.version() or "", cipher[0] if cipher else "")
    return Line(secured, address, agreed, (resolve_ms, tcp_ms, tls_ms))


def _resolve(host: str, port: int) -> list[tuple[str, int]]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:  # Unicode: a label is empty, or too long
        raise CrierError(words.not_found(host, error)) from error
    return [(str(address[0]), int(address[1])) for *_, address in found]


def _connect(addresses: list[tuple[str, int]], place: str) -> socket.socket:
    """Return a connection to the first address that takes one."""
    problem = OSError("no address")
    for address in addresses:
        try:
            return socket.create_connection(address, STEP_SECONDS)
        except OSError as error:
            problem = error
    raise CrierError(words.not_connected(place, problem, STEP_SECONDS)) from problem


def _secure(sock: socket.socket, host: str, port: int, tls: ssl.SSLContext) -> ssl.SSLSocket:
    try:
        return tls.wrap_socket(sock, server_hostname=host)
    except OSError as error:
        raise CrierError(words.not_secured(place_of(host, port), error, STEP_SECONDS)) from error


def place_of(host: str, port: int) -> str:
    """Return a host and its port in words."""
    return f"{host} port {port}"


def since(began_at: float) -> float:
    """Return the milliseconds since a moment of `time.perf_counter`."""
    return round((time.perf_counter() - began_at) * 1000, 3)
