"""A client that sends a frame: what it may ask for, and until when."""

from dataclasses import dataclass

from broadcasting import checks
from broadcasting.audience import EVERYONE, OWN, stream_of_user
from broadcasting.channel_patterns import may_use
from broadcasting.client_refusal import Code, RefusedFrameError
from broadcasting.connection import LATEST_MS, Connection, expires_at, require_count


@dataclass(frozen=True, slots=True, kw_only=True)
class AskingClient:
    """A client's connection, whose it is, the channels that it may use, and its end.

    `user` is None for an anonymous client; `patterns` are those of `channel_patterns`;
    `expires_seconds` is when what it was let in by expires, in epoch seconds, None for never.
    """

    connection: Connection
    user: str | None = None
    patterns: tuple[str, ...] = ()
    expires_seconds: int | None = None

    def __post_init__(self) -> None:
        """Refuse a user and a time that cannot be. Raises ValueError."""
        if self.user is not None and (expected := checks.USER(self.user)):
            raise ValueError(f"user is no user's name, {expected}")
        if self.expires_seconds is not None:
            require_count("expires_seconds", self.expires_seconds, most=LATEST_MS // 1000)

    def is_over(self, now_ms: int) -> bool:
        """Tell whether what it was let in by has expired."""
        return self.expires_seconds is not None and self.expires_seconds <= now_ms // 1000

    @property
    def rows_expire_at(self) -> int:
        """The time after which its rows are of no use, in epoch seconds."""
        return expires_at(self.connection.connected_at, self.expires_seconds)

    def stream_of(self, channel: str) -> str:
        """Return the stream of a channel as the client names it. Raises RefusedFrameError."""
        if channel == EVERYONE:
            return EVERYONE
        if channel == OWN:
            if self.user is None:
                raise RefusedFrameError(
                    Code.NOT_ALLOWED,
                    "found channel @, expected a connection of a user, which this is not: it is "
                    "anonymous",
                )
            return stream_of_user(self.user)
        if not may_use(channel, self.patterns):
            raise RefusedFrameError(
                Code.NOT_ALLOWED,
                f"found channel {channel}, expected one that this connection may use: its token or "
                "ticket names them, or else the stack does",
            )
        return channel
