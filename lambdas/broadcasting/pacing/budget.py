"""The budget of all workers, as a port: each worker reserves posts there ahead of need."""

from typing import NamedTuple, Protocol

from broadcasting.pacing.pace import Pace

_SMALL_SHARE = 0.4
_MOST_SMALL_POSTS = 400.0


class BudgetError(Exception):
    """The budget cannot be reached."""


class Ask(NamedTuple):
    """What a worker wants: `uncharged` posts have gone already, up to `most` shall go next."""

    uncharged: int
    most: int
    is_small: bool


class Grant(NamedTuple):
    """A number of posts, the uncharged ones included.

    The first of them may go at `opens_at_ms`, each further one `ms_per_post` after the one before.
    """

    posts: int
    opens_at_ms: float
    ms_per_post: float


class Budget(Protocol):
    """Where all workers reserve their posts."""

    def reserve(self, ask: Ask) -> Grant:
        """Reserve the uncharged posts, and as many more as one worker may. Raises BudgetError."""
        ...


def small_posts(pace: Pace) -> float:
    """Return the size, in posts, up to which a broadcast is small."""
    return min(_MOST_SMALL_POSTS, _SMALL_SHARE * pace.burst)
