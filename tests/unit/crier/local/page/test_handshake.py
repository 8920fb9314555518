"""Which sub-protocol the proxy answers: the connect function's choice."""

from typing import TYPE_CHECKING, cast

import pytest

from crier.local.page.handshake import chosen

if TYPE_CHECKING:
    from websockets.asyncio.server import ServerConnection
    from websockets.typing import Subprotocol


@pytest.mark.parametrize(
    ("offered", "answered"),
    [
        (["bearer.abc", "crier.v1"], "crier.v1"),
        (["json", "crier.v1"], "crier.v1"),
        (["bearer.abc", "json", "xml"], "json"),
        (["bearer.abc"], None),
        (["eyJhbGciOiJIUzI1NiJ9.e30.c2ln"], None),
        ([], None),
    ],
)
def test_token_is_never_answered(offered: list[str], answered: str | None) -> None:
    """crier.v1 if it is offered, else the first one that carries no token."""
    client = cast("ServerConnection", None)

    assert chosen(client, cast("list[Subprotocol]", offered)) == answered
