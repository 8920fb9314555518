"""One connection on its way through one call of `deliver`."""

from dataclasses import dataclass

from broadcasting.audience import Connection
from broadcasting.outcome import Outcome, Settlement, Verdict
from broadcasting.retry import Backoff


@dataclass(slots=True, eq=False)
class Post:
    """What has happened to one connection so far.

    `repeats` counts how often it was posted again because an idle HTTP connection had been closed.
    """

    connection: Connection
    tries: int = 0
    throttles: int = 0
    reason: str = ""
    repeats: int = 0

    def settle(self, outcome: Outcome) -> Settlement:
        """Return the end of it."""
        return Settlement(self.connection, outcome, self.tries, self.throttles, self.reason)

    def judge(self, verdict: Verdict, reason: str, backoff: Backoff) -> Outcome | None:
        """Take one answer; return the outcome, or None when it is to be tried again."""
        if verdict is Verdict.DELIVERED:
            self.reason = ""
            return Outcome.DELIVERED
        self.reason = reason
        if verdict is Verdict.GONE:
            return Outcome.GONE
        if verdict is Verdict.REFUSED:
            return Outcome.FAILED
        if verdict is Verdict.FORBIDDEN:
            return Outcome.LEFT
        self.throttles += verdict is Verdict.THROTTLED
        return Outcome.LEFT if self.tries >= backoff.tries else None
