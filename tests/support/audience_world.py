"""A world of clients, subscriptions and broadcasts, whose functions run request by request.

All functions are the real ones, on two tables in memory. Each runs on a thread of its own and stops
before each of its requests; it goes on when it is told to, with or without a fault. So a broadcast
can be opened, and its audience read, between any two requests of a client's frame.
"""

import json
import threading
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any, cast

from broadcasting.clock import Clock
from broadcasting.connection import Connection
from broadcasting.counter_items import NUMBER
from broadcasting.ledger_items import FRAMES, frame_row_of
from broadcasting.ledger_rows import FrameRow
from broadcasting.outcome import Outcome, Settlement
from client_frame_wiring import build_client_frames
from delivery.fan_out import Watch
from handlers import broadcast, client_frame, connect, disconnect
from handlers.events import records_of
from settings import ClientFrameSettings
from slices.worker import Worker
from storage.audience_pages import AudiencePages
from storage.connections import ConnectionsTable
from storage.ledger import Ledger
from storage.ledger_table import LedgerTable
from storage.queues import DeadLetters, SliceQueue
from storage.stream_counters import StreamCounters
from testbed.model.fakes import FakeTime, aws_error, half
from testbed.model.two_tables import BROADCASTS, CONNECTIONS, StepClient, TwoTables
from tests.support import broadcast_floor
from tests.support.subscriber import Stream
from wiring import BroadcastWiring

if TYPE_CHECKING:
    from botocore.session import Session
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_sqs import SQSClient

REPLAY_SECONDS, REPLAY_FRAMES = 3_600, 6
QUEUE, SLICES = "arn:broadcasts", "arn:slices"
SETTINGS = broadcast_floor.SETTINGS._replace(
    connections_table=CONNECTIONS,
    broadcasts_table=BROADCASTS,
    slice_queue_arn=SLICES,
    replay_seconds=REPLAY_SECONDS,
)
CLIENT_SETTINGS = ClientFrameSettings(
    connections_table=CONNECTIONS,
    broadcasts_table=BROADCASTS,
    replay_seconds=REPLAY_SECONDS,
    replay_frames=REPLAY_FRAMES,
    open_channels=("*",),
)


class Fate(Enum):
    """How the request goes at which a function has stopped."""

    WELL = auto()
    REFUSED = auto()
    """It has no effect, and raises."""
    LOST = auto()
    """It has its effect, and raises."""
    DEATH_BEFORE = auto()
    DEATH_AFTER = auto()


class Death(BaseException):
    """The end of a function at any request."""


@dataclass(eq=False)
class Message:
    """An SQS message."""

    id: str
    body: str
    arn: str
    sent_ms: int


@dataclass(eq=False)
class Client:
    """A client that may come back: its connections, and where it is in its channels.

    `inbox` are frames and answers that it has not read yet. `wanted` are the channels that it asked
    for, without `*` and `@`.
    """

    user: str | None
    ids: list[str] = field(default_factory=list)
    is_open: bool = False
    wanted: set[str] = field(default_factory=set)
    streams: dict[str, Stream] = field(default_factory=dict)
    inbox: list[str] = field(default_factory=list)
    early: list[str] = field(default_factory=list)
    """Frames of channels of which no position is known yet."""
    asking: "Function | None" = None
    unasked: int = 0
    is_served_alone: bool = False
    """Whether no number is marked when it asks, but of a broadcast that is opened meanwhile."""

    @property
    def id(self) -> str:
        """The connection that it has now."""
        return self.ids[-1]

    def read_answers(self) -> None:
        """Take what it was answered: it asks for nothing before."""
        answers = [text for text in self.inbox if "type" in json.loads(text)]
        self.inbox = [text for text in self.inbox if text not in answers]
        for text in answers:
            self.read(text)

    def read(self, text: str) -> None:
        """Take a frame or an answer."""
        said = json.loads(text)
        kind = said.get("type")
        if kind is None:
            self._take(said)
        elif kind in ("joined", "subscribed"):
            for name, position in said["channels"].items():
                self._place(name, position)
        elif kind == "replay":
            self.streams[said["channel"]].answer(said)
        elif kind == "unsubscribed":
            for name in said["channels"]:
                self.wanted.discard(name)
                self.streams.pop(name, None)
        elif kind == "error" and said["code"] == "gone":
            self.is_open = False

    def _take(self, frame: dict[str, Any]) -> None:
        if frame["channel"] in self.streams:
            self.streams[frame["channel"]].take(frame["seq"], json.dumps(frame))
        elif frame["channel"] != "!":
            self.early.append(json.dumps(frame))

    def _place(self, name: str, position: dict[str, Any]) -> None:
        known = self.streams.get(name)
        if known:
            known.answer(position)
            is_whole = "lost" not in position and "more" not in position
            known.promised_from = position["from"] if is_whole else None
        else:
            since = position["from"]
            self.streams[name] = Stream(position["epoch"], since, since)
            self.streams[name].answer(position)
            if self.is_served_alone and not position["frames"]:
                self.streams[name].promised_from = since
        early, self.early = self.early, []
        for text in early:
            self._take(json.loads(text))


