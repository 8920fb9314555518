"""A hostile HTTP/2 server on loopback: the `h2` package reads and writes, a script does the harm.

A client that breaks the protocol fails the test: `h2` raises, and so does leaving the server. What
`h2` would not send is sent as raw bytes. The reactions of scripts are in http2_reactions.py.
"""

import heapq
import socket
import ssl
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from itertools import count
from threading import Condition, Event
from typing import NamedTuple, Self, cast
from urllib.parse import unquote

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    PingReceived,
    RequestReceived,
    StreamEnded,
    StreamReset,
)
from h2.events import Event as H2Event

from testbed.stand_in.certificate import ServerCertificate
from tests.support.loopback import PATIENCE_SECONDS, Loopback, is_readable, reset
from tests.support.posting import CLOCK

_READ_BYTES = 65_536
MOST_STREAMS = 1_000
"""How many streams `h2` takes before a script tells the client of a limit."""


class Post(NamedTuple):
    """A post that has come whole.

    `attempt` counts the posts to its connection id, `number` those of its HTTP connection.
    """

    connection_id: str
    stream_id: int
    attempt: int
    number: int
    fields: Mapping[str, str]
    body: bytes


class _OverError(Exception):
    """The server has ended an HTTP connection."""


class Peer:
    """One HTTP connection, as the server has it. For its own thread."""

    def __init__(self, server: "Http2Server", sock: socket.socket) -> None:
        self.h2 = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        self.posts: list[Post] = []
        """The posts that were processed, whatever they were answered."""
        self.resets: list[tuple[int, int]] = []
        """The streams that the client has reset, and why."""
        self.goodbye: int | None = None
        """Why the client has left, if it has said so."""
        self.last_id = 2**31 - 1
        """Posts on streams above this are not processed."""
        self.is_over = False
        """Whether it has ended."""
        self.widens = True
        """Whether windows are widened by what has come."""
        self.memo: list[Post] = []
        """What a script keeps."""
        self._server = server
        self._socket = sock
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # what is sent, leaves at once
        self._requests: dict[int, dict[str, str]] = {}
        self._bodies: dict[int, bytes] = {}
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()

    def begin(self, *, streams: int = MOST_STREAMS) -> None:
        """Say hello, and how many streams may be open."""
        self.h2.local_settings.max_concurrent_streams = streams
        self.h2.local_settings.acknowledge()
        self.h2.initiate_connection()

    def deliver(self, post: Post) -> None:
        """Have a client receive the frame."""
        with self._server.lock:
            self._server.received[post.connection_id] += 1

    def later(self, seconds: float, action: Callable[[], None]) -> None:
        """Do something when this time has passed."""
        heapq.heappush(self._timers, (CLOCK.monotonic() + seconds, next(self._order), action))

    def raw(self, data: bytes) -> None:
        """Send bytes as they are, after all that was sent before."""
        self._socket.sendall(self.h2.data_to_send() + data)

    def cut(self) -> None:
        """End the connection with a TCP reset."""
        self._flush()
        reset(self._socket)
        raise _OverError

    def hang_up(self) -> None:
        """End the connection without a word."""
        self._flush()
        raise _OverError

    def pause(self, seconds: float) -> None:
        """Read nothing and send nothing for a while."""
        self._flush()
        self._server.is_over.wait(seconds)

    def stall(self) -> None:
        """Read nothing and send nothing any more, until the test is over."""
        self.pause(6 * PATIENCE_SECONDS)
        raise _OverError

    def serve(self) -> None:
        """Serve until one of the sides has ended the connection."""
        with suppress(_OverError, OSError):
            self._server.on_open(self)
            self._flush()
            while data := self._read():
                for event in self.h2.receive_data(data):
                    self._take(event)
                self._flush()
                self._server.note()

    def _flush(self) -> None:
        self._socket.sendall(self.h2.data_to_send())

    def _read(self) -> bytes:
        """Return what comes next, and do meanwhile what is due."""
        while not self._has_news(self._until_next()):
            while not self._until_next():
                heapq.heappop(self._timers)[2]()
                self._flush()
                self._server.note()
        return self._socket.recv(_READ_BYTES)

    def _until_next(self) -> float:
        if not self._timers:
            return 6 * PATIENCE_SECONDS
        return max(0.0, self._timers[0][0] - CLOCK.monotonic())

    def _has_news(self, seconds: float) -> bool:
        is_pending = isinstance(self._socket, ssl.SSLSocket) and self._socket.pending()
        return bool(is_pending) or is_readable(self._socket, seconds)

    def _take(self, event: H2Event) -> None:
        if isinstance(event, RequestReceived):
            self._requests[event.stream_id] = dict(cast("list[tuple[str, str]]", event.headers))
            self._bodies[event.stream_id] = b""
        elif isinstance(event, DataReceived):
            self._bodies[event.stream_id] += event.data
            if self.widens and event.flow_controlled_length:
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, StreamEnded) and event.stream_id <= self.last_id:
            self._process(event.stream_id)
        else:
            self._note(event)

    def _note(self, event: H2Event) -> None:
        if isinstance(event, StreamReset):
            self.resets.append((event.stream_id, int(event.error_code)))
        elif isinstance(event, ConnectionTerminated):
            self.goodbye = int(event.error_code or 0)
        elif isinstance(event, PingReceived) and not self._server.answers_pings:
            self.h2.clear_outbound_data_buffer()

    def _process(self, stream_id: int) -> None:
        fields = self._requests.pop(stream_id)
        connection_id = unquote(fields[":path"].rsplit("/", 1)[1])
        attempt = self._server.count_attempt(connection_id)
        body, number = self._bodies.pop(stream_id), len(self.posts) + 1
        post = Post(connection_id, stream_id, attempt, number, fields, body)
        self.posts.append(post)
        self._server.script(self, post)


