"""The page of the local run and its proxy, on a local AWS of their own, with real clients."""

import asyncio
import http.client
import json
import os
import shlex
import signal
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from crier.commands.invitation import local_wscat
from crier.deployed.deployment import Deployment
from crier.deployed.producer import enqueue
from crier.local import own_issuer
from crier.local.deploy import deploy_locally
from crier.local.local_aws import LocalAws
from crier.local.page.proxy import Proxy
from crier.local.page.serving import LocalPage, served_page
from crier.paths import ROOT
from tests.support.loopback import unused_port
from tests.support.speaking_client import SpeakingClient
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(180)
PING = '{"action":"ping","ref":"7"}'
OURS = Subprotocol("crier.v1")
LARGE, MANY = "x" * 100_000, 500
UPGRADE = """\
Upgrade: websocket\r
Connection: Upgrade\r
Sec-WebSocket-Version: 13\r
Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r
"""
GOODBYE = b"\x88\x82\0\0\0\0\x03\xe8"
"""A client's close frame, with the code 1000 (RFC 6455, 5.2)."""


@pytest.fixture(scope="module")
def local_aws() -> Iterator[LocalAws]:
    """A local AWS for this file alone: the mode of the stack would disturb other tests."""
    with LocalAws() as aws:
        yield aws


@pytest.fixture(scope="module")
def deployment(local_aws: LocalAws) -> Deployment:
    """The app, which lets clients in by tokens of the run's own."""
    return deploy_locally(local_aws, lambda _: None, auth="jwt", **own_issuer.SETTINGS)


@pytest.fixture(scope="module")
def secret(deployment: Deployment) -> str:
    """What the run signs tokens with."""
    return own_issuer.make_secret(deployment)


@pytest.fixture
def web(tmp_path: Path) -> Path:
    """A folder with a small page."""
    (tmp_path / "index.html").write_text("<title>Crier</title>")
    return tmp_path


@pytest.fixture
def page(deployment: Deployment, secret: str, web: Path) -> Iterator[LocalPage]:
    """The page, whose connections are never cut by themselves."""
    with served_page(deployment, folder=web, secret=secret) as served:
        yield served


def asked(
    page: LocalPage, method: str, path: str, body: object = None, **headers: str
) -> tuple[int, Any, dict[str, str]]:
    """Return the status, the body and the headers of an answer, as the page itself asks."""
    place = urlsplit(page.url)
    own = {"Host": place.netloc, "Content-Type": "application/json"}
    own |= {"Origin": page.url.removesuffix("/")} if method == "POST" else {}
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=20)
    connection.request(method, path, json.dumps(body), {**own, **headers})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    is_json = answer.headers["Content-Type"] == "application/json" and text
    return answer.status, json.loads(text) if is_json else text, dict(answer.headers.items())


async def pressed(page: LocalPage, do: str, **fields: object) -> Any:
    """Press a button; return what it is answered."""
    _, said, _ = await asyncio.to_thread(asked, page, "POST", "/control", {"do": do, **fields})
    return said


async def token_of(page: LocalPage) -> str:
    """Return a new token, as the page fetches it."""
    _, said, _ = await asyncio.to_thread(asked, page, "GET", "/token?user=bob")
    return str(said["token"])


@asynccontextmanager
async def joined(page: LocalPage) -> AsyncIterator[tuple[SpeakingClient, dict[str, Any]]]:
    """Yield a client that came in by a token among its sub-protocols, and the answer to `join`."""
    offered = [OURS, Subprotocol(f"bearer.{await token_of(page)}")]
    async with connect(page.web_socket_url, subprotocols=offered, compression=None) as socket:
        client = SpeakingClient(socket)
        yield client, await client.ask("join", at={"*": None})


async def status_of(url: str, **options: Any) -> int:
    """Return the status that a client's handshake is answered with; 101 is one that is let in."""
    try:
        async with connect(url, compression=None, open_timeout=60, **options):
            return 101
    except InvalidStatus as error:
        return error.response.status_code


async def end_of(socket: ClientConnection) -> int | None:
    """Return the code with which a connection ends; 1006 is one without a close frame."""
    async with asyncio.timeout(30):
        with suppress(ConnectionClosed):
            while True:
                await socket.recv()
    return socket.close_code


