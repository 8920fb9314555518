"""The broadcast function in this process, fed from real queues, until a broadcast has settled."""

import json
import logging
import math
import os
import sys
import time
from contextlib import redirect_stdout
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import boto3

from bench.errors import BenchError
from bench.scale.generated_rows import GeneratedRows
from bench.scale.prices import Use
from bench.scale.request_meter import CLEANUP, RequestMeter
from crier.deployed.account import Account
from crier.deployed.account_reader import AccountReader
from testbed.stand_in.process import StandInProcess
from testbed.tables import function_environment

MEMORY_GB = 1_769 / 1024
"""The function's memory, as it is deployed by default."""

TIMEOUT_SECONDS = 60.0
POSTS_PER_SECOND, POST_BURST = 8_000, 4_000
"""The deployed defaults."""

_MOST_INVOCATIONS = 100
_QUEUE_REQUESTS_PER_MESSAGE = 3
"""Sent, received, deleted."""


@dataclass(slots=True)
class _Context:
    ends_at: float

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int((self.ends_at - time.monotonic()) * 1000))


class FunctionHarness:
    """Takes broadcasts from a queue, as the event source does, and gives them to the function.

    The environment must be set for the local AWS, and its tables be there. Not to be undone: the
    function is imported with clients that are watched, once for the whole process.
    """

    frame = '{"id":"scale-1000000","seq":1,"channel":"*","message":"Hear ye, hear ye!","sentAt":0}'
    """About what is posted; its length is what counts."""

    def __init__(self, stand_in: StandInProcess) -> None:
        self._sqs: Any = boto3.client("sqs")
        self._accounts = AccountReader(boto3.client("dynamodb"), "broadcasts")
        self._queues = [self._make_queue(name) for name in ("slices", "broadcasts")]
        url, arn = self._queues[0]
        os.environ.update(
            function_environment(
                stand_in,
                posts_per_second=POSTS_PER_SECOND,
                post_burst=POST_BURST,
                queue_url=url,
                queue_arn=arn,
            )
        )
        self.meter = RequestMeter()
        self._rows: GeneratedRows | None = None
        boto3.Session = self._session()  # type: ignore[misc]
        self._handler: Any = import_module("handlers.broadcast").handler
        shown = import_module("log").logger.registered_handler
        shown.setLevel(logging.ERROR)  # receipts are logged at every level
        shown.setStream(sys.stderr)

    def simulate(self, rows: GeneratedRows) -> None:
        """Have the function read these rows from its next broadcast on."""
        self._rows = rows

    def broadcast(self, broadcast_id: str) -> tuple[Account, Use, float]:
        """Send one and serve the queues until they are empty.

        Returns its account, its use, and for how many seconds its invocations ran in all.
        """
        self.meter.reset()
        body = {"id": broadcast_id, "message": "Hear ye, hear ye!"}
        self._sqs.send_message(QueueUrl=self._queues[1][0], MessageBody=json.dumps(body))
        billed_ms: list[int] = []
        while event := self._receive():
            if len(billed_ms) == _MOST_INVOCATIONS:
                raise BenchError(f"not settled after {_MOST_INVOCATIONS} invocations")
            billed_ms.append(self._invoke(event))
        seconds = sum(billed_ms) / 1000
        account = self._accounts.find(broadcast_id)
        if account is None or not account.is_settled:
            raise BenchError(f"the broadcast has not settled: {account}")
        return account, self._use(billed_ms), seconds

    def _invoke(self, event: dict[str, Any]) -> int:
        began = time.monotonic()
        with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):  # its metrics
            answer = self._handler(event, _Context(began + TIMEOUT_SECONDS))
        billed_ms = math.ceil((time.monotonic() - began) * 1000)
        if answer["batchItemFailures"]:
            raise BenchError("the function gave its message back; its log is above")
        record = event["Records"][0]
        self._sqs.delete_message(QueueUrl=record["queueUrl"], ReceiptHandle=record["receiptHandle"])
        return billed_ms

    def _use(self, billed_ms: list[int]) -> Use:
        requests, meter = self.meter.requests, self.meter
        of_queues = requests["SendMessage"]
        return Use(
            invocations=len(billed_ms),
            gb_seconds=round(sum(billed_ms) / 1000 * MEMORY_GB, 3),
            dynamodb_requests=requests.total() - of_queues - requests[CLEANUP],
            read_units=meter.read_units,
            write_units=meter.write_units,
            queue_requests=len(billed_ms) * _QUEUE_REQUESTS_PER_MESSAGE,
            cleanup_requests=requests[CLEANUP],
            cleanup_write_units=meter.cleanup_write_units,
        )

    def _receive(self) -> dict[str, Any] | None:
        for url, arn in self._queues:
            found = self._sqs.receive_message(
                QueueUrl=url, MessageSystemAttributeNames=["SentTimestamp"]
            )
            for message in found.get("Messages", []):
                record = {
                    "messageId": message["MessageId"],
                    "receiptHandle": message["ReceiptHandle"],
                    "body": message["Body"],
                    "attributes": message["Attributes"],
                    "eventSource": "aws:sqs",
                    "eventSourceARN": arn,
                    "queueUrl": url,
                }
                return {"Records": [record]}
        return None

    def _make_queue(self, name: str) -> tuple[str, str]:
        url = self._sqs.create_queue(QueueName=name)["QueueUrl"]
        found = self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        return url, found["Attributes"]["QueueArn"]

    def _session(self) -> type[boto3.Session]:
        harness = self

        class Watched(boto3.Session):
            def client(self, *arguments: Any, **options: Any) -> Any:
                made = super().client(*arguments, **options)
                harness.meter.watch(made)
                if made.meta.service_model.service_name == "dynamodb":
                    made.meta.events.register("before-call.dynamodb.Query", harness.answer)
                return made

        return Watched

    def answer(self, **event: Any) -> Any:
        """Answer a query from the simulated rows, if there are any; a hook of botocore's."""
        return self._rows.answer(**event) if self._rows else None