Script = Callable[[Peer, Post], None]
"""What is done with a post."""


class Http2Server:
    """Serves each connection in a thread of its own: see `Loopback`.

    `on_open` has to begin the connection.
    """

    def __init__(
        self, script: Script, tls: ssl.SSLContext, *, on_open: Callable[[Peer], None] = Peer.begin
    ) -> None:
        self.script = script
        self.on_open = on_open
        self.received: Counter[str] = Counter()
        """How many frames reached each connection id."""
        self.peers: list[Peer] = []
        self.answers_pings = True
        """Whether pings are answered, as `h2` does by itself."""
        self.is_over = Event()
        self.lock = Condition()
        self._attempts: Counter[str] = Counter()
        self._loopback = Loopback(self.serve, tls)
        self.url = self._loopback.url

    @property
    def opened(self) -> int:
        """How many connections have been opened."""
        return self._loopback.accepted

    @property
    def resets(self) -> list[int]:
        """Return why the client has reset streams, of all connections."""
        return [code for peer in self.peers for _, code in peer.resets]

    @property
    def attempts(self) -> dict[str, int]:
        """Return how often each connection id was posted to and processed."""
        return dict(self._attempts)

    def count_attempt(self, connection_id: str) -> int:
        """Count a post; return how many have come for this connection id."""
        with self.lock:
            self._attempts[connection_id] += 1
            return self._attempts[connection_id]

    def serve(self, sock: socket.socket) -> None:
        """Serve an accepted connection until it ends."""
        peer = Peer(self, sock)
        with self.lock:
            self.peers.append(peer)
        peer.serve()
        sock.close()
        peer.is_over = True
        self.note()

    def note(self) -> None:
        """Take note that something has come."""
        with self.lock:
            self.lock.notify_all()

    def wait_for(self, has_come: Callable[[], bool]) -> None:
        """Wait until something has come. Fails the test when it does not."""
        with self.lock:
            assert self.lock.wait_for(has_come, PATIENCE_SECONDS)

    def __enter__(self) -> Self:
        self._loopback.__enter__()
        return self

    def __exit__(self, *args: object) -> None:
        self.is_over.set()
        self._loopback.__exit__(*args)


def server_tls(
    certificate: ServerCertificate, protocols: tuple[str, ...] = ("h2", "http/1.1")
) -> ssl.SSLContext:
    """Return a server's TLS that chooses among these protocols by ALPN; without any, none."""
    context = certificate.server_context()
    if protocols:
        context.set_alpn_protocols(list(protocols))
    return context
