"""The last text that a client hears before its connection is closed: why, and whether to return.

API Gateway cannot close a connection with a code or a reason of ours, so a text says both before.
"""

import json
from dataclasses import dataclass
from enum import Enum
from typing import Final

MOST_AFTER_MS: Final = 3_600_000
"""The longest time in which a client is asked to connect again, in milliseconds."""


class ByeCode(Enum):
    """Why a connection is closed."""

    KICKED = "kicked"
    EXPIRED = "expired"
    MOVED = "moved"
    SHUTDOWN = "shutdown"


@dataclass(frozen=True, slots=True)
class Bye:
    """Why a connection is closed, and whether its client is to connect again.

    A client that is to connect again does so at a random moment of the next `after_ms`
    milliseconds, 0 to `MOST_AFTER_MS`, so that not all clients come at once.
    """

    code: ByeCode
    reconnect: bool
    after_ms: int = 0

    def __post_init__(self) -> None:
        """Refuse what a client does not understand. Raises ValueError."""
        if not isinstance(self.code, ByeCode):
            raise ValueError(f"code is {self.code!r}, expected a ByeCode")  # noqa: TRY004
        if not isinstance(self.reconnect, bool):
            raise ValueError(f"reconnect is {self.reconnect!r}, expected a bool")  # noqa: TRY004
        is_whole = isinstance(self.after_ms, int) and not isinstance(self.after_ms, bool)
        if not is_whole or not 0 <= self.after_ms <= MOST_AFTER_MS:
            raise ValueError(
                f"after_ms is {self.after_ms!r}, expected a whole number from 0 to {MOST_AFTER_MS}"
            )

    def encode(self) -> str:
        """Return the text frame; clients tell it from a broadcast's frame by its `type`."""
        said = {
            "type": "bye",
            "code": self.code.value,
            "reconnect": self.reconnect,
            "afterMs": self.after_ms,
        }
        return json.dumps(said, separators=(",", ":"))


def bye_of(code: ByeCode, after_ms: int | None) -> Bye:
    """Return what to say for a code; `after_ms` is None when no time is asked for.

    A client that is kicked stays away, unless a time says when it may connect again. A client that
    hears another code is to connect again. Raises ValueError.
    """
    reconnect = after_ms is not None or code is not ByeCode.KICKED
    return Bye(code, reconnect, 0 if after_ms is None else after_ms)
