"""`crier probe` against real servers: both protocols, every answer, and no connection at all."""

import json
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest
from h2.settings import SettingCodes
from typer.testing import CliRunner, Result

from crier import cli
from crier.commands import probe as probe_command
from crier.commands import probe_line
from crier.errors import CrierError
from testbed.stand_in.certificate import WRONG_NAMES, ServerCertificate, issue_certificate
from testbed.stand_in.reaction import Answer, Post, Reaction
from testbed.stand_in.server import StandIn
from tests.support.http2_probed import serve_http2
from tests.support.loopback import (
    Handler,
    Loopback,
    silent_port,
    swallowing_port,
    unused_port,
    wait_for_end,
)

Run = Callable[..., Result]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> ServerCertificate:
    """Return a certificate for loopback."""
    return issue_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, certificate: ServerCertificate, tmp_path: Path) -> Run:
    """Runs the command with credentials, which trusts the certificate's authority alone."""
    for name in ("AWS_PROFILE", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate.ca_path))
    runner = CliRunner(env={"COLUMNS": "200"})
    return lambda *arguments: runner.invoke(cli.app, ["probe", *arguments])


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for each step for a moment only, where it would not come."""
    for module in (probe_line, probe_command):
        monkeypatch.setattr(module, "STEP_SECONDS", 0.3)


@pytest.fixture
def serve(certificate: ServerCertificate) -> Iterator[Callable[..., Loopback]]:
    """Return what starts a server that handles each connection so, in TLS with these protocols."""
    with ExitStack() as stack:

        def serve(
            handler: Handler, *protocols: str, shown: ServerCertificate = certificate
        ) -> Loopback:
            tls = shown.server_context()
            tls.set_alpn_protocols(protocols)
            return stack.enter_context(Loopback(handler, tls))

        yield serve


Serve = Callable[..., Loopback]


def _read_head(sock: socket.socket) -> bytes:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += sock.recv(65_536)
    return head


def _table(result: Result) -> dict[str, str]:
    """Return the rows of the table that was printed."""
    cells = [line.split("│") for line in result.stdout.splitlines() if "│" in line]
    return {row[1].strip(): row[2].strip() for row in cells}


def _error(run: Run, *arguments: str) -> str:
    """Return what the command line says of the error that a command ends with."""
    error = run(*arguments).exception
    assert isinstance(error, CrierError)
    assert "\n" not in str(error)
    return str(error)


def test_probe_tells_what_an_http2_server_offers(serve: Serve, run: Run) -> None:
    """Its protocol, TLS, address and limits, and the answer with what it means."""
    heads: list[Mapping[str, str]] = []

    def answer(head: Mapping[str, str]) -> int:
        heads.append(head)
        return 410

    told = {SettingCodes.MAX_CONCURRENT_STREAMS: 128, SettingCodes.INITIAL_WINDOW_SIZE: 65_536}
    server = serve(
        lambda sock: serve_http2(sock, answer, told=told, body=b'{"message":"Gone"}'),
        *("h2", "http/1.1"),
    )

    done = run(server.url)

    shown = _table(done)
    assert done.exit_code == 0
    assert shown["URL"] == server.url
    assert shown["Address"] == "127.0.0.1"
    assert shown["Protocol"] == "HTTP/2"
    assert shown["TLS"].startswith("TLSv1.3, TLS_")
    assert shown["Streams at once"] == "128"
    assert shown["Window"] == "65,536 bytes of each request"
    assert (shown["Frame size"], shown["Header table"]) == ("not told", "not told")
    assert shown["Answer"] == '410 {"message":"Gone"}'
    assert shown["It means"].startswith("gone, as it should be")
    assert shown["To do"] == "nothing"
    assert [part.split()[0] for part in shown["Time"].split(", ")] == [
        *("address", "TCP", "TLS", "answer")
    ]
    (head,) = heads
    assert (head[":method"], head[":path"]) == ("GET", "/prod/@connections/L0SM9cOFvHcCIhw%3D")
    assert "Credential=test/" in head["authorization"]
    assert "/eu-central-1/execute-api/" in head["authorization"]


def test_probe_tells_that_a_server_does_not_speak_http2(serve: Serve, run: Run) -> None:
    """It chooses HTTP/1.1, which has no limits to tell."""
    heads: list[bytes] = []

    def answer(sock: socket.socket) -> None:
        heads.append(_read_head(sock))
        sock.sendall(b"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n")
        wait_for_end(sock)

    done = run(serve(answer, "http/1.1").url)

    shown = _table(done)
    assert done.exit_code == 0
    assert shown["Protocol"] == "HTTP/1.1: the server does not speak HTTP/2"
    assert shown["Answer"] == "410"
    assert "Streams at once" not in shown
    assert heads[0].startswith(b"GET /prod/@connections/L0SM9cOFvHcCIhw%3D HTTP/1.1\r\n")


@pytest.mark.parametrize(
    ("protocol", "limits"),
    [
        ("h2", {"streams": 128}),
        ("http/1.1", None),
        ("", None),
    ],
)
def test_probe_is_answered_by_the_stand_in(
    run: Run, certificate: ServerCertificate, protocol: str, limits: dict[str, int] | None
) -> None:
    """Which takes posts only, and says so: how it was asked is told all the same.

    Without a protocol it is asked in cleartext.
    """

    def react(_post: Post) -> Reaction:
        return Answer(200)

    tls = certificate if protocol else None
    with StandIn(react, tls=tls, protocols=(protocol or "http/1.1",)) as stand_in:
        done = run(stand_in.url, "--json")

    told = json.loads(done.stdout)
    assert told["protocol"] == (protocol or "http/1.1")
    assert bool(told["tls"]) == bool(protocol)
    assert {name: told["limits"][name] for name in limits or {}} == (limits or {})
    assert (told["status"], told["is_well"], done.exit_code) == (400, False, 1)


def test_probe_says_that_cleartext_has_http1_only(run: Run) -> None:
    """As on the local AWS."""

    def answer(sock: socket.socket) -> None:
        _read_head(sock)
        sock.sendall(b"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n")
        wait_for_end(sock)

    with Loopback(answer) as server:
        shown = _table(run(server.url))

    assert shown["Protocol"] == "HTTP/1.1, in cleartext: HTTP/2 is offered in TLS only"
    assert shown["TLS"] == "none"
    assert "TLS" not in shown["Time"]


@pytest.mark.parametrize(
    ("status", "means", "to_do"),
    [
        (400, "refused as no id", "nothing, if broadcasts arrive"),
        (403, "credentials are not accepted", "execute-api:ManageConnections"),
        (404, "there is no @connections", "CallbackUrl"),
        (429, "throttled", "postsPerSecond"),
        (503, "in trouble", "probe again"),
        (200, "no answer of @connections", "no proxy"),
        (302, "no answer of @connections", "CallbackUrl"),
    ],
)
@pytest.mark.parametrize("protocol", ["h2", "http/1.1"])
def test_probe_says_what_an_answer_means_and_what_to_do(  # noqa: PLR0917 - parameters of pytest's
    serve: Serve, run: Run, protocol: str, status: int, means: str, to_do: str
) -> None:
    """Data on stdout all the same; the exit code says that something is to be done."""

    def answer(sock: socket.socket) -> None:
        if protocol == "h2":
            serve_http2(sock, lambda _: status)
        else:
            _read_head(sock)
            sock.sendall(f"HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n".encode())
            wait_for_end(sock)

    done = run(serve(answer, protocol).url, "--json")

    told = json.loads(done.stdout)
    assert done.exit_code == 1
    assert (told["protocol"], told["status"], told["is_well"]) == (protocol, status, False)
    assert means in told["means"]
    assert to_do in told["to_do"]


def test_probe_prints_json_for_scripts(serve: Serve, run: Run) -> None:
    """The same facts, by names."""
    told = {SettingCodes.HEADER_TABLE_SIZE: 0, SettingCodes.MAX_FRAME_SIZE: 16_384}
    server = serve(lambda sock: serve_http2(sock, lambda _: 410, told=told), "h2")

    done = run("--json", server.url)

    found = json.loads(done.stdout)
    assert done.exit_code == 0
    assert set(found.pop("milliseconds")) == {"resolve", "tcp", "tls", "answer"}
    assert found.pop("tls").keys() == {"version", "cipher"}
    assert found.pop("means")
    assert found == {
        "url": server.url,
        "address": "127.0.0.1",
        "protocol": "h2",
        "limits": {
            "streams": None,
            "window_bytes": None,
            "frame_bytes": 16_384,
            "header_table_bytes": 0,
        },
        "status": 410,
        "text": "",
        "to_do": "nothing",
        "is_well": True,
    }


def test_probe_signs_for_the_region_of_the_url(
    run: Run, serve: Serve, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Unless --region names another, whatever the environment says."""
    host = "a1.execute-api.eu-south-1.amazonaws.com"
    shown = issue_certificate(tmp_path, names=(host,))
    monkeypatch.setenv("AWS_CA_BUNDLE", str(shown.ca_path))
    looked_up = socket.getaddrinfo
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda _host, *rest, **options: looked_up("127.0.0.1", *rest, **options),
    )
    signed: list[str] = []

    def answer(head: Mapping[str, str]) -> int:
        signed.append(head["authorization"].split("/")[2])
        return 410

    server = serve(lambda sock: serve_http2(sock, answer), "h2", shown=shown)
    url = f"https://{host}:{server.port}/prod"

    by_url, by_option = run(url), run(url, "--region", "eu-west-1")

    assert (by_url.exit_code, by_option.exit_code) == (0, 0)
    assert signed == ["eu-south-1", "eu-west-1"]


