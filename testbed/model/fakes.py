"""Fakes of the AWS clients and the clock: faults are injected where the wire would be.

The file has more than 200 lines because most unit tests of storage and slices take several fakes
of it at once, and these share one time.
"""

import math
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, field
from enum import Enum, auto
from threading import Lock
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import ClientError

from broadcasting.audience import row_key
from broadcasting.breaker import Observed
from broadcasting.clock import Clock
from broadcasting.connection import Connection
from broadcasting.connection_row import CONNECTED_AT, connection_key
from broadcasting.items import EXPIRY, Item, Key, key_attributes
from broadcasting.ledger_items import LIFE_SECONDS, key_of, summary_key, summary_of, to_item
from broadcasting.ledger_rows import Row
from broadcasting.outcome import Outcome, Settlement, Verdict
from broadcasting.trouble import Answers
from delivery.fan_out import Watch
from storage.audience_pages import AudiencePages
from storage.connections import ConnectionsTable
from storage.errors import BusyError, ConflictError, ReadError, WriteError

if TYPE_CHECKING:
    from mypy_boto3_apigatewaymanagementapi import ApiGatewayManagementApiClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_sqs import SQSClient

    from broadcasting.ledger_rows import Summary
    from storage.ledger_table import LedgerTable

NOW_MS = 1_700_000_000_000
OLD_MS = NOW_MS - 600_000
FAR = 1_000.0
FOR_EVER: Any = {"N": str(10**12)}


@dataclass
class FakeTime:
    """A time that moves only when it is told to."""

    seconds: float = 0.0
    epoch_ms: int = NOW_MS

    def run(self, seconds: float) -> None:
        """Let time pass."""
        self.seconds += seconds
        self.epoch_ms += round(seconds * 1000)

    def freeze(self, seconds: float) -> None:
        """Let time pass in which the function is frozen: the monotonic clock stands still."""
        self.epoch_ms += round(seconds * 1000)

    @property
    def clock(self) -> Clock:
        """The time as the port."""
        return Clock(lambda: self.seconds, lambda: self.epoch_ms, self.run)


def half() -> float:
    """Return 0.5, always: the middle of what chance could be."""
    return 0.5


def aws_error(status: int, code: str = "Error") -> ClientError:
    """Return what botocore raises for an HTTP status."""
    response: Any = {
        "Error": {"Code": code, "Message": "injected"},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return ClientError(response, "Injected")


@dataclass
class FakePosts:
    """`@connections`: answers each post as `answer` says, which returns an error or None."""

    answer: Callable[[str, int], Exception | None] = lambda _id, _tries: None
    sent: list[str] = field(default_factory=list)
    frames: list[bytes] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)

    def post_to_connection(self, **request: Any) -> None:
        """Take one post."""
        name = request["ConnectionId"]
        with self.lock:
            self.sent.append(name)
            self.frames.append(request["Data"])
            tries = self.sent.count(name)
        error = self.answer(name, tries)
        if error:
            raise error

    @property
    def client(self) -> "ApiGatewayManagementApiClient":
        """The fake as boto3's client."""
        return cast("ApiGatewayManagementApiClient", self)


