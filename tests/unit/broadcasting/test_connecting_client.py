"""A client that connects, and its rows."""

from typing import Any

import pytest

from broadcasting.connecting_client import ConnectingClient, rows_of
from broadcasting.connection import Connection, expires_at, shard_of
from broadcasting.connection_row import connection_item, connection_of
from broadcasting.self_row import user_of
from tests.support.connection_keys import keys_of

NOW_MS = 1_700_000_000_000
NOW_SECONDS = NOW_MS // 1000
CONNECTION = Connection("abc=", NOW_MS)
ODD_USERS = (
    "alice",
    "a#b#",
    "🦊" * 128,
    "x" * 128,
    "ü@exämple.org",
    'it\'s "quoted"',
    "a b",
    "self",
)


def test_rows_of_a_user_have_these_attributes() -> None:
    """Frozen: rows that are there are read, and a release before reads ours."""
    rows = rows_of(ConnectingClient(CONNECTION, "alice", NOW_SECONDS + 60))

    assert rows == [
        {
            "pk": {"S": f"all#{shard_of('abc=')}"},
            "sk": {"S": "abc="},
            "connectedAt": {"N": "1700000000000"},
            "expiresAt": {"N": "1700000060"},
        },
        {
            "pk": {"S": "user#alice"},
            "sk": {"S": "abc="},
            "connectedAt": {"N": "1700000000000"},
            "expiresAt": {"N": "1700000060"},
        },
        {
            "pk": {"S": "connection#abc="},
            "sk": {"S": "self"},
            "user": {"S": "alice"},
            "expiresAt": {"N": "1700000060"},
        },
    ]


def test_anonymous_client_has_the_row_of_its_connection_alone() -> None:
    """Broadcasts to everyone read these rows whole: nothing else is in them."""
    assert rows_of(ConnectingClient(CONNECTION)) == [connection_item(CONNECTION)]


@pytest.mark.parametrize("user", ODD_USERS)
def test_rows_of_any_user_tell_the_user_and_the_connection(user: str) -> None:
    """Whatever its characters: it is a part of a key, and is read back whole."""
    everyones, users, itself = rows_of(ConnectingClient(CONNECTION, user))

    assert (connection_of(everyones), connection_of(users)) == (CONNECTION, CONNECTION)
    assert user_of(itself) == user
    keys = [(row["pk"]["S"], row["sk"]["S"]) for row in (everyones, itself, users)]
    assert keys == keys_of("abc=", user)
    assert all(len(key[0].encode()) <= 2_048 for key in keys)


@pytest.mark.parametrize(
    ("expires_seconds", "expected"),
    [
        (None, expires_at(NOW_MS)),
        (NOW_SECONDS + 1, NOW_SECONDS + 1),
        (expires_at(NOW_MS) - 1, expires_at(NOW_MS) - 1),
        (expires_at(NOW_MS) + 1, expires_at(NOW_MS)),
        (253_402_300_799, expires_at(NOW_MS)),
    ],
)
def test_rows_expire_with_the_connection_or_sooner(
    expires_seconds: int | None, expected: int
) -> None:
    """What comes first: the end that the token says, or ten minutes past two hours."""
    client = ConnectingClient(CONNECTION, "alice", expires_seconds)

    assert client.rows_expire_at == expected
    assert {row["expiresAt"]["N"] for row in rows_of(client)} == {str(expected)}


@pytest.mark.parametrize("user", ["", "x" * 129, "a\nb", "a\u200bb", "\ud800", 7, True, ["a"]])
def test_client_is_refused_when_its_user_is_none(user: Any) -> None:
    """The message does not repeat the name, as its characters may not show."""
    with pytest.raises(ValueError, match="user is no user's name, expected 1 to 128"):
        ConnectingClient(CONNECTION, user)


@pytest.mark.parametrize(
    "expires_seconds",
    [NOW_SECONDS, NOW_SECONDS - 1, 0, -1, 253_402_300_800, 10**40, True, 1.8e9, "1800000000"],
)
def test_client_is_refused_when_its_end_is_over_or_no_time(expires_seconds: Any) -> None:
    """Its row would never be read: it would be connected, and receive nothing."""
    with pytest.raises(ValueError, match="expires_seconds is"):
        ConnectingClient(CONNECTION, None, expires_seconds)
