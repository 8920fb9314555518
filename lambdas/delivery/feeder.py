"""Feeds a run from its audience, and gathers what its threads have settled."""

from collections.abc import Iterator

from broadcasting.audience import Connection
from broadcasting.outcome import Outcome, Settlement
from delivery.post import Post
from delivery.post_loop import PostLoop
from delivery.run import Run


class Feeder:
    """Takes connections from the audience as they are needed, and gathers how they end."""

    def __init__(
        self, run: Run, loops: list[PostLoop], audience: Iterator[Connection], most_fresh: int
    ) -> None:
        self._run = run
        self._loops = loops
        self._audience = audience
        self._most_fresh = most_fresh
        self.error: Exception | None = None
        """What the audience raised, if it did."""

    def gather(self) -> Iterator[Settlement]:
        """Yield every connection's end, those that were not posted to as left."""
        running = len(self._loops)
        while running:
            self._feed()
            batch = self._run.settled.get()
            if batch is None:
                running -= 1
            else:
                yield from batch
        for post in self._run.fresh:
            yield post.settle(Outcome.LEFT)

    def _feed(self) -> None:
        run = self._run
        run.wants_more = False
        while not run.is_fed and len(run.fresh) < self._most_fresh:
            if run.is_stopped(run.clock.monotonic()):
                return
            try:
                run.fresh.append(Post(next(self._audience)))
            except StopIteration:
                run.is_fed = True
            except Exception as error:  # noqa: BLE001 - raised when those taken have ended
                self.error = error
                run.is_fed = True
            for loop in self._loops:
                if loop.wants_posts or run.is_fed:
                    loop.wake()
