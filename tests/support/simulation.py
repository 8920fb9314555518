"""A world for the ledger's state machine: invocations that run step by step and die anywhere.

The broadcast function, its worker, progress, reader and ledger are the real ones. An invocation
stops before each call of the ledger's table, a queue or `@connections`, and goes on when it is
told to, with or without a fault: so any interleaving of any number of invocations can be made.
"""

import json
import math
import threading
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum, auto
from itertools import islice
from random import Random
from typing import TYPE_CHECKING, Any, TypeVar, cast
from zlib import crc32

from broadcasting.attributes import KIND, REASON, REDRIVEN
from broadcasting.breaker import Observed
from broadcasting.clock import Clock
from broadcasting.connection import Connection
from broadcasting.items import Item
from broadcasting.ledger_rows import Row
from broadcasting.outcome import Outcome, Settlement, Verdict
from broadcasting.trouble import Answers, RecentAnswers
from delivery.fan_out import Watch
from handlers import broadcast
from handlers.events import records_of
from slices.worker import Worker
from storage.errors import BusyError, ReadError, WriteError
from storage.ledger import Ledger
from storage.queues import DeadLetters, SliceQueue
from storage.stream_counters import StreamCounters
from testbed.model.fakes import FakeDynamo, FakeLedgerTable, FakeTime, aws_error, half
from testbed.model.ledger_dynamo import LedgerDynamo, counters_of
from tests.support import broadcast_floor
from wiring import BroadcastWiring

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_sqs import SQSClient

    from storage.ledger_table import LedgerTable

T = TypeVar("T")


def seeded(seed: int) -> Random:
    """Return chance that can be repeated."""
    return Random(seed)  # noqa: S311 - nothing is secret here


SLICES = "arn:slices"
SETTINGS = broadcast_floor.SETTINGS._replace(slice_queue_arn=SLICES)
SECONDS_PER_POST = 0.2
OUTAGE_SECONDS = 100
VISIBILITY_MS = 80_000


class Fate(Enum):
    """How the call goes at which an invocation has stopped."""

    WELL = auto()
    REFUSED = auto()
    """It has no effect, and raises."""
    LOST = auto()
    """It has its effect, and raises: its answer is lost."""
    BUSY = auto()
    """A write is canceled though no other invocation wrote; any other call is refused."""
    DEATH_BEFORE = auto()
    """The invocation dies; the call has no effect."""
    DEATH_AFTER = auto()
    """The invocation dies; the call has its effect."""


class Death(BaseException):
    """An invocation's end at any place: nothing that it would do after is done."""


@dataclass(eq=False)
class Message:
    """An SQS message."""

    id: str
    body: str
    arn: str
    sent_ms: int
    visible_ms: int
    is_redriven: bool = False


@dataclass
class Post:
    """One post to a connection that ended it, and whether the ledger knows of it."""

    broadcast_id: str
    connection_id: str
    outcome: Outcome
    is_told: bool = False
    is_saved: bool = False


@dataclass
class World:
    """All that outlives an invocation."""

    time: FakeTime = field(default_factory=FakeTime)
    dynamo: FakeDynamo = field(default_factory=FakeDynamo)
    rows: FakeLedgerTable = field(default_factory=FakeLedgerTable)
    messages: dict[str, Message] = field(default_factory=dict)
    rejected: list[str] = field(default_factory=list)
    posts: list[Post] = field(default_factory=list)
    plans: dict[str, list[Outcome]] = field(default_factory=dict)
    given_up: list[str] = field(default_factory=list)
    """The bodies of dead letters that an operator may put back."""
    trouble: Verdict | None = None
    """What every post is answered, if all are answered the same."""
    is_throttled: bool = False
    """Whether every write of the ledger is refused for now."""
    faults: int = 0
    sent: int = 0
    recent: RecentAnswers = field(default_factory=RecentAnswers)

    def __post_init__(self) -> None:
        self.rows.epoch_ms = lambda: self.time.epoch_ms

    @property
    def counters(self) -> StreamCounters:
        """The counters, as they are."""
        return counters_of(self.rows)

    def send(
        self, body: str, arn: str, *, delay_seconds: int = 0, is_redriven: bool = False
    ) -> None:
        """Put a message into a queue."""
        self.sent += 1
        id_, now_ms = f"m{self.sent}", self.time.epoch_ms
        visible_ms = now_ms + delay_seconds * 1000
        self.messages[id_] = Message(id_, body, arn, now_ms, visible_ms, is_redriven)

    def answer(self, connection_id: str) -> tuple[Outcome, Verdict]:
        """Return what a post to a connection comes to, and what was made of its answer."""
        if self.trouble:
            return Outcome.PENDING, self.trouble
        plan = self.plans.get(connection_id)
        outcome = plan.pop(0) if plan else Outcome.DELIVERED
        return outcome, OWN_TROUBLES[crc32(connection_id.encode()) % 3] if (
            outcome is Outcome.PENDING
        ) else Verdict.DELIVERED


OWN_TROUBLES = (Verdict.LOST, Verdict.FORBIDDEN, Verdict.THROTTLED)
"""What a connection with trouble of its own is answered: always the same."""


