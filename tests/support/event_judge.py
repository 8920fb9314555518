"""Judges what a client tells of channels: each frame once, in order, all or a gap that says which.

The judge knows what the server has numbered, and from which number on a channel is followed: from
the first answer about it that came to the client.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from broadcasting.audience import LISTED, OWN
from broadcasting.position import Position
from tests.support.served_stream import ServedStream


@dataclass(slots=True)
class Following:
    """A channel that a client follows, since the request number `began_at`.

    `epoch` is None before the first answer; `start` is where the client began in the epoch.
    """

    stream: ServedStream
    first: Mapping[str, Any]
    began_at: int
    is_ordered: bool
    epoch: int | None = None
    start: int = 0
    given: dict[int, list[int]] = field(default_factory=dict)
    lost: set[int] = field(default_factory=set)
    epochs_at_first: int = 0
    recoveries: int = 0
    """How often the client said that it has all it had missed, or that something is lost."""
    replayed: int = 0

    def __post_init__(self) -> None:
        """Begin at once at a position that was kept."""
        self.epochs_at_first = self.stream.epochs
        if "epoch" in self.first:
            self.epoch, self.start = _epoch_of(self.first["epoch"]), self.first["seq"]

    def answered(self, position: Position) -> None:
        """Take note of the first answer that came to the client."""
        if self.epoch is None:
            self.epoch = _epoch_of(position.epoch)
            self.start = min(position.start, self.first.get("seq", position.start))

    def message(self, epoch: int, seq: int, *, is_replayed: bool) -> None:
        """Judge a message."""
        name = f"{self.stream.name}/{epoch}/{seq}"
        given = self.given.setdefault(epoch, [])
        assert self.epoch is not None, f"{name} was given before an answer said where to begin"
        assert seq in self.stream.allowed[epoch], f"{name} is not for the application"
        assert seq not in given, f"{name} was given twice"
        assert epoch != self.epoch or seq > self.start, f"{name} was sent before the client came"
        if self.is_ordered:
            assert not given or seq > given[-1], f"{name} was given after {given[-1]}"
            if epoch == self.epoch:
                missing = {one for one in self._missing if one < seq}
                assert not missing, f"{name} was given without {sorted(missing)} before it"
        given.append(seq)
        self.replayed += is_replayed

    def gap(self, detail: Mapping[str, Any], answer: Position | None) -> None:
        """Judge a gap, of which the client was told by an answer."""
        told = f"gap {dict(detail)}"
        assert answer is not None, f"{told} without an answer that says so"
        assert detail["to"] == answer.end, f"{told}, but the answer ends at {answer.end}"
        self.recoveries += 1
        if detail["reason"] == "epoch":
            self.epoch, self.start = _epoch_of(answer.epoch), detail["to"]
            self.lost.clear()
            return
        assert answer.lost is not None, f"{told}, but the answer has all"
        assert detail["reason"] == answer.lost.reason.value, told
        assert detail["from"] < detail["to"], told
        given = self.given.get(self.epoch or 0, [])
        if self.is_ordered and given:
            assert detail["from"] >= given[-1], f"{told}, but {given[-1]} was given"
        self.lost |= set(range(detail["from"] + 1, detail["to"] + 1))

    def recovered(self, count: int) -> None:
        """Judge a recovery."""
        most = self.replayed + self.stream.keep_alives  # these count, and are not told
        assert 0 <= count <= most, f"{count} recovered, but {self.replayed} replayed"
        self.recoveries += 1
        self.replayed = 0

    def require_whole(self) -> None:
        """Require that all was given, or told to be lost."""
        name = self.stream.name
        assert self.epoch is not None, f"{name} was never answered"
        assert self.epoch == self.stream.epochs, f"{name} is in epoch {self.epoch}"
        assert not self._missing, f"{sorted(self._missing)} of {name} are missing"

    @property
    def has_one_epoch(self) -> bool:
        """Whether numbers did not begin anew meanwhile."""
        return self.epoch == self.stream.epochs == self.epochs_at_first

    @property
    def _missing(self) -> set[int]:
        epoch = self.epoch or 0
        wanted = {one for one in self.stream.required.get(epoch, ()) if one > self.start}
        return wanted - set(self.given.get(epoch, ())) - self.lost


class EventJudge:
    """Judges all events of a client. `answers` are of the text that the client hears just now."""

    def __init__(self, streams: Mapping[str, ServedStream], *, is_ordered: bool) -> None:
        self.followed: dict[str, Following] = {}
        self.answers: Mapping[str, Position] = {}
        self.state = "idle"
        self.reason = ""
        self._streams, self._is_ordered = streams, is_ordered
        self._strays: set[str] = set()

    def follow(self, name: str, first: Mapping[str, Any] | None, began_at: int) -> None:
        """Take note of a channel that the application wants."""
        self.followed[name] = Following(
            self._streams[name], first or {}, began_at, self._is_ordered
        )

    def told(self, kind: str, detail: Mapping[str, Any]) -> None:
        """Judge an event."""
        if kind in ("message", "gap", "recovered"):
            assert self.state not in ("closed", "idle"), f"{kind} {dict(detail)} after the end"
        if kind == "message":
            self._message(detail)
        elif kind == "gap":
            self._following(detail).gap(detail, self.answers.get(detail["channel"]))
        elif kind == "recovered":
            self._following(detail).recovered(detail["count"])
        elif kind == "state":
            self._changed(detail)

    def _message(self, detail: Mapping[str, Any]) -> None:
        name, id_ = detail["channel"], detail["id"]
        if name == LISTED or (name == OWN and OWN not in self.followed):
            assert id_ not in self._strays, f"{id_} was given twice"
            self._strays.add(id_)
            return
        channel, epoch, seq = id_.split("/")
        assert (channel, int(seq)) == (name, detail["seq"]), f"found {dict(detail)}"
        self._following(detail).message(int(epoch), int(seq), is_replayed=detail["replayed"])

    def _following(self, detail: Mapping[str, Any]) -> Following:
        found = self.followed.get(detail["channel"])
        assert found, f"{dict(detail)} of a channel that is not followed"
        return found

    def _changed(self, detail: Mapping[str, Any]) -> None:
        assert detail["from"] == self.state, f"{dict(detail)} in state {self.state}"
        assert detail["from"] != detail["to"], f"{dict(detail)} is no change"
        is_waiting = detail["to"] == "waiting" and detail["reason"] != "pagehide"
        assert (detail.get("retryInMs") is not None) == is_waiting, dict(detail)
        self.state, self.reason = detail["to"], detail["reason"]


def _epoch_of(name: str) -> int:
    return int(name.removeprefix("e"))
