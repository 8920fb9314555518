"""A client that is let in."""

from dataclasses import dataclass
from typing import Final

from access.refusal import Refusal, RefusedError
from broadcasting import checks
from broadcasting.channel_patterns import read_patterns


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
        if checks.USER(self.user):
            raise RefusedError(Refusal.USER)

    def is_over(self, now_seconds: int) -> bool:
        """Tell whether its token has expired, to the second."""
        return self.expires_seconds is not None and self.expires_seconds <= now_seconds


NOTHING_SAID: Final = object()
"""In place of channels that are not mentioned: null is a value, and no list of channels."""


def client_of(user: object, channels: object, expires_seconds: int | None = None) -> Client:
    """Return the client that a token or a ticket names. Raises RefusedError."""
    try:
        patterns = None if channels is NOTHING_SAID else read_patterns(channels)
    except ValueError as error:
        raise RefusedError(Refusal.CHANNELS) from error
    return Client(user if isinstance(user, str) else "", patterns, expires_seconds)