class Invocation:
    """One call of the broadcast function for one message, on a thread of its own."""

    def __init__(self, world: World, message: Message, random: Random) -> None:
        self.is_over = False
        self.posts: list[Post] = []
        self.error: BaseException | None = None
        """What went wrong that is no fault of the world."""
        self.world = world
        self.random = random
        skew_ms = random.randrange(-2_000, 2_001)
        self.clock = Clock(
            lambda: world.time.seconds, lambda: world.time.epoch_ms + skew_ms, world.time.run
        )
        self.message = message
        self._seconds = random.choice((0.5, 3.0, 49.0, 49.0))
        self._fate = Fate.WELL
        self._is_dead = False
        self._go, self._stopped = threading.Lock(), threading.Lock()
        self._go.acquire()
        self._stopped.acquire()

    def start(self, threads: ThreadPoolExecutor) -> None:
        """Run up to the first call."""
        threads.submit(self._run)
        self._stopped.acquire()

    def step(self, fate: Fate = Fate.WELL) -> None:
        """Let the call happen at which it has stopped, and run up to the next one."""
        self._fate = fate
        self.world.faults += fate is not Fate.WELL
        self._go.release()
        self._stopped.acquire()

    def call(self, effect: Callable[[], T], error: Exception) -> T:
        """Stop before a call; make it as it is fated."""
        if self._is_dead:
            raise Death
        self._stopped.release()
        self._go.acquire()
        fate = self._fate
        self._die_if(fate is Fate.DEATH_BEFORE)
        if fate is Fate.BUSY and isinstance(error, WriteError):
            raise BusyError("injected")
        if fate in (Fate.REFUSED, Fate.BUSY):
            raise error
        answer = effect()
        self._die_if(fate is Fate.DEATH_AFTER)
        if fate is Fate.LOST:
            raise error
        return answer

    @property
    def _remaining_ms(self) -> int:
        """What the function's context would say."""
        return int(self._seconds * 1000 + broadcast.RESERVED_SECONDS * 1000)

    def _die_if(self, fated: bool) -> None:  # noqa: FBT001 - it is the sentence's only word
        if fated:
            self._is_dead = True
            raise Death

    def _run(self) -> None:
        try:
            self._handle()
        except Death:
            pass
        except BaseException as error:  # noqa: BLE001 - told by the machine
            self.error = error
        self.is_over = True
        self._stopped.release()

    def _handle(self) -> None:
        message, messages = self.message, self.world.messages
        mark = {"dataType": "String", "stringValue": "1"}
        record = {
            "messageId": message.id,
            "body": message.body,
            "eventSource": "aws:sqs",
            "eventSourceARN": message.arn,
            "attributes": {"SentTimestamp": str(message.sent_ms)},
            "messageAttributes": {REDRIVEN: mark} if message.is_redriven else {},
        }
        records = records_of({"Records": [record]})
        answer = broadcast.serve(records, _wiring(self), self._remaining_ms)
        if answer["batchItemFailures"]:
            return
        with suppress(OSError):
            self.call(lambda: messages.pop(message.id, None), OSError("not acknowledged"))


def _wiring(one: Invocation) -> BroadcastWiring:
    sqs = cast("SQSClient", _Sqs(one))
    counters = StreamCounters(
        cast("DynamoDBClient", _CounterClient(one)), "ledger", clock=one.clock
    )
    ledger = Ledger(
        cast("LedgerTable", _Table(one)),
        counters,
        clock=one.clock,
        jitter=half,
        replay_seconds=SETTINGS.replay_seconds,
    )
    worker = Worker(
        pages=one.world.dynamo.pages,
        table=one.world.dynamo.table,
        fan_out=_FanOut(one),
        ledger=ledger,
        slice_queue=SliceQueue(sqs, "slices"),
        clock=one.clock,
        jitter=half,
        outage_seconds=OUTAGE_SECONDS,
        recent=one.world.recent,
    )
    dead, slice_dead = (DeadLetters(sqs, url) for url in ("dead", "slice-dead"))
    return BroadcastWiring(SETTINGS, one.clock, ledger, worker, dead, slice_dead)


@dataclass
class _Table:
    """The ledger's table, as one invocation reaches it."""

    one: Invocation

    def get(self, key: tuple[str, str]) -> Item | None:
        return self.one.call(lambda: self.one.world.rows.get(key), ReadError("injected"))

    def write(self, *rows: Row) -> None:
        self.one.call(lambda: self._write(rows), WriteError("injected"))

    def _write(self, rows: tuple[Row, ...]) -> None:
        if self.one.world.is_throttled:
            raise BusyError("injected")
        self.one.world.rows.write(*rows)
        for post in self.one.posts:
            post.is_saved = post.is_told


@dataclass
class _CounterClient:
    """DynamoDB, as one invocation reaches it for the counters: each request is a call."""

    one: Invocation

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(**request: Any) -> Any:
            return self.one.call(lambda: self._make(name, request), aws_error(500))

        return call

    def _make(self, name: str, request: dict[str, Any]) -> Any:
        world = self.one.world
        if world.is_throttled and name in ("put_item", "update_item"):
            raise aws_error(500)
        dynamo = LedgerDynamo(epoch_ms=world.rows.epoch_ms, items=world.rows.items)
        return getattr(dynamo, name)(**request)


