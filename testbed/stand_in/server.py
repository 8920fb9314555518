"""The stand-in's server: one thread, one selector, no framework.

It accepts connections; `HttpConnection` or `Http2Connection` talks to each client; `PostHandler`
decides and counts.
"""

import socket
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from selectors import EVENT_READ, DefaultSelector
from threading import Thread
from typing import Self

from testbed.stand_in.behaviour import Behaviour
from testbed.stand_in.behaviour_script import BehaviourScript
from testbed.stand_in.certificate import ServerCertificate
from testbed.stand_in.greeting import PROTOCOLS, Greeting, checked_protocols
from testbed.stand_in.http2_connection import Http2Connection
from testbed.stand_in.http2_frames import Setting
from testbed.stand_in.http2_settings import Http2Limits
from testbed.stand_in.post_handler import PostHandler
from testbed.stand_in.reaction import Script
from testbed.stand_in.report import Report
from testbed.stand_in.request import RequestReader
from testbed.stand_in.response import ResponseWriter
from testbed.stand_in.server_context import ServerContext
from testbed.stand_in.signature import SignatureVerifier
from testbed.stand_in.timers import Timers
from testbed.stand_in.tls_wire import TlsWire
from testbed.stand_in.wire import Wire

_BACKLOG = 1024
_JOIN_SECONDS = 10.0


class StandIn:
    """`@connections` on a free port of 127.0.0.1, listening as soon as it is made.

    As a context manager it serves in a thread, and raises on leaving what a script raised.
    """

    def __init__(
        self,
        script: Script,
        *,
        tls: ServerCertificate | None,
        close_after_answers: int = 0,
        verifier: SignatureVerifier | None = None,
        protocols: Sequence[str] = PROTOCOLS,
        limits: Http2Limits | None = None,
    ) -> None:
        self._protocols = checked_protocols(protocols)
        self._context = tls.server_context(self._protocols) if tls else None
        post_handler = PostHandler(
            script, close_after_answers=close_after_answers, verifier=verifier
        )
        self._server_context = ServerContext(
            DefaultSelector(),
            Timers(),
            RequestReader(),
            ResponseWriter(),
            post_handler,
            limits or Http2Limits(),
        )
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=_BACKLOG)
        self._listener.settimeout(0)
        scheme = "https" if tls else "http"
        self.url = f"{scheme}://127.0.0.1:{self._listener.getsockname()[1]}/prod"
        self._waker, self._wakened = socket.socketpair()
        self._calls: deque[Callable[[], None]] = deque()
        """What is to be done in the serving thread."""
        self._is_stopping = False
        self._failure: BaseException | None = None
        self._thread = Thread(target=self._serve_in_thread, name="stand-in", daemon=True)

    @classmethod
    def of(
        cls,
        behaviour: Behaviour,
        *,
        tls: ServerCertificate | None,
        protocols: Sequence[str] = PROTOCOLS,
    ) -> Self:
        """Return a stand-in that behaves."""
        return cls(
            BehaviourScript(behaviour),
            tls=tls,
            close_after_answers=behaviour.close_after_answers,
            verifier=_verifier_of(behaviour),
            protocols=protocols,
        )

    def behave(self, behaviour: Behaviour) -> None:
        """Behave differently from the next post on; the counts begin anew."""
        self._server_context.post_handler = PostHandler(
            BehaviourScript(behaviour),
            close_after_answers=behaviour.close_after_answers,
            verifier=_verifier_of(behaviour),
            cpu_seconds=self._server_context.post_handler.tally.cpu_seconds,
        )

    def report(self) -> Report:
        """Return the counts so far; from any thread, at any time."""
        return self._server_context.post_handler.tally.report()

    def serve(self) -> None:
        """Serve until `stop`. Once only: then all is closed."""
        server_context = self._server_context
        server_context.selector.register(self._listener, EVENT_READ, self._accept)
        server_context.selector.register(self._wakened, EVENT_READ, self._wake)
        try:
            while not self._is_stopping:
                for key, events in server_context.selector.select(
                    server_context.timers.seconds_to_next()
                ):
                    key.data(events)
                server_context.timers.fire()
                self._flush()
                server_context.post_handler.tally.cpu_seconds = time.thread_time()
        finally:
            self._close()

    def announce(self, *settings: tuple[Setting, int]) -> None:
        """Change the settings of all open HTTP/2 connections, soon; from any thread."""
        self._calls.append(lambda: self._announce(settings))
        self._waker.send(b"!")

    def stop(self) -> None:
        """Let `serve` return; from any thread."""
        self._is_stopping = True
        with suppress(OSError):  # it has ended already
            self._waker.send(b"!")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._thread.join(_JOIN_SECONDS)
        if self._failure is not None:
            raise self._failure

    def _serve_in_thread(self) -> None:
        try:
            self.serve()
        except BaseException as error:  # noqa: BLE001 - raised where the thread was started
            self._failure = error

    def _accept(self, _events: int) -> None:
        with suppress(OSError):  # no client waits any more, or descriptors have run out
            while True:
                connected, _ = self._listener.accept()
                self._server_context.post_handler.tally.http_connections_opened += 1
                wire = self._new_wire(connected)
                Greeting(wire, self._server_context, self._protocols)

    def _new_wire(self, connected: socket.socket) -> Wire:
        if self._context is None:
            return Wire(connected)
        return TlsWire(connected, self._context, self._count_handshake)

    def _count_handshake(self) -> None:
        self._server_context.post_handler.tally.handshakes += 1

    def _wake(self, _events: int) -> None:
        self._wakened.recv(1)
        while self._calls:
            self._calls.popleft()()

    def _flush(self) -> None:
        """Write what this turn has made, for each connection at once."""
        unflushed = self._server_context.unflushed
        while unflushed:
            unflushed.popitem()[0].flush()

    def _announce(self, settings: Sequence[tuple[Setting, int]]) -> None:
        for key in list(self._server_context.selector.get_map().values()):
            connection = getattr(key.data, "__self__", None)
            if isinstance(connection, Http2Connection):
                connection.announce(settings)

    def _close(self) -> None:
        for key in list(self._server_context.selector.get_map().values()):
            if isinstance(key.fileobj, Wire):
                key.fileobj.close()
        for one in (self._server_context.selector, self._listener, self._waker, self._wakened):
            one.close()


def _verifier_of(behaviour: Behaviour) -> SignatureVerifier | None:
    return SignatureVerifier(behaviour) if behaviour.verify_signatures else None
