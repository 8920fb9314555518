"""Draws whom a broadcast of a soak is for, and whom it leaves out."""

import random
from collections.abc import Sequence

from broadcasting.audience import Audience
from testbed.soak.line import CHANNELS

USERS = tuple(f"user-{number}" for number in range(5))

_EXCLUDE_SHARE = 0.5
_MOST_EXCLUDED = 4
_MOST_LISTED = 8


def draw_audience(dice: random.Random, ids: Sequence[str]) -> Audience:
    """Return an audience; `ids` are connections that it may list or leave out."""
    kind = dice.choices(("everyone", "channel", "user", "listed"), (3, 4, 1, 1))[0]
    exclude = frozenset(_some(dice, ids, _MOST_EXCLUDED) if dice.random() < _EXCLUDE_SHARE else ())
    match kind:
        case "channel":
            return Audience(channel=dice.choice(CHANNELS), exclude=exclude)
        case "user":
            return Audience(user=dice.choice(USERS), exclude=exclude)
        case "listed" if ids:
            return Audience(connections=tuple(_some(dice, ids, _MOST_LISTED)), exclude=exclude)
    return Audience(exclude=exclude)


def _some(dice: random.Random, ids: Sequence[str], most: int) -> list[str]:
    """Return at least one id, if there are any."""
    return dice.sample(ids, dice.randint(1, min(most, len(ids)))) if ids else []