def test_probe_asks_for_the_region_when_nothing_tells_it(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A custom domain does not say where it is."""
    monkeypatch.delenv("AWS_REGION")

    assert _error(run, "https://push.example/prod") == (
        "the Region of https://push.example/prod is not known: name it with --region"
    )


@pytest.mark.parametrize("region", ["eu central", "EU-CENTRAL-1", "eu-central-1\n", "eu/1"])
def test_probe_refuses_a_region_that_is_no_name(run: Run, region: str) -> None:
    """It would break the header that it is written into, or the signature."""
    said = _error(run, "https://push.example/prod", "--region", region)

    assert said.startswith(f"the Region is {region!r}, expected a name such as eu-central-1: ")


def test_probe_says_when_a_port_refuses_connections(run: Run) -> None:
    """No server listens there."""
    port = unused_port()

    assert _error(run, f"https://127.0.0.1:{port}/prod") == (
        f"127.0.0.1 port {port} refuses connections: check the host and the port of the URL"
    )


@pytest.mark.usefixtures("hasty")
def test_probe_says_when_a_host_does_not_answer(run: Run) -> None:
    """A firewall drops what is sent."""
    with swallowing_port() as port:
        said = _error(run, f"https://127.0.0.1:{port}/prod")

    assert said.startswith(f"127.0.0.1 port {port} does not answer within 0.3 s: check the network")


@pytest.mark.usefixtures("hasty")
def test_probe_says_when_tls_is_not_answered(run: Run) -> None:
    """TCP is there, and nothing behind it."""
    with silent_port() as port:
        said = _error(run, f"https://127.0.0.1:{port}/prod")

    assert said.startswith(f"127.0.0.1 port {port} does not answer in TLS within 0.3 s")


def test_probe_says_when_a_host_has_no_address(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The look-up fails: by the resolver, or before it asks one."""

    def fail(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    too_long = _error(run, f"https://{'a' * 64}.example/prod")
    monkeypatch.setattr(socket, "getaddrinfo", fail)

    assert _error(run, "https://nowhere.invalid/prod") == (
        "nowhere.invalid has no address (Name or service not known): check the URL, and that this "
        "machine resolves names"
    )
    assert " has no address (" in too_long


def test_probe_says_when_a_certificate_does_not_verify(
    run: Run, serve: Serve, tmp_path: Path
) -> None:
    """It is another host's, or of an authority that is not trusted."""
    (tmp_path / "other").mkdir()
    strange = issue_certificate(tmp_path / "other", names=WRONG_NAMES)

    said = _error(run, serve(wait_for_end, "h2", shown=strange).url)

    assert "does not verify (" in said
    assert said.endswith("name its authority's file in AWS_CA_BUNDLE")


def test_probe_says_when_a_server_speaks_no_tls(run: Run) -> None:
    """As behind the wrong port."""

    def answer(sock: socket.socket) -> None:
        sock.recv(1)
        sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with Loopback(answer) as server:
        said = _error(run, f"https://127.0.0.1:{server.port}/prod")

    assert said.startswith(f"no TLS with 127.0.0.1 port {server.port} (")
    assert said.endswith("expected TLS 1.2 or newer; check the port of the URL")


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("protocol", ["h2", "http/1.1"])
def test_probe_says_when_a_request_is_not_answered(run: Run, serve: Serve, protocol: str) -> None:
    """The connection is open, and stays silent."""
    server = serve(wait_for_end, protocol)

    said = _error(run, server.url)

    name = {"h2": "HTTP/2", "http/1.1": "HTTP/1.1"}[protocol]
    assert f"has not answered a request over {name} (no answer within 0.3 s)" in said


@pytest.mark.parametrize("protocol", ["h2", "http/1.1"])
def test_probe_says_when_an_answer_is_none(run: Run, serve: Serve, protocol: str) -> None:
    """Garbage, or the end of the connection."""

    def garble(sock: socket.socket) -> None:
        sock.sendall(b"SSH-2.0-none of this is HTTP\r\n\r\n" * 10)
        wait_for_end(sock)

    def hang_up(sock: socket.socket) -> None:
        assert isinstance(sock, ssl.SSLSocket)
        sock.recv(1)

    for handler in (garble, hang_up):
        assert "has not answered a request over HTTP/" in _error(run, serve(handler, protocol).url)


def test_probe_shows_an_answer_whose_rest_never_comes(run: Run, serve: Serve) -> None:
    """The status counts, as it does for posts."""

    def answer(sock: socket.socket) -> None:
        _read_head(sock)
        sock.sendall(b"HTTP/1.1 410 Gone\r\nContent-Length: 9\r\n\r\nhalf")

    assert run(serve(answer, "http/1.1").url).exit_code == 0


def test_probe_shows_a_foreign_text_in_one_short_line(run: Run, serve: Serve) -> None:
    """Whatever the server sends: the terminal obeys none of it."""
    body = b"\x1b[2J<html>\r\n" + b"x" * 5_000

    done = run(serve(lambda sock: serve_http2(sock, lambda _: 404, body=body), "h2").url)

    assert "\x1b[2J" not in done.stdout
    assert "404 ?[2J<html> " in done.stdout
    assert 200 < done.stdout.count("x") <= 300


def test_probe_says_when_there_is_nothing_to_sign_with(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is sent."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name)

    assert _error(run, "https://127.0.0.1:9/prod") == (
        "no credentials to sign with: set AWS_PROFILE, or name a profile with --profile"
    )


def test_probe_says_when_the_bundle_of_authorities_cannot_be_loaded(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It is the function's own error."""
    monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "none.pem"))

    assert "none.pem cannot be loaded" in _error(run, "https://127.0.0.1:9/prod")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["https://a/prod", "--stack", "s"], "name two places to probe"),
        (["wss://a/prod"], "callback URL is 'wss://a/prod', expected https://host/stage"),
        (["https://a:99999/prod"], "Port out of range"),
        (["--region", "eu-west-1"], "--profile and --region need --stack"),
    ],
)
def test_probe_refuses_wrong_use(run: Run, arguments: list[str], said: str) -> None:
    """With the exit code of wrong use."""
    done = run(*arguments)

    assert done.exit_code == 2
    assert said in done.output