def is_open(url: str) -> bool:
    """Tell whether something listens at a URL."""
    place = urlsplit(url)
    with suppress(OSError):
        socket.create_connection((place.hostname or "", place.port or 0), timeout=2).close()
        return True
    return False


@pytest.mark.parametrize(
    ("offered", "answered"), [(["crier.v1"], "crier.v1"), (["json", "xml"], "json"), ([], None)]
)
async def test_proxy_answers_a_sub_protocol(
    page: LocalPage, offered: list[Subprotocol], answered: str | None
) -> None:
    """As the connect function says, which the local AWS leaves out; without an offer, none."""
    url = f"{page.web_socket_url}?token={await token_of(page)}"

    async with connect(url, subprotocols=offered or None, compression=None) as socket:
        assert socket.subprotocol == answered


async def test_token_among_the_sub_protocols_lets_in(page: LocalPage) -> None:
    """It reaches the authorizer, and is not what is answered."""
    async with joined(page) as (client, answer):
        assert client.socket.subprotocol == OURS
        assert answer["type"] == "joined"
        own = await client.ask("subscribe", at={"@": None})

    assert own["type"] == "subscribed"


async def test_refusal_is_passed_on_with_its_status(
    page: LocalPage, deployment: Deployment
) -> None:
    """A client without a token hears the same from the proxy as from the local AWS."""
    direct = await status_of(deployment.web_socket_url)

    assert direct in {401, 403}
    assert await status_of(page.web_socket_url) == direct
    assert await status_of(page.web_socket_url, subprotocols=[OURS, "bearer.none"]) == direct


async def test_proxy_leads_to_the_deployed_stage_only(page: LocalPage) -> None:
    """Another path, and another host's name, are refused."""
    token = await token_of(page)
    elsewhere = page.web_socket_url.replace("/dev", "/prod")
    foreign = page.web_socket_url.replace("127.0.0.1", "evil.example")
    here = urlsplit(page.web_socket_url)

    wrong_path = await status_of(f"{elsewhere}?token={token}")
    wrong_host = await status_of(f"{foreign}?token={token}", host=here.hostname, port=here.port)

    assert (wrong_path, wrong_host) == (404, 403)


async def test_wscat_comes_in_by_sub_protocols(page: LocalPage) -> None:
    """It ends with `Server sent no subprotocol` on the local AWS itself."""
    options = f"-s {OURS} -s bearer.{await token_of(page)} -w 60 -x '{PING}'"
    wscat = await asyncio.create_subprocess_exec(
        *shlex.split(f"{local_wscat(page.web_socket_url)} {options}"),
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,  # Node's wheel starts Node: both are to end
    )
    try:
        assert wscat.stdout is not None
        async with asyncio.timeout(30):
            heard = await wscat.stdout.readline()
        assert '"type":"pong"' in heard.decode(), heard
    finally:
        with suppress(ProcessLookupError):
            os.killpg(wscat.pid, signal.SIGKILL)
        await wscat.communicate()


async def test_connection_is_cut_at_its_age_and_told_so_before(
    deployment: Deployment, secret: str, web: Path
) -> None:
    """`renewInMs` is what is left, and the code is API Gateway's."""
    with served_page(deployment, folder=web, secret=secret, cut_after_seconds=4) as page:
        async with joined(page) as (client, answer):
            begun = time.monotonic()
            code = await end_of(client.socket)
            lasted = time.monotonic() - begun
        facts = await asyncio.to_thread(asked, page, "GET", "/local.json")

    assert 1_000 < answer["renewInMs"] <= 4_000
    assert code == 1001
    assert lasted == pytest.approx(answer["renewInMs"] / 1000, abs=1.5)
    assert facts[1]["cutAfterSeconds"] == 4


async def test_connection_lasts_as_long_as_the_local_aws_says_otherwise(page: LocalPage) -> None:
    """Nothing is changed where nothing is cut."""
    async with joined(page) as (_, answer):
        assert answer["renewInMs"] > 7_000_000


