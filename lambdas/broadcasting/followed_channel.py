"""One channel as a client follows it: each frame once, in order, and a word for what is lost. Pure.

A client knows from an answer up to which number it has all that was meant for it: its position.
Frames that come live move the position on one by one. One that is further ahead is held until what
lies before it has come, or an answer says that it never will.
"""

import json
from collections import deque
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from broadcasting.clock import Jitter
from broadcasting.position import Reason

Frame = Mapping[str, Any]
"""A broadcast's frame, read from its JSON."""

GAP_WAIT_MS: Final = 2_000
"""A gap may close by itself within this time: broadcasts overtake one another."""

GAP_SPREAD_MS: Final = 2_000
"""A random time up to this one is added: others have the same gap at the same moment."""

MOST_HELD_FRAMES: Final = 256
MOST_HELD_CHARACTERS: Final = 1024 * 1024
"""A frame for which there is no room is dropped, and asked for: a replay gives it again."""

_KNOWN_IDS: Final = 256
_LOW_PONGS: Final = 2
_MOST_IN_VAIN: Final = 4
"""Then it asks every 32 to 64 s."""


class Message(NamedTuple):
    """A frame that was meant for the client; `is_replayed` if an answer had it."""

    frame: Frame
    is_replayed: bool


class Gap(NamedTuple):
    """Numbers after `start`, up to `end`, whose frames are not given; `reason` as in answers.

    Where numbers have begun anew, `end` may be lower than `start`.
    """

    start: int
    end: int
    reason: str


class Recovered(NamedTuple):
    """A client that came back has all that it has missed: `frames` is their number."""

    frames: int


Event = Message | Gap | Recovered


class Question(NamedTuple):
    """What a replay asks for: all after the number `start` of an epoch."""

    start: int
    epoch: str


