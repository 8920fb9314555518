"""The numbers of one channel at a server that is all model: rows, marks, epochs."""

import json
from dataclasses import dataclass, field
from typing import Any, Final

from broadcasting.client_request import Since
from broadcasting.ledger_rows import FrameRow
from broadcasting.numbering import Counter, Mark
from broadcasting.position import Position
from broadcasting.replay import Found, Viewer, position_of

KEEP_ALIVE: Final = {"type": "keep-alive"}
_NOW_MS: Final = 1
"""The time of rows: those with 2 are kept, those with 1 are over."""


@dataclass(slots=True)
class ServedStream:
    """A channel's numbers. `required` are those whose frames every client has to be given."""

    name: str
    epochs: int = 1
    last: int = 0
    marks: dict[int, bool] = field(default_factory=dict)
    """Numbers that are taken; whether their rows are written."""
    rows: dict[int, FrameRow] = field(default_factory=dict)
    required: dict[int, set[int]] = field(default_factory=lambda: {1: set()})
    allowed: dict[int, set[int]] = field(default_factory=lambda: {1: set()})
    """Numbers whose frames a client may be given, by the epoch."""
    keep_alives: int = 0

    @property
    def epoch(self) -> str:
        """The name of the epoch."""
        return f"e{self.epochs}"

    @property
    def counter(self) -> Counter:
        """The counter, as the functions keep it."""
        marks = tuple(Mark(str(number), number, 0) for number in self.marks)
        return Counter(self.last, self.epoch, marks)

    def take(self) -> int:
        """Take a number."""
        self.last += 1
        self.marks[self.last] = False
        return self.last

    def write(self, number: int, kind: str, sent_at: int, exclude: tuple[str, ...] = ()) -> None:
        """Write the row of a number.

        `kind` is normal, void, keep-alive, brief (its time to live is over, when it is replayed) or
        excluded.
        """
        text = "" if kind == "void" else self._frame(number, kind, sent_at)
        self.rows[number] = FrameRow(
            self.name,
            number,
            text,
            epoch=self.epoch,
            until_ms=_NOW_MS if kind == "brief" else 0,
            replay_until_ms=_NOW_MS + 1,
            exclude=exclude,
        )
        if kind == "normal":
            self.required[self.epochs].add(number)
        if kind not in ("void", "keep-alive"):
            self.allowed[self.epochs].add(number)
        self.keep_alives += kind == "keep-alive"
        self.marks[number] = True

    def expire(self) -> None:
        """Have no row be kept any more."""
        for number, row in self.rows.items():
            self.rows[number] = row._replace(replay_until_ms=_NOW_MS)

    def begin_anew(self) -> None:
        """Lose the counter: numbers begin anew."""
        self.epochs += 1
        self.last = 0
        self.marks.clear()
        self.rows.clear()
        self.required[self.epochs], self.allowed[self.epochs] = set(), set()

    def position(self, since: Since, ids: frozenset[str], most: int, room_bytes: int) -> Position:
        """Return what a client is given, by the functions' own rule."""
        viewer = Viewer(ids, _NOW_MS, most, room_bytes)
        return position_of(self.counter, since, Found(self.rows, self.last), viewer)

    def _frame(self, number: int, kind: str, sent_at: int) -> str:
        message: Any = KEEP_ALIVE if kind == "keep-alive" else number
        frame = {
            "id": f"{self.name}/{self.epochs}/{number}",
            "seq": number,
            "channel": self.name,
            "message": message,
            "sentAt": sent_at,
        }
        return json.dumps(frame)
