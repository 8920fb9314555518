"""Where an issuer's keys are: the URL of its JWKS document, checked. Reads nothing."""

from typing import Final, NamedTuple
from urllib.parse import urljoin, urlsplit

LOOPBACK_HOSTS: Final = ("127.0.0.1", "::1", "localhost")
"""For these alone plain http will do: what is sent there never leaves the machine."""

MOST_CHARACTERS: Final = 2_048
EXPECTED: Final = (
    f"an https URL of up to {MOST_CHARACTERS:,} characters, without a user or a fragment, or an "
    f"http one of {', '.join(LOOPBACK_HOSTS)}"
)
_PORTS: Final = {"https": 443, "http": 80}


class KeyUrl(NamedTuple):
    """A URL, taken apart. `authority` is what the header `Host` says, `target` the request line."""

    text: str
    scheme: str
    host: str
    port: int
    authority: str
    target: str

    def redirected(self, location: str) -> "KeyUrl":
        """Return where a redirect leads; it stays with its host.

        Raises ValueError, whose message repeats neither URL.
        """
        try:
            target = urljoin(self.text, location)
        except ValueError:
            raise ValueError(f"expected {EXPECTED}") from None
        url = parse_key_url(target)
        if (url.scheme, url.host, url.port) != (self.scheme, self.host, self.port):
            raise ValueError("found a redirect to another host, expected the same one")
        return url


def parse_key_url(text: str) -> KeyUrl:
    """Take a URL apart. Raises ValueError, whose message does not repeat it."""
    if len(text) > MOST_CHARACTERS or not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError(f"expected {EXPECTED}")
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise ValueError(f"expected {EXPECTED}") from None
    is_private = parts.scheme == "https" or (parts.scheme == "http" and host in LOOPBACK_HOSTS)
    if not host or not is_private or "@" in parts.netloc or "#" in text:
        raise ValueError(f"expected {EXPECTED}")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    authority = parts.netloc.lower()
    return KeyUrl(text, parts.scheme, host, port or _PORTS[parts.scheme], authority, target)
