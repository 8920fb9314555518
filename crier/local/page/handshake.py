"""How the proxy opens connections: a client's, as API Gateway does, and one to the local AWS."""

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import SplitResult

from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request
from websockets.typing import Origin, Subprotocol

from broadcasting.subprotocol import choose, split_header

LIKE_API_GATEWAY: Final[dict[str, Any]] = {
    "compression": None,
    "ping_interval": None,
    "close_timeout": 1.0,
    "open_timeout": 60.0,  # the local AWS connects one client after the other
}
"""Options of both connections: API Gateway compresses nothing and sends no pings."""

_OF_ONE_HOP: Final = {"host", "connection", "upgrade", "origin", "user-agent"}
"""Headers that each connection has its own of, or that `connect` takes as arguments."""


async def connected(aws_url: SplitResult, request: Request) -> ClientConnection:
    """Return a connection to the local AWS with what a client has sent along, a token included.

    Raises what `connect` of websockets raises, InvalidStatus when the client is refused.
    """
    headers, query = request.headers, request.path.partition("?")[2]
    offered = split_header(headers.get_all("Sec-WebSocket-Protocol"))
    origin = headers.get("Origin")
    return await connect(
        aws_url._replace(query=query).geturl(),
        subprotocols=[Subprotocol(one) for one in offered] or None,
        origin=None if origin is None else Origin(origin),
        user_agent_header=headers.get("User-Agent"),
        additional_headers=[one for one in headers.raw_items() if _is_passed_on(one[0])],
        proxy=None,
        **LIKE_API_GATEWAY,
    )


def chosen(_client: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    """Return the sub-protocol that is answered, by the rule of the connect function."""
    found = choose(offered)
    return None if found is None else Subprotocol(found)


def _is_passed_on(name: str) -> bool:
    return name.lower() not in _OF_ONE_HOP and not name.lower().startswith("sec-websocket-")