async def test_button_cuts_one_connection_and_no_other(page: LocalPage) -> None:
    """Without a close frame, as a network that fails."""
    async with joined(page) as (one, answer), joined(page) as (other, _):
        reached = await pressed(page, "cut", connection=answer["connectionId"])

        assert reached == {"connections": 1}
        assert await end_of(one.socket) == 1006
        assert (await other.ask("ping"))["type"] == "pong"


async def test_button_cuts_all_connections(page: LocalPage, deployment: Deployment) -> None:
    """The local AWS is told: their rows go."""
    async with joined(page) as (one, _), joined(page) as (other, _):
        reached = await pressed(page, "cut")

        assert reached == {"connections": 2}
        assert [await end_of(client.socket) for client in (one, other)] == [1006, 1006]
    await until(lambda: not rows_of_connections(deployment))


async def test_button_has_new_connections_refused_for_a_while(page: LocalPage) -> None:
    """What is connected stays; 0 seconds end it."""
    async with joined(page) as (client, _):
        await pressed(page, "refuse", seconds=60)
        refused = await status_of(f"{page.web_socket_url}?token={await token_of(page)}")
        pong = await client.ask("ping")
        await pressed(page, "refuse", seconds=0)
        let_in = await status_of(f"{page.web_socket_url}?token={await token_of(page)}")

    assert (refused, pong["type"], let_in) == (503, "pong", 101)


async def test_button_drops_the_next_frames_to_one_connection(
    page: LocalPage, deployment: Deployment
) -> None:
    """The client sees a gap, and can ask for what it missed; another client has all."""
    async with joined(page) as (one, answer), joined(page) as (other, _):
        at = answer["channels"]["*"]
        reached = await pressed(page, "drop", connection=answer["connectionId"], frames=2)
        for number in range(1, 4):
            await asyncio.to_thread(enqueue, deployment, {"message": number})
            await other.frame(at["to"] + number)
        await one.frame(at["to"] + 3)
        missed = await one.ask("replay", channel="*", epoch=at["epoch"], from_=at["to"])

    assert reached == {"connections": 1}
    assert one.seqs() == [at["to"] + 3]
    assert [frame["message"] for frame in missed["frames"]] == [1, 2, 3]


async def test_close_of_the_server_reaches_the_client_with_its_code(
    page: LocalPage, deployment: Deployment
) -> None:
    """As of a client that is kicked."""
    async with joined(page) as (client, answer):
        await asyncio.to_thread(
            deployment.callback_client().delete_connection, ConnectionId=answer["connectionId"]
        )

        assert await end_of(client.socket) == 1000


async def test_close_of_the_client_reaches_the_local_aws(
    page: LocalPage, deployment: Deployment
) -> None:
    """Its rows are deleted."""
    async with joined(page):
        assert await until(lambda: rows_of_connections(deployment))

    await until(lambda: not rows_of_connections(deployment))


async def test_page_has_its_file_and_strict_headers(page: LocalPage) -> None:
    """Over real HTTP; what is told of the run leads to the proxy."""
    status, text, headers = asked(page, "GET", "/")
    _, facts, _ = asked(page, "GET", "/local.json")

    assert (status, text) == (200, "<title>Crier</title>")
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self'; ")
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-cache"
    assert asked(page, "GET", "/token")[2]["Cache-Control"] == "no-store"
    assert (facts["url"], facts["auth"]) == (page.web_socket_url, "jwt")


async def test_page_of_another_site_is_refused(page: LocalPage) -> None:
    """It neither presses buttons nor reads under a name of its own; nothing is read from a GET."""
    cut = {"do": "cut"}

    statuses = [
        asked(page, "POST", "/control", cut, Origin="http://evil.example")[0],
        asked(page, "POST", "/control", cut, **{"Content-Type": "text/plain"})[0],
        asked(page, "POST", "/control", cut, Host="evil.example")[0],
        asked(page, "GET", "/token", Host="evil.example")[0],
        asked(page, "GET", "/token", Origin="http://evil.example")[0],
        asked(page, "OPTIONS", "/control", Origin="http://evil.example")[0],
    ]

    assert statuses == [403, 415, 403, 403, 403, 501]
    assert not any(name.startswith("Access-") for name in asked(page, "GET", "/token")[2])


