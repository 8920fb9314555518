"""The broadcast function in this process: its real code and real clients, on the local AWS.

Each `Function` has modules, clients and a clock of its own, as each Lambda environment has. What
waits on AWS (a message that comes again, a delayed one) comes at once, and the clocks jump. The
file has more than 200 lines because `App` is what a test of faults sees: one name for each step.
"""

import json
import secrets
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from broadcasting.connection import shard_of
from broadcasting.connection_row import connection_key
from broadcasting.door_rows import SELF
from broadcasting.items import key_attributes
from broadcasting.ledger_rows import FailedConnection
from broadcasting.user_rows import connection_id_of
from crier.deployed.account import Account
from crier.deployed.account_reader import AccountReader
from crier.deployed.dead_letters import DeadLetterQueue
from crier.deployed.letter import Origin
from crier.deployed.redrive import Redriven, redrive
from crier.local.deploy import local_session
from crier.local.local_aws import LocalAws
from stacks.parts.queue_with_dead_letters import MAX_RECEIVES
from testbed.function.clocks import Time
from testbed.function.environments import ConnectFunctions, Crash, Function
from testbed.function.event_source import EventSource, Letter, Queue, make_queue
from testbed.function.ledger_rows import LedgerRows
from testbed.function.observed import Log, Wire
from testbed.tables import (
    function_environment,
    join_stream,
    make_tables,
    write_connections,
)
from testbed.wire_faults import WireFault

__all__ = ["RESERVED_MS", "App", "ConnectFunctions", "Crash", "Function", "Queue", "make_app"]

RESERVED_MS = 11_000
_VISIBILITY_SECONDS = 120


