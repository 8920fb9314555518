"""The rows of the connections table that decide who may connect: tickets, and denied users.

The application and the command line write them, the authorizer reads them. TTL deletes them late,
so each reader looks at `expiresAt`, too.
"""

import hashlib
from collections.abc import Sequence
from typing import Final

from broadcasting.items import EXPIRY, Item, Key, attribute_of, key_attributes

SELF: Final = "self"
"""The sort key of a row that is the only one of its partition."""

TICKET: Final = "ticket#"
DENIED: Final = "denied#"
"""What the partition keys begin with: permissions are bound to that."""

USER, CHANNELS = "user", "channels"


def ticket_key(ticket: str) -> Key:
    """Return the key of a ticket's row: the SHA-256 of its text: reading it is no way in."""
    return f"{TICKET}{hashlib.sha256(ticket.encode()).hexdigest()}", SELF


def ticket_item(
    ticket: str, *, user: str, channels: Sequence[str] | None, expires_seconds: int
) -> Item:
    """Return the row of a ticket; `expires_seconds` is its end, in epoch seconds."""
    item = {
        **key_attributes(ticket_key(ticket)),
        USER: attribute_of(user),
        EXPIRY: attribute_of(expires_seconds),
    }
    return item if channels is None else item | {CHANNELS: attribute_of(" ".join(channels))}


def denied_key(user: str) -> Key:
    """Return the key of the row that keeps a user out."""
    return f"{DENIED}{user}", SELF


def denied_item(user: str, expires_seconds: int) -> Item:
    """Return the row that keeps a user out until a time in epoch seconds."""
    return {**key_attributes(denied_key(user)), EXPIRY: attribute_of(expires_seconds)}
