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
    parts = urlsplit(url)
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        raise ValueError(f"callback URL is {url!r}, expected https://host/stage")
    default = _DEFAULT_PORTS[parts.scheme]
    port = parts.port or default
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    authority = host if port == default else f"{host}:{port}"
    return Endpoint(parts.scheme, parts.hostname, port, authority, parts.path.rstrip("/"))
