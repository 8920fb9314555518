"""Any interleaving of workers, deaths, duplicates, expiries and lost answers keeps the promises.

The sums are exact when settled, no connection is missed, none receives one twice but for what
lies between two checkpoints of a worker that died, everyone's trouble fails no more than a few,
and every broadcast settles.
"""

import json
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
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

from broadcasting import breaker, trouble
from broadcasting.audience import EVERYONE
from broadcasting.backlog import Backlog, ShardCursor
from broadcasting.connection import shard_of
from broadcasting.connection_row import partition_of
from broadcasting.ledger import LeaseLostError
from broadcasting.ledger_items import FRAMES, LIFE_SECONDS, frame_row_of, slice_of
from broadcasting.outcome import Outcome, Verdict
from broadcasting.receipt import Receipt
from broadcasting.trouble import Evidence
from handlers import broadcast
from handlers import broadcast_log as report
from slices import checkpoints, upkeep
from slices.report import InvocationReport
from storage import audience_reader, sweeper
from storage.errors import StorageError
from testbed.model.fakes import OLD_MS
from tests.support.simulation import (
    SLICES,
    VISIBILITY_MS,
    Fate,
    InlineExecutor,
    Invocation,
    Message,
    OrderedFuture,
    World,
    seeded,
)

HISTORIES = 2_000
MOST_STEPS = 10

BROADCASTS = "arn:broadcasts"
ANY = st.integers(0, 2**16)
TROUBLES = st.tuples(
    ANY, st.integers(0, 30), st.sampled_from([fate for fate in Fate if fate is not Fate.WELL])
)
OUTCOMES = (Outcome.DELIVERED, Outcome.GONE, Outcome.FAILED, Outcome.PENDING, Outcome.PENDING)
EXPECTED_ERRORS = (StorageError, LeaseLostError)
CHECKPOINT, STRAGGLERS = 3, 3
IN_A_ROW, MOST_OWN = 3, 2
UNSAVED_POSTS = 5
"""How many posts end in the second in which nothing can be written."""

TROUBLES_OF_ALL = st.sampled_from([None, Verdict.LOST, Verdict.FORBIDDEN, Verdict.THROTTLED])


@dataclass
class _Facts:
    """The connections that were there while a whole broadcast ran, and those that ever were."""

    present: set[str]
    possible: set[str]


@dataclass
class _Notes:
    """What the function logs and publishes."""

    errors: list[BaseException] = field(default_factory=list)
    report: list[InvocationReport] = field(default_factory=list)


NOTES = _Notes()