@dataclass
class _Sqs:
    """The queues, as one invocation reaches them."""

    one: Invocation

    def send_message(self, **request: Any) -> None:
        self.one.call(lambda: self._send(request), aws_error(500))

    def _send(self, request: dict[str, Any]) -> None:
        world = self.one.world
        if request["QueueUrl"] == "slices":
            world.send(request["MessageBody"], SLICES, delay_seconds=request["DelaySeconds"])
        else:
            said = request["MessageAttributes"]
            world.rejected.append(said[REASON]["StringValue"])
            if KIND in said:
                world.given_up.append(request["MessageBody"])


@dataclass
class _FanOut:
    """`@connections`: takes some ahead of need, posts in any order, and tells the ends later."""

    one: Invocation
    protocol = "h2"
    calmed = 0

    @property
    def is_paced(self) -> bool:
        return self.one.random.randrange(4) == 0

    def deliver(
        self,
        frame: str,
        audience: Iterable[Connection],
        deadline: float,
        *,
        watch: Watch | None = None,
    ) -> Generator[Settlement, None, None]:
        assert watch is not None
        random, source = self.one.random, iter(audience)
        broadcast_id = json.loads(frame)["id"]
        taken: list[Connection] = []
        told: list[tuple[Settlement, Post | None]] = []
        while self._may_post(deadline, watch):
            taken += islice(source, 3 - len(taken))
            if not taken:
                break
            if self._is_held(watch):
                while told:
                    yield self._tell(told)
                self.one.world.time.run(0.1)
                watch.tick()
                continue
            connection = taken.pop(random.randrange(len(taken)))
            told.append(self._post(broadcast_id, connection, watch))
            while len(told) > random.randrange(4):
                yield self._tell(told)
        told += [(Settlement(one, Outcome.PENDING), None) for one in taken]
        while told:
            yield self._tell(told)

    def _may_post(self, deadline: float, watch: Watch) -> bool:
        return self._now < min(deadline, watch.stop_at) and not watch.breaker.is_open

    def _is_held(self, watch: Watch) -> bool:
        return self._now >= watch.pause_at or not watch.breaker.permits(1, self._now)

    @property
    def _now(self) -> float:
        return self.one.clock.monotonic()

    def _post(
        self, broadcast_id: str, connection: Connection, watch: Watch
    ) -> tuple[Settlement, Post | None]:
        world, post, is_probe = self.one.world, None, watch.breaker.probe()

        def effect() -> tuple[Outcome, Verdict]:
            outcome, verdict = world.answer(connection.id)
            if outcome is not Outcome.PENDING:
                self._keep(Post(broadcast_id, connection.id, outcome))
            return outcome, verdict

        try:
            outcome, verdict = self.one.call(effect, ConnectionError("injected"))
        except ConnectionError:  # it may have reached its client: then it is never told
            outcome, verdict = Outcome.PENDING, Verdict.LOST
        if outcome is not Outcome.PENDING:
            post = self.one.posts[-1]
        world.time.run(SECONDS_PER_POST)
        settlement = Settlement(connection, outcome, 1, 0, "planned", verdict)
        observed = _observed(verdict, is_probe=is_probe)
        watch.breaker.observe(observed, pending=math.inf, now=self._now)
        return settlement._replace(throttles=int(verdict is Verdict.THROTTLED)), post

    def _keep(self, post: Post) -> Post:
        self.one.posts.append(post)
        self.one.world.posts.append(post)
        return post

    @staticmethod
    def _tell(told: list[tuple[Settlement, Post | None]]) -> Settlement:
        settlement, post = told.pop(0)
        if post:
            post.is_told = True
        return settlement


def _observed(verdict: Verdict, *, is_probe: bool) -> Observed:
    refused, lost = int(verdict is Verdict.FORBIDDEN), int(verdict is Verdict.LOST)
    throttled = int(verdict is Verdict.THROTTLED)
    in_vain = refused + lost
    answers = Answers(1 - in_vain - throttled, refused, throttled, lost)
    probes = (1 - in_vain, in_vain) if is_probe else (0, 0)
    return Observed(answers, refused, lost, 0, *probes)


class InlineExecutor:
    """Threads that do their work at once: what it does has one order only."""

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def submit(self, work: Callable[..., T], *arguments: Any) -> "Future[T]":
        """Do it."""
        done: Future[T] = OrderedFuture()
        try:
            done.set_result(work(*arguments))
        except Exception as error:  # noqa: BLE001 - as the real one does
            done.set_exception(error)
        return done

    def shutdown(self, **_: object) -> None:
        """End; there is nothing to end."""


class OrderedFuture(Future[T]):
    """A future with a place in the order of sets, so that a history can be repeated."""

    made = 0

    def __init__(self) -> None:
        super().__init__()
        OrderedFuture.made += 1
        self._place = OrderedFuture.made

    def __hash__(self) -> int:
        return self._place
