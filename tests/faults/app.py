"""The broadcast function in this process: its real code and real clients, on the local AWS.

Each `Function` has modules, clients and a clock of its own, as each Lambda environment has. What
waits on AWS (a message that comes again, a delayed one) comes at once, and the clocks jump.
"""

import importlib.util
import json
import secrets
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from threading import Lock
from types import ModuleType
from typing import Any

import boto3

from broadcasting.audience import Connection, expires_at, shard_of
from crier.account import Account
from crier.accounts import Accounts
from crier.deployment import local_session
from crier.local_aws import LocalAws
from crier.project import LAMBDAS
from crier.worker_site.wire_faults import WireFault, WireFaults

RESERVED_MS = 11_000
AGAIN_SECONDS = 90
"""How far the clocks jump until a message comes again: further than any lease of a test."""


class Crash(BaseException):
    """The end of an environment: nothing but what awaits the event may catch it."""


def crash() -> None:
    """Die here."""
    raise Crash


@dataclass
class Time:
    """The clock of all environments."""

    ahead_seconds: float = 0.0

    def skip(self, seconds: float) -> None:
        """Let time pass at once."""
        self.ahead_seconds += seconds


@dataclass
class _Clock:
    """What one environment knows as the module `time`."""

    time: Time
    skew_seconds: float

    def monotonic(self) -> float:
        return time.monotonic()

    def time_ns(self) -> int:
        return time.time_ns() + int((self.time.ahead_seconds + self.skew_seconds) * 1e9)


@dataclass
class _Context:
    ends_at: float

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int((self.ends_at - time.monotonic()) * 1000))


@dataclass
class Queue:
    """A queue with its dead-letter queue."""

    url: str
    arn: str
    dead_url: str


