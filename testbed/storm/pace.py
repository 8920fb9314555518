"""How much may be broadcast now: a bounded number of posts is under way. Pure.

What a broadcast still has to be posted is known from the frames that clients have received. A
broadcast whose worker was killed is not waited for: it comes again after its message's time.
"""

from dataclasses import dataclass, field

_WANTED_SHARE = 0.8
"""Of those that a broadcast is for, as some are cut meanwhile."""

_WAITED_SECONDS = 5.0


@dataclass(slots=True)
class _UnderWay:
    sent_at: float
    left: int


@dataclass(slots=True)
class Pace:
    """A broadcast may be sent while fewer than `most_posts` are under way. Times are in seconds."""

    most_posts: int
    _under_way: dict[str, _UnderWay] = field(default_factory=dict)

    def sent(self, id_: str, clients: int, now: float) -> None:
        """Note a broadcast to a number of clients."""
        self._under_way[id_] = _UnderWay(now, int(clients * _WANTED_SHARE))

    def posted(self, id_: str) -> None:
        """Note that a client has received a broadcast."""
        if one := self._under_way.get(id_):
            one.left -= 1
            if one.left <= 0:
                del self._under_way[id_]

    def may_send(self, now: float) -> bool:
        """Whether there is room for another broadcast."""
        for id_, one in list(self._under_way.items()):
            if now - one.sent_at > _WAITED_SECONDS:
                del self._under_way[id_]
        return sum(one.left for one in self._under_way.values()) < self.most_posts
