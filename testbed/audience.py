"""An audience that is in memory already, for tests and benchmarks of the fan-outs."""

from collections.abc import Iterable
from operator import length_hint

from broadcasting.connection import Connection


class KnownAudience:
    """The connections of a list or a generator, as the port of the fan-outs takes them."""

    def __init__(self, connections: Iterable[Connection]) -> None:
        self._connections = iter(connections)

    def __iter__(self) -> "KnownAudience":
        """Return the audience itself."""
        return self

    def __next__(self) -> Connection:
        """Return the next connection."""
        return next(self._connections)

    @property
    def to_come(self) -> int:
        """How many connections are still to be taken: of a list all, of a generator none."""
        return length_hint(self._connections)
