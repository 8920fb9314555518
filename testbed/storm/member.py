"""One client of a storm: the real client on real sockets, which can be cut."""

import json
import random
import time
from collections import Counter
from collections.abc import Callable

from crier.listening.address import Address
from crier.listening.client import Client
from crier.listening.effects import State
from crier.listening.listener import Event, Listener
from crier.listening.waits import Waits
from testbed.storm.diary import Diary
from testbed.storm.issuer import Issuer, MemberTokens, user_of
from testbed.storm.returns import Returns

OnPost = Callable[[str], None]
"""Is called with the id of each frame that is posted to a client and has not been before."""


class _TappedClient(Client):
    """The client, whose texts are looked at before it takes them."""

    on_text: Callable[[str | bytes], None]

    def text(self, socket: int, text: str | bytes, now_ms: float) -> None:
        """Take a text."""
        self.on_text(text)
        super().text(socket, text, now_ms)


class Member:
    """A client; `diary` has what it was told, `posts` how often each frame came over the wire."""

    def __init__(
        self,
        number: int,
        channels: frozenset[str],
        *,
        url: str,
        issuer: Issuer,
        dice: random.Random,
        on_post: OnPost,
        ping_after_ms: float,
    ) -> None:
        self.diary = Diary(user_of(number), channels)
        self.returns = Returns(channels)
        self.posts: Counter[str] = Counter()
        self._ids: set[str] = set()
        self._on_post = on_post
        tokens = MemberTokens(issuer, number)
        self._client = _TappedClient(
            Waits(jitter=dice.random, ping_after_ms=ping_after_ms),
            first=dict.fromkeys(sorted(channels)),
            most_denials=tokens.most_denials,
        )
        self._client.on_text = self._look_at
        self._listener = Listener(self._client, Address(url), tokens, self._take)

    @property
    def is_here(self) -> bool:
        """Whether it has been let in once."""
        return self.diary.joined_at is not None

    @property
    def is_connected(self) -> bool:
        """Whether it is connected now."""
        return self._client.state is State.CONNECTED

    @property
    def has_socket(self) -> bool:
        """Whether there is something to cut, or there will be in a moment."""
        return self._client.state in (State.CONNECTED, State.CONNECTING)

    @property
    def renewals(self) -> int:
        """How many of its connections took the place of one that still served."""
        return len(self._ids) - self.diary.joins

    async def run(self) -> None:
        """Connect, and stay connected until this is cancelled."""
        await self._listener.run()

    def cut(self) -> None:
        """Cut what it has open, without a word."""
        if self.is_connected:
            self.returns.cut(time.monotonic())
        self._listener.cut()

    def _take(self, event: Event) -> None:
        now = time.monotonic()
        self.diary.take(event, now)
        self.returns.take(event, now)
        if self._client.connection_id:
            self._ids.add(self._client.connection_id)

    def _look_at(self, text: str | bytes) -> None:
        """Count a frame; the local AWS also says in words that a function has died."""
        try:
            found = json.loads(text)
        except ValueError:
            return
        if isinstance(found, dict) and "seq" in found and "type" not in found:
            self.posts[found["id"]] += 1
            if self.posts[found["id"]] == 1:
                self._on_post(found["id"])
