"""The broadcast function in this process, fed from real queues, until a broadcast has settled."""

import gc
import json
import logging
import math
import os
import sys
import time
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import boto3
from botocore.session import Session

from bench.errors import BenchError
from bench.scale.generated_rows import GeneratedRows
from bench.scale.prices import Use
from bench.scale.request_meter import RequestMeter
from crier.deployed.account import Account
from crier.deployed.account_reader import AccountReader
from handlers.broadcast import serve
from handlers.events import records_of
from log import logger
from settings import BroadcastSettings
from system_clock import SYSTEM_CLOCK
from testbed.function.clocks import Time
from testbed.function.event_source import EventSource, make_queue
from testbed.stand_in.process import StandInProcess
from testbed.tables import LEDGER_TABLE, function_environment
from wiring import build_broadcast

MEMORY_GB = 1_769 / 1024
"""The function's memory, as it is deployed by default."""

TIMEOUT_SECONDS = 60.0
POSTS_PER_SECOND, POST_BURST = 8_000, 4_000
"""The deployed defaults."""

_MOST_INVOCATIONS = 100
_VISIBILITY_SECONDS = 3_600
"""Longer than a broadcast to a million: its slices are received before the first is delivered."""

_QUEUE_REQUESTS_PER_MESSAGE = 3
"""Sent, received, deleted."""


class FunctionHarness:
    """Takes broadcasts from a queue, as the event source does, and gives them to the function.

    The environment must be set for the local AWS, and its tables be there. Its clients are watched.
    """

    frame = '{"id":"scale-1000000","seq":1,"channel":"*","message":"Hear ye, hear ye!","sentAt":0}'
    """About what is posted; its length is what counts."""

    def __init__(self, stand_in: StandInProcess) -> None:
        self._sqs: Any = boto3.client("sqs")
        self._accounts = AccountReader(boto3.client("dynamodb"), LEDGER_TABLE)
        slices, self._broadcasts = (
            make_queue(self._sqs, name, max_receives=1, visibility_seconds=_VISIBILITY_SECONDS)
            for name in ("slices", "broadcasts")
        )
        self._source = EventSource(self._sqs, (slices, self._broadcasts), Time())
        environment = function_environment(
            callback_url=stand_in.url,
            slices=slices,
            dead_letters_url=self._broadcasts.dead_url,
            posts_per_second=POSTS_PER_SECOND,
            post_burst=POST_BURST,
        )
        os.environ.update(environment, AWS_CA_BUNDLE=str(stand_in.ca_path))
        self.meter = RequestMeter()
        self._rows: GeneratedRows | None = None
        settings = BroadcastSettings.read(os.environ)
        self.wired = build_broadcast(settings, self._session(), SYSTEM_CLOCK)
        gc.freeze()  # as `broadcast_wiring` does
        shown: Any = logger.registered_handler
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
        self._sqs.send_message(QueueUrl=self._broadcasts.url, MessageBody=json.dumps(body))
        billed_ms: list[int] = []
        while event := self._source.receive():
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
            answer = serve(records_of(event), self.wired, int(TIMEOUT_SECONDS * 1000))
        billed_ms = math.ceil((time.monotonic() - began) * 1000)
        if answer["batchItemFailures"]:
            raise BenchError("the function gave its message back; its log is above")
        self._source.acknowledge(event, failures=())
        return billed_ms

    def _use(self, billed_ms: list[int]) -> Use:
        requests, meter = self.meter.requests, self.meter
        of_queues = requests["SendMessage"]
        return Use(
            invocations=len(billed_ms),
            gb_seconds=round(sum(billed_ms) / 1000 * MEMORY_GB, 3),
            dynamodb_requests=requests.total() - of_queues - meter.cleanup_requests,
            read_units=meter.read_units,
            write_units=meter.write_units,
            queue_requests=len(billed_ms) * _QUEUE_REQUESTS_PER_MESSAGE,
            cleanup_requests=meter.cleanup_requests,
            cleanup_read_units=meter.cleanup_read_units,
            cleanup_write_units=meter.cleanup_write_units,
        )

    def _session(self) -> Session:
        harness = self

        class Watched(Session):
            def create_client(self, *arguments: Any, **options: Any) -> Any:
                made = super().create_client(*arguments, **options)
                harness.meter.watch(made)
                if made.meta.service_model.service_name == "dynamodb":
                    made.meta.events.register("before-call.dynamodb.Query", harness.answer)
                return made

        return Watched()

    def answer(self, **event: Any) -> Any:
        """Answer a query from the simulated rows, if there are any; a hook of botocore's."""
        return self._rows.answer(**event) if self._rows else None
