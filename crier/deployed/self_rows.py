"""What the `self` row of a connection tells: whose it is, and the channels that it is on."""

from typing import NamedTuple

from broadcasting.checks import USER as IS_USER
from broadcasting.door_rows import CHANNELS, USER
from broadcasting.self_row import channels_of
from crier.deployed.row_values import Item, text, value

SELF_NAMES = (USER, CHANNELS)
"""The attributes of the row that are read."""


class SelfRow(NamedTuple):
    """The user of a connection, None for an anonymous one, and its channels, sorted."""

    user: str | None
    channels: tuple[str, ...]


NO_SELF_ROW = SelfRow(None, ())
"""Of an anonymous connection that is on no channel."""


def self_row_of(row: Item) -> SelfRow:
    """Read the row. Raises ValueError when it names a user or channels that cannot be read."""
    if CHANNELS in row:
        value(row, CHANNELS, "SS")
    return SelfRow(_user_of(row) if USER in row else None, tuple(channels_of(row)))


def _user_of(row: Item) -> str:
    user = text(row, USER)
    if wrong := IS_USER(user):
        raise ValueError(f"{USER} is {user!r:.100}, {wrong}")
    return user