class LedgerMachine(RuleBasedStateMachine):
    """Producers, SQS, Lambda and the faults of all of them."""

    def __init__(self) -> None:
        super().__init__()
        OrderedFuture.made = 0
        NOTES.errors.clear()
        NOTES.report.clear()
        self.world = World()
        self.running: list[Invocation] = []
        self.facts: dict[str, _Facts] = {}
        self.is_quiet = True
        """Whether nothing has gone wrong: then not even a death's repeats are allowed."""
        self.numbered = 0
        """The last number of the broadcasts that have expired."""
        self.healthy: set[str] = set()
        """The connections that have no trouble of their own."""

    @initialize(size=st.integers(0, 24), page_rows=st.integers(1, 4), seed=ANY)
    def begin(self, size: int, page_rows: int, seed: int) -> None:
        """Have an audience, each with its own way of answering, and a broadcast to it."""
        random = seeded(seed)
        for name in NAMES[:size]:
            self._join(name, random)
        self.world.dynamo.page_rows = page_rows
        self.send("a", "x", random.choice((0, 0, 0, 2)))

    @rule(name=st.sampled_from("ab"), text=st.sampled_from("xxxy"), ttl=st.sampled_from([0, 0, 2]))
    def send(self, name: str, text: str, ttl: int) -> None:
        """Enqueue a broadcast, perhaps one that was enqueued before."""
        body: dict[str, Any] = {"id": name, "message": text} | ({"ttlSeconds": ttl} if ttl else {})
        self.world.send(json.dumps(body), BROADCASTS)

    @precondition(lambda self: self.world.messages)
    @rule(which=ANY, seed=ANY)
    def receive(self, which: int, seed: int) -> None:
        """Deliver a message that is there, whether or not it is under way already."""
        messages = list(self.world.messages.values())
        message = messages[which % len(messages)]
        self.is_quiet &= message.visible_ms <= self.world.time.epoch_ms
        self._receive(message, seed)

    @precondition(lambda self: self.world.messages)
    @rule(which=ANY, steps=st.integers(1, 30), seed=ANY)
    def go_on(self, which: int, steps: int, seed: int) -> None:
        """Let an invocation make some calls."""
        self._walk(which, steps, seed)

    @precondition(lambda self: self.world.messages)
    @rule(seed=ANY, troubles=st.lists(TROUBLES, min_size=2, max_size=5))
    def suffer(self, seed: int, troubles: list[tuple[int, int, Fate]]) -> None:
        """Let invocations make some calls each, the last one with a fault."""
        for which, steps, fate in troubles:
            if self.world.messages:
                one = self._walk(which, steps, seed)
                self.is_quiet &= one.is_over
                self._step(one, fate)

    @precondition(lambda self: self.world.messages)
    @rule(which=ANY, steps=st.integers(0, 30), seed=ANY, others=st.integers(0, 30))
    def be_late(self, which: int, steps: int, seed: int, others: int) -> None:
        """Have an invocation outlive its lease: its message comes again, to another."""
        self.is_quiet = False
        one = self._walk(which, steps, seed)
        self.world.time.run(100)
        self._receive(one.message, seed)
        other = self.running[-1]
        for _ in range(others):
            self._step(other)

    @rule(seconds=st.sampled_from([1, 10, 70]), which=ANY, seed=ANY)
    def live(self, seconds: int, which: int, seed: int) -> None:
        """Have time pass, and a client connect, or one that is connected disconnect."""
        self.is_quiet &= not self.running
        self.world.time.run(seconds)
        name = NAMES[which % len(NAMES)]
        if name in self.world.dynamo.rows:
            del self.world.dynamo.rows[name]
        else:
            self._join(name, seeded(seed))
        self._note_audience()

    @rule(shard=st.none() | st.integers(0, 3), of_all=TROUBLES_OF_ALL, is_throttled=st.booleans())
    def change(self, shard: int | None, of_all: Verdict | None, *, is_throttled: bool) -> None:
        """Have a shard that cannot be read, an outage, a busy ledger, or none of these."""
        self.world.dynamo.unreadable = set() if shard is None else {f"all#{shard}"}
        self.world.trouble = of_all
        self.world.is_throttled = is_throttled
        self.is_quiet &= not is_throttled  # for longer than an invocation lasts, perhaps

    @rule(seconds=st.sampled_from([1, 300]))
    def freeze(self, seconds: int) -> None:
        """Have the functions frozen: the epoch goes on, the monotonic clock stands still."""
        self.is_quiet &= not self.running
        self.world.time.epoch_ms += seconds * 1000

    @precondition(lambda self: not self.running and not self.world.messages)
    @rule()
    def outlive(self) -> None:
        """Have the ledger's rows expire, and not be deleted: the ids are new ones again."""
        self._put_back()
        self._redeliver()
        self._require_promises()
        self.world.time.run(LIFE_SECONDS + 3600)
        self.numbered = self.world.counters.begin(EVERYONE).last
        self.facts.clear()
        self.world.posts.clear()
        NOTES.report.clear()

    def teardown(self) -> None:
        """Redeliver until all is settled; then compare the ledger with what happened."""
        try:
            self._redeliver()
            self._require_promises()
        finally:
            while self.running:
                self._step(self.running[0], Fate.DEATH_BEFORE)

    def _redeliver(self) -> None:
        world = self.world
        world.dynamo.unreadable = set()
        world.trouble, world.is_throttled = None, False
        self._let_only_the_first_live()
        for _ in range(400):
            self._put_back()
            if not world.messages:
                return
            message = min(world.messages.values(), key=lambda one: one.visible_ms)
            world.time.run(max(0, message.visible_ms - world.time.epoch_ms) / 1000)
            self._receive(message, seed=0)
            while self.running:
                self._step(self.running[0])
        raise AssertionError(f"not settled: {[one.body for one in world.messages.values()]}")

    def _put_back(self) -> None:
        """Redrive what was given up, as an operator does once the cause is repaired."""
        while self.world.given_up:
            self.world.send(self.world.given_up.pop(), SLICES, is_redriven=True)

    def _let_only_the_first_live(self) -> None:
        """Bring the first invocation to its end, and have those die that came after it."""
        first = self.running[:1]
        while self.running:
            one = self.running[0]
            self._step(one, Fate.WELL if self.is_quiet or one in first else Fate.DEATH_BEFORE)

    def _join(self, name: str, random: Random) -> None:
        is_young = random.random() < 0.1
        self.world.dynamo.rows[name] = self.world.time.epoch_ms if is_young else OLD_MS
        plan = random.choices(OUTCOMES, k=random.randrange(6)) if random.random() < 0.6 else []
        self.world.plans[name] = plan
        (self.healthy.discard if plan else self.healthy.add)(name)

    def _walk(self, which: int, steps: int, seed: int) -> Invocation:
        """Let one of those that run, or one for the next message, make some calls."""
        if not self.running or which % 4 == 0:
            messages = self.world.messages.values()
            self._receive(min(messages, key=lambda message: message.visible_ms), seed)
        one = self.running[which % len(self.running)]
        for _ in range(steps):
            self._step(one)
        return one

    def _receive(self, message: Message, seed: int) -> None:
        body = json.loads(message.body)
        if "id" in body and body["id"] not in self.facts:
            rows = set(self.world.dynamo.rows)
            self.facts[body["id"]] = _Facts(rows, rows)
        message.visible_ms = self.world.time.epoch_ms + VISIBILITY_MS
        one = Invocation(self.world, message, seeded(seed))
        one.start(THREADS)
        self.running.append(one)

    def _step(self, one: Invocation, fate: Fate = Fate.WELL) -> None:
        if one not in self.running:
            return
        one.step(fate)
        self._note_audience()
        if one.is_over:
            self.running.remove(one)
        self._note_end(one)

    def _note_audience(self) -> None:
        rows = set(self.world.dynamo.rows)
        for facts in self.facts.values():
            facts.present = facts.present & rows
            facts.possible = facts.possible | rows

    def _note_end(self, one: Invocation) -> None:
        if one.error:
            raise one.error
        for error in NOTES.errors:
            if not isinstance(error, EXPECTED_ERRORS):
                raise error
        unsaved = [post for post in one.posts if post.is_told and not post.is_saved]
        first_pages = SHARDS * self.world.dynamo.page_rows
        assert len(unsaved) <= first_pages + CHECKPOINT + STRAGGLERS + UNSAVED_POSTS

    def _require_promises(self) -> None:
        opened = self._opened()
        for name in opened:
            self._require_promises_of(name)
        self._require_numbers(opened)

    def _require_numbers(self, opened: list[str]) -> None:
        """Each number is a broadcast's, or void, or marked: none is missing, none is twice."""
        counter = self.world.counters.begin(EVERYONE)
        numbers = [self.world.rows.summary(name).seq for name in opened]
        frames = {
            int(sk.removeprefix(FRAMES)): frame_row_of(item)
            for (_, sk), item in self.world.rows.live.items()
            if sk.startswith(FRAMES)
        }
        voids = [number for number, row in frames.items() if row.is_void]
        marks = {mark.number for mark in counter.marks}.difference(numbers, voids)
        every = [*numbers, *voids, *marks]
        assert len(set(every)) == len(every)
        fresh = range(
            self.numbered + 1, counter.last + 1
        )  # a mark may be older than its rows' week
        assert {one for one in every if one > self.numbered} == set(fresh)
        assert set(frames) == {*numbers, *voids}
        assert {row.epoch for row in frames.values()} <= {counter.epoch}

    def _opened(self) -> list[str]:
        items = self.world.rows.items
        return [name for name in self.facts if ("broadcast#" + name, "summary") in items]

    def _require_promises_of(self, name: str) -> None:
        summary = self.world.rows.summary(name)
        items = self.world.rows.live.items()
        mine = [(sk, item) for (pk, sk), item in items if pk == f"broadcast#{name}"]
        slices = [slice_of(item) for sk, item in mine if sk.startswith("slice#")]
        assert summary.is_settled
        assert (summary.open_slices, summary.slices) == (0, len(slices))
        assert all(slice_row.is_closed for slice_row in slices)
        assert summary.counts == sum((slice_row.counts for slice_row in slices), Receipt())
        assert summary.counts.targeted == summary.counts.ended
        failed = [json.loads(item["failed"]["S"]) for sk, item in mine if sk.startswith("failed#")]
        assert sum(map(len, failed)) == summary.counts.failed
        self._require_each_once(name, summary.counts, [id_ for row in failed for id_, _ in row])
        if self.is_quiet:
            report = [one.counts for one in NOTES.report if one.summary.id == name]
            assert sum(report, Receipt()) == summary.counts

    def _require_each_once(self, name: str, counts: Receipt, failed: list[str]) -> None:
        posts = [post for post in self.world.posts if post.broadcast_id == name]
        ends = Counter(post.connection_id for post in posts)
        excused = Counter(post.connection_id for post in posts if not post.is_saved)
        assert not self.is_quiet or not excused
        for connection_id, times in ends.items():
            assert times <= 1 + excused[connection_id], f"{connection_id} ended {times} times"
        for outcome in (Outcome.DELIVERED, Outcome.GONE):
            saved = sum(post.is_saved for post in posts if post.outcome is outcome)
            assert getattr(counts, outcome.value) == saved
        assert len(set(failed)) == len(failed)
        ended = {post.connection_id for post in posts if post.is_saved}
        refused = {post.connection_id for post in posts if post.outcome is Outcome.FAILED}
        assert not set(failed) & (ended - refused), "failed, and delivered or gone"
        few = Evidence(counts.delivered, counts.gone, elsewhere=1).most_own
        assert len(self.healthy & set(failed)) <= few, "failed for everyone's trouble"
        missed = self.facts[name].present - set(ends) - set(failed)
        assert len(missed) <= counts.expired, f"{sorted(missed)} missed"
        facts = self.facts[name]
        assert len(facts.present) <= counts.targeted <= len(facts.possible)


