"""The addresses of a host: which one the next connection is opened to."""

import itertools
import socket
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

Address = tuple[socket.AddressFamily, tuple[Any, ...]]
"""A family, and what `socket.connect` takes in it."""


@dataclass(slots=True, eq=False)
class Route:
    """One address, and what is known of it.

    `opening` counts the connections under way to it, `turn` is when it was taken last.
    """

    address: Address
    has_failed: bool = False
    opening: int = 0
    turn: int = 0


class Addresses:
    """Chooses among the addresses of a host. For one thread at a time."""

    def __init__(self) -> None:
        self._routes: list[Route] = []
        self._turns = itertools.count(1)

    def __len__(self) -> int:
        """Return how many addresses are known."""
        return len(self._routes)

    @property
    def have_all_failed(self) -> bool:
        """Whether all addresses that are known have failed."""
        return all(route.has_failed for route in self._routes)

    def replace(self, found: Iterable[Address]) -> None:
        """Take what a look-up has found; what is known of an address is kept."""
        known = {route.address: route for route in self._routes}
        self._routes = [known.get(one) or Route(one) for one in dict.fromkeys(found)]

    def forget_failures(self) -> None:
        """Give every address another chance."""
        for route in self._routes:
            route.has_failed = False

    def in_order(self) -> Iterator[Route]:
        """Yield the routes to try, the best one first.

        A route that has failed comes after those that have not. Of two others the one with fewer
        openings under way comes first: an address that swallows what is sent to it keeps openings
        for long, and one that answers ends them soon. Otherwise they take turns.
        """
        for route in sorted(self._routes, key=lambda one: (one.has_failed, one.opening, one.turn)):
            route.turn = next(self._turns)
            yield route
