"""The places of lost posts: they stay empty until other posts, begun later, have been answered."""

from collections import deque


class LostPlaces:
    """Counts the lost posts of a round whose places are not to be used again yet.

    `places` posts may be under way at once, and `threads` share them evenly. The places of
    `refilled` lost ones are used again at once; each thread leaves as many empty as there are more,
    as it does not know which thread lost them.

    An answer that comes after a loss may be that of a post which began before it,
    and then it says nothing of the endpoint as it is now. Fewer than `places` posts are under way
    when a loss is known: after as many answers, one at least is that of a post which began later.
    """

    def __init__(self, places: float, *, threads: int, refilled: int) -> None:
        self.lost = 0
        """How many posts were lost, without those after which enough have been answered."""
        self._places = places
        self._threads = threads
        self._refilled = refilled
        self._answered = 0
        self._batches: deque[tuple[int, int]] = deque()
        """How many posts had been answered when some were lost, and how many were lost."""

    def add(self, answered: int, lost: int) -> None:
        """Take a batch of posts; its answers may have come before its losses."""
        self._answered += answered
        while self._batches and self._answered - self._batches[0][0] >= self._places:
            self.lost -= self._batches.popleft()[1]
        if lost:
            self._batches.append((self._answered, lost))
            self.lost += lost

    def clear(self) -> None:
        """Begin anew."""
        self._batches.clear()
        self.lost = 0

    @property
    def empty(self) -> int:
        """How many places each thread is to leave empty."""
        return max(0, self.lost - self._refilled)

    @property
    def are_all_empty(self) -> bool:
        """Whether no thread may use a place any more."""
        return self.empty * self._threads >= self._places
