"""A host with several addresses, of which some are dead, and one that moves.

The others get the posts, and a post that was never sent costs no connection a try.
"""

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from broadcasting.clock import Clock
from broadcasting.outcome import Outcome
from broadcasting.retry import Backoff
from broadcasting.trouble import Trouble
from delivery.selector_fan_out import SelectorFanOut
from testbed.model.fakes import FakeTime
from testbed.stand_in.certificate import ServerCertificate, issue_certificate
from testbed.stand_in.reaction import Answer, Post, Reaction
from testbed.stand_in.server import StandIn
from tests.support.loopback import found, swallowing_port, unused_port
from tests.support.posting import CLOCK, connections, deliver, once, selector_fan_out

ONE_TRY = Backoff(tries=1)
_HOSTS = ("refusing", "swallowing", "no IPv6")


@dataclass(frozen=True, slots=True)
class NamedHost:
    """A stand-in behind a name, and what else the name may lead to."""

    stand_in: StandIn
    certificate: ServerCertificate | None
    stack: ExitStack

    @property
    def port(self) -> int:
        """Where the stand-in listens, at 127.0.0.1."""
        return int(self.stand_in.url.split(":")[2].split("/")[0])

    def fan_out(self, clock: Clock = CLOCK) -> SelectorFanOut:
        """Return a fan-out that gives each post one try."""
        ca_path = self.certificate.ca_path if self.certificate else None
        made = selector_fan_out(self.stand_in.url, ca_path, backoff=ONE_TRY, clock=clock)
        return self.stack.enter_context(made)

    def dead(self, kind: str) -> tuple[str, int]:
        """Return an address of that kind."""
        if kind == "swallowing":
            return "127.0.0.1", self.stack.enter_context(swallowing_port())
        return ("::1" if kind == "no IPv6" else "127.0.0.1"), unused_port()


def _ok(_post: Post) -> Reaction:
    return Answer(200)


@pytest.fixture(params=["http", "https"])
def host(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[NamedHost]:
    """Return a host, plain or with TLS."""
    certificate = None
    if request.param == "https":
        certificate = issue_certificate(tmp_path_factory.mktemp("certificate"))
    with ExitStack() as stack:
        stand_in = stack.enter_context(StandIn(_ok, tls=certificate))
        yield NamedHost(stand_in, certificate, stack)


def _lead_to(monkeypatch: pytest.MonkeyPatch, *addresses: tuple[str, int]) -> None:
    """Give every name these addresses from now on."""
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found(*addresses))


@pytest.mark.parametrize("kind", _HOSTS)
@pytest.mark.parametrize("number_of", [1, 20, 400])
def test_fan_out_delivers_to_everyone_when_one_address_is_dead(
    host: NamedHost, monkeypatch: pytest.MonkeyPatch, kind: str, number_of: int
) -> None:
    """With a single try each, whichever address comes first."""
    _lead_to(monkeypatch, host.dead(kind), ("127.0.0.1", host.port))

    delivery = deliver(host.fan_out(), connections(number_of))

    assert delivery.facts() == {(Outcome.DELIVERED, 1, 0)}
    assert dict(host.stand_in.report().received) == once(one.id for one in delivery.taken)


@pytest.mark.usefixtures("hasty_probes")
def test_fan_out_counts_no_try_when_every_address_is_dead(
    host: NamedHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing has left: everyone is left as they were."""
    _lead_to(monkeypatch, host.dead("refusing"), host.dead("no IPv6"))

    delivery = deliver(host.fan_out(), connections(20))

    assert delivery.facts() == {(Outcome.PENDING, 0, 0)}
    assert delivery.watch.breaker.stopped_by is Trouble.OUTAGE
    assert host.stand_in.report().posts == 0


def test_fan_out_finds_a_host_that_moves_within_a_run(
    host: NamedHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old address refuses; the name leads elsewhere by then."""
    answers = iter([found(host.dead("refusing"))])
    moved = found(("127.0.0.1", host.port))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: next(answers, moved))

    delivery = deliver(host.fan_out(), connections(20))

    assert delivery.facts() == {(Outcome.DELIVERED, 1, 0)}


def test_fan_out_finds_a_host_that_has_moved_while_the_function_was_frozen(
    host: NamedHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the epoch clock went on, and the old address is gone."""
    time = FakeTime()
    fan_out = host.fan_out(CLOCK._replace(epoch_ms=lambda: time.epoch_ms))
    with StandIn(_ok, tls=host.certificate) as old:
        port = int(old.url.split(":")[2].split("/")[0])
        _lead_to(monkeypatch, ("127.0.0.1", port))
        before = deliver(fan_out, connections(20))
    time.epoch_ms += 1_200_000
    _lead_to(monkeypatch, ("127.0.0.1", host.port))

    after = deliver(fan_out, connections(20))

    assert before.facts() == after.facts() == {(Outcome.DELIVERED, 1, 0)}
    assert dict(host.stand_in.report().received) == once(one.id for one in after.taken)
