"""Opens connections to `@connections`, without waiting for any of them."""

import errno
import itertools
import os
import socket
import ssl
from concurrent.futures import Future, ThreadPoolExecutor, wait
from threading import Lock
from typing import TYPE_CHECKING, Any

from delivery.endpoint import Endpoint
from delivery.http_connection import HttpConnection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

RESOLVED_SECONDS = 60.0
"""How long an address is good for: the service's names are resolved anew every minute."""

_UNDER_WAY = (0, errno.EINPROGRESS, errno.EWOULDBLOCK)
_Address = tuple[socket.AddressFamily, tuple[Any, ...]]


def tls_context(ca_bundle: str | None) -> ssl.SSLContext:
    """Return TLS 1.2 or newer that verifies the server by `ca_bundle`, else by the system's.

    Raises OSError when the bundle cannot be loaded.
    """
    try:
        context = ssl.create_default_context(cafile=ca_bundle)
    except OSError as error:
        raise OSError(
            f"the CA bundle {ca_bundle} cannot be loaded ({error}); expected a file of "
            "certificates in PEM; check AWS_CA_BUNDLE"
        ) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


class Connector:
    """Knows the endpoint's addresses and opens connections to them in turn."""

    def __init__(
        self, endpoint: Endpoint, tls: ssl.SSLContext | None, monotonic: "Callable[[], float]"
    ) -> None:
        """Take the TLS to use; an http endpoint uses none. Raises ValueError for https without."""
        if endpoint.is_tls and tls is None:
            raise ValueError(f"{endpoint.authority} is https, expected a TLS context")
        self._monotonic = monotonic
        self._resolve_at = monotonic()
        self._endpoint = endpoint
        self._tls = tls if endpoint.is_tls else None
        self._addresses: Iterator[_Address] | None = None
        self._problem: Exception = TimeoutError("no answer yet")
        self._resolver = ThreadPoolExecutor(1, thread_name_prefix="resolve")
        self._look_up: Future[list[_Address]] | None = None
        self._lock = Lock()

    def resolve(self, timeout_seconds: float) -> None:
        """Look the host up, if that is not fresh, and wait for it so long.

        What is known stays good when that fails; `open` looks up again when nothing is known.
        """
        if self._monotonic() >= self._resolve_at:
            with self._lock:
                self._look_up = self._look_up or self._resolver.submit(self._find)
            wait([self._look_up], timeout_seconds)
        self._heed()

    def open(self) -> HttpConnection:
        """Begin to open a connection. Raises OSError when that cannot even begin."""
        self._heed()
        if self._addresses is None:
            raise OSError(f"{self._endpoint.host} not resolved: {self._problem}")
        family, address = next(self._addresses)
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.settimeout(0)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            error = sock.connect_ex(address)
        except BaseException:
            sock.close()
            raise
        if error not in _UNDER_WAY:
            sock.close()
            raise OSError(error, os.strerror(error))
        return HttpConnection(sock, self._wrap if self._tls else None)

    def close(self) -> None:
        """Resolve no more."""
        self._resolver.shutdown(wait=False, cancel_futures=True)

    def _wrap(self, sock: socket.socket) -> ssl.SSLSocket:
        assert self._tls
        return self._tls.wrap_socket(
            sock, do_handshake_on_connect=False, server_hostname=self._endpoint.host
        )

    def _heed(self) -> None:
        """Take what a look-up has found; begin another one if nothing is known."""
        with self._lock:
            if self._look_up is None or not self._look_up.done():
                return
            done, self._look_up = self._look_up, None
            try:
                self._addresses = itertools.cycle(done.result())
                self._resolve_at = self._monotonic() + RESOLVED_SECONDS
            except (OSError, UnicodeError) as error:  # Unicode: a label is empty, or too long
                self._problem = error
                if self._addresses is None:
                    self._look_up = self._resolver.submit(self._find)

    def _find(self) -> list[_Address]:
        found = socket.getaddrinfo(
            self._endpoint.host, self._endpoint.port, type=socket.SOCK_STREAM
        )
        return [(family, address) for family, _type, _protocol, _name, address in found]