class FollowedChannel:
    """Follows one channel. Each method returns the events that follow from what came, in order.

    Times are in milliseconds, of a clock that never goes back. Without `is_ordered` a frame is
    given out as it comes, and once all the same. `first` is where to begin: None for what is sent
    from now on, `{"last": n}`, a position that was kept, `{"seq": n, "epoch": "…"}`, or
    `{"seq": n}` for all after a number of the epoch that the first answer tells.

    One question is under way at most: `ask` when `asks_at` has come, and tell of its answer with
    `answer`, or with `unanswered`.
    """

    def __init__(
        self,
        jitter: Jitter,
        *,
        is_ordered: bool = True,
        first: Frame | None = None,
        gap_wait_ms: float = GAP_WAIT_MS,
    ) -> None:
        self.position = 0
        self.epoch: str | None = None
        """None before the first answer: until then the position is 0, and frames are held."""
        self._jitter = jitter
        self._is_ordered = is_ordered
        self._first = first or {}
        self._gap_wait_ms = gap_wait_ms
        self._held: dict[int, Message] = {}
        """Frames above the position; those of a channel without order have been given out."""
        self._held_characters = 0
        self._known_until = 0
        self._ids = deque[str](maxlen=_KNOWN_IDS)
        self._newest_ms = 0
        self._low_pongs = 0
        self._in_vain = 0
        """How often in a row it has asked in vain."""
        self._recovered: int | None = None
        """How many frames a client that came back was given so far; None when it has them all."""
        self._is_asking = False
        self._gap_at: float | None = None
        self._must_ask_at: float | None = None
        if "epoch" in self._first:
            self.epoch, self.position = self._first["epoch"], self._first["seq"]
            self._recovered = 0

    @property
    def since(self) -> Frame | None:
        """What a join or a subscribe says of where the client is."""
        if self.epoch is not None:
            return {"seq": self.position, "epoch": self.epoch}
        return self._first if "last" in self._first else None

    @property
    def asks_at(self) -> float | None:
        """When to ask for a replay; None while nothing is missing, or a question is under way."""
        if self._is_asking or self.epoch is None:
            return None
        times = [at for at in (self._gap_at, self._must_ask_at) if at is not None]
        return min(times, default=None)

    def ask(self) -> Question:
        """Return the question to ask now."""
        self._is_asking, self._gap_at, self._must_ask_at = True, None, None
        return Question(self.position, self.epoch or "")

    def unanswered(self, now_ms: float) -> None:
        """Note that a question was not answered, or refused for now: ask again after a pause.

        It is longer each time while the channel stays where it is: other clients ask, too.
        """
        self._is_asking = False
        self._must_ask_at = self._later(now_ms)
        self._in_vain = min(self._in_vain + 1, _MOST_IN_VAIN)

    def come_back(self) -> None:
        """Note that the client joins again, with `since`: the answer says what it has missed."""
        self._is_asking, self._gap_at, self._must_ask_at = False, None, None
        self._recovered = None if self.epoch is None else 0

    def frame(self, frame: Frame, now_ms: float) -> list[Event]:
        """Take a frame that has come live."""
        seq = frame["seq"]
        if seq <= self.position:
            if self._is_of_new_numbers(frame):
                self._must_ask_at = self._must_ask_at or self._later(now_ms)
            return []
        events = self._take(Message(frame, is_replayed=False), now_ms)
        if self.epoch is not None:
            events += self._move_to(self.position)
        self._look_for_gap(now_ms)
        return events

    def pong(self, newest: int, now_ms: float) -> None:
        """Take the newest number that the server knows: the last frame is missed without a gap."""
        self._low_pongs = self._low_pongs + 1 if newest < self.position else 0
        if self._low_pongs >= _LOW_PONGS:  # one may have been read a moment too early
            self._low_pongs = 0
            self._must_ask_at = now_ms
        self._known_until = newest
        self._look_for_gap(now_ms)

    def answer(self, answer: Mapping[str, Any], now_ms: float) -> list[Event]:
        """Take the position that an answer to a join, a subscribe or a replay has."""
        self._is_asking = False
        events = self._answered(answer, now_ms)
        if answer.get("more"):
            self._must_ask_at = now_ms
        elif self._recovered is not None and self._must_ask_at is None:
            events += [Recovered(self._recovered)]
            self._recovered = None
        self._look_for_gap(now_ms)
        return events

    def _answered(self, answer: Mapping[str, Any], now_ms: float) -> list[Event]:
        events: list[Event] = []
        if self.epoch is None:
            self.epoch = answer["epoch"]
            self.position = min(answer["from"], self._first.get("seq", answer["from"]))
            self._recovered = 0 if self.position < answer["from"] else None
            self._drop_until(answer["to"])  # what came live and was sent before the client came
            if not self._is_ordered:
                events += [one for held in self._held.values() for one in self._given(held)]
        elif "lost" in answer or answer["epoch"] != self.epoch:
            return self._lost(answer, now_ms)
        frames = (Message(frame, is_replayed=True) for frame in answer["frames"])
        events += [event for one in frames for event in self._take(one, now_ms)]
        if answer["from"] > self.position:  # it says nothing of what lies between
            self._must_ask_at = now_ms
            return events
        return events + self._move_to(answer["to"])

    def _lost(self, answer: Mapping[str, Any], now_ms: float) -> list[Event]:
        """Go on from where an answer says: back only where numbers have begun anew."""
        reason = answer["lost"]["reason"] if "lost" in answer else Reason.EPOCH.value
        start, end = self.position, answer["to"]
        if reason == Reason.EPOCH.value:
            self._recovered = None
            self.epoch, self.position, self._in_vain = answer["epoch"], end, 0
            self._known_until = self._newest_ms = 0
            self._drop_until(max(self._held, default=0))  # of which epoch they are is not known
            self._must_ask_at = now_ms  # the answer has them, if they are of this one
            return [Gap(start, end, reason)]
        if end <= start:  # the answer is late: all has come meanwhile
            return []
        self._recovered = None
        self._drop_until(end)
        return [Gap(start, end, reason), *self._move_to(end)]

    def _take(self, message: Message, now_ms: float) -> list[Event]:
        """Hold a frame above the position; one of a channel without order is given out."""
        seq = message.frame["seq"]
        if seq in self._held or seq <= self.position:
            return []
        if not message.is_replayed and not self._has_room(message):
            if self._must_ask_at is None:
                self._must_ask_at = now_ms
            return []
        self._held[seq] = message
        self._held_characters += _characters(message)
        return [] if self._is_ordered or self.epoch is None else self._given(message)

    def _has_room(self, message: Message) -> bool:
        """Tell whether a frame may be held: the next one is held for a moment only."""
        if message.frame["seq"] == self.position + 1:
            return True
        characters = self._held_characters + _characters(message)
        return len(self._held) < MOST_HELD_FRAMES and characters <= MOST_HELD_CHARACTERS

    def _move_to(self, end: int) -> list[Event]:
        """Move on to a number, and over the frames that follow it without a hole."""
        events: list[Event] = []
        self._go_to(end)
        for seq in sorted(self._held):
            if seq > self.position + 1:
                break
            self._go_to(seq)
            message = self._let_go(seq)
            if self._is_ordered:
                events += self._given(message)
        return events

    def _go_to(self, seq: int) -> None:
        if seq > self.position:
            self.position, self._in_vain = seq, 0

    def _drop_until(self, end: int) -> None:
        for seq in [one for one in self._held if one <= end]:
            self._let_go(seq)

    def _let_go(self, seq: int) -> Message:
        message = self._held.pop(seq)
        self._held_characters -= _characters(message)
        return message

    def _given(self, message: Message) -> list[Event]:
        """Give a frame out; not again if it came before the client knew of its epoch."""
        id_ = message.frame["id"]
        if id_ in self._ids:
            return []
        self._ids.append(id_)
        self._newest_ms = max(self._newest_ms, message.frame["sentAt"])
        if message.is_replayed and self._recovered is not None:
            self._recovered += 1
        return [message]

    def _is_of_new_numbers(self, frame: Frame) -> bool:
        """Tell whether numbers may have begun anew: a low one that is unknown, and sent later."""
        return frame["id"] not in self._ids and 0 < self._newest_ms < frame["sentAt"]

    def _look_for_gap(self, now_ms: float) -> None:
        """Ask later for what is missing; not at all once it has come by itself."""
        if self._known_until <= self.position and not self._held:
            self._gap_at = None
        elif self._gap_at is None:
            self._gap_at = self._later(now_ms)

    def _later(self, now_ms: float) -> float:
        wait_ms = self._gap_wait_ms + self._jitter() * GAP_SPREAD_MS
        return now_ms + wait_ms * 2.0**self._in_vain


def _characters(message: Message) -> int:
    return len(json.dumps(message.frame, ensure_ascii=False))
