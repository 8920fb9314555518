"""A client of a soak that speaks the protocol: it subscribes, goes, comes back, and catches up."""

from typing import TYPE_CHECKING

from broadcasting.audience import EVERYONE, OWN, stream_of_user
from crier.demo.channel_client import ChannelClient
from crier.demo.door import Door
from testbed.soak.following import Followed
from testbed.soak.line import Line

if TYPE_CHECKING:
    from crier.demo.follower import Follower
    from testbed.soak.session import Session

_GAP_SECONDS = 1.0


class Speaker(ChannelClient):
    """A client of a user. `all_followed` is what it has followed, `sessions` its connections."""

    def __init__(self, user: str, channels: list[str]) -> None:
        super().__init__((), gap_seconds=_GAP_SECONDS)
        self.user = user
        self.is_busy = False
        """Whether something is under way: one thing at a time."""
        self.is_here = False
        self.sessions: list[Session] = []
        self.all_followed: list[Followed] = []
        self.followers: dict[str, Follower] = {
            name: self._followed(name) for name in (EVERYONE, OWN, *channels)
        }
        self._unsubscribed: dict[str, Follower] = {}
        self._line: Line | None = None

    @property
    def channels(self) -> list[str]:
        """The channels that it is subscribed to by their names."""
        return [name for name in self.followers if name not in (EVERYONE, OWN)]

    async def come(self, door: Door) -> None:
        """Come, or come back with its positions. Raises CrierError."""
        self._line = await Line.to(door, self.user)
        self.sessions.append(self._line.session)
        await self.join(self._line)
        self.is_here = True

    async def go(self, *, is_closed: bool) -> None:
        """Go, with a close frame or without."""
        self.is_here = False
        if self._line is not None:
            await self._line.cut(is_closed=is_closed)
        await self.leave()

    async def subscribe(self, channel: str, *, last: int = 0, is_new: bool = True) -> None:
        """Subscribe to a channel from now on, with the last ones, or from where it was before.

        Raises CrierError.
        """
        before = None if is_new else self._unsubscribed.pop(channel, None)
        follower = self.followers[channel] = before or self._followed(channel)
        since = follower.since or ({"last": last} if last else None)
        answer = await self.ask("subscribe", at={channel: since}, was=self.ids[-3:])
        if follower.answered(answer["channels"][channel]):
            await self._replay(channel)

    async def unsubscribe(self, channel: str) -> None:
        """Unsubscribe from a channel, and keep its position. Raises CrierError."""
        await self.ask("unsubscribe", channels=[channel])
        self._unsubscribed[channel] = self.followers.pop(channel)

    def _followed(self, channel: str) -> Followed:
        stream = stream_of_user(self.user) if channel == OWN else channel
        self.all_followed.append(Followed(stream))
        return self.all_followed[-1]
