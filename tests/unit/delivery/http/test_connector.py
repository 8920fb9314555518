"""Opening connections: how a host is looked up and its server verified, and what goes wrong."""

import re
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from delivery.http.connection import HttpConnection, Response
from delivery.http.connector import (
    ATTEMPT_DELAY_SECONDS,
    CALM_SECONDS,
    FAILURE_DELAY_SECONDS,
    Connector,
)
from delivery.http.endpoint import parse_endpoint
from delivery.http.handshake import READ, Handshake
from delivery.http.request import Request, RequestTemplate
from delivery.http.resolver import DOUBT_SECONDS, RESOLVED_SECONDS
from delivery.http.tls import tls_context
from testbed.model.fakes import FakeTime
from testbed.stand_in.certificate import WRONG_NAMES, ServerCertificate, issue_certificate
from tests.support.loopback import (
    OK,
    PATIENCE_SECONDS,
    Loopback,
    found,
    is_readable,
    is_writable,
    read_post,
    unused_port,
    wait_for_end,
)

REQUEST = Request(RequestTemplate((), b"hi"), "/prod/@connections/a", "signed")


def _answer_one(server: socket.socket) -> None:
    read_post(server)
    server.sendall(OK)
    wait_for_end(server)


def _drive(handshake: Handshake) -> Response:
    """Open a connection, and post on it until it has an answer, or raises."""
    http: HttpConnection[str] | None = None
    with closing(handshake):
        while http is None:
            is_reading = handshake.interest == READ and handshake.watched
            assert is_readable(handshake) if is_reading else is_writable(handshake)
            handshake.watched = handshake.interest
            http = handshake.advance()
        http.send([("a", REQUEST)], 0.0)
        while True:
            if http.interest == READ:
                assert is_readable(http)
            for _, result in http.advance():
                assert isinstance(result, Response)
                return result


def _post(connector: Connector) -> None:
    """Post on a new connection."""
    http = connector.open()
    assert _drive(http).status == 200
    connector.opened(http)


def _host(monkeypatch: pytest.MonkeyPatch, *addresses: tuple[str, int]) -> list[Any]:
    """Give every host these addresses from now on; return the list of the look-ups to come."""
    asked: list[Any] = []

    def look_up(host: str, port: int, **_: object) -> list[Any]:
        asked.append((host, port))
        return found(*addresses)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return asked


def _wait_for_look_up(connector: Connector) -> None:
    """Wait until the look-up under way, if any, has ended."""
    connector._resolver._thread.submit(int).result(PATIENCE_SECONDS)


@pytest.fixture
def time() -> FakeTime:
    """Return the time in which addresses grow old."""
    return FakeTime()


@pytest.fixture
def make(time: FakeTime) -> Iterator[Callable[..., Connector]]:
    """Return what makes connectors, and closes them."""
    with ExitStack() as stack:

        def make(url: str, ca_path: Path | None = None) -> Connector:
            tls = tls_context(str(ca_path)) if ca_path else None
            connector = Connector(parse_endpoint(url), tls, time.clock)
            stack.callback(connector.close)
            return connector

        yield make


Make = Callable[..., Connector]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> ServerCertificate:
    """Return a certificate for loopback."""
    return issue_certificate(tmp_path_factory.mktemp("certificate"))


def test_connector_opens_plain_connections_to_an_http_endpoint(make: Make) -> None:
    """As to the local AWS."""
    with Loopback(_answer_one) as server:
        connector = make(server.url)
        connector.resolve(PATIENCE_SECONDS)

        answer = _drive(connector.open())

    assert answer == Response(200, b"{}")


def test_connector_uses_no_tls_for_an_http_endpoint(
    make: Make, certificate: ServerCertificate
) -> None:
    """The scheme decides, even when there is a TLS context."""
    with Loopback(_answer_one) as server:
        connector = make(server.url, certificate.ca_path)
        connector.resolve(PATIENCE_SECONDS)

        answer = _drive(connector.open())

    assert answer.status == 200


@pytest.mark.parametrize("rsa", [False, True])
def test_connector_opens_verified_connections_to_an_https_endpoint(
    make: Make, tmp_path: Path, *, rsa: bool
) -> None:
    """The test's authority is known, and the name is right."""
    certificate = issue_certificate(tmp_path, rsa=rsa)
    with Loopback(_answer_one, certificate.server_context()) as server:
        connector = make(server.url, certificate.ca_path)
        connector.resolve(PATIENCE_SECONDS)

        answer = _drive(connector.open())

    assert answer == Response(200, b"{}")


