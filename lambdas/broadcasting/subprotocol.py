"""Which of the sub-protocols that a client offers is answered.

A client that offers sub-protocols, and whose answer has none, closes the connection, as browsers
do (RFC 6455, section 4.1; https://websockets.spec.whatwg.org). Browsers cannot set headers on a
WebSocket, so that clients send tokens among the sub-protocols: one with a token is never answered,
because answers are logged along the way.
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
    """Return OURS if it is offered, else the first one without a secret, None when there is none.

    A name that HTTP does not allow is passed over: an answer with it would be refused.
    """
    usable = [one for one in offered if _TOKEN.fullmatch(one) and not _carries_secret(one)]
    return OURS if OURS in usable else next(iter(usable), None)


def split_header(values: Iterable[str]) -> list[str]:
    """Return the sub-protocols of a header that may be repeated and joined by commas."""
    names = (name.strip(" \t") for value in values for name in value.split(","))
    return [name for name in names if name]


def _carries_secret(name: str) -> bool:
    return "bearer." in name.lower() or _JWT.search(name) is not None
