"""One call of `deliver`, as the threads that serve it share it."""

import queue
from collections import deque
from typing import TYPE_CHECKING

from broadcasting.clock import Clock
from broadcasting.retry import Backoff
from delivery.post import Post
from delivery.shared_pacer import SharedPacer
from delivery.signing import Signer, SigningTemplate

if TYPE_CHECKING:
    from broadcasting.outcome import Settlement

LAST_ANSWERS_SECONDS = 1.0
"""How long before the deadline the last post is sent, so that its answer still comes in."""

_LAST_ANSWERS_SHARE = 0.25
"""The same where there is little time: a quarter of it."""

TEMPLATE_SECONDS = 60.0
"""How long one signing template serves: AWS takes signatures that are up to 5 minutes old."""


class Run:
    """What is to be posted, what has ended, and when to stop."""

    def __init__(
        self,
        payload: bytes,
        *,
        deadline: float,
        fewest_fresh: int,
        clock: Clock,
        signer: Signer,
        pacer: SharedPacer,
        backoff: Backoff,
    ) -> None:
        now = clock.monotonic()
        self.clock = clock
        self.pacer = pacer
        self.backoff = backoff
        self.deadline = deadline
        self.fresh: deque[Post] = deque()
        self.is_fed = False
        """Whether nobody will be added to `fresh` any more."""
        self.fewest_fresh = fewest_fresh
        self.wants_more = False
        """Whether the feeder has been asked for more, by an empty batch in `settled`."""
        self.settled: queue.SimpleQueue[list[Settlement] | None] = queue.SimpleQueue()
        """Settlements in batches, and None from each thread that has ended."""
        self.forbidden = ""
        self.unreachable = ""
        """Why no connection could be opened, once that has been tried often enough."""
        self._last_post_at = deadline - min(
            LAST_ANSWERS_SECONDS, _LAST_ANSWERS_SHARE * max(0.0, deadline - now)
        )
        self._payload = payload
        self._signer = signer
        self._template: SigningTemplate | None = None
        self._template_until = now

    def is_stopped(self, now: float) -> bool:
        """Whether no post is started any more."""
        return now >= self._last_post_at or bool(self.forbidden or self.unreachable)

    def take_fresh(self) -> Post | None:
        """Return somebody who was not posted to yet; ask for more in time."""
        try:
            post = self.fresh.popleft()
        except IndexError:
            return None
        if len(self.fresh) < self.fewest_fresh and not self.wants_more:
            self.wants_more = True
            self.settled.put([])
        return post

    def cancel(self) -> None:
        """Stop at once, without waiting for answers."""
        self.deadline = self._last_post_at = self.clock.monotonic()

    def template(self, now: float) -> SigningTemplate:
        """Return what signs the posts of this minute."""
        if self._template is None or now >= self._template_until:
            self._template = self._signer.template(self._payload, self.clock.epoch_ms() / 1000)
            self._template_until = now + TEMPLATE_SECONDS
        return self._template
