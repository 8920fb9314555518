"""Which sub-protocol of those that a client offers is answered.

A client that offers some and hears of none closes the connection, as browsers do (RFC 6455,
section 4.1; https://websockets.spec.whatwg.org). Browsers cannot set headers on a WebSocket, so
that tokens travel among the sub-protocols: what carries one is never answered, as answers are
logged along the way.
"""

import re
from collections.abc import Iterable
from typing import Final

OURS = "crier.v1"

_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""RFC 9110, section 5.6.2: what a sub-protocol consists of."""

_JWT: Final = re.compile(r"eyJ[\w-]*\.[\w-]*\.[\w-]*")
"""A token: base64url of `{"`, and two more parts if it is signed (RFC 7515, section 3.1), four if
it is encrypted, of which the first may be empty (RFC 7518, section 4.5)."""


def choose(offered: Iterable[str]) -> str | None:
    """Return OURS if it is offered, else the first that carries no secret, None when none is left.

    What is no token of HTTP is passed over, as an answer with it would be refused.
    """
    usable = [one for one in offered if _TOKEN.fullmatch(one) and not _carries_secret(one)]
    return OURS if OURS in usable else next(iter(usable), None)


def split_header(values: Iterable[str]) -> list[str]:
    """Return the sub-protocols of a header that may be repeated and joined by commas."""
    names = (name.strip(" \t") for value in values for name in value.split(","))
    return [name for name in names if name]


def _carries_secret(name: str) -> bool:
    return "bearer." in name.lower() or _JWT.search(name) is not None