@dataclass
class App:
    """Tables and queues of one test, and the environments that serve them."""

    client: Callable[[str], Any]
    connections: str
    ledger: str
    broadcasts: Queue
    slices: Queue
    time: Time = field(default_factory=Time)
    faults: list[WireFault] = field(default_factory=list)
    delays: dict[str, int] = field(default_factory=dict)
    remaining_ms: int = 60_000
    posts_per_second: int = 1_000_000
    _counted: dict[WireFault, int] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)
    invocations: int = 0
    crashes: int = 0

    def environment(self, callback_url: str) -> dict[str, str]:
        """Return the function's environment."""
        return {
            "BROADCASTS_TABLE": self.ledger,
            "CALLBACK_URL": callback_url,
            "CONNECTIONS_TABLE": self.connections,
            "DEAD_LETTER_QUEUE_URL": self.broadcasts.dead_url,
            "MAXIMUM_CONCURRENCY": "5",
            "OUTAGE_SECONDS": "3600",
            "POSTS_IN_FLIGHT": "64",
            "POSTS_PER_SECOND": str(self.posts_per_second),
            "POST_BURST": str(max(1, self.posts_per_second // 10)),
            "POWERTOOLS_SERVICE_NAME": "crier",
            "SLICE_DEAD_LETTER_QUEUE_URL": self.slices.dead_url,
            "SLICE_QUEUE_ARN": self.slices.arn,
            "SLICE_QUEUE_URL": self.slices.url,
        }

    def connect(self, count: int, *, shard: int | None = None) -> set[str]:
        """Write rows of connections that are ten minutes old; return their ids."""
        names = (f"c-{secrets.token_hex(6)}" for _ in iter(int, 1))
        ids: list[str] = []
        while len(ids) < count:
            name = next(names)
            if shard is None or shard_of(name) == shard:
                ids.append(name)
        at = int((time.time() - 600) * 1000)
        puts = [{"PutRequest": {"Item": _row(Connection(name, at))}} for name in ids]
        for start in range(0, len(puts), 25):
            batch = {self.connections: puts[start : start + 25]}
            self.client("dynamodb").batch_write_item(RequestItems=batch)
        return set(ids)

    def rows(self) -> set[str]:
        """Return the ids of the connections that have rows."""
        pages = self.client("dynamodb").get_paginator("scan").paginate(TableName=self.connections)
        return {item["sk"]["S"] for page in pages for item in page["Items"]}

    def send(self, **fields: Any) -> str:
        """Enqueue a broadcast; return its id."""
        body = {"id": f"b-{secrets.token_hex(6)}", "message": "Hear ye!", **fields}
        self.send_raw(self.broadcasts, json.dumps(body))
        return str(body["id"])

    def send_raw(self, queue: Queue, body: str) -> None:
        """Enqueue anything."""
        self.client("sqs").send_message(QueueUrl=queue.url, MessageBody=body)

    def dead_letters(self, queue: Queue) -> list[str]:
        """Return the reasons of the dead letters."""
        found = self.client("sqs").receive_message(
            QueueUrl=queue.dead_url, MessageAttributeNames=["All"], MaxNumberOfMessages=10
        )
        return [
            one.get("MessageAttributes", {}).get("reason", {}).get("StringValue", "")
            for one in found.get("Messages", [])
        ]

    def account(self, broadcast_id: str) -> Account:
        """Return a broadcast's account as an operator reads it."""
        found = Accounts(self.client("dynamodb"), self.ledger).find(broadcast_id)
        assert found is not None, f"the ledger does not know {broadcast_id}"
        return found

    def failed(self, broadcast_id: str) -> list[str]:
        """Return the ids that the ledger has kept as failed."""
        accounts = Accounts(self.client("dynamodb"), self.ledger)
        return [one.id for one in accounts.failed(broadcast_id)]

    def receive(self) -> dict[str, Any] | None:
        """Return an event with the next message of any queue, None when all are empty."""
        for queue in (self.slices, self.broadcasts):
            answer = self.client("sqs").receive_message(
                QueueUrl=queue.url, MessageSystemAttributeNames=["SentTimestamp"]
            )
            for message in answer.get("Messages", []):
                self.time.skip(self.delays.pop(message["Body"], 0))
                return {"Records": [_record(message, queue)]}
        return None

    def acknowledge(self, event: dict[str, Any], failures: Iterable[str]) -> None:
        """Do what the event source does after an invocation."""
        sqs, record = self.client("sqs"), event["Records"][0]
        queue = self.slices if record["eventSourceARN"] == self.slices.arn else self.broadcasts
        handle = {"QueueUrl": queue.url, "ReceiptHandle": record["receiptHandle"]}
        if record["messageId"] in failures:
            sqs.change_message_visibility(**handle, VisibilityTimeout=0)
            self.time.skip(AGAIN_SECONDS)
        else:
            sqs.delete_message(**handle)

    def may_happen(self, fault: WireFault) -> bool:
        """Count a fault, in whichever environment it happens."""
        with self._lock:
            if fault.times and self._counted.get(fault, 0) >= fault.times:
                return False
            self._counted[fault] = self._counted.get(fault, 0) + 1
            return True

    @property
    def happened(self) -> int:
        """How many faults have happened."""
        return sum(self._counted.values())

    def slow_down(self, posts_per_second: int, remaining_ms: int = RESERVED_MS + 400) -> None:
        """Have each invocation reach some connections only, before `stand_in` is called."""
        self.posts_per_second, self.remaining_ms = posts_per_second, remaining_ms

    def run(self, *functions: "Function", most: int = 60) -> None:
        """Have functions in turn take messages until the queues are empty."""
        pool = list(functions) or [Function(self)]
        for _ in range(most):
            event = self.receive()
            if event is None:
                return
            pool.append(pool.pop(0))
            failures = pool[-1].invoke(event)
            if failures is None:  # it has died: Lambda starts another
                pool[-1] = Function(self, skew_seconds=pool[-1].skew_seconds)
            known = [event["Records"][0]["messageId"]] if failures is None else failures
            self.acknowledge(event, known)
        raise AssertionError(f"the queues are not empty after {most} invocations")


class Function:
    """One environment of the broadcast function."""

    def __init__(self, app: App, *, skew_seconds: float = 0.0, seed: int = 1) -> None:
        self.app = app
        self.skew_seconds = skew_seconds
        self.faults = WireFaults(
            lambda: app.faults, seed=seed, crash=crash, may_happen=app.may_happen
        )
        wiring = _load("wiring")
        wiring.__dict__["time"] = _Clock(app.time, skew_seconds)
        wiring.__dict__["boto3"] = _Boto3(self.faults, app.delays)
        self._broadcast = _load("broadcast")
        self._broadcast.__dict__["broadcast_wiring"] = wiring.broadcast_wiring

    def invoke(self, event: dict[str, Any]) -> list[str] | None:
        """Return the ids of messages that shall come again, None when it died."""
        self.app.invocations += 1
        context = _Context(time.monotonic() + self.app.remaining_ms / 1000)
        try:
            answer = self._broadcast.handler(event, context)
        except Crash:
            self.app.crashes += 1
            return None
        return [one["itemIdentifier"] for one in answer["batchItemFailures"]]


class Doors:
    """An environment of the connect and one of the disconnect function."""

    def __init__(self, app: App) -> None:
        faults = WireFaults(lambda: app.faults, seed=1, crash=crash, may_happen=app.may_happen)
        wiring = _load("wiring")
        wiring.__dict__["boto3"] = _Boto3(faults, {})
        self._handlers = {}
        for name in ("connect", "disconnect"):
            door = _load(name)
            door.__dict__["connections_table"] = wiring.connections_table
            self._handlers[name] = door.handler

    def connect(self, name: str) -> int:
        """Have a connection announced; return the status of the answer."""
        return self._answer("connect", name)

    def disconnect(self, name: str) -> int:
        """Have a connection's end announced."""
        return self._answer("disconnect", name)

    def _answer(self, door: str, name: str) -> int:
        at = int(time.time() * 1000)
        event = {"requestContext": {"connectionId": name, "connectedAt": at}}
        return int(self._handlers[door](event, None)["statusCode"])


class _Boto3:
    """What one environment knows as the module `boto3`."""

    def __init__(self, faults: WireFaults, delays: dict[str, int]) -> None:
        class Session(boto3.Session):
            def client(self, *arguments: Any, **options: Any) -> Any:
                made = super().client(*arguments, **options)
                made.meta.events.register("provide-client-params.sqs.SendMessage", hurry)
                faults.watch(made)
                return made

        def hurry(params: dict[str, Any], **_: object) -> None:
            delays[params["MessageBody"]] = params.pop("DelaySeconds", 0)

        self.Session = Session
        self.client = Session().client


def make_app(aws: LocalAws) -> App:
    """Make tables and queues."""
    session, name = local_session(), f"f{secrets.token_hex(4)}"
    clients: dict[str, Any] = {
        service: session.client(service, endpoint_url=aws.endpoint.url)
        for service in ("dynamodb", "sqs")
    }
    for table in ("connections", "ledger"):
        clients["dynamodb"].create_table(
            TableName=f"{name}-{table}",
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in _KEYS],
            KeySchema=[{"AttributeName": key, "KeyType": kind} for key, kind in _KEYS.items()],
            BillingMode="PAY_PER_REQUEST",
        )
    return App(
        clients.__getitem__,
        f"{name}-connections",
        f"{name}-ledger",
        _make_queue(clients["sqs"], f"{name}-broadcasts"),
        _make_queue(clients["sqs"], f"{name}-slices"),
    )


_KEYS = {"pk": "HASH", "sk": "RANGE"}


def _make_queue(sqs: Any, name: str) -> Queue:
    dead_url = sqs.create_queue(QueueName=f"{name}-dead")["QueueUrl"]
    policy = {"maxReceiveCount": "20", "deadLetterTargetArn": _arn(sqs, dead_url)}
    attributes = {"RedrivePolicy": json.dumps(policy), "VisibilityTimeout": "120"}
    url = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    return Queue(url, _arn(sqs, url), dead_url)


def _arn(sqs: Any, url: str) -> str:
    answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return str(answer["Attributes"]["QueueArn"])


def _record(message: dict[str, Any], queue: Queue) -> dict[str, Any]:
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "eventSourceARN": queue.arn,
        "attributes": {"SentTimestamp": message["Attributes"]["SentTimestamp"]},
    }


def _row(connection: Connection) -> dict[str, Any]:
    return {
        "pk": {"S": f"all#{shard_of(connection.id)}"},
        "sk": {"S": connection.id},
        "connectedAt": {"N": str(connection.connected_at)},
        "expiresAt": {"N": str(expires_at(connection.connected_at))},
    }


def _load(module: str) -> ModuleType:
    """Load a module of the function anew: every environment has its own."""
    name = f"{module}_{secrets.token_hex(4)}"
    spec = importlib.util.spec_from_file_location(name, LAMBDAS / f"{module}.py")
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[name] = loaded  # dataclasses look their module up
    spec.loader.exec_module(loaded)
    return loaded
