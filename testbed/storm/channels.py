"""The channels of a storm, and which of its clients follows which. Pure."""

import random
from collections.abc import Mapping
from typing import Final

from broadcasting.audience import EVERYONE

SHARES: Final[Mapping[str, float]] = {
    EVERYONE: 1.0,
    "square": 0.7,
    "market": 0.5,
    "harbour": 0.3,
    "council": 0.16,
    "mill": 0.08,
    "tower": 0.04,
}
"""Which share of the clients follows a channel: of 500 clients these are 500 to 20."""

_FEWEST = 2


def draw_followed(dice: random.Random, clients: int) -> list[frozenset[str]]:
    """Return the channels of each client; each channel has its share of them, at least two."""
    followed: list[set[str]] = [set() for _ in range(clients)]
    for name, share in SHARES.items():
        size = min(clients, max(_FEWEST, round(share * clients)))
        for number in dice.sample(range(clients), size):
            followed[number].add(name)
    return [frozenset(names) for names in followed]