async def test_body_that_is_too_long_is_refused(page: LocalPage) -> None:
    """Before it is read."""
    assert asked(page, "POST", "/control", "x" * 20_000)[0] == 413


def test_port_of_the_page_that_is_taken_is_named(
    deployment: Deployment, secret: str, page: LocalPage
) -> None:
    """With what to do."""
    port = urlsplit(page.url).port or 0
    with (
        pytest.raises(Exception, match=f"port {port} of 127.0.0.1 cannot be used for the page"),
        served_page(deployment, secret=secret, port=port),
    ):
        pytest.fail("it was served")


async def test_ports_are_closed_in_the_end(deployment: Deployment, secret: str, web: Path) -> None:
    """Also with a client that is connected, and one that never says what it wants."""
    with served_page(deployment, folder=web, secret=secret, port=unused_port()) as page:
        place = urlsplit(page.web_socket_url)
        silent = socket.create_connection((place.hostname or "", place.port or 0))
        url = f"{page.web_socket_url}?token={await token_of(page)}"
        client = await connect(url, compression=None)
        begun = time.monotonic()
    silent.close()

    assert time.monotonic() - begun < 10
    assert await end_of(client) == 1006
    assert not is_open(page.url)
    assert not is_open(page.web_socket_url)


@asynccontextmanager
async def server_of(
    handler: Callable[[ServerConnection], Any], **options: Any
) -> AsyncIterator[str]:
    """Yield the URL of a WebSocket server in place of the local AWS."""
    async with serve(handler, "127.0.0.1", 0, **options) as server:
        (listening,) = server.sockets
        yield f"ws://127.0.0.1:{listening.getsockname()[1]}/dev"
        server.close(close_connections=False)
        for one in server.connections:
            one.transport.abort()


async def test_slow_client_holds_up_no_other_one() -> None:
    """What is read for it is bounded: the server cannot send on until the client reads."""
    sent: dict[str, int] = {}

    async def flood(socket: ServerConnection) -> None:
        assert socket.request is not None
        with suppress(ConnectionClosed):
            for number in range(MANY):
                await socket.send(LARGE)
                sent[socket.request.path] = number

    async with server_of(flood) as url:
        proxy = Proxy(url)
        async with (
            proxy.serving(),
            connect(f"{proxy.url}?slow", compression=None, max_queue=1, close_timeout=1),
            connect(f"{proxy.url}?quick", compression=None) as quick,
        ):
            async with asyncio.timeout(60):
                received = [await quick.recv() for _ in range(MANY)]

    assert received == [LARGE] * MANY
    assert sent["/dev?slow"] < MANY - 100


async def test_client_that_reads_nothing_is_cut_at_its_age() -> None:
    """It cannot be sent a close frame; the local AWS is told all the same."""
    ended = asyncio.Event()

    async def flood(socket: ServerConnection) -> None:
        with suppress(ConnectionClosed):
            while True:
                await socket.send(LARGE)
        ended.set()

    async with server_of(flood) as url:
        proxy = Proxy(url, cut_after_seconds=1)
        async with (
            proxy.serving(),
            connect(proxy.url, compression=None, max_queue=1, close_timeout=1),
        ):
            async with asyncio.timeout(20):
                await ended.wait()


@asynccontextmanager
async def greeted(
    proxy: Proxy, target: str = "/dev", headers: str = ""
) -> AsyncIterator[tuple[str, asyncio.StreamWriter]]:
    """Yield the first line of the answer to a handshake that is sent as it is, and the socket."""
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    head = f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{proxy.port}\r\n{UPGRADE}{headers}\r\n"
    try:
        writer.write(head.encode())
        async with asyncio.timeout(10):
            answer = await reader.readuntil(b"\r\n\r\n")
        yield answer.decode().splitlines()[0], writer
    finally:
        writer.close()


async def test_client_that_says_goodbye_and_stays_is_cut() -> None:
    """The local AWS is told, although the client's end of the connection stays open."""
    codes: asyncio.Queue[int | None] = asyncio.Queue()

    async def listen(socket: ServerConnection) -> None:
        await socket.wait_closed()
        codes.put_nowait(socket.close_code)

    async with server_of(listen) as url:
        proxy = Proxy(url)
        async with proxy.serving(), greeted(proxy) as (_, client):
            client.write(GOODBYE)
            async with asyncio.timeout(10):
                assert await codes.get() == 1000