@dataclass
class FakeDynamo:
    """A connections table in memory; `odd_rows` are items as they are, by their partition.

    `rows` are those of everyone's broadcasts, `others` those of users and channels, by their keys.
    """

    rows: dict[str, int] = field(default_factory=dict)
    others: dict[Key, Item] = field(default_factory=dict)
    odd_rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    page_rows: int = 1_000
    unreadable: set[str] = field(default_factory=set)
    read_errors: list[Exception] = field(default_factory=list)
    """What the next look-ups of single rows come to."""
    write_errors: list[Exception] = field(default_factory=list)
    unprocessed: list[int] = field(default_factory=list)
    batches: list[list[str]] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)

    def delete_item(self, **request: Any) -> dict[str, Any]:
        """Delete a row."""
        self._fail()
        return {"Attributes": self._delete(request["Key"])}

    def batch_get_item(self, **request: Any) -> dict[str, Any]:
        """Return rows by their keys."""
        if self.read_errors:
            raise self.read_errors.pop(0)
        ((table, wanted),) = request["RequestItems"].items()
        found = (self._found((key["pk"]["S"], key["sk"]["S"])) for key in wanted["Keys"])
        return {"Responses": {table: [item for item in found if item]}}

    def _found(self, key: Key) -> Item | None:
        partition, name = key
        if partition.startswith("all#") and name in self.rows:
            return {**key_attributes(key), **_times(self.rows[name])}
        return self.others.get(key)

    def batch_write_item(self, **request: Any) -> dict[str, Any]:
        """Write and delete rows, but for as many as `unprocessed` says next."""
        (table, writes), *_ = request["RequestItems"].items()
        rows = [
            one["PutRequest"]["Item"] if "PutRequest" in one else one["DeleteRequest"]["Key"]
            for one in writes
        ]
        with self.lock:
            self.batches.append([row["sk"]["S"] for row in rows])
            self._fail()
            if len({(row["pk"]["S"], row["sk"]["S"]) for row in rows}) < len(rows):
                raise aws_error(400, "ValidationException")
            self.requests.append(request)
            kept = self.unprocessed.pop(0) if self.unprocessed else 0
            for one, row in list(zip(writes, rows, strict=True))[kept:]:
                self._put(row) if "PutRequest" in one else self._delete(row)
        return {"UnprocessedItems": {table: writes[:kept]}} if kept else {}

    def _put(self, item: Item) -> None:
        if item["pk"]["S"].startswith("all#"):
            self.rows[item["sk"]["S"]] = int(item[CONNECTED_AT]["N"])
        else:
            self.others[item["pk"]["S"], item["sk"]["S"]] = item

    def _delete(self, key: Item) -> Item:
        if key["pk"]["S"].startswith("all#"):
            self.rows.pop(key["sk"]["S"], None)
            return {}
        return self.others.pop((key["pk"]["S"], key["sk"]["S"]), {})

    def query(self, **request: Any) -> dict[str, Any]:
        """Read a page of a shard."""
        pk = request["ExpressionAttributeValues"][":shard"]["S"]
        if pk in self.unreadable:
            raise aws_error(400, "ProvisionedThroughputExceededException")
        items, start = self._partition(pk), request.get("ExclusiveStartKey")
        if start:
            if start["pk"]["S"] != pk:
                raise aws_error(400, "ValidationException")
            items = [item for item in items if item["sk"]["S"] > start["sk"]["S"]]
        page = items[: self.page_rows]
        answer: dict[str, Any] = {"Items": page}
        if len(items) > len(page):
            answer["LastEvaluatedKey"] = {"pk": {"S": pk}, "sk": page[-1]["sk"]}
        return answer

    def _partition(self, pk: str) -> list[dict[str, Any]]:
        rows: list[Any] = [
            {"sk": {"S": name}, CONNECTED_AT: {"N": str(connected_at)}}
            for name, connected_at in self.rows.items()
            if connection_key(name)[0] == pk
        ]
        rows += [item for key, item in self.others.items() if key[0] == pk]
        return sorted(rows + self.odd_rows.get(pk, []), key=lambda item: str(item["sk"]["S"]))

    def _fail(self) -> None:
        if self.write_errors:
            raise self.write_errors.pop(0)

    @property
    def table(self) -> ConnectionsTable:
        """The fake behind the table."""
        return ConnectionsTable(
            cast("DynamoDBClient", self), "connections", clock=FakeTime().clock, jitter=half
        )

    @property
    def pages(self) -> AudiencePages:
        """The fake behind the pages of an audience."""
        return AudiencePages(
            cast("DynamoDBClient", self), "connections", clock=FakeTime().clock, jitter=half
        )

    def join(self, stream: str, *names: str, connected_at: int = OLD_MS) -> None:
        """Write the rows by which broadcasts of a stream find connections."""
        for name in names:
            key = row_key(stream, name)
            self.others[key] = {**key_attributes(key), **_times(connected_at)}


def _times(connected_at: int) -> Item:
    return {CONNECTED_AT: {"N": str(connected_at)}, EXPIRY: FOR_EVER}


