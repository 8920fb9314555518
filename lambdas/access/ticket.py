"""Tickets: 32 random bytes that the application has put into our table, for one connect each."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from access import base64url
from access.client import NOTHING_SAID, Client, client_of
from access.refusal import Refusal, RefusedError
from broadcasting.door_rows import CHANNELS, USER
from broadcasting.items import EXPIRY

TICKET_BYTES: Final = 32
MOST_SECONDS: Final = 60
"""A ticket holds for this long at most."""

CLOCK_DIFFERENCE_SECONDS: Final = 10
"""How far the clocks of the application and of the function may be apart."""

TakeTicket = Callable[[str], Mapping[str, Any] | None]
"""Takes a ticket out of our table; returns its row, None when it is not there."""


class TicketOffice:
    """Says whom a ticket is for. It is taken from the table for that, so it lets in once."""

    def __init__(self, take: TakeTicket) -> None:
        self._take = take

    def redeem(self, text: str, now_seconds: int) -> Client:
        """Return the client, at a time in epoch seconds. Raises RefusedError."""
        require_ticket(text)
        row = self._take(text)
        if row is None:
            raise RefusedError(Refusal.TICKET)
        return client_of_ticket(row, now_seconds)


def require_ticket(text: str) -> None:
    """Refuse what cannot be a ticket, before a read is spent on it. Raises RefusedError."""
    data = base64url.decode(text)
    if data is None or len(data) != TICKET_BYTES:
        raise RefusedError(Refusal.TICKET)


def client_of_ticket(row: Mapping[str, Any], now_seconds: int) -> Client:
    """Return the client that a ticket was written for, at a time in epoch seconds.

    `row` is the ticket's, by the names of its attributes. Raises RefusedError.
    """
    expires_seconds = row.get(EXPIRY)
    if not isinstance(expires_seconds, int) or isinstance(expires_seconds, bool):
        raise RefusedError(Refusal.TICKET)
    left_seconds = expires_seconds - now_seconds
    if not 0 < left_seconds <= MOST_SECONDS + CLOCK_DIFFERENCE_SECONDS:
        raise RefusedError(Refusal.TICKET)
    return client_of(row.get(USER), row.get(CHANNELS, NOTHING_SAID))
