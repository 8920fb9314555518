"""Judges what a client tells of channels: each frame once, in order, all or a gap that says which.

The judge knows what the server has numbered, and from which number on a channel is followed: from
the first answer about it that came to the client.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from broadcasting.audience import LISTED, OWN
from broadcasting.position import Position
from tests.support.served_stream import ServedStream

_REFUSED = ("not-allowed", "bad-channel", "too-many-channels")
_TROUBLES = (
    *("unauthorized", "token", "bad-url", "refused", "bad-text", "storage"),
    *("bad-frame", "unknown-action", "gone"),
)


@dataclass(slots=True, eq=False)
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
    is_owed: bool = False
    """Whether a client that was cut off has to tell whether it has all that it missed."""

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
            if epoch == self.epoch == self.stream.epochs:  # else new numbers may have filled holes
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
        self.is_owed = False
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
        self.is_owed = False
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
    """Judges all that a client tells; knows what the application has subscribed to.

    `permanent` are the channels that are followed without a subscription.
    """

    def __init__(
        self,
        streams: Mapping[str, ServedStream],
        *,
        is_ordered: bool,
        permanent: Collection[str],
    ) -> None:
        self.followed: dict[str, Following] = {}
        self.handles: dict[int, str] = {}
        """Subscriptions, by their numbers."""
        self.answers: Mapping[str, Position] = {}
        """Of the text that the client hears just now."""
        self.refused: frozenset[str] = frozenset()
        """Channels of the request whose refusal the client hears just now."""
        self.state = "idle"
        self._streams, self._is_ordered = streams, is_ordered
        self._permanent = set(permanent)
        self._strays: set[str] = set()
        for name in self._permanent:
            self.followed[name] = Following(streams[name], {}, 0, is_ordered)

    def subscribe(
        self,
        handle: int,
        name: str,
        first: Mapping[str, Any] | None,
        began_at: int,
        *,
        begins_anew: bool,
    ) -> None:
        """Take note of a subscription; one that `begins_anew` does if there was none."""
        is_first = name not in self.handles.values()
        self.handles[handle] = name
        if name not in self.followed or (begins_anew and is_first):
            stream = self._streams[name]
            self.followed[name] = Following(stream, first or {}, began_at, self._is_ordered)

    def leave(self, handle: int) -> None:
        """Take note that a subscription has ended."""
        name = self.handles.pop(handle)
        if name not in self._permanent and name not in self.handles.values():
            del self.followed[name]

    def answered(self, positions: Mapping[str, Position], request: int) -> list[Following]:
        """Take note of an answer to a join or a subscribe; return what it is about."""
        found = []
        for name, position in positions.items():
            following = self.followed.get(name)
            if following and request >= following.began_at:
                following.answered(position)
                found.append(following)
        return found

    def told(self, kind: str, detail: Mapping[str, Any]) -> None:
        """Judge an event."""
        assert kind != "fault", f"an error that was not handled: {detail['text']}"
        if kind in ("message", "gap", "recovered"):
            assert self.state not in ("closed", "idle"), f"{kind} {dict(detail)} after the end"
        judges = {
            "message": self._message,
            "gap": self._gap,
            "recovered": self._recovered,
            "state": self._changed,
            "error": self._trouble,
            "handled": self._handled,
            "left": self._left,
        }
        if judge := judges.get(kind):
            judge(detail)

    def _message(self, detail: Mapping[str, Any]) -> None:
        name, id_ = detail["channel"], detail["id"]
        if name == LISTED or (name == OWN and OWN not in self.followed):
            assert id_ not in self._strays, f"{id_} was given twice"
            self._strays.add(id_)
            return
        channel, epoch, seq = id_.split("/")
        assert (channel, int(seq)) == (name, detail["seq"]), f"found {dict(detail)}"
        self._of(detail).message(int(epoch), int(seq), is_replayed=detail["replayed"])

    def _gap(self, detail: Mapping[str, Any]) -> None:
        self._of(detail).gap(detail, self.answers.get(detail["channel"]))

    def _recovered(self, detail: Mapping[str, Any]) -> None:
        self._of(detail).recovered(detail["count"])

    def _left(self, detail: Mapping[str, Any]) -> None:
        self.leave(detail["handle"])

    def _of(self, detail: Mapping[str, Any]) -> Following:
        found = self.followed.get(detail["channel"])
        assert found, f"{dict(detail)} of a channel that is not followed"
        return found

    def _handled(self, detail: Mapping[str, Any]) -> None:
        assert self.handles.get(detail["handle"]) == detail["channel"], f"{dict(detail)} was left"

    def _changed(self, detail: Mapping[str, Any]) -> None:
        assert detail["from"] == self.state, f"{dict(detail)} in state {self.state}"
        assert detail["from"] != detail["to"], f"{dict(detail)} is no change"
        is_waiting = detail["to"] == "waiting" and detail["reason"] != "pagehide"
        assert (detail.get("retryInMs") is not None) == is_waiting, dict(detail)
        self.state = detail["to"]
        if detail["from"] == "connected":
            for following in self.followed.values():
                following.is_owed = following.epoch is not None

    def _trouble(self, detail: Mapping[str, Any]) -> None:
        """Judge an error; one of a channel ends it, and says which: one was asked for alone."""
        assert detail["code"] in (*_REFUSED, *_TROUBLES), dict(detail)
        if detail["code"] not in _REFUSED:
            return
        assert len(self.refused) == 1, f"refused, when {sorted(self.refused)} were asked for"
        (name,) = self.refused
        assert name in detail["message"], f"{dict(detail)} without the name of {name}"
        self.followed.pop(name, None)
        self._permanent.discard(name)
        self.handles = {handle: one for handle, one in self.handles.items() if one != name}


def _epoch_of(name: str) -> int:
    return int(name.removeprefix("e"))
