"""Where `@connections` is: the callback URL of a stage, taken apart once."""

from dataclasses import dataclass
from urllib.parse import urlsplit

_DEFAULT_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A stage's callback URL: https on AWS, http on the local AWS.

    `authority` is the value of the Host header, `path` ends before `/@connections`.
    """

    scheme: str
    host: str
    port: int
    authority: str
    path: str

    @property
    def is_tls(self) -> bool:
        """Whether posts go through TLS."""
        return self.scheme == "https"


def parse_endpoint(url: str) -> Endpoint:
    """Take apart a callback URL. Raises ValueError."""
    try:
        parts = urlsplit(url)
        given_port = parts.port
    except ValueError as error:
        raise _refusal(url, f" ({error})") from error
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname or not _is_written_plainly(url):
        raise _refusal(url)
    default = _DEFAULT_PORTS[parts.scheme]
    port = given_port or default
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    authority = host if port == default else f"{host}:{port}"
    return Endpoint(parts.scheme, parts.hostname, port, authority, parts.path.rstrip("/"))


def _is_written_plainly(url: str) -> bool:
    """Return whether a URL can stand in a request as it is. RFC 3986, 2."""
    return url.isascii() and url.isprintable() and " " not in url


def _refusal(url: str, why: str = "") -> ValueError:
    return ValueError(f"callback URL is {url!r}{why}, expected https://host/stage")
