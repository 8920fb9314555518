"""What the stand-in has seen since it began, or since its behaviour was last set."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Report:
    """The counts. `received` stays in the process: it is not part of the JSON."""

    posts: int
    """Well-formed posts."""
    answers: Mapping[int, int]
    """Whole answers sent, by status, the 400s of malformed requests included."""
    delivered: int
    """Messages that reached their connection: the 200s, told to the poster or not."""
    duplicates: int
    """Deliveries beyond the first to a connection."""
    connections_reached: int
    malformed: int
    """Requests refused with 400."""
    unsigned: int
    """Posts refused with 403, because their signature is wrong."""
    http_connections_opened: int
    handshakes: int
    """TLS handshakes that succeeded."""
    cpu_seconds: float
    """User and system time of the serving thread."""
    wall_seconds: float
    posts_by_protocol: Mapping[str, int] = field(default_factory=dict)
    """Well-formed posts over `h2` and `http/1.1`, as ALPN names them."""
    connections_by_protocol: Mapping[str, int] = field(default_factory=dict)
    """HTTP connections by what they were opened for; those that fell silent before are in none."""
    most_streams: int = 0
    """The most posts without an answer at once on one connection of HTTP/2."""
    received: Mapping[str, int] = field(default_factory=dict, compare=False, repr=False)
    """How many messages reached each connection."""

    def facts(self) -> dict[str, Any]:
        """Return what goes into JSON: all but `received`."""
        return {one.name: getattr(self, one.name) for one in fields(self) if one.name != "received"}

    def to_json(self) -> str:
        """Return one line of JSON, without `received`."""
        return json.dumps(self.facts())

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the report that `to_json` wrote."""
        return cls.from_facts(json.loads(text))

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> Self:
        """Return the report that a JSON object holds: its keys are text, statuses are not."""
        answers = {int(status): count for status, count in facts["answers"].items()}
        return cls(**{**facts, "answers": answers})
