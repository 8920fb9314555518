"""A broadcast of a soak: whom it is for, when it was sent, and what became of it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from broadcasting.audience import Audience
from broadcasting.receipt import Receipt


@dataclass(slots=True, eq=False)
class Sent:
    """One broadcast; `sent_at` is on the monotonic clock.

    `seq` is its number in the stream of its audience, 0 before the ledger has told it; `counts` are
    the sums of its account once it is settled.
    """

    id: str
    audience: Audience
    sent_at: float
    seq: int = 0
    counts: Receipt | None = None

    @property
    def stream(self) -> str:
        """The stream in which it is numbered."""
        return self.audience.stream

    def is_meant(self, ids: Iterable[str]) -> bool:
        """Whether it leaves none of these connections out."""
        return self.audience.exclude.isdisjoint(ids)


Streams = Mapping[str, Mapping[int, Sent]]
"""The broadcasts of each stream by their numbers."""


def by_stream(sent: Iterable[Sent]) -> tuple[Streams, list[str]]:
    """Return the broadcasts that have a number, and a complaint for each number given twice."""
    streams: dict[str, dict[int, Sent]] = {}
    complaints = []
    for one in sent:
        if not one.seq:
            continue
        other = streams.setdefault(one.stream, {}).setdefault(one.seq, one)
        if other is not one:
            complaints.append(f"{one.id}: number {one.seq} of {one.stream} is that of {other.id}")
    return streams, complaints