class Fault(Enum):
    """What may happen to one write of the ledger."""

    REFUSED = auto()
    """Nothing is written, and nothing would be a little later: DynamoDB refuses it."""
    BUSY = auto()
    """Nothing is written just now: DynamoDB throttles, or is busy with another transaction."""
    LOST = auto()
    """It is written, but its answer is lost, and it could not be looked for."""


@dataclass
class FakeLedgerTable:
    """The broadcasts table in memory, behind the methods of `LedgerTable`.

    `faults` are those of the next writes; `meanwhile` is what others do just before them;
    `unreadable` counts the next reads that fail. Rows expire by `epoch_ms`, and are not deleted.
    """

    items: dict[tuple[str, str], Item] = field(default_factory=dict)
    faults: list[Fault | None] = field(default_factory=list)
    meanwhile: list[Callable[[], object]] = field(default_factory=list)
    unreadable: int = 0
    writes: list[tuple[Row, ...]] = field(default_factory=list)
    reads: list[tuple[str, str]] = field(default_factory=list)
    epoch_ms: Callable[[], int] = lambda: NOW_MS
    is_busy: Callable[[tuple[Row, ...]], bool] = lambda _rows: False

    def get(self, key: tuple[str, str]) -> Item | None:
        """Return an item as it is now."""
        if self.unreadable:
            self.unreadable -= 1
            raise ReadError("injected")
        self.reads.append(key)
        return self._found(key)

    def write(self, *rows: Row) -> None:
        """Write the next versions of rows, all or none."""
        if self.meanwhile:
            self.meanwhile.pop(0)()
        fault = self.faults.pop(0) if self.faults else None
        if fault is Fault.REFUSED:
            raise WriteError("injected")
        if fault is Fault.BUSY or self.is_busy(rows):
            raise BusyError("injected")
        if any(self._version(row) != row.version for row in rows):
            raise ConflictError("changed")
        new = {key_of(row): self._next(row) for row in rows}
        _require_that_dynamodb_takes(rows, new)
        self.items |= new
        self.writes.append(rows)
        if fault is Fault.LOST:
            raise BusyError("injected")

    def delete(self, key: tuple[str, str]) -> None:
        """Delete a row."""
        self.items.pop(key, None)

    def summary(self, broadcast_id: str) -> "Summary":
        """Return a broadcast's summary as it is now."""
        return summary_of(self.items[summary_key(broadcast_id)])

    @property
    def live(self) -> dict[tuple[str, str], Item]:
        """The items that have not expired."""
        return {key: item for key, item in self.items.items() if self._found(key)}

    def _next(self, row: Row) -> Item:
        item = to_item(row._replace(version=row.version + 1))
        item["expiresAt"] = {"N": str(self.epoch_ms() // 1000 + LIFE_SECONDS)}
        return item

    def _found(self, key: tuple[str, str]) -> Item | None:
        item = self.items.get(key)
        is_over = item and int(item.get("expiresAt", FOR_EVER)["N"]) <= self.epoch_ms() // 1000
        return None if is_over else item

    def _version(self, row: Row) -> int:
        item = self._found(key_of(row))
        return int(item["version"]["N"]) if item else 0

    @property
    def table(self) -> "LedgerTable":
        """The fake as the table."""
        return cast("LedgerTable", self)


def _require_that_dynamodb_takes(rows: tuple[Row, ...], new: dict[tuple[str, str], Item]) -> None:
    """Refuse what the real table refuses: a row twice or too large, too many at once."""
    sizes = [len(str(item).encode()) for item in new.values()]
    if len(new) < len(rows) or len(rows) > 100 or max(sizes) > 400 * 1024:
        raise WriteError(f"{len(rows)} rows, {len(new)} keys, the largest of {max(sizes)} bytes")


@dataclass
class FakeSqs:
    """Queues that remember what was sent; those in `broken` refuse it, all do `refusals` times."""

    sent: list[dict[str, Any]] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)
    refusals: int = 0

    def send_message(self, **request: Any) -> None:
        """Take a message."""
        if self.refusals or request["QueueUrl"] in self.broken:
            self.refusals = max(0, self.refusals - 1)
            raise aws_error(500, "InternalError")
        self.sent.append(request)

    def to(self, url: str) -> list[dict[str, Any]]:
        """Return what was sent to one queue."""
        return [one for one in self.sent if one["QueueUrl"] == url]

    @property
    def client(self) -> "SQSClient":
        """The fake as boto3's client."""
        return cast("SQSClient", self)


@dataclass
class FakeFanOut:
    """Settles connections by their ids, delivered unless told; takes at most `most` of them.

    With a `time`, each post takes a while, and none is made after the deadline.
    """

    settlements: dict[str, Settlement] = field(default_factory=dict)
    most: int = 1_000_000
    forbidden: bool = False
    is_paced: bool = False
    protocol: str = "h2"
    calmed: int = 0
    calms: int = 0
    """How often each delivery is asked for calm."""
    time: FakeTime | None = None
    seconds_per_post: float = 0.0
    frames: list[str] = field(default_factory=list)
    probing: list[bool] = field(default_factory=list)
    """Whether each delivery was to begin with probes."""
    paused: int = 0
    """How often it was told to pause."""
    most_unsaved: int = 0
    """How many have ended at most between two pauses that were lifted."""

    def deliver(
        self,
        frame: str,
        audience: Iterable[Connection],
        deadline: float,
        *,
        watch: Watch | None = None,
    ) -> Generator[Settlement, None, None]:
        """Yield a settlement for each connection taken."""
        assert deadline
        watch = watch or Watch()
        self.frames.append(frame)
        self.calmed += self.calms
        self.probing.append(not watch.breaker.is_closed)
        source, unsaved = iter(audience), 0
        for _ in range(self.most):
            if watch.breaker.is_open or self._is_over(min(deadline, watch.stop_at)):
                break
            while self.time and self.time.seconds >= watch.pause_at:
                self.paused += 1
                self.time.run(0.1)
                watch.tick()
            unsaved = 1 if watch.pause_at == math.inf else unsaved + 1
            self.most_unsaved = max(self.most_unsaved, unsaved)
            connection = next(source, None)
            if connection is None:
                break
            if self.time:
                self.time.run(self.seconds_per_post)
            settlement = self._settle(connection, self.settlements.get(connection.id))
            is_probe = watch.breaker.probe()
            watch.breaker.observe(
                _observed(settlement, is_probe=is_probe), pending=math.inf, now=0.0
            )
            yield settlement
        if self.forbidden:
            watch.breaker.forbid("403 Forbidden: injected")

    def _is_over(self, end: float) -> bool:
        return self.time is not None and self.time.seconds >= end

    @staticmethod
    def _settle(connection: Connection, planned: Settlement | None) -> Settlement:
        if planned is None:
            return Settlement(connection, Outcome.DELIVERED, tries=1)
        return planned._replace(connection=connection)


def _observed(settlement: Settlement, *, is_probe: bool) -> Observed:
    """Return what the one post of a settlement came to."""
    refused, throttled, lost = (
        int(settlement.verdict is verdict)
        for verdict in (Verdict.FORBIDDEN, Verdict.THROTTLED, Verdict.LOST)
    )
    answered = 1 - refused - throttled - lost
    reason = settlement.reason if refused or lost else ""
    in_vain = refused + lost
    probes = (1 - in_vain, in_vain) if is_probe else (0, 0)
    answers = Answers(answered, refused, throttled, lost)
    return Observed(answers, refused, lost, 0, *probes, reason)


def plan(
    outcome: Outcome, *, tries: int = 1, throttles: int = 0, verdict: Verdict | None = None
) -> Settlement:
    """Return a settlement for `FakeFanOut` to copy onto whichever connection it is for."""
    return Settlement(Connection("any", 0), outcome, tries, throttles, "planned", verdict)


def pending(verdict: Verdict) -> Settlement:
    """Return the settlement of a connection that was tried in vain, with its last verdict."""
    return plan(Outcome.PENDING, verdict=verdict)
