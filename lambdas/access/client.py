"""A client that is let in."""

import unicodedata
from dataclasses import dataclass
from typing import Final

from access.refusal import Refusal, RefusedError

MOST_USER: Final = 128
"""Characters of a user's name."""

_BARRED: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode's control, format, surrogate, private and unassigned characters, and line ends: none of
them shows, and some of them turn the text after them around."""


@dataclass(frozen=True, slots=True)
class Client:
    """Who connects. `channels` is None where the token or the ticket says nothing of channels.

    `expires_seconds` is when the token expires, in epoch seconds; None for a ticket, which says
    nothing of how long its client stays. Raises RefusedError for what is no user's name.
    """

    user: str
    channels: tuple[str, ...] | None
    expires_seconds: int | None = None

    def __post_init__(self) -> None:
        """Refuse a user that cannot be told from others."""
        if not isinstance(self.user, str) or not 1 <= len(self.user) <= MOST_USER:
            raise RefusedError(Refusal.USER)
        if any(unicodedata.category(one) in _BARRED for one in self.user):
            raise RefusedError(Refusal.USER)
