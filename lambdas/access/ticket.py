"""Tickets: 32 random bytes that the application has written into our table, good for one connect.

The table has only their hash, so that reading it lets nobody in.
"""

import hashlib
from collections.abc import Mapping
from typing import Any, Final

from access import base64url
from access.channels import read_patterns
from access.client import Client
from access.refusal import Refusal, RefusedError

TICKET_BYTES: Final = 32
MOST_SECONDS: Final = 60
"""A ticket holds for this long at most."""

CLOCK_DIFFERENCE_SECONDS: Final = 10
"""How far the clocks of the application and of the function may be apart."""


def hash_of(ticket: str) -> str:
    """Return what the table knows a ticket by: SHA-256, in hexadecimal. Raises RefusedError."""
    data = base64url.decode(ticket)
    if data is None or len(data) != TICKET_BYTES:
        raise RefusedError(Refusal.TICKET)
    return hashlib.sha256(data).hexdigest()


def client_of_ticket(row: Mapping[str, Any], now_seconds: int) -> Client:
    """Return the client that a ticket was written for, at a time in epoch seconds.

    `row` has `user`, `expiresAt` in epoch seconds and perhaps `channels`. Raises RefusedError.
    """
    expires_seconds = row.get("expiresAt")
    if not isinstance(expires_seconds, int) or isinstance(expires_seconds, bool):
        raise RefusedError(Refusal.TICKET)
    left_seconds = expires_seconds - now_seconds
    if not 0 < left_seconds <= MOST_SECONDS + CLOCK_DIFFERENCE_SECONDS:
        raise RefusedError(Refusal.TICKET)
    found, user = row.get("channels"), row.get("user")
    channels = None if found is None else read_patterns(found)
    return Client(user if isinstance(user, str) else "", channels)
