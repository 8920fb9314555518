"""What the proxy knows of the texts that pass through it from the local AWS to a client."""

import json
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Passing:
    """A text on its way to a client, with its fields when it is a JSON object."""

    text: str
    fields: dict[str, Any]

    @classmethod
    def of(cls, text: str) -> Self:
        """Return what a text is. One that is no JSON object has no fields, and passes as it is."""
        try:
            fields = json.loads(text)
        except (ValueError, RecursionError):
            fields = {}
        return cls(text, fields if isinstance(fields, dict) else {})

    @property
    def is_frame(self) -> bool:
        """Whether it is a broadcast's frame: it has a `seq`, and no `type`, which answers have."""
        return "seq" in self.fields and "type" not in self.fields

    @property
    def connection_id(self) -> str | None:
        """The id of the client's connection, which an answer to `join` tells."""
        found = self.fields.get("connectionId") if self._is_joined else None
        return found if isinstance(found, str) else None

    def renewed_within(self, left_ms: int) -> str:
        """Return the text, in which the connection ends in `left_ms` if it says a later time."""
        said = self.fields.get("renewInMs")
        if not self._is_joined or not isinstance(said, int | float) or said <= left_ms:
            return self.text
        return json.dumps({**self.fields, "renewInMs": left_ms}, separators=(",", ":"))

    @property
    def _is_joined(self) -> bool:
        return self.fields.get("type") == "joined"