def test_connector_refuses_a_server_with_another_name(make: Make, tmp_path: Path) -> None:
    """A good certificate for another name is a wrong one."""
    elsewhere = issue_certificate(tmp_path, names=WRONG_NAMES)
    with Loopback(_answer_one, elsewhere.server_context()) as server:
        connector = make(server.url, elsewhere.ca_path)
        connector.resolve(PATIENCE_SECONDS)

        with pytest.raises(ssl.SSLCertVerificationError, match="IP address mismatch"):
            _drive(connector.open())


def test_connector_refuses_a_server_of_an_unknown_authority(
    make: Make, certificate: ServerCertificate, tmp_path: Path
) -> None:
    """Any server can make itself a certificate with the right name."""
    unknown = issue_certificate(tmp_path)
    with Loopback(_answer_one, unknown.server_context()) as server:
        connector = make(server.url, certificate.ca_path)
        connector.resolve(PATIENCE_SECONDS)

        with pytest.raises(ssl.SSLCertVerificationError, match="certificate verify failed"):
            _drive(connector.open())


def _old_context(certificate: ServerCertificate) -> ssl.SSLContext:
    """Return TLS 1.1 and nothing else."""
    context = certificate.server_context()
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.minimum_version = ssl.TLSVersion.TLSv1_1
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    return context


def test_connector_refuses_a_server_that_knows_only_tls_1_1(
    make: Make, certificate: ServerCertificate
) -> None:
    """Nothing older than TLS 1.2 is spoken."""
    with Loopback(_answer_one, _old_context(certificate)) as server:
        connector = make(server.url, certificate.ca_path)
        connector.resolve(PATIENCE_SECONDS)

        with pytest.raises((ssl.SSLError, ConnectionError)):
            _drive(connector.open())


def test_connector_refuses_a_server_that_speaks_no_tls(
    make: Make, certificate: ServerCertificate
) -> None:
    """Plain HTTP where TLS is expected."""

    def answer_plainly(server: socket.socket) -> None:
        server.recv(1)
        server.sendall(OK)
        wait_for_end(server)

    with Loopback(answer_plainly) as server:
        connector = make(f"https://127.0.0.1:{server.port}/prod", certificate.ca_path)
        connector.resolve(PATIENCE_SECONDS)

        with pytest.raises(ssl.SSLError):
            _drive(connector.open())


def test_connector_fails_when_no_server_listens(make: Make) -> None:
    """The refusal shows when the connection is advanced."""
    connector = make(f"http://127.0.0.1:{unused_port()}/prod")
    connector.resolve(PATIENCE_SECONDS)

    with pytest.raises(ConnectionError):
        _drive(connector.open())


def test_connector_opens_nothing_before_the_host_is_looked_up(make: Make) -> None:
    """Looking up can take long: it is never done where posts wait."""
    with pytest.raises(OSError, match=r"127\.0\.0\.1 not resolved: no answer yet"):
        make("http://127.0.0.1:1/prod").open()


def test_connector_refuses_https_without_tls() -> None:
    """Posts to an https endpoint must not go out in the clear."""
    with pytest.raises(ValueError, match="is https, expected a TLS context"):
        Connector(parse_endpoint("https://moving.example/prod"), None, FakeTime().clock)


def test_connector_is_calm_for_a_while_when_a_server_asks_for_it(
    make: Make, time: FakeTime
) -> None:
    """Another broadcast does not end that; a freeze of the function does."""
    connector = make("http://127.0.0.1:1/prod")
    is_delayed = [connector.is_delayed]

    for run_seconds, frozen_seconds in ((0.0, 0.0), (CALM_SECONDS / 2, 0.0), (0.0, 0.4)):
        connector.calm()
        time.run(run_seconds)
        time.freeze(frozen_seconds)
        connector.resolve(0.0)
        is_delayed.append(connector.is_delayed)
    time.freeze(CALM_SECONDS)
    connector.resolve(0.0)
    is_delayed.append(connector.is_delayed)
    connector.calm()
    time.run(CALM_SECONDS)
    is_delayed.append(connector.is_delayed)

    assert is_delayed == [False, True, True, True, False, False]
    assert connector.calmed == 4


