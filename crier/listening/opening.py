"""A connection that is on its way: from the token to the answer of its join. Pure."""

from dataclasses import dataclass
from typing import Final

from crier.listening.connection import Connection
from crier.listening.effects import Outbox, Trouble

_QUIET: Final = 2


class TokenFailure:
    """No token could be had this time; `message` says why."""

    def __init__(self, message: str) -> None:
        self.message = message


class Denied(TokenFailure):
    """No token will be had: the client is to stay away."""


@dataclass(slots=True, eq=False)
class Opening:
    """One try; it is given up at `over_at`. `connection` is None until there is a token."""

    ask: int
    over_at: float
    renews: Connection | None = None
    """The connection whose place it is to take; None when there is none any more."""
    connection: Connection | None = None
    is_open: bool = False

    @property
    def socket(self) -> int | None:
        """The number of its socket."""
        return self.connection.socket if self.connection else None

    @property
    def wakes_at(self) -> float:
        """When something is due."""
        again_at = self.connection.requests.again_at if self.connection else None
        return self.over_at if again_at is None else min(self.over_at, again_at)


@dataclass(slots=True)
class Refusals:
    """Counts tries that failed, one after another: what was refused has no reason, mostly.

    `most_denials` is how many answers 401 or 403 in a row end a client; None for any number.
    """

    most_denials: int | None = None
    _failed: int = 0
    _denials: int = 0

    def reset(self) -> None:
        """Note that a connection has been joined."""
        self._failed = self._denials = 0

    def count(self, outbox: Outbox, *, status: int | None, why: str) -> bool:
        """Count a try, and tell of it from the third on; return whether to give up."""
        self._failed += 1
        self._denials = self._denials + 1 if status in (401, 403) else 0
        if self._denials == self.most_denials:
            outbox.append(Trouble("unauthorized", why, retry=False))
            return True
        if self._failed > _QUIET:
            text = f"{self._failed} tries in a row have failed, the last one: {why}"
            outbox.append(Trouble("refused", text, retry=True))
        return False
