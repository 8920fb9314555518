"""Who is in the demo of channels, and what is broadcast to whom. Pure.

Two clients each belong to one user, as a phone and a laptop do. The first client, the traveller, is
on all channels; it goes away, and comes back. The second belongs to the same user, and stays.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, islice

from broadcasting.audience import Audience

CHANNELS = ("news", "sport", "weather")

FEWEST_CLIENTS = 6
"""So that there are three users, and each channel has a client beside the traveller."""

AWAY_FRAMES = 50
"""How many frames that are meant for the traveller are sent while it is away."""

_MOST_USERS = 5


@dataclass(frozen=True, slots=True)
class Role:
    """One client: its place in the cast, its user, and the channels that it subscribes to."""

    place: int
    user: str
    channels: frozenset[str]

    def is_addressed(self, audience: Audience, ids: Collection[str]) -> bool:
        """Whether a broadcast is for this client, whose connections have these ids."""
        if not audience.exclude.isdisjoint(ids):
            return False
        if audience.connections:
            return not set(audience.connections).isdisjoint(ids)
        if audience.user is not None:
            return audience.user == self.user
        return audience.channel is None or audience.channel in self.channels


TRAVELLER, COMPANION = 0, 1
"""The places of the client that goes away, and of the other one of its user."""


@dataclass(frozen=True, slots=True)
class Planned:
    """One broadcast of the demo: its id, which is its message, too, and whom it is for."""

    id: str
    audience: Audience


def cast_of(clients: int) -> tuple[Role, ...]:
    """Return as many roles: the traveller on all channels, each other client on one or two."""
    return tuple(_role(place) for place in range(clients))


def sent_while_all_are_there(
    prefix: str, roles: Sequence[Role], ids: Sequence[str]
) -> Iterator[Planned]:
    """Yield broadcasts to each kind of audience; `ids` are the connections of the roles."""
    users = list(dict.fromkeys(role.user for role in roles))[:_MOST_USERS]
    audiences = [
        *(Audience(channel=one) for one in CHANNELS * 2),
        *(Audience(user=one) for one in users),
        Audience(),
        Audience(connections=(ids[2], ids[3])),
        Audience(exclude=frozenset({ids[COMPANION]})),
        Audience(channel=CHANNELS[0], exclude=frozenset({ids[TRAVELLER], ids[3]})),
        Audience(user=roles[TRAVELLER].user, exclude=frozenset({ids[COMPANION]})),
        Audience(connections=(ids[4], ids[5]), exclude=frozenset({ids[5]})),
        *(Audience(channel=one) for one in CHANNELS),
        Audience(),
    ]
    yield from _numbered(f"{prefix}-here", audiences)


def sent_while_one_is_away(prefix: str, traveller: Role, left_id: str) -> Iterator[Planned]:
    """Yield 50 broadcasts that the traveller misses, and one that leaves its connection out."""
    streams = (
        Audience(),
        *(Audience(channel=one) for one in CHANNELS),
        Audience(user=traveller.user),
    )
    yield from _numbered(f"{prefix}-away", islice(cycle(streams), AWAY_FRAMES))
    excluding = Audience(channel=CHANNELS[0], exclude=frozenset({left_id}))
    yield Planned(f"{prefix}-without", excluding)


def sent_while_one_returns(prefix: str) -> Iterator[Planned]:
    """Yield broadcasts that are under way when the traveller comes back."""
    streams = (Audience(), *(Audience(channel=one) for one in CHANNELS))
    yield from _numbered(f"{prefix}-back", streams * 2)


def _role(place: int) -> Role:
    first, second = CHANNELS[place % 3], CHANNELS[(place + 1) % 3]
    channels = CHANNELS if place == TRAVELLER else (first, second) if place % 2 else (first,)
    return Role(place, f"user-{place // 2}", frozenset(channels))


def _numbered(
    prefix: str, audiences: "Iterator[Audience] | Sequence[Audience]"
) -> Iterator[Planned]:
    for number, audience in enumerate(audiences, start=1):
        yield Planned(f"{prefix}-{number}", audience)
