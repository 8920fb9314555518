"""The fast fan-out and the hostile HTTP/2 server that it posts to, for tests at the wire."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

from broadcasting.outcome import Outcome
from delivery.selector_fan_out import SelectorFanOut
from testbed.stand_in.certificate import ServerCertificate
from tests.support.http2_server import Http2Server, Peer, Script, server_tls
from tests.support.posting import Delivery, connections, deliver, once, selector_fan_out


class Posting(NamedTuple):
    """A fast fan-out and the server that it posts to."""

    fan_out: SelectorFanOut
    server: Http2Server

    def deliver(self, number_of: int, **options: Any) -> Delivery:
        """Deliver a frame to a number of connections."""
        return deliver(self.fan_out, connections(number_of), **options)

    def check_delivered_once(self, delivery: Delivery) -> None:
        """Assert that each connection is delivered and has received one frame."""
        assert delivery.ids(Outcome.DELIVERED) == ids(delivery)
        assert self.server.received == once(ids(delivery))


Start = Callable[..., Posting]


def ids(delivery: Delivery) -> set[str]:
    """Return the ids of all connections that were taken."""
    return {one.id for one in delivery.taken}


def tries(delivery: Delivery) -> dict[str, int]:
    """Return how many tries each connection is said to have had."""
    return {one.connection.id: one.tries for one in delivery.settlements}


@contextmanager
def starting(certificate: ServerCertificate) -> Iterator[Start]:
    """Return what starts a server with a script, and makes a fan-out with options to it."""
    with ExitStack() as stack:

        def start(
            script: Script, *, on_open: Callable[[Peer], None] = Peer.begin, **options: Any
        ) -> Posting:
            server = Http2Server(script, server_tls(certificate), on_open=on_open)
            stack.enter_context(server)
            fan_out = selector_fan_out(server.url, certificate.ca_path, **options)
            return Posting(stack.enter_context(fan_out), server)

        yield start
