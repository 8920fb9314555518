"""The broadcast function on fakes, and the messages that SQS brings it."""

import io
import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from broadcasting.audience import Audience
from broadcasting.backlog import Backlog
from broadcasting.ledger import Refusal
from broadcasting.ledger_opening import NewBroadcast
from broadcasting.receipt import Receipt
from handlers import broadcast
from handlers.events import records_of
from settings import BroadcastSettings
from slices.worker import Worker
from storage.ledger import Ledger
from storage.queues import DeadLetters, SliceQueue
from testbed.model.fakes import (
    FAR,
    NOW_MS,
    FakeDynamo,
    FakeFanOut,
    FakeLedgerTable,
    FakeSqs,
    FakeTime,
    half,
)
from testbed.model.ledger_dynamo import counters_of
from wiring import BroadcastWiring

BROADCASTS, SLICES = "arn:aws:sqs:eu-west-1:1:broadcasts", "arn:aws:sqs:eu-west-1:1:slices"

SETTINGS = BroadcastSettings(
    connections_table="t",
    broadcasts_table="b",
    callback_url="https://a/prod",
    dead_letter_queue_url="dead",
    slice_queue_url="slices",
    slice_queue_arn=SLICES,
    slice_dead_letter_queue_url="slice-dead",
    posts_in_flight=4,
    http2=True,
    posts_per_second=8_000,
    post_burst=4_000,
    outage_seconds=3_600,
    maximum_concurrency=5,
    replay_seconds=86_400,
    ca_bundle=None,
)


def sqs_record(message_id: str, body: str, arn: str = BROADCASTS) -> dict[str, Any]:
    """Return a message of a queue as Lambda's events have it."""
    return {
        "messageId": message_id,
        "receiptHandle": "r",
        "body": body,
        "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": str(NOW_MS - 100)},
        "messageAttributes": {},
        "md5OfBody": "0",
        "eventSource": "aws:sqs",
        "eventSourceARN": arn,
        "awsRegion": "eu-west-1",
    }


def text_attribute(value: str, data_type: str = "String") -> dict[str, Any]:
    """Return an attribute as Lambda's events have it."""
    return {"stringValue": value, "dataType": data_type, "binaryListValues": []}


REDRIVEN = {"crier.redriven": text_attribute("1")}
"""On what `crier redrive` has put back."""


@dataclass
class BroadcastFloor:
    """The function, and what it is wired to."""

    sqs: FakeSqs
    dynamo: FakeDynamo
    fan_out: FakeFanOut
    rows: FakeLedgerTable
    time: FakeTime

    @property
    def ledger(self) -> Ledger:
        """The ledger, as a worker has it."""
        return Ledger(
            self.rows.table,
            counters_of(self.rows),
            clock=self.time.clock,
            jitter=half,
            replay_seconds=60,
        )

    @cached_property
    def wired(self) -> BroadcastWiring:
        """What the function works with."""
        clock, ledger = self.time.clock, self.ledger
        worker = Worker(
            pages=self.dynamo.pages,
            table=self.dynamo.table,
            fan_out=self.fan_out,
            ledger=ledger,
            slice_queue=SliceQueue(self.sqs.client, "slices"),
            clock=clock,
            jitter=half,
            outage_seconds=3_600,
        )
        dead, slice_dead = (DeadLetters(self.sqs.client, url) for url in ("dead", "slice-dead"))
        return BroadcastWiring(SETTINGS, clock, ledger, worker, dead, slice_dead)

    def handle(self, *records: dict[str, Any]) -> list[str]:
        """Bring messages; return the ids of those that SQS shall deliver again."""
        answer = broadcast.serve(records_of({"Records": list(records)}), self.wired, 60_000)
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]

    def release(self, work: Backlog) -> None:
        """Have a slice that no worker owns."""
        opening = NewBroadcast(
            "b", "d", Audience(), lambda _: "the frame", NOW_MS, 0, Backlog(work.shards)
        )
        held = self.ledger.open(opening, until_ms=NOW_MS + 1, deadline=FAR)
        assert not isinstance(held, Refusal)
        self.ledger.release(held, work, Receipt(targeted=len(work.connections)), (), deadline=FAR)

    def reasons(self, queue: str) -> list[str]:
        """Return why messages are in a dead-letter queue."""
        sent = self.sqs.to(queue)
        return [one["MessageAttributes"]["crier.reason"]["StringValue"] for one in sent]


def messages_of(log: io.StringIO) -> list[str]:
    """Return the messages of the log lines."""
    return [json.loads(line)["message"] for line in log.getvalue().splitlines()]
