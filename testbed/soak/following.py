"""Holds what a client has of a channel against the broadcasts: each number once, in order. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from crier.demo.follower import Follower
from testbed.soak.sent import Sent


class Followed(Follower):
    """A channel as a client follows it, and the number after which it began: its S."""

    def __init__(self, stream: str) -> None:
        """Follow a stream."""
        super().__init__()
        self.stream = stream
        self.began: int | None = None

    def answered(self, position: Mapping[str, Any]) -> bool:
        """Take note of an answer; the first one says where it begins."""
        if self.began is None:
            lost = position.get("lost")
            self.began = position["to"] if lost else position["from"]
        return super().answered(position)

    @property
    def replayed(self) -> int:
        """How many of its frames an answer has had."""
        return sum(one.is_replayed for one in self.taken)


def wrong_following(
    followed: Followed, numbered: Mapping[int, Sent], ids: tuple[str, ...]
) -> Iterator[str]:
    """Yield a complaint for each number that a client lacks, or should not have.

    `numbered` are the broadcasts of the stream. Those that leave out one of the client's
    connections may be there or not: the other connections may have received them.
    """
    if followed.began is None:
        return
    name = f"the client that was {ids[-1]}"
    taken = [int(one.frame["seq"]) for one in followed.taken]
    if sorted(set(taken)) != taken:
        yield f"{name} has these numbers of {followed.stream} in no order: {taken}"
    if early := [seq for seq in taken if seq <= followed.began]:
        yield f"{name} follows {followed.stream} after {followed.began}, and has {early}"
    lost = {seq for one in followed.lost for seq in range(one.start + 1, one.end + 1)}
    wanted = {
        seq
        for seq, one in numbered.items()
        if followed.began < seq <= followed.number and one.is_meant(ids)
    }
    if missed := sorted(wanted - lost - set(taken)):
        yield f"{name} lacks numbers {missed} of {followed.stream}"
    for one in followed.taken:
        sent = numbered.get(int(one.frame["seq"]))
        if sent is None or sent.id != one.frame["id"]:
            yield f"{name} has {one.frame['id']} as number {one.frame['seq']} of {followed.stream}"
