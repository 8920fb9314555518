"""Where a client connects to, with its token: in the query or as a sub-protocol. Pure."""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlsplit, urlunsplit

from websockets.exceptions import InvalidURI
from websockets.uri import parse_uri

from crier.errors import CrierError

PROTOCOL: Final = "crier.v1"

_TOKEN_OF_HTTP: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
"""https://www.rfc-editor.org/rfc/rfc9110.html#name-tokens"""


@dataclass(frozen=True, slots=True)
class Address:
    """The URL of a WebSocket API; a token goes into the query, or a sub-protocol.

    Raises CrierError for a URL that is none.
    """

    url: str
    is_token_in_protocol: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be connected to."""
        try:
            parse_uri(self.url)
            is_url = self.url.isprintable() and " " not in self.url
        except (InvalidURI, ValueError):
            is_url = False
        if not is_url:
            raise CrierError(
                f"found {self.url!r:.200}, expected the URL of a WebSocket API, such as "
                "wss://API_ID.execute-api.REGION.amazonaws.com/STAGE"
            )

    def with_token(self, token: str | None) -> tuple[str, list[str] | None]:
        """Return what to connect to, and the sub-protocols to offer."""
        if token is None:
            return self.url, None
        if self.is_token_in_protocol:
            return self.url, [PROTOCOL, f"bearer.{token}"]
        parts = urlsplit(self.url)
        query = "&".join(filter(None, (parts.query, f"token={quote(token, safe='')}")))
        return urlunsplit(parts._replace(query=query)), None

    def takes(self, token: str) -> bool:
        """Whether a token can be sent so."""
        return not self.is_token_in_protocol or bool(_TOKEN_OF_HTTP.fullmatch(token))