class Function:
    """A function that runs on a thread, and stops before each of its requests."""

    def __init__(self, world: "World", work: Callable[["Function"], Any], name: str) -> None:
        self.name = name
        self.is_over = False
        self.is_dead = False
        self.result: Any = None
        self.error: BaseException | None = None
        """What went wrong that no fault explains."""
        self.world = world
        self._work = work
        self._fate = Fate.WELL
        self._go, self._stopped = threading.Lock(), threading.Lock()
        self._go.acquire()
        self._stopped.acquire()

    def start(self, threads: ThreadPoolExecutor) -> None:
        """Run up to the first request."""
        threads.submit(self._run)
        self._stopped.acquire()

    def step(self, fate: Fate = Fate.WELL) -> None:
        """Let the request happen at which it has stopped, and run up to the next one."""
        self._fate = fate
        self._go.release()
        self._stopped.acquire()

    def call(self, effect: Callable[[], Any], error: Exception) -> Any:
        """Stop before a request; make it as it is fated."""
        if self.is_dead:
            raise Death
        self._stopped.release()
        self._go.acquire()
        fate = self._fate
        if fate is Fate.DEATH_BEFORE:
            self._die()
        if fate is Fate.REFUSED:
            raise error
        answer = effect()
        if fate is Fate.DEATH_AFTER:
            self._die()
        if fate is Fate.LOST:
            raise error
        return answer

    @property
    def client(self) -> "DynamoDBClient":
        """DynamoDB as this function reaches it."""

        def make(name: str, request: dict[str, Any]) -> Any:
            return self.call(lambda: self.world.request(name, request), aws_error(500))

        return cast("DynamoDBClient", StepClient(make))

    @property
    def clock(self) -> Clock:
        """The world's time."""
        return self.world.time.clock

    def _die(self) -> None:
        self.is_dead = True
        raise Death

    def _run(self) -> None:
        try:
            self.result = self._work(self)
        except Death:
            self.is_dead = True
        except BaseException as error:  # noqa: BLE001 - told by the machine
            self.error = error
        self.is_over = True
        self._stopped.release()


