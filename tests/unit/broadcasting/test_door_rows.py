"""The rows that decide who may connect."""

import hashlib

from broadcasting.door_rows import denied_item, ticket_item


def test_ticket_row_has_the_hash_of_the_ticket_only() -> None:
    """Who reads the table cannot connect with what is there."""
    row = ticket_item("secret", user="alice", channels=("a", "b*"), expires_seconds=60)

    assert row == {
        "pk": {"S": f"ticket#{hashlib.sha256(b'secret').hexdigest()}"},
        "sk": {"S": "self"},
        "user": {"S": "alice"},
        "channels": {"S": "a b*"},
        "expiresAt": {"N": "60"},
    }


def test_ticket_row_is_silent_about_channels_when_there_are_none_given() -> None:
    """That is not the same as none allowed."""
    silent = ticket_item("secret", user="alice", channels=None, expires_seconds=60)
    none_allowed = ticket_item("secret", user="alice", channels=(), expires_seconds=60)

    assert "channels" not in silent
    assert none_allowed["channels"] == {"S": ""}


def test_denied_row_keeps_a_user_out_until_its_time() -> None:
    """One row a user."""
    assert denied_item("alice", 90) == {
        "pk": {"S": "denied#alice"},
        "sk": {"S": "self"},
        "expiresAt": {"N": "90"},
    }