@dataclass
class App:
    """Tables and queues of one test, and the environments that serve them."""

    client: Callable[[str], Any]
    connections: str
    ledger: str
    broadcasts: Queue
    slices: Queue
    source: EventSource
    time: Time
    faults: list[WireFault] = field(default_factory=list)
    wire: Wire = field(default_factory=Wire)
    log: Log = field(default_factory=Log)
    remaining_ms: int = 60_000
    posts_per_second: int = 1_000_000
    post_burst: int = 0
    """0 for a tenth of a second's posts."""
    outage_seconds: int = 3_600
    invocations: int = 0
    crashes: int = 0
    resources: ExitStack = field(default_factory=ExitStack)
    """What the environments have opened; it is closed when the test ends."""
    _counted: dict[WireFault, int] = field(default_factory=dict)
    _first_at: dict[WireFault, float] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def environment(self, callback_url: str) -> dict[str, str]:
        """Return the function's environment."""
        return function_environment(
            callback_url=callback_url,
            connections_table=self.connections,
            ledger_table=self.ledger,
            slices=self.slices,
            dead_letters_url=self.broadcasts.dead_url,
            posts_in_flight=64,
            posts_per_second=self.posts_per_second,
            post_burst=self.post_burst or max(1, self.posts_per_second // 10),
            outage_seconds=self.outage_seconds,
        )

    @property
    def rows_of_ledger(self) -> LedgerRows:
        """The ledger's rows."""
        return LedgerRows(self.client("dynamodb"), self.ledger)

    @property
    def accounts(self) -> AccountReader:
        """What an operator reads of the ledger, at the app's time."""
        return AccountReader(self.client("dynamodb"), self.ledger, epoch_seconds=self.time.now)

    def connect(self, count: int, *, shard: int | None = None, user: str | None = None) -> set[str]:
        """Write rows of connections that are ten minutes old; return their ids."""
        names = (f"c-{secrets.token_hex(6)}" for _ in iter(int, 1))
        ids: list[str] = []
        while len(ids) < count:
            name = next(names)
            if shard is None or shard_of(name) == shard:
                ids.append(name)
        self.connect_as(ids, user=user)
        return set(ids)

    def connect_as(self, ids: Iterable[str], *, user: str | None = None) -> None:
        """Write rows of connections with these ids."""
        client, now_ms = self.client("dynamodb"), self.time.now_ms()
        write_connections(client, self.connections, ids, now_ms, user=user)

    def join(self, stream: str, ids: Iterable[str]) -> None:
        """Write the rows by which broadcasts of a stream find connections."""
        client, now_ms = self.client("dynamodb"), self.time.now_ms()
        join_stream(client, self.connections, stream, ids, now_ms)

    def disconnect(self, ids: Iterable[str]) -> None:
        """Delete the rows of connections."""
        for name in ids:
            key = key_attributes(connection_key(name))
            self.client("dynamodb").delete_item(TableName=self.connections, Key=key)

    def rows(self) -> set[str]:
        """Return the ids of the connections that have rows, whichever ones."""
        pages = self.client("dynamodb").get_paginator("scan").paginate(TableName=self.connections)
        keys = ((item["pk"]["S"], item["sk"]["S"]) for page in pages for item in page["Items"])
        return {connection_id_of(key) if key[1] == SELF else key[1] for key in keys}

    def send(self, **fields: Any) -> str:
        """Enqueue a broadcast; return its id."""
        body = {"id": f"b-{secrets.token_hex(6)}", "message": "Hear ye!", **fields}
        self.send_raw(self.broadcasts, json.dumps(body))
        return str(body["id"])

    def send_raw(self, queue: Queue, body: str, **options: Any) -> None:
        """Enqueue anything; `options` are those of SQS."""
        self.source.sent_ahead[body] = self.time.ahead_seconds
        self.client("sqs").send_message(QueueUrl=queue.url, MessageBody=body, **options)

    def dead_letters(self, queue: Queue) -> list[str]:
        """Return the reasons of the dead letters."""
        return [letter.reason for letter in self.letters(queue)]

    def letters(self, queue: Queue) -> list[Letter]:
        """Return the dead letters, ten at most."""
        return self.source.dead_letters(queue)

    def redrive(self, *, rejected: bool = False) -> list[Redriven]:
        """Put dead letters back as `crier redrive` does; return what became of each."""
        sqs = self.client("sqs")
        queues = {Origin.BROADCASTS: self.broadcasts, Origin.SLICES: self.slices}
        return [
            one
            for origin, queue in queues.items()
            for one in redrive(
                DeadLetterQueue(sqs, origin, queue.dead_url, queue.url, self.slices.url),
                self.accounts.find,
                only=None,
                rejected=rejected,
                now_ms=self.time.now_ms(),
            )
        ]

    def account(self, broadcast_id: str) -> Account:
        """Return a broadcast's account as an operator reads it."""
        found = self.accounts.find(broadcast_id)
        assert found is not None, f"the ledger does not know {broadcast_id}"
        return found

    def failed(self, broadcast_id: str) -> list[str]:
        """Return the ids that the ledger has kept as failed."""
        return list(self.reasons(broadcast_id))

    def reasons(self, broadcast_id: str) -> dict[str, str]:
        """Return why connections have failed, by their ids."""
        found = self.accounts.failed(broadcast_id)
        return {one.id: one.reason for one in found if isinstance(one, FailedConnection)}

    def receive(self) -> dict[str, Any] | None:
        """Return an event with the next message of any queue, None when all are empty."""
        return self.source.receive()

    def acknowledge(self, event: dict[str, Any], failures: Iterable[str]) -> None:
        """Do what the event source does after an invocation."""
        self.source.acknowledge(event, failures)

    def may_happen(self, fault: WireFault) -> bool:
        """Count a fault, in whichever environment it happens; its times are the app's."""
        with self._lock:
            now = self.time.now()
            passed_seconds = now - self._first_at.setdefault(fault, now)
            if not fault.is_on(passed_seconds, self._counted.get(fault, 0)):
                return False
            self._counted[fault] = self._counted.get(fault, 0) + 1
            return True

    @property
    def happened(self) -> int:
        """How many faults have happened."""
        return sum(self._counted.values())

    def slow_down(self, posts_per_second: int, remaining_ms: int = RESERVED_MS + 800) -> None:
        """Have each invocation reach some connections only, before `stand_in` is called.

        A quarter of the time is kept for the last answers: on a busy machine they need it.
        """
        self.posts_per_second, self.remaining_ms = posts_per_second, remaining_ms

    def invoke(self, function: Function) -> bool:
        """Have a function take the next message; return whether it has lived."""
        event = self.receive()
        assert event is not None, "no message is there"
        failures = function.invoke(event)
        known = [event["Records"][0]["messageId"]] if failures is None else failures
        self.acknowledge(event, known)
        return failures is not None

    def run(self, *functions: Function, most: int = 60, until: Callable[[], bool] = bool) -> None:
        """Have functions in turn take messages until the queues are empty, or until then."""
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
            if until():
                return
        raise AssertionError(f"the queues are not empty after {most} invocations")


def make_app(aws: LocalAws) -> App:
    """Make tables and queues."""
    session, name = local_session(), f"f{secrets.token_hex(4)}"
    clients: dict[str, Any] = {
        service: session.client(service, endpoint_url=aws.endpoint.url)
        for service in ("dynamodb", "sqs")
    }
    make_tables(clients["dynamodb"], f"{name}-connections", f"{name}-ledger")
    slices, broadcasts = (
        make_queue(
            clients["sqs"],
            f"{name}-{queue}",
            max_receives=MAX_RECEIVES,
            visibility_seconds=_VISIBILITY_SECONDS,
        )
        for queue in ("slices", "broadcasts")
    )
    time = Time()
    return App(
        clients.__getitem__,
        f"{name}-connections",
        f"{name}-ledger",
        broadcasts,
        slices,
        EventSource(clients["sqs"], (slices, broadcasts), time),
        time,
    )
