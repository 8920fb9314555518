"""Opens connections to `@connections`, without waiting for any of them."""

import errno
import math
import os
import socket
import ssl
from concurrent.futures import wait
from threading import Lock

from broadcasting.clock import Clock
from delivery.http.addresses import Addresses, Route
from delivery.http.endpoint import Endpoint
from delivery.http.handshake import Handshake
from delivery.http.http2_settings import StreamLimit
from delivery.http.resolver import Resolver

ATTEMPT_DELAY_SECONDS = 0.25
"""An attempt that takes longer than this is raced by another one: RFC 8305, 5."""

FAILURE_DELAY_SECONDS = 0.05
"""Once the last attempt at every address has failed, no connection is opened for this long."""

CALM_SECONDS = 1.0
"""After a server has asked for calm, no connection is opened for this long."""

_UNDER_WAY = (0, errno.EINPROGRESS, errno.EWOULDBLOCK)


class Connector:
    """Knows the endpoint's addresses and opens connections to them. Any thread may ask it.

    `opened`, `failed` or `dropped` must follow for each connection that `open` has returned.
    """

    def __init__(self, endpoint: Endpoint, tls: ssl.SSLContext | None, clock: Clock) -> None:
        """Take the TLS to use; an http endpoint uses none. Raises ValueError for https without."""
        if endpoint.is_tls and tls is None:
            raise ValueError(f"{endpoint.authority} is https, expected a TLS context")
        self._monotonic = clock.monotonic
        self._epoch_ms = clock.epoch_ms
        self._endpoint = endpoint
        self._tls = tls if endpoint.is_tls else None
        self._resolver = Resolver(endpoint, clock)
        self._addresses = Addresses()
        self._opening: dict[Handshake, tuple[Route, float]] = {}
        self._failed_at: float | None = None
        self._calm_until = -math.inf
        self._calmed_ms = 0
        self._stream_limit = StreamLimit()
        self._lock = Lock()
        self.room = 1
        """How many requests a connection had room for when it was opened last."""
        self.calmed = 0
        """How often a server has asked for calm."""

    @property
    def is_delayed(self) -> bool:
        """Whether no connection should be opened now.

        Every address has failed, the last one only a moment ago, or the server has asked for calm.
        """
        now, failed_at = self._monotonic(), self._failed_at
        has_failed = failed_at is not None and now - failed_at < FAILURE_DELAY_SECONDS
        return has_failed or now < self._calm_until

    @property
    def young(self) -> int:
        """How many connections are being opened, without those that already take long."""
        until = self._monotonic() - ATTEMPT_DELAY_SECONDS
        with self._lock:
            return sum(begun_at > until for _, begun_at in self._opening.values())

    def resolve(self, timeout_seconds: float) -> None:
        """Begin a broadcast: forget which addresses have failed; look the host up if that is due.

        Waits for a look-up, at most `timeout_seconds`; known addresses stay good when it fails.
        """
        with self._lock:
            self._take_look_up()
            self._addresses.forget_failures()
            self._failed_at = None
            if self._epoch_ms() - self._calmed_ms >= CALM_SECONDS * 1000:
                self._calm_until = -math.inf  # a function may have been frozen meanwhile
            look_up = self._resolver.begin() if self._resolver.is_due else None
        if look_up:
            wait([look_up], timeout_seconds)
        with self._lock:
            self._take_look_up()

    def expect(self, body_bytes: int) -> None:
        """Take the size of the next requests' bodies: windows have room for a number of them."""
        self._stream_limit.body_bytes = max(1, body_bytes)

    def open(self) -> Handshake:
        """Begin to open a connection. Raises OSError when that cannot even begin.

        An address that has failed is left out while there is another.
        """
        with self._lock:
            self._take_look_up()
            if self._resolver.is_due and (not self._addresses or self._resolver.may_doubt):
                self._resolver.begin()
            problem: OSError | None = None
            for route in self._addresses.in_order():
                try:
                    return self._open(route)
                except OSError as error:
                    self._note_failure(route)
                    problem = problem or error
            self._failed_at = self._monotonic()
        host = self._endpoint.host
        raise problem or OSError(f"{host} not resolved: {self._resolver.problem}")

    def opened(self, handshake: Handshake, room: int = 1) -> None:
        """Take note that a connection is open, with room for `room` requests: its address works."""
        with self._lock:
            self.room = room
            route = self._take(handshake)
            route.has_failed = False
            self._failed_at = None

    def failed(self, handshake: Handshake) -> None:
        """Take note that a connection could not be opened: its address fails."""
        with self._lock:
            self._note_failure(self._take(handshake))

    def dropped(self, handshake: Handshake) -> None:
        """Take note that opening a connection was given up; its address is not to blame."""
        with self._lock:
            self._take(handshake)

    def calm(self) -> None:
        """Open no connection for a while: the server has asked for calm."""
        with self._lock:
            self.calmed += 1
            self._calm_until = self._monotonic() + CALM_SECONDS
            self._calmed_ms = self._epoch_ms()

    def doubt(self) -> None:
        """Look the host up anew, without waiting: something is wrong with a connection to it."""
        with self._lock:
            self._doubt()

    def close(self) -> None:
        """Resolve no more."""
        self._resolver.close()

    def _open(self, route: Route) -> Handshake:
        family, address = route.address
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
        handshake = Handshake(sock, self._wrap if self._tls else None, self._stream_limit)
        self._opening[handshake] = route, self._monotonic()
        route.opening += 1
        return handshake

    def _wrap(self, sock: socket.socket) -> ssl.SSLSocket:
        assert self._tls
        return self._tls.wrap_socket(
            sock, do_handshake_on_connect=False, server_hostname=self._endpoint.host
        )

    def _take(self, handshake: Handshake) -> Route:
        route, _ = self._opening.pop(handshake)
        route.opening -= 1
        return route

    def _note_failure(self, route: Route) -> None:
        route.has_failed = True
        if self._addresses.have_all_failed:
            self._failed_at = self._monotonic()
        self._doubt()

    def _doubt(self) -> None:
        self._take_look_up()
        if self._resolver.may_doubt:
            self._resolver.begin()

    def _take_look_up(self) -> None:
        """Take what a look-up has found."""
        found = self._resolver.take()
        if found is not None:
            self._addresses.replace(found)
            if not self._addresses.have_all_failed:
                self._failed_at = None
