"""The row of a connection in the connections table."""

import pytest

from broadcasting.connection import Connection, shard_of
from broadcasting.connection_row import (
    connection_item,
    connection_key,
    connection_of,
    partition_of,
)
from broadcasting.items import Item

NOW_MS = 1_700_000_000_000


def test_row_of_a_connection_has_these_attributes() -> None:
    """Frozen: rows that are there are read, and a release before reads ours."""
    assert connection_item(Connection("abc=", NOW_MS)) == {
        "pk": {"S": f"all#{shard_of('abc=')}"},
        "sk": {"S": "abc="},
        "connectedAt": {"N": "1700000000000"},
        "expiresAt": {"N": "1700007800"},
    }


def test_row_of_a_connection_is_found_by_its_id_alone() -> None:
    """The key is that of the partition of its shard."""
    assert connection_key("abc=") == (partition_of(shard_of("abc=")), "abc=")


def test_connection_survives_the_table() -> None:
    """Its time of connecting says whether it is young."""
    connection = Connection("abc=", NOW_MS)

    assert connection_of(connection_item(connection)) == connection


@pytest.mark.parametrize(
    ("item", "connection"),
    [
        ({"sk": {"S": "a"}}, Connection("a", 0)),
        ({"sk": {"S": "a"}, "connectedAt": {"S": "5"}}, Connection("a", 0)),
        ({"sk": {"S": "a"}, "connectedAt": {"N": "-5"}}, Connection("a", 0)),
        ({"sk": {"S": ""}, "connectedAt": {"N": "5"}}, None),
        ({"sk": {"B": b"a"}, "connectedAt": {"N": "5"}}, None),
        ({"connectedAt": {"N": "5"}}, None),
    ],
)
def test_malformed_row_is_an_old_connection_or_none(
    item: Item, connection: Connection | None
) -> None:
    """Without a usable time it can be posted to, without a usable id it cannot."""
    assert connection_of(item) == connection
