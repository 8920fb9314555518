"""Histories of a client that follows a channel: frames are reordered, dropped, repeated, paged."""

from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from broadcasting.followed_channel import Event, FollowedChannel, Gap, Message

HISTORIES = 2_000
MOST_STEPS = 40
SMALL = st.integers(0, 9)


class FollowedChannelMachine(RuleBasedStateMachine):
    """A server that numbers frames, a network that does what it likes, and one client."""

    @initialize(before=st.integers(0, 3), is_ordered=st.booleans(), seed=SMALL)
    def begin(self, before: int, seed: int, *, is_ordered: bool) -> None:
        """Have the client come for the first time; some frames come before the answer."""
        self.random = Random(seed)  # noqa: S311 - repeatable, not secret
        self.now_ms = 0.0
        self.epoch = 1
        self.last = self.expired_until = 0
        self.meant: set[int] = set()
        self.under_way: list[dict[str, Any]] = []
        self.answer: dict[str, Any] | None = None
        self.given: dict[int, list[int]] = {}
        self.gaps: list[tuple[int, int]] = []
        self.is_ordered = is_ordered
        self.channel = FollowedChannel(self.random.random, is_ordered=is_ordered)
        for _ in range(before):
            self.send(is_meant=True)
        for frame in self.under_way[::2]:
            self._take(self.channel.frame(frame, 0))
        self._take(self.channel.answer(self._position(None, 0), 0))
        self.since = self.last

    @rule(is_meant=st.booleans())
    def send(self, *, is_meant: bool) -> None:
        """Number a broadcast; one that excludes the client is not sent to it."""
        self.last += 1
        if is_meant:
            self.meant.add(self.last)
            self.under_way.append(self._frame(self.last))

    @precondition(lambda self: self.under_way)
    @rule(which=SMALL, is_repeated=st.booleans())
    def come(self, which: int, *, is_repeated: bool) -> None:
        """Let any frame come, perhaps not for the last time."""
        frame = self.under_way[which % len(self.under_way)]
        if not is_repeated:
            self.under_way.remove(frame)
        self._take(self.channel.frame(frame, self.now_ms))

    @precondition(lambda self: self.under_way)
    @rule(which=SMALL)
    def lose(self, which: int) -> None:
        """Lose a frame."""
        del self.under_way[which % len(self.under_way)]

    @rule(seconds=st.integers(0, 5), fate=st.sampled_from(["answer", "page", "nothing", "later"]))
    def live(self, seconds: int, fate: str) -> None:
        """Have time pass; the client may ask, and is answered, later or never."""
        self.now_ms += seconds * 1_000
        if self.channel.asks_at is None or self.channel.asks_at > self.now_ms:
            return
        start, epoch = self.channel.ask()
        if fate == "nothing":
            self.channel.unanswered(self.now_ms)
            return
        self.answer = self._position(start, int(epoch), most=1 if fate == "page" else 99)
        if fate != "later":
            self.be_answered()

    @precondition(lambda self: self.answer)
    @rule()
    def be_answered(self) -> None:
        """Let an answer come."""
        answer, self.answer = self.answer, None
        assert answer is not None
        self._take(self.channel.answer(answer, self.now_ms))

    @rule(lag=st.integers(0, 2))
    def pong(self, lag: int) -> None:
        """Tell the newest number, perhaps as it was a moment ago."""
        self.channel.pong(max(0, self.last - lag), self.now_ms)

    @rule(most=st.integers(1, 3))
    def come_back(self, most: int) -> None:
        """Cut the client off, have it join with its position: no old answer comes any more."""
        self.under_way.clear()
        self.answer = None
        self.channel.come_back()
        since = self.channel.since
        assert since is not None
        position = self._position(since["seq"], int(since["epoch"]), most=most)
        self._take(self.channel.answer(position, self.now_ms))

    @rule()
    def expire(self) -> None:
        """Have all frames so far be kept no longer."""
        self.expired_until = self.last

    @precondition(lambda self: self.epoch < 3 and self.last)
    @rule(last=st.integers(0, 5))
    def begin_anew(self, last: int) -> None:
        """Lose the counter: numbers begin anew, and some are used before the client learns it."""
        self.epoch += 1
        self.under_way.clear()
        self.last, self.expired_until = 0, 0
        self.meant = set()
        for _ in range(last):
            self.send(is_meant=True)

    def teardown(self) -> None:
        """Be quiet: the client ends with all that it was not told to be lost."""
        if not hasattr(self, "channel"):
            return
        if self.answer:
            self.be_answered()
        for _ in range(4):
            self.pong(0)
            self.live(9, "answer")
        if self.channel.epoch != str(self.epoch):  # as many numbers as before: a renewal tells
            self.come_back(3)
        for _ in range(20):
            if self.channel.asks_at is None:
                break
            self.live(9, "answer")
        assert self.channel.asks_at is None
        assert (self.channel.position, self.channel.epoch) == (self.last, str(self.epoch))
        given = self.given.get(self.epoch, [])
        excused = {number for start, end in self.gaps for number in range(start + 1, end + 1)}
        assert set(given) <= self.meant
        assert {one for one in self.meant if one > self.since} - set(given) <= excused

    def _frame(self, seq: int) -> dict[str, Any]:
        return {
            "id": f"{self.epoch}-{seq}",
            "seq": seq,
            "sentAt": self.epoch * 1_000 + seq,
            "epoch": self.epoch,
        }

    def _position(self, start: int | None, epoch: int, most: int = 99) -> dict[str, Any]:
        """Answer as the server does: what it cannot prove to be complete is lost."""
        whole = {"epoch": str(self.epoch), "seq": self.last, "to": self.last, "frames": []}
        if start is None:
            return {**whole, "from": self.last}
        reason = None
        if epoch != self.epoch or start > self.last:
            reason = "epoch"
        elif start < self.expired_until:
            reason = "expired"
        if reason:
            lost = {"from": start, "to": self.last, "reason": reason}
            return {**whole, "from": start, "lost": lost}
        wanted = [one for one in range(start + 1, self.last + 1) if one in self.meant]
        frames = [self._frame(one) for one in wanted[:most]]
        if len(wanted) <= most:
            return {**whole, "from": start, "frames": frames}
        return {**whole, "from": start, "to": wanted[most - 1], "frames": frames, "more": True}

    def _take(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, Message):
                given = self.given.setdefault(event.frame["epoch"], [])
                seq = event.frame["seq"]
                assert seq not in given
                assert not self.is_ordered or not given or seq > given[-1]
                given.append(seq)
            elif isinstance(event, Gap):
                if event.reason == "epoch":
                    self.gaps.clear()
                    self.since = event.end
                else:
                    self.gaps.append((event.start, event.end))


@pytest.mark.timeout(300)
def test_client_is_given_each_frame_once_or_told_what_is_lost() -> None:
    """In order if it wants that, though the network and the server may do anything."""
    run_state_machine_as_test(
        FollowedChannelMachine,
        settings=settings(
            max_examples=HISTORIES,
            stateful_step_count=MOST_STEPS,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
