"""The proxy in front of the local AWS: what API Gateway does there, and the local AWS does not.

It answers a sub-protocol, by the rule of the connect function, and cuts connections at an age. The
local AWS decides which clients come in: each handshake is made there first, with the client's
headers, and a refusal is passed on with its status.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Final
from urllib.parse import urlsplit
from weakref import WeakSet

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import MultipleValuesError
from websockets.exceptions import InvalidHandshake, InvalidStatus, InvalidURI
from websockets.http11 import Request, Response
from websockets.protocol import State

from crier.errors import CrierError
from crier.local.environment import HOST
from crier.local.page.control import Command, Cut, Drop, Refuse
from crier.local.page.guard import is_own_host
from crier.local.page.handshake import LIKE_API_GATEWAY, chosen, connected
from crier.local.page.proxied_connection import ProxiedConnection

_END_SECONDS: Final = 3.0


class _Client(ServerConnection):
    """A client's connection; `aws` is what was opened for it and that nothing has taken yet."""

    aws: ClientConnection | None = None

    def data_received(self, data: bytes) -> None:
        """Cut a client that has said goodbye and does not go: the end would not be noticed."""
        super().data_received(data)
        if self.protocol.close_expected():
            self.loop.call_later(LIKE_API_GATEWAY["close_timeout"], self.transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        """Let no connection to the local AWS outlive a client that was lost before it was in."""
        super().connection_lost(exc)
        if self.aws is not None:
            self.aws.transport.abort()


class Proxy:
    """Passes clients on to one WebSocket URL of the local AWS.

    All of it runs in one event loop: that of `serving`.
    """

    def __init__(self, aws_url: str, *, cut_after_seconds: float | None = None) -> None:
        self._aws_url = urlsplit(aws_url)
        self._cut_after_seconds = cut_after_seconds
        self._refused_until = 0.0
        self._clients: WeakSet[_Client] = WeakSet()
        self._connections: set[ProxiedConnection] = set()
        self.port = 0

    @property
    def url(self) -> str:
        """The URL for clients: that of the local AWS, on the proxy's port."""
        return self._aws_url._replace(netloc=f"{HOST}:{self.port}").geturl()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Accept clients on a free loopback port; cut them all in the end."""
        server = await serve(
            self._pass_on,
            HOST,
            0,
            process_request=self._admit,
            select_subprotocol=chosen,
            create_connection=self._client,  # type: ignore[arg-type]  # it is called only
            server_header=None,
            **LIKE_API_GATEWAY,
        )
        (listening,) = server.sockets
        self.port = listening.getsockname()[1]
        try:
            yield
        finally:
            server.close(close_connections=False)
            for client in tuple(self._clients):
                if hasattr(client, "transport"):  # else it has not begun, and ends with the loop
                    client.transport.abort()
            with suppress(TimeoutError):  # a handshake that is under way ends with the loop
                await asyncio.wait_for(server.wait_closed(), _END_SECONDS)

    def obey(self, command: Command) -> int:
        """Do what a button of the page says; return the number of connections that it reached."""
        match command:
            case Refuse(seconds):
                self._refused_until = time.monotonic() + seconds
                return 0
            case Cut(None):
                reached = list(self._connections)
            case Cut(name) | Drop(name, _):
                reached = [one for one in self._connections if one.connection_id == name]
        for one in reached:
            if isinstance(command, Drop):
                one.frames_to_drop = command.frames
            else:
                one.cut()
        return len(reached)

    def _client(self, *arguments: Any, **options: Any) -> _Client:
        """Make a client's connection, which may not have said yet what it wants."""
        client = _Client(*arguments, **options)
        self._clients.add(client)
        return client

    async def _admit(self, client: ServerConnection, request: Request) -> Response | None:
        """Make the handshake with the local AWS; return its refusal, None when it lets in."""
        if refused := self._refused(client, request):
            return refused
        assert isinstance(client, _Client)
        try:
            client.aws = await connected(self._aws_url, request)
        except InvalidStatus as error:
            text = (error.response.body or b"").decode(errors="replace")
            return client.respond(error.response.status_code, text)
        except (OSError, TimeoutError, InvalidHandshake) as error:
            return client.respond(502, f"the local AWS does not answer: {error}\n")
        except (InvalidURI, MultipleValuesError, ValueError):  # what they say may have a token
            return client.respond(400, "expected a URL and headers that can be passed on\n")
        if client.state is not State.CONNECTING:  # it went away meanwhile
            client.aws.transport.abort()
        return None

    def _refused(self, client: ServerConnection, request: Request) -> Response | None:
        """Return the proxy's own refusal, None when the local AWS is to be asked."""
        if not is_own_host(",".join(request.headers.get_all("Host")), self.port):
            return client.respond(403, f"expected the host {HOST}:{self.port}\n")
        if request.path.partition("?")[0] != self._aws_url.path:
            return client.respond(404, f"expected the path {self._aws_url.path}\n")
        if time.monotonic() < self._refused_until:
            return client.respond(503, "the page has asked to refuse new connections for a while\n")
        return None

    async def _pass_on(self, client: ServerConnection) -> None:
        assert isinstance(client, _Client)
        aws, client.aws = client.aws, None
        if aws is None:
            raise CrierError("a client is in that the local AWS has not let in")
        one = ProxiedConnection(client, aws, cut_after_seconds=self._cut_after_seconds)
        self._connections.add(one)
        try:
            await one.run()
        finally:
            self._connections.discard(one)
            one.give_up()