@pytest.mark.parametrize("host", ["nowhere.invalid", "a..b", "a" * 64, f"{'a.' * 126}aaaa"])
def test_connector_opens_nothing_when_the_host_cannot_be_looked_up(make: Make, host: str) -> None:
    """Whatever is wrong with it: each attempt says so, and nothing else is raised."""
    connector = make(f"http://{host}:1/prod")

    connector.resolve(PATIENCE_SECONDS)

    with pytest.raises(OSError, match=f"^{re.escape(host)} not resolved: "):
        connector.open()


def test_connector_waits_no_longer_for_a_look_up_than_it_is_told(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name server that never answers takes no more than its time."""
    is_over = Event()

    def hang(*_: object, **__: object) -> list[Any]:
        is_over.wait(PATIENCE_SECONDS)
        raise OSError("too late")

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    connector = make("http://slow.example/prod")

    connector.resolve(0.01)

    with pytest.raises(OSError, match=r"slow\.example not resolved: "):
        connector.open()
    is_over.set()


def test_connector_looks_up_anew_after_a_failure(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host that could not be found may be found the next time."""
    with Loopback(_answer_one) as server:
        good = found(("127.0.0.1", server.port))
        answers: list[Exception | list[Any]] = [OSError("name server away"), good]

        def look_up(*_: object, **__: object) -> list[Any]:
            answer = answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer

        monkeypatch.setattr(socket, "getaddrinfo", look_up)
        connector = make("http://moody.example/prod")
        connector.resolve(PATIENCE_SECONDS)
        with pytest.raises(OSError, match="name server away"):
            connector.open()

        connector.resolve(PATIENCE_SECONDS)

        assert _drive(connector.open()) == Response(200, b"{}")


@pytest.mark.parametrize(
    ("seconds", "look_ups"),
    [(0.0, 1), (RESOLVED_SECONDS - 0.1, 1), (RESOLVED_SECONDS, 2), (-0.001, 2)],
)
def test_connector_looks_up_anew_when_the_addresses_are_old(
    make: Make, time: FakeTime, monkeypatch: pytest.MonkeyPatch, seconds: float, look_ups: int
) -> None:
    """Not for each broadcast, but often enough to notice that the service has moved.

    By the epoch clock: the monotonic one stands still while a function is frozen. Where that one
    has been set back, their age is not known.
    """
    asked = _host(monkeypatch, ("127.0.0.1", 1))
    connector = make("http://moving.example/prod")
    connector.resolve(PATIENCE_SECONDS)
    time.epoch_ms += round(seconds * 1000)

    connector.resolve(PATIENCE_SECONDS)

    assert asked == [("moving.example", 80)] * look_ups


def test_connector_keeps_the_addresses_that_it_knows_when_looking_up_fails(
    make: Make, time: FakeTime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They were good a minute ago: better than none."""
    with Loopback(_answer_one) as server:
        connector = make(f"http://127.0.0.1:{server.port}/prod")
        connector.resolve(PATIENCE_SECONDS)
        time.run(RESOLVED_SECONDS)

        def fail(*_: object, **__: object) -> list[Any]:
            raise OSError("name server away")

        monkeypatch.setattr(socket, "getaddrinfo", fail)
        connector.resolve(PATIENCE_SECONDS)

        assert _drive(connector.open()).status == 200


def test_connector_opens_connections_to_the_addresses_in_turn(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host with several addresses shares the load among them."""
    with Loopback(_answer_one) as one, Loopback(_answer_one) as other:
        _host(monkeypatch, ("127.0.0.1", one.port), ("127.0.0.1", other.port))
        connector = make("http://two.example/prod")
        connector.resolve(PATIENCE_SECONDS)

        for _ in range(4):
            _drive(connector.open())

        assert (one.accepted, other.accepted) == (2, 2)


def test_connector_leaves_no_socket_behind_when_connecting_cannot_begin(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A socket that stays open would warn, and warnings are errors here."""
    _host(monkeypatch, ("no address", 80))
    connector = make("http://odd.example/prod")
    connector.resolve(PATIENCE_SECONDS)

    with pytest.raises(OSError, match=r".+"):
        connector.open()


def test_connector_fails_when_the_address_cannot_be_reached(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Connecting fails at once, without a word to the selector."""
    _host(monkeypatch, ("255.255.255.255", 80))
    connector = make("http://broadcast.example/prod")
    connector.resolve(PATIENCE_SECONDS)

    with pytest.raises(OSError, match=r".+"):
        _drive(connector.open())


def test_connector_finds_a_host_that_has_moved_while_the_function_was_frozen(
    make: Make, time: FakeTime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The epoch clock went on, the monotonic one did not."""
    with Loopback(_answer_one) as server:
        _host(monkeypatch, ("127.0.0.1", unused_port()))
        connector = make("http://moving.example/prod")
        connector.resolve(PATIENCE_SECONDS)
        time.epoch_ms += 1_200_000
        _host(monkeypatch, ("127.0.0.1", server.port))

        connector.resolve(PATIENCE_SECONDS)

        assert _drive(connector.open()).status == 200


def test_connector_takes_no_look_up_that_ended_before_a_freeze_for_a_new_one(
    make: Make, time: FakeTime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was begun at the end of the last run, and nothing has asked for it since."""
    with Loopback(_answer_one) as server:
        _host(monkeypatch, ("127.0.0.1", unused_port()))
        connector = make("http://moving.example/prod")
        connector.doubt()
        _wait_for_look_up(connector)
        time.epoch_ms += 1_200_000
        _host(monkeypatch, ("127.0.0.1", server.port))

        connector.resolve(PATIENCE_SECONDS)

        assert _drive(connector.open()).status == 200


def test_connector_tries_the_next_address_when_one_fails_at_once(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For example, there is no route to it: nothing is lost, and nothing is reported."""
    with Loopback(_answer_one) as server:
        _host(monkeypatch, ("255.255.255.255", 80), ("127.0.0.1", server.port))
        connector = make("http://two.example/prod")
        connector.resolve(PATIENCE_SECONDS)

        answers = [_drive(connector.open()) for _ in range(3)]

        assert [answer.status for answer in answers] == [200] * 3
        assert not connector.is_delayed


def test_connector_leaves_an_address_that_failed_out_until_the_next_run(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may work by then."""
    with Loopback(_answer_one) as one, Loopback(_answer_one) as other:
        _host(monkeypatch, ("127.0.0.1", one.port), ("127.0.0.1", other.port))
        connector = make("http://two.example/prod")
        connector.resolve(PATIENCE_SECONDS)
        refused = connector.open()
        connector.failed(refused)
        refused.close()
        for _ in range(3):
            _post(connector)
        in_this_run = (one.accepted, other.accepted)

        connector.resolve(PATIENCE_SECONDS)
        for _ in range(2):
            _post(connector)

        assert in_this_run == (1, 3)
        assert (one.accepted, other.accepted) == (2, 4)


def test_connector_forgives_an_address_that_fails_and_then_works(make: Make) -> None:
    """Of two attempts at once the one that ends last counts."""
    with Loopback(_answer_one) as server:
        connector = make(server.url)
        connector.resolve(PATIENCE_SECONDS)
        with closing(connector.open()) as first, closing(connector.open()) as last:
            connector.failed(first)
            after_failure = connector.is_delayed

            connector.opened(last)

        assert after_failure
        assert not connector.is_delayed


def test_connector_counts_what_it_opens_but_for_what_takes_long(make: Make, time: FakeTime) -> None:
    """Another attempt may race that."""
    with Loopback(wait_for_end) as server:
        connector = make(server.url)
        connector.resolve(PATIENCE_SECONDS)
        counts = [connector.young]
        with closing(connector.open()), closing(connector.open()) as second:
            counts.append(connector.young)
            time.seconds = ATTEMPT_DELAY_SECONDS
            with closing(connector.open()):
                counts.append(connector.young)
            connector.dropped(second)
            counts.append(connector.young)

    assert counts == [0, 2, 1, 1]


def test_connector_is_delayed_when_its_only_address_has_failed(
    make: Make, time: FakeTime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However fast the failures come, the host is not stormed."""
    _host(monkeypatch, ("255.255.255.255", 80))
    connector = make("http://broadcast.example/prod")
    connector.resolve(PATIENCE_SECONDS)
    delays = [connector.is_delayed]
    with pytest.raises(OSError, match=r".+"):
        connector.open()
    delays.append(connector.is_delayed)

    time.seconds = FAILURE_DELAY_SECONDS
    delays.append(connector.is_delayed)

    assert delays == [False, True, False]


@pytest.mark.parametrize(
    ("pauses_ms", "look_ups"),
    [
        ([0, 0, 0], 1),
        ([999, 0, 0], 1),
        ([round(DOUBT_SECONDS * 1000), 0, 999], 2),
        ([1_000, 1_000, 1_000], 4),
        ([-5_000, 0, 0], 2),
    ],
)
def test_connector_looks_up_anew_when_it_is_doubted_but_once_a_second_at_most(
    make: Make,
    time: FakeTime,
    monkeypatch: pytest.MonkeyPatch,
    pauses_ms: list[int],
    look_ups: int,
) -> None:
    """By the epoch clock, which may be set back; the monotonic one stands still here."""
    asked = _host(monkeypatch, ("127.0.0.1", 1))
    connector = make("http://moving.example/prod")
    connector.resolve(PATIENCE_SECONDS)

    for pause_ms in pauses_ms:
        time.epoch_ms += pause_ms
        connector.doubt()
        _wait_for_look_up(connector)

    assert len(asked) == look_ups


def test_connector_does_not_wait_for_a_look_up_in_the_middle_of_a_run(
    make: Make, time: FakeTime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It goes on with what it knows, and begins no second one meanwhile."""
    is_asked, is_over = Event(), Event()

    def hang(*_: object, **__: object) -> list[Any]:
        asked.append(1)
        is_asked.set()
        is_over.wait(PATIENCE_SECONDS)
        raise OSError("too late")

    asked: list[int] = []
    with Loopback(_answer_one) as server:
        _host(monkeypatch, ("127.0.0.1", server.port))
        connector = make("http://slow.example/prod")
        connector.resolve(PATIENCE_SECONDS)
        monkeypatch.setattr(socket, "getaddrinfo", hang)
        for _ in range(3):
            time.run(DOUBT_SECONDS)
            connector.doubt()

        answer = _drive(connector.open())

        assert answer.status == 200
        assert is_asked.wait(PATIENCE_SECONDS)
        assert asked == [1]
        is_over.set()


def test_connector_looks_up_anew_in_a_run_that_outlives_the_addresses(
    make: Make, time: FakeTime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connections that it opens after that go where the host is by then."""
    with Loopback(_answer_one) as one, Loopback(_answer_one) as other:
        _host(monkeypatch, ("127.0.0.1", one.port))
        connector = make("http://moving.example/prod")
        connector.resolve(PATIENCE_SECONDS)
        time.run(RESOLVED_SECONDS)
        asked = _host(monkeypatch, ("127.0.0.1", other.port))

        _drive(connector.open())
        _wait_for_look_up(connector)
        _drive(connector.open())

        assert (one.accepted, other.accepted) == (1, 1)
        assert len(asked) == 1


def test_connector_fails_when_a_look_up_finds_nothing(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system promises an address or an error; neither may end a thread."""
    _host(monkeypatch)
    connector = make("http://empty.example/prod")
    connector.resolve(PATIENCE_SECONDS)

    with pytest.raises(OSError, match=r"empty\.example not resolved"):
        connector.open()


def test_connector_resolves_no_more_when_closed(make: Make) -> None:
    """It is for the tests: a function's connector lives as long as its process."""
    connector = make("http://127.0.0.1:1/prod")

    connector.close()

    with pytest.raises(RuntimeError):
        connector.resolve(PATIENCE_SECONDS)


def test_tls_context_verifies_the_server_with_tls_1_2_or_newer() -> None:
    """By the system's authorities where no others are named."""
    context = tls_context(None)

    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname


def test_tls_context_believes_only_the_bundle_that_is_named(certificate: ServerCertificate) -> None:
    """AWS_CA_BUNDLE replaces the system's authorities."""
    context = tls_context(str(certificate.ca_path))

    assert len(context.get_ca_certs()) == 1


@pytest.mark.parametrize("content", [None, b"", b"no PEM", b"-----BEGIN CERTIFICATE-----\nx"])
def test_tls_context_refuses_a_bundle_that_cannot_be_loaded(
    tmp_path: Path, content: bytes | None
) -> None:
    """The message names the file and the setting."""
    bundle = tmp_path / "bundle.pem"
    if content is not None:
        bundle.write_bytes(content)

    with pytest.raises(OSError, match=r"bundle\.pem cannot be loaded .* check AWS_CA_BUNDLE"):
        tls_context(str(bundle))
