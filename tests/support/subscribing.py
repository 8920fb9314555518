"""Rows of channels and users, written by hand for connections of the local AWS."""

import time
from collections.abc import Sequence
from typing import Any

from broadcasting.channel_rows import channel_item
from broadcasting.connection import Connection, expires_at
from broadcasting.connection_row import connection_item
from broadcasting.items import EXPIRY, attribute_of, key_attributes
from broadcasting.user_rows import self_key, user_key
from crier.deployed.deployment import Deployment


def subscribe_by_hand(
    deployment: Deployment,
    connection_id: str,
    *,
    user: str | None = None,
    channels: Sequence[str] = (),
) -> None:
    """Write the rows that a connection of a user, or with channels, has beside its first one."""
    connection = Connection(connection_id, int(time.time() * 1000))
    expires_seconds = expires_at(connection.connected_at)
    rows: list[Any] = [channel_item(one, connection, expires_seconds) for one in channels]
    own: Any = {**key_attributes(self_key(connection_id)), EXPIRY: attribute_of(expires_seconds)}
    if channels:
        own["channels"] = {"SS": list(channels)}
    if user is not None:
        own["user"] = attribute_of(user)
        rows.append(connection_item(connection) | key_attributes(user_key(user, connection_id)))
    client = deployment.client("dynamodb")
    for row in (*rows, own):
        client.put_item(TableName=deployment.connections_table_name, Item=row)
