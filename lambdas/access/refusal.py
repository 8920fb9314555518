"""Why a client is not let in: one word for the log line and the metric, and never a secret."""

from enum import StrEnum


class Refusal(StrEnum):
    """Reasons. None of them says more than an attacker knows already."""

    NO_TOKEN = "no-token"  # noqa: S105 - a reason
    TWO_TOKENS = "two-tokens"
    MALFORMED = "malformed"
    ALGORITHM = "algorithm"
    CRITICAL = "critical-header"
    UNKNOWN_KEY = "unknown-key"
    SIGNATURE = "signature"
    EXPIRED = "expired"
    EXPIRY = "expiry"
    """It has no time of expiry, or one that is too far ahead."""
    NOT_YET = "not-yet"
    ISSUER = "issuer"
    AUDIENCE = "audience"
    PURPOSE = "purpose"
    """It was made for something else than to connect."""
    USER = "user"
    CHANNELS = "channels"
    ORIGIN = "origin"
    TICKET = "ticket"
    """There is no such ticket, or it has been used, or is over."""
    DENIED = "denied"
    """The user is on the deny list."""
    EVENT = "event"
    """It is no event of a client that connects, or lacks what such an event has."""


class RefusedError(Exception):
    """A client is refused."""

    def __init__(self, refusal: Refusal) -> None:
        self.refusal = refusal
        super().__init__(str(refusal))
