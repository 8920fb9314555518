"""Whether trouble is one connection's own or that of all: refusals, lost answers, throttling.

Each post ends in one of four ways. `answered` is an answer that is this connection's for certain:
200, 410, 400, 413. `refused` is 403. `throttled` is 429. `lost` is no answer of the service: a
reset, a time-out, an address that refuses, a name or a certificate that is wrong, 408 or 5xx. The
last three may be the trouble of one connection, or of all of them. The share decides.

A round is what one invocation does for one slice. The connections that are pending at its end are
judged together (`judge`):

| pending at the end                               | a few of them           | more            |
|--------------------------------------------------|-------------------------|-----------------|
| refused                                          | their own               | our permission  |
| lost, and fewer than half of the posts answered  | their own               | an outage       |
| lost, and half of the posts answered or more     | their own               | their own       |
| throttled, and no post of the round was answered | their own (up to 16, or | the quota       |
|                                                  | fewer than delivered)   |                 |
| throttled, and some were answered                | their own               | their own       |

Trouble of its own costs a connection a round; after the last round it has failed, with the reason.
Trouble of all costs no connection anything: the slice goes on where it was after a delay, which
grows each time (`outage_delay_seconds`).

A few (`Evidence.most_own`) are at most 16 connections, or one in fifty of those that this broadcast
has delivered to or found gone, whichever is more. While no connection was reached, neither by this
broadcast nor, within the last minute, by this worker in another one, no trouble is a connection's
own.

While posts are being made `broadcasting.breaker` asks the same question, to stop in time; trouble
that has stopped it is that of all. An HTTP connection that cannot be opened is never the trouble
of one connection.
"""

from collections import deque
from enum import Enum
from typing import NamedTuple

MOST_OWN = 16
"""Up to this many connections may be in trouble of their own, if any connection was reached."""

OWN_ONE_IN = 50
"""Or one in this number of the connections that were reached, if that is more."""

ELSEWHERE_MS = 60_000
"""How long the connections that a worker reached in other broadcasts are evidence."""

FIRST_DELAY_SECONDS = 5
LONGEST_DELAY_SECONDS = 300


class Trouble(Enum):
    """Trouble of all connections: a round that is in it counts for none of them."""

    FORBIDDEN = "forbidden"
    """`@connections` refuses our credentials or permissions."""
    OUTAGE = "outage"
    """`@connections` does not answer."""
    THROTTLED = "throttled"
    """The account's quota is used up."""


class Answers(NamedTuple):
    """What the posts of a round came to, each in one of four ways."""

    answered: int = 0
    refused: int = 0
    throttled: int = 0
    lost: int = 0

    @property
    def is_mostly_lost(self) -> bool:
        """Whether fewer than half of the posts had an answer of the service."""
        return self.lost > self.answered + self.refused + self.throttled

    @property
    def is_mostly_answered(self) -> bool:
        """Whether more than half of the posts were answered for certain."""
        return self.answered > self.refused + self.throttled + self.lost


class Pending(NamedTuple):
    """How many connections were tried and have not ended, by the last answer to each."""

    refused: int = 0
    throttled: int = 0
    lost: int = 0


class Evidence(NamedTuple):
    """What shows that posts can succeed: connections reached by the broadcast, and elsewhere.

    `delivered` and `gone` are the broadcast's, of all rounds, as far as they are known;
    `elsewhere` are the connections that this worker reached in other broadcasts of the last
    minute.
    """

    delivered: int = 0
    gone: int = 0
    elsewhere: int = 0

    @property
    def most_own(self) -> int:
        """How many connections may be in trouble of their own."""
        reached = self.delivered + self.gone
        if not reached and not self.elsewhere:
            return 0
        return max(MOST_OWN, reached // OWN_ONE_IN)


def judge(
    answers: Answers, pending: Pending, evidence: Evidence, *, stopped_by: Trouble | None = None
) -> Trouble | None:
    """Return why a round counts for no connection, None when it counts.

    `stopped_by` is why the breaker ended the posting before its time, if it did.
    """
    few = evidence.most_own
    if stopped_by:
        return stopped_by
    if pending.refused > few:
        return Trouble.FORBIDDEN
    if answers.is_mostly_lost and pending.lost > few:
        return Trouble.OUTAGE
    most_full = max(MOST_OWN, evidence.delivered - 1)
    if not answers.answered and pending.throttled > most_full:
        return Trouble.THROTTLED
    return None


def outage_delay_seconds(rounds: int) -> int:
    """Return the delay of a slice after a number of rounds in a row that counted for none."""
    doublings = min(rounds - 1, 10)
    return min(LONGEST_DELAY_SECONDS, FIRST_DELAY_SECONDS << doublings)


_WHAT = {
    Trouble.FORBIDDEN: "@connections refused us",
    Trouble.OUTAGE: "@connections did not answer",
    Trouble.THROTTLED: "@connections throttled every post",
}
_WHAT_TO_DO = {
    Trouble.FORBIDDEN: "expected credentials that may execute-api:ManageConnections on this "
    "stage; check the function's role and CALLBACK_URL",
    Trouble.OUTAGE: "check CALLBACK_URL, and whether API Gateway is available in the Region",
    Trouble.THROTTLED: "the account's quota is used up; lower postsPerSecond, or find what else "
    "uses the quota",
}


def explain(trouble: Trouble, reason: str) -> str:
    """Return trouble in words, with the last reason and what to do."""
    shown = f": {reason}" if reason else ""
    return f"{_WHAT[trouble]}{shown}; {_WHAT_TO_DO[trouble]}"


class RecentAnswers:
    """What one worker has reached within the last minute, by broadcast. Times in epoch ms."""

    def __init__(self) -> None:
        self._reached: deque[tuple[int, str, int]] = deque()

    def note(self, broadcast_id: str, reached: int, now_ms: int) -> None:
        """Take note of connections that were delivered or gone."""
        if reached > 0:
            self._reached.append((now_ms, broadcast_id, reached))

    def elsewhere(self, broadcast_id: str, now_ms: int) -> int:
        """Return how many connections were reached in other broadcasts within the last minute."""
        while self._reached and not 0 <= now_ms - self._reached[0][0] <= ELSEWHERE_MS:
            self._reached.popleft()
        return sum(reached for _, id_, reached in self._reached if id_ != broadcast_id)