SHARDS = 4
"""Fewer than are deployed: most of those would have no connection."""
NAMES = [name for name in (f"c{number}" for number in range(100)) if shard_of(name) < SHARDS]
THREADS = ThreadPoolExecutor(64)


class _Log:
    """Keeps the errors that the function logs, and nothing else."""

    def exception(self, *_: object, **__: object) -> None:
        """Keep what is being handled."""
        error = sys.exc_info()[1]
        assert error
        NOTES.errors.append(error)

    def error(self, *_: object, **__: object) -> None:
        """Ignore it."""

    info = error


@pytest.fixture
def small_world(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small limits, so that short histories reach all of them; no threads; no log."""
    monkeypatch.setattr(checkpoints, "CHECKPOINT_CONNECTIONS", CHECKPOINT)
    monkeypatch.setattr(upkeep, "MOST_STRAGGLERS", STRAGGLERS)
    monkeypatch.setattr(audience_reader, "READS_AT_ONCE", 2)
    monkeypatch.setattr(audience_reader, "MOST_AHEAD", 3)
    for module in (audience_reader, sweeper):
        monkeypatch.setattr(module, "ThreadPoolExecutor", InlineExecutor)
    shards = tuple(ShardCursor(partition_of(shard)) for shard in range(SHARDS))
    monkeypatch.setattr(broadcast, "whole_backlog", lambda _: Backlog(shards))
    for module in (broadcast, report):
        monkeypatch.setattr(module, "logger", _Log())
    monkeypatch.setattr(report, "publish_report", NOTES.report.append)
    monkeypatch.setattr(breaker, "REFUSALS_IN_A_ROW", IN_A_ROW)
    monkeypatch.setattr(breaker, "WINDOW_POSTS", IN_A_ROW)
    monkeypatch.setattr(trouble, "MOST_OWN", MOST_OWN)
    monkeypatch.setattr(broadcast, "publish_rejected", lambda: None)


@pytest.mark.usefixtures("small_world")
def test_ledger_keeps_its_promises() -> None:
    """2,000 histories of up to 10 rules, each of up to 150 calls."""
    run_state_machine_as_test(
        LedgerMachine,
        settings=settings(
            max_examples=HISTORIES,
            stateful_step_count=MOST_STEPS,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
