"""How the broadcasts of a stream are numbered: the counter, and the marks of numbers in use. Pure.

A worker takes the next number and marks it as taken with one write, writes the rows of its
broadcast, and removes the mark. So the numbers have no holes: a worker that gets the same broadcast
again finds the mark, and the same number; a mark that stays behind is closed by a void row.

`known_until` is the last number of which the rows of all numbers up to it are there: a client that
has read up to it has missed nothing. docs/contributor/ledger-and-faults.md has the proof.
"""

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from broadcasting.audience import EVERYONE, LISTED

MARK_LIFE_MS: Final = 5 * 60_000
"""After this time the worker that took a number is taken to be dead: the mark is closed."""

COUNTER_LIFE_SECONDS: Final = 14 * 24 * 3600
"""How long the counter of a channel or a user is kept after its last number."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A number that a broadcast has taken, and when; `key` is the broadcast's `mark_key`."""

    key: str
    number: int
    taken_ms: int


@dataclass(frozen=True, slots=True)
class Counter:
    """The counter of a stream: its last number, the epoch of its numbers, and the marks.

    An epoch begins with the counter: numbers of two epochs have nothing to do with each other. The
    counter of an earlier release has none.
    """

    last: int
    epoch: str
    marks: tuple[Mark, ...] = ()

    @property
    def known_until(self) -> int:
        """The last number without a mark at it or before it: all rows up to it are there."""
        return _until(self.marks, self.last)

    def newest(self, now_ms: int) -> int:
        """Return the last number that a client may ask for: an answer closes stale marks first."""
        return _until([one for one in self.marks if not _is_stale(one, now_ms)], self.last)

    def stale_marks(self, now_ms: int) -> Sequence[Mark]:
        """Return the marks that no living worker is behind, the lowest number first."""
        stale = (mark for mark in self.marks if _is_stale(mark, now_ms))
        return sorted(stale, key=lambda mark: mark.number)


def _until(marks: Iterable[Mark], last: int) -> int:
    return min((mark.number - 1 for mark in marks), default=last)


def _is_stale(mark: Mark, now_ms: int) -> bool:
    return now_ms - mark.taken_ms > MARK_LIFE_MS


@dataclass(frozen=True, slots=True)
class Number:
    """A number that a broadcast has in its stream, and the epoch of it."""

    seq: int
    epoch: str


def mark_key(broadcast_id: str) -> str:
    """Return the short name under which a broadcast's mark is kept: 128 bits of a hash."""
    digest = hashlib.sha256(broadcast_id.encode()).digest()
    return urlsafe_b64encode(digest[:16]).decode().rstrip("=")


def expires(stream: str) -> bool:
    """Tell whether a stream's counter expires: everyone's and that of listed ids never do."""
    return stream not in (EVERYONE, LISTED)
