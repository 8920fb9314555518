"""Lists the connections of a stack, page by page: none is kept once it has been given out."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from broadcasting.channel_rows import channel_partitions
from broadcasting.connection import SHARDS
from broadcasting.connection_row import CONNECTED_AT, partition_of
from broadcasting.door_rows import USER
from broadcasting.items import PARTITION_KEY, SORT_KEY
from broadcasting.user_rows import connection_id_of, partition_of_user, self_key
from crier.deployed.connection_rows import connected_ms_of, expires_ms_of
from crier.deployed.deployment import Deployment
from crier.deployed.row_values import Item, UnreadableRow, read_row
from crier.deployed.self_rows import SelfRow, self_row_of
from crier.deployed.table_reader import TableReader

_USERS_AT_ONCE = 100
"""How many connections' users one request asks for, as many as DynamoDB takes."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A connection of a list: whose it is, since when, and until when its row is of use.

    `user` is None for an anonymous connection, and when the row that names the user cannot be
    read: then `unreadable` is that row.
    """

    id: str
    connected_ms: int
    expires_ms: int
    user: str | None = None
    unreadable: UnreadableRow | None = None

    def as_json(self, now_ms: int) -> dict[str, Any]:
        """Return what a script wants to know."""
        unreadable = {"unreadable": self.unreadable.as_json()} if self.unreadable else {}
        return {
            "connection": self.id,
            "user": self.user,
            "connected_ms": self.connected_ms,
            "seconds": self.seconds(now_ms),
            "expires_ms": self.expires_ms,
            **unreadable,
        }

    def seconds(self, now_ms: int) -> int:
        """Return for how long it has been there; the clocks may differ."""
        return max(0, now_ms - self.connected_ms) // 1000


class ConnectionsReader:
    """The connections table of a stack, to read only; rows that have expired are none.

    `epoch_seconds` is the time. Each method raises CrierError when DynamoDB refuses.
    """

    def __init__(
        self, client: Any, table_name: str, *, epoch_seconds: Callable[[], float] = time.time
    ) -> None:
        self._rows = TableReader(client, table_name, epoch_seconds=epoch_seconds)

    @classmethod
    def of(cls, deployment: Deployment) -> "ConnectionsReader":
        """Return the reader of a stack's connections."""
        return cls(deployment.client("dynamodb"), deployment.connections_table_name)

    def everyone(self) -> Iterator[Listed | UnreadableRow]:
        """Yield all connections, in any order."""
        return self._in_partitions(map(partition_of, range(SHARDS)))

    def of_channel(self, channel: str) -> Iterator[Listed | UnreadableRow]:
        """Yield the connections that are subscribed to a channel, in any order."""
        return self._in_partitions(channel_partitions(channel))

    def of_user(self, user: str) -> Iterator[Listed | UnreadableRow]:
        """Yield the connections of a user, in any order."""
        for row in self._rows.query(partition_of_user(user), "", (CONNECTED_AT,)):
            found = read_row(row, _listed)
            yield replace(found, user=user) if isinstance(found, Listed) else found

    def _in_partitions(self, partitions: Iterable[str]) -> Iterator[Listed | UnreadableRow]:
        for partition in partitions:
            rows = self._rows.query(partition, "", (CONNECTED_AT,))
            for some in _chunks(read_row(row, _listed) for row in rows):
                yield from self._with_users(some)

    def _with_users(self, some: list[Listed | UnreadableRow]) -> Iterator[Listed | UnreadableRow]:
        own = self._self_rows([one.id for one in some if isinstance(one, Listed)])
        for one in some:
            told = own.get(one.id) if isinstance(one, Listed) else None
            if isinstance(one, UnreadableRow) or told is None:
                yield one
            elif isinstance(told, UnreadableRow):
                yield replace(one, unreadable=told)
            else:
                yield replace(one, user=told.user)

    def _self_rows(self, ids: list[str]) -> Mapping[str, SelfRow | UnreadableRow]:
        rows = self._rows.get_all([self_key(one) for one in ids], (USER,))
        return {_id_of(row): read_row(row, self_row_of) for row in rows}


def _chunks(
    found: Iterable[Listed | UnreadableRow],
) -> Iterator[list[Listed | UnreadableRow]]:
    remaining = iter(found)
    while some := list(islice(remaining, _USERS_AT_ONCE)):
        yield some


def _listed(row: Item) -> Listed:
    return Listed(row[SORT_KEY]["S"], connected_ms_of(row), expires_ms_of(row))


def _id_of(row: Item) -> str:
    return connection_id_of((row[PARTITION_KEY]["S"], row[SORT_KEY]["S"]))
