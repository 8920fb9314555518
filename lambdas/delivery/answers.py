"""Counts for the circuit breaker what became of posts, a batch at a time."""

from broadcasting.breaker import Observed
from broadcasting.outcome import Verdict
from broadcasting.trouble import Answers
from delivery.post import Post

LOST_TOGETHER = 4
"""The end of one connection says as much as this many lost posts, however many it carried: a few of
them end together when one server leaves, and all of them when the endpoint does."""


class Batch:
    """What became of the posts that have ended in one turn of a post loop."""

    __slots__ = (
        "_error",
        "_lost_by_error",
        "answered",
        "forbidden",
        "lost",
        "lost_anew",
        "probes_answered",
        "probes_in_vain",
        "reason",
        "refused_anew",
        "throttled",
        "unopened",
    )

    def __init__(self) -> None:
        self.answered = self.forbidden = self.throttled = self.lost = 0
        self.refused_anew = self.lost_anew = self.unopened = 0
        self.probes_answered = self.probes_in_vain = 0
        self.reason = ""
        self._error: Exception | None = None
        self._lost_by_error = 0

    def add(
        self, post: Post, verdict: Verdict, reason: str, error: Exception | None = None
    ) -> None:
        """Count what became of a post, after `Post.judge`.

        Posts that ended by the same `error`, one after another, ended with one connection.
        """
        if verdict is Verdict.FORBIDDEN:
            self.forbidden += 1
            self.refused_anew += post.refusals == 1
        elif verdict is Verdict.LOST:
            self.lost += 1
            self.lost_anew += post.losses == 1 and self._is_news(error)
        elif verdict is Verdict.THROTTLED:
            self.throttled += 1
        else:
            self.answered += 1
        is_in_vain = verdict in (Verdict.FORBIDDEN, Verdict.LOST)
        if is_in_vain:
            self.reason = reason
        if post.is_probe:
            post.is_probe = False
            self.probes_in_vain += is_in_vain
            self.probes_answered += not is_in_vain

    def _is_news(self, error: Exception | None) -> bool:
        """Tell whether a lost post says anything that the last ones did not."""
        if error is None:
            return True
        if error is not self._error:
            self._error, self._lost_by_error = error, 0
        self._lost_by_error += 1
        return self._lost_by_error <= LOST_TOGETHER

    @property
    def is_all_answered(self) -> bool:
        """Whether every post was answered, and none was a probe."""
        return not (self.forbidden or self.throttled or self.lost or self.probes_answered)

    def add_unopened(self, reason: str) -> None:
        """Count an HTTP connection that could not be opened."""
        self.unopened += 1
        self.lost += 1
        self.reason = reason

    def observed(self) -> Observed:
        """Return the sums, as the breaker takes them."""
        return Observed(
            Answers(self.answered, self.forbidden, self.throttled, self.lost),
            self.refused_anew,
            self.lost_anew,
            self.unopened,
            self.probes_answered,
            self.probes_in_vain,
            self.reason,
        )