@dataclass
class World:
    """All that outlives a function."""

    time: FakeTime = field(default_factory=FakeTime)
    messages: dict[str, Message] = field(default_factory=dict)
    clients: list[Client] = field(default_factory=list)
    frames: dict[tuple[str, int], FrameRow] = field(default_factory=dict)
    """All frames that were ever written, by their streams and numbers."""
    posts: list[tuple[str, str]] = field(default_factory=list)
    """Which broadcast was posted to which connection, and delivered."""
    excluded: dict[str, frozenset[str]] = field(default_factory=dict)
    lost_counters: int = 0
    sent: int = 0
    leaving: set[str] = field(default_factory=set)
    """The connections whose `$disconnect` went wrong, or whose frame was being answered."""

    def __post_init__(self) -> None:
        self.dynamo = TwoTables(lambda: self.time.epoch_ms)

    def request(self, name: str, request: dict[str, Any]) -> Any:
        """Make a request of DynamoDB, and keep the frames that are written."""
        answer = self.dynamo.request(name, request)
        if name == "transact_write_items":
            for one in request["TransactItems"]:
                self._keep(one["Put"]["Item"])
        elif name == "put_item":
            self._keep(request["Item"])
        return answer

    def _keep(self, item: dict[str, Any]) -> None:
        if item["sk"]["S"].startswith(FRAMES):
            row = frame_row_of(item)
            before = self.frames.setdefault((row.channel, row.seq), row)
            assert before == row, f"number {row.seq} of {row.channel} is given twice"

    @property
    def has_marks(self) -> bool:
        """Whether any counter has a number whose rows may not be there."""
        rows = self.dynamo.broadcasts.values()
        return any(name.startswith(NUMBER) for row in rows for name in row)

    def send(self, body: dict[str, Any]) -> None:
        """Enqueue a broadcast."""
        self.sent += 1
        id_ = f"m{self.sent}"
        self.excluded[body["id"]] = frozenset(body.get("exclude", ()))
        self.messages[id_] = Message(id_, json.dumps(body), QUEUE, self.time.epoch_ms)

    def put_back(self, body: str) -> None:
        """Enqueue a slice."""
        self.sent += 1
        id_ = f"m{self.sent}"
        self.messages[id_] = Message(id_, body, SLICES, self.time.epoch_ms)

    def lose_counter(self, stream: str) -> None:
        """Have a counter deleted under live clients."""
        key = (f"channel#{stream}", "sequence")
        self.lost_counters += self.dynamo.broadcasts.pop(key, None) is not None

    def worker(self, message: Message) -> Function:
        """Return the broadcast function that has taken a message."""
        return Function(self, lambda one: _deliver(one, message), "worker")

    def request_of(self, client: Client, text: dict[str, Any]) -> Function:
        """Return the function that answers a client's frame."""
        event = _event("MESSAGE", client, client.id, self.time.epoch_ms, json.dumps(text))

        def answer(one: Function) -> str | None:
            session = cast("Session", _Session(one.client))
            wired = build_client_frames(CLIENT_SETTINGS, session, one.clock, jitter=half)
            body = client_frame.respond(event, lambda: wired).get("body")
            return None if body is None else str(body)

        return Function(self, answer, str(text["action"]))

    def connecting(self, client: Client, id_: str) -> Function:
        """Return the function that lets a client in."""
        event = _event("CONNECT", client, id_, self.time.epoch_ms)

        def let_in(one: Function) -> bool:
            table = _connections(one)
            return bool(connect.admit(event, lambda: table, lambda: False)["statusCode"] == 200)

        return Function(self, let_in, "connect")

    def disconnecting(self, client: Client, id_: str) -> Function:
        """Return the function that forgets a connection."""
        event = _event("DISCONNECT", client, id_, self.time.epoch_ms)
        return Function(
            self,
            lambda one: disconnect.forget(event, lambda: _connections(one))["statusCode"],
            "disconnect",
        )

    def post(self, broadcast_id: str, connection_id: str, frame: str) -> Outcome:
        """Deliver a frame to the client that has the connection; 410 when none has it."""
        assert connection_id not in self.excluded[broadcast_id]
        for client in self.clients:
            if client.is_open and client.id == connection_id:
                client.inbox.append(frame)
                self.posts.append((broadcast_id, connection_id))
                return Outcome.DELIVERED
        return Outcome.GONE


def stream_of(client: Client, channel: str) -> str:
    """Return the stream of a channel as a client names it."""
    return f"user#{client.user}" if channel == "@" else channel


