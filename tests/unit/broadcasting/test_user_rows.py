"""The keys of the rows that a user's connection has."""

from broadcasting.user_rows import (
    connection_id_of,
    partition_of_user,
    self_key,
    user_key,
)


def test_keys_name_the_user_and_the_connection() -> None:
    """They are what the table's contract says, also for a name with the sign that parts them."""
    assert user_key("a#b", "id=") == ("user#a#b", "id=")
    assert partition_of_user("a#b") == "user#a#b"
    assert self_key("id=") == ("connection#id=", "self")
    assert connection_id_of(self_key("connection#")) == "connection#"
