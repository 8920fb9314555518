"""One connection on its way through one call of `deliver`."""

from dataclasses import dataclass

from broadcasting.connection import Connection
from broadcasting.outcome import Outcome, Settlement, Verdict
from broadcasting.retry import Backoff

_ENDS = {
    Verdict.DELIVERED: Outcome.DELIVERED,
    Verdict.GONE: Outcome.GONE,
    Verdict.REFUSED: Outcome.FAILED,
}

NOT_ANSWERED = "no answer before the time was up"


@dataclass(slots=True, eq=False)
class Post:
    """What has happened to one connection in this call so far.

    `repeats` counts how often it was posted again because the server had not processed it, and
    `responses_before` is how many responses had come to any post when that was so last. `refusals`
    counts its 403 answers, `losses` the posts without an answer. `is_probe` is whether the post
    under way is one of the breaker's probes.
    """

    connection: Connection
    tries: int = 0
    throttles: int = 0
    reason: str = ""
    repeats: int = 0
    responses_before: int = 0
    refusals: int = 0
    losses: int = 0
    verdict: Verdict | None = None
    is_probe: bool = False

    def settle(self, outcome: Outcome) -> Settlement:
        """Return how it has ended."""
        return Settlement(
            self.connection, outcome, self.tries, self.throttles, self.reason, self.verdict
        )

    def abandon(self) -> None:
        """Take note that the time is up before an answer has come."""
        if self.verdict is None:
            self.reason, self.verdict = NOT_ANSWERED, Verdict.LOST

    def judge(self, verdict: Verdict, reason: str, backoff: Backoff) -> Outcome | None:
        """Take a verdict; return the outcome, or None when the connection is to be tried again."""
        self.reason, self.verdict = reason, verdict
        self.throttles += verdict is Verdict.THROTTLED
        self.refusals += verdict is Verdict.FORBIDDEN
        self.losses += verdict is Verdict.LOST
        outcome = _ENDS.get(verdict)
        if outcome is None and self.tries >= backoff.tries:
            return Outcome.PENDING
        return outcome
