"""What a strategy is told to do: one JSON argument, the same for Python and for Node."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """A budget of posts: a token bucket."""

    posts_per_second: float
    burst: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One frame to post to every connection of an audience.

    `pace` and `threads` are for crier; the peers know neither.
    """

    url: str
    """The callback URL, its stage included."""
    ca: str | None
    """Path of the certificate authority to trust; None for the system's."""
    region: str
    access_key: str
    secret_key: str
    session_token: str
    connections: int
    warm_up: int
    """How many posts to other connections come first, not measured; 0 measures from cold."""
    frame: str
    in_flight: int
    """Posts under way at once, and HTTP connections at most."""
    pace: Pace | None = None
    threads: int | None = None
    """None for the strategy's own choice."""

    @property
    def audience(self) -> Iterator[str]:
        """The connection ids, made one by one; the `=` is there in real ones too."""
        return (f"conn-{number:08d}=" for number in range(self.connections))

    @property
    def warm_up_audience(self) -> Iterator[str]:
        """The connection ids that are posted to before measuring."""
        return (f"warm-{number:08d}=" for number in range(self.warm_up))

    def to_json(self) -> str:
        """Return one line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the job that a JSON object describes; raises TypeError for unknown keys."""
        facts = json.loads(text)
        pace = facts.pop("pace", None)
        return cls(**facts, pace=Pace(**pace) if pace else None)