@pytest.mark.parametrize(
    ("target", "headers", "status"),
    [
        ("/dev?token=s3cret#x", "", 400),
        ("/dev", "Sec-WebSocket-Protocol: bearer.s3cret x\r\n", 400),
        ("/dev", "Origin: http://a\r\nOrigin: http://b\r\n", 400),
        ("/dev", "User-Agent: a\r\nUser-Agent: b\r\n", 400),
        ("/dev", "Host: evil.example\r\n", 403),
    ],
)
async def test_handshake_that_cannot_be_passed_on_is_refused(
    caplog: pytest.LogCaptureFixture, target: str, headers: str, status: int
) -> None:
    """It is no error of the proxy, whose report would show the token on the screen."""
    proxy = Proxy("ws://127.0.0.1:9/dev")

    async with proxy.serving(), greeted(proxy, target, headers) as (line, _):
        assert line.startswith(f"HTTP/1.1 {status} ")

    assert caplog.text == ""


async def test_binary_and_codes_pass_both_ways() -> None:
    """Bytes stay bytes, and a code of one's own arrives with its reason."""
    codes: list[tuple[int | None, str | None]] = []

    async def echo(socket: ServerConnection) -> None:
        with suppress(ConnectionClosed):
            async for message in socket:
                await socket.send(message)
                if message == "end":
                    await socket.close(4001, "the server's")
        codes.append((socket.close_code, socket.close_reason))

    async with server_of(echo) as url:
        proxy = Proxy(url)
        async with proxy.serving():
            async with connect(proxy.url) as client:
                await client.send(b"\x00\xff")
                echoed = await client.recv()
                await client.send("end")
                code = await end_of(client)
            async with connect(proxy.url) as client:
                await client.close(4002, "the client's")
            async with asyncio.timeout(10):
                while len(codes) < 2:  # noqa: ASYNC110 - a fake server of this test
                    await asyncio.sleep(0.01)

    assert echoed == b"\x00\xff"
    assert (code, client.close_reason) == (4001, "the client's")
    assert codes[1] == (4002, "the client's")


async def test_client_is_told_when_the_local_aws_does_not_answer() -> None:
    """502 says that it is not the client's fault."""
    proxy = Proxy(f"ws://127.0.0.1:{unused_port()}/dev")

    async with proxy.serving():
        assert await status_of(proxy.url) == 502


async def test_path_that_is_none_is_refused() -> None:
    """It is no error of the proxy."""
    proxy = Proxy("ws://127.0.0.1:9/dev")

    async with proxy.serving():
        assert await status_of(proxy.url.replace("/dev", "//[")) == 404


async def test_client_is_cut_when_the_local_aws_dies() -> None:
    """It had no time for a close frame."""

    async def die(socket: ServerConnection) -> None:
        await socket.recv()
        socket.transport.abort()

    async with server_of(die) as url:
        proxy = Proxy(url)
        async with proxy.serving(), connect(proxy.url) as client:
            await client.send("now")

            assert await end_of(client) == 1006


async def test_ticket_of_the_page_lets_in_by_a_sub_protocol(
    local_aws: LocalAws, web: Path, deployment: Deployment
) -> None:
    """The last one of this file, as it changes the stack's mode; each connect has a new ticket."""
    changed = deploy_locally(local_aws, lambda _: None, auth="ticket")

    with served_page(changed, folder=web) as page:
        async with joined(page) as (client, answer), joined(page) as (_, again):
            own = await client.ask("subscribe", at={"@": None, "news": None})

    assert changed.connections_table_name == deployment.connections_table_name
    assert {answer["type"], again["type"]} == {"joined"}
    assert own["type"] == "subscribed"


def rows_of_connections(deployment: Deployment) -> list[Any]:
    """Return the rows of connections that everyone's broadcasts reach."""
    client = deployment.client("dynamodb")
    rows = client.scan(TableName=deployment.connections_table_name)["Items"]
    return [row for row in rows if row["pk"]["S"].startswith("all#")]