def is_meant(row: FrameRow, client: Client) -> bool | None:
    """Tell whether a frame is for a client; None when it may be given or not.

    It is not given again once its time to live is over, nor where it leaves out an earlier
    connection of the client, though that may have had it live on another.
    """
    if row.is_void:
        return False
    if row.until_ms or set(row.exclude) & set(client.ids):
        return None
    return True


def _event(
    kind: str, client: Client, id_: str, now_ms: int, body: str | None = None
) -> dict[str, Any]:
    context: dict[str, Any] = {"eventType": kind, "connectionId": id_, "connectedAt": now_ms}
    if client.user:
        context["authorizer"] = {"principalId": client.user}
    return {"requestContext": context} | ({"body": body} if body is not None else {})


def _connections(one: Function) -> ConnectionsTable:
    return ConnectionsTable(one.client, CONNECTIONS, clock=one.clock, jitter=half)


@dataclass
class _Session:
    """botocore's session, whose only client is a function's."""

    client: "DynamoDBClient"

    def create_client(self, *_: object, **__: object) -> "DynamoDBClient":
        return self.client

    def user_agent(self) -> str:
        return "test"


def _deliver(one: Function, message: Message) -> bool:
    """Serve a message; it is forgotten when that went well. Returns whether it was."""
    record = {
        "messageId": message.id,
        "body": message.body,
        "eventSource": "aws:sqs",
        "eventSourceARN": message.arn,
        "attributes": {"SentTimestamp": str(message.sent_ms)},
    }
    sqs = cast("SQSClient", _Sqs(one))
    client = one.client
    ledger = Ledger(
        LedgerTable(client, BROADCASTS, clock=one.clock),
        StreamCounters(client, BROADCASTS, clock=one.clock),
        clock=one.clock,
        jitter=half,
        replay_seconds=REPLAY_SECONDS,
    )
    worker = Worker(
        pages=AudiencePages(client, CONNECTIONS, clock=one.clock, jitter=half),
        table=ConnectionsTable(client, CONNECTIONS, clock=one.clock, jitter=half),
        fan_out=_FanOut(one),
        ledger=ledger,
        slice_queue=SliceQueue(sqs, "slices"),
        clock=one.clock,
        jitter=half,
        outage_seconds=3_600,
    )
    dead, slice_dead = (DeadLetters(sqs, url) for url in ("dead", "slice-dead"))
    wired = BroadcastWiring(SETTINGS, one.clock, ledger, worker, dead, slice_dead)
    answer = broadcast.serve(records_of({"Records": [record]}), wired, 60_000)
    if answer["batchItemFailures"]:
        return False
    one.world.messages.pop(message.id, None)
    return True


@dataclass
class _Sqs:
    one: Function

    def send_message(self, **request: Any) -> None:
        self.one.call(lambda: self._send(request), aws_error(500))

    def _send(self, request: dict[str, Any]) -> None:
        assert request["QueueUrl"] == "slices", request
        self.one.world.put_back(request["MessageBody"])


@dataclass
class _FanOut:
    """`@connections`: posts one after another, each of which is a request."""

    one: Function
    protocol = "h2"
    calmed = 0
    is_paced = False

    def deliver(
        self,
        frame: str,
        audience: Iterable[Connection],
        _deadline: float,
        *,
        watch: Watch | None = None,
    ) -> Generator[Settlement, None, None]:
        assert watch is not None
        broadcast_id = json.loads(frame)["id"]
        for connection in audience:
            outcome = Outcome.PENDING
            try:
                effect = partial(self.one.world.post, broadcast_id, connection.id, frame)
                outcome = self.one.call(effect, ConnectionError("injected"))
            except ConnectionError:
                yield Settlement(connection, Outcome.PENDING)
            else:
                yield Settlement(connection, outcome, tries=1)
            watch.tick()


def seeded(seed: int) -> Random:
    """Return chance that can be repeated."""
    return Random(seed)  # noqa: S311 - nothing is secret here
