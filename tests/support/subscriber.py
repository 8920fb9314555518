"""A client of the protocol without I/O: what docs/user/clients.md asks of one, and a record of it.

A frame is given out once, in the order of its number. What comes before the client knows where it
is waits; what leaves a gap is held until the gap is filled or lost.
"""

import json
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Stream:
    """Where a client is in one channel. `since` is the first position that it was given.

    `promised_from` is the position with which it subscribed on the connection that it has: all that
    follows comes without being asked for. None when it had no position, or not all was given.
    """

    epoch: str
    position: int
    since: int
    received: list[int] = field(default_factory=list)
    lost: list[tuple[int, int, str]] = field(default_factory=list)
    held: dict[int, str] = field(default_factory=dict)
    promised_from: int | None = None

    def take(self, seq: int, frame: str) -> None:
        """Take a frame, however it came."""
        if seq <= self.position:
            return
        self.held[seq] = frame
        while self.position + 1 in self.held:
            self._give(self.position + 1)

    def answer(self, position: dict[str, Any]) -> None:
        """Take what an answer says; some of its frames may be known, or have come meanwhile."""
        if "lost" in position:
            lost = position["lost"]
            assert position["frames"] == []
            assert "more" not in position
            if (self.epoch, self.position) != (position["epoch"], lost["to"]):
                self.lost.append((self.position, lost["to"], lost["reason"]))
            is_new = lost["reason"] == "epoch"
            self.epoch = position["epoch"]
            self._skip_to(lost["to"] if is_new else max(self.position, lost["to"]))
            return
        assert position["epoch"] == self.epoch
        for frame in position["frames"]:
            assert frame["seq"] > position["from"]
            if frame["seq"] <= position["to"]:
                self.held.setdefault(frame["seq"], json.dumps(frame))
        for seq in sorted(one for one in self.held if self.position < one <= position["to"]):
            self._give(seq)
        self._skip_to(max(self.position, position["to"]))
        for frame in position["frames"]:
            self.take(frame["seq"], json.dumps(frame))

    def _give(self, seq: int) -> None:
        del self.held[seq]
        self.received.append(seq)
        self.position = seq

    def _skip_to(self, position: int) -> None:
        """Go on from a position: what is held up to it is of no use, what follows it may be."""
        self.position = position
        self.held = {seq: one for seq, one in self.held.items() if seq > position}
        while self.position + 1 in self.held:
            self._give(self.position + 1)
