"""A request to the page's server and its answer, apart from how they are read and sent."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

JSON: Final = "application/json"

_SECURITY_POLICY: Final = "; ".join(
    (
        *("default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self'"),
        *("connect-src 'self' ws: wss:", "base-uri 'none'", "form-action 'none'"),
        "frame-ancestors 'none'",
    )
)
HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": _SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
}
"""The headers of every answer, apart from its own."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request; the names of its headers are in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        """What the target has after its path; empty when there is nothing."""
        return self.target.partition("?")[2]


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, and what is sent with it.

    `caching` is the header Cache-Control: a token is stored nowhere.
    """

    status: int
    content_type: str = JSON
    body: bytes = b""
    caching: str = "no-store"


def told(value: object) -> Answer:
    """Answer with a JSON value."""
    return Answer(200, JSON, json.dumps(value).encode())


def refused(status: int, text: str) -> Answer:
    """Answer with an error, as JSON."""
    return Answer(status, JSON, json.dumps({"error": text}).encode())
