"""What `crier probe` has found: the connection, the server's limits, and one answer."""

from dataclasses import asdict, dataclass
from typing import Any

from crier.commands.probe_words import Meaning, meaning_of


@dataclass(frozen=True, slots=True)
class Tls:
    """TLS as both sides have agreed on it."""

    version: str
    cipher: str


@dataclass(frozen=True, slots=True)
class Limits:
    """What an HTTP/2 server allows its client; None where it has not told."""

    streams: int | None
    window_bytes: int | None
    frame_bytes: int | None
    header_table_bytes: int | None


@dataclass(frozen=True, slots=True)
class Milliseconds:
    """How long each step took; `tls` is None without TLS."""

    resolve: float
    tcp: float
    tls: float | None
    answer: float


@dataclass(frozen=True, slots=True)
class Probed:
    """One connection to `@connections`, and how one request about no connection was answered.

    `protocol` is `h2` or `http/1.1`, as ALPN names them; `limits` is None for HTTP/1.1, which has
    none to tell. `text` is the answer's body.
    """

    url: str
    address: str
    protocol: str
    tls: Tls | None
    limits: Limits | None
    milliseconds: Milliseconds
    status: int
    text: str

    @property
    def meaning(self) -> Meaning:
        """What the status means, and what to do."""
        return meaning_of(self.status)

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "url": self.url,
            "address": self.address,
            "protocol": self.protocol,
            "tls": asdict(self.tls) if self.tls else None,
            "limits": asdict(self.limits) if self.limits else None,
            "milliseconds": asdict(self.milliseconds),
            "status": self.status,
            "text": self.text,
            "means": self.meaning.means,
            "to_do": self.meaning.to_do,
            "is_well": self.meaning.is_well,
        }
