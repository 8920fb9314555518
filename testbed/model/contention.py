"""A model of a ledger that many workers use, in virtual time: conflicts and metered partitions.

Each worker runs on a thread of its own, but only one at a time: it stops where it would wait, and
the one whose time comes first goes on. So a model with a seed always comes to the same end.

Reads take 3-8 ms, updates of one row 3-7 ms, other writes 8-17 ms. Updates of one row are put in an
order and never conflict; a row takes `row_writes_per_second` of them. A transaction holds its rows
from its beginning to its end; a write that begins meanwhile on one of them is canceled with
TransactionConflict. A partition takes
`units_per_second`, and no more than a second's worth at once; beyond it a transaction is canceled
with ThrottlingError.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html
"""

import heapq
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any, TypeVar

from broadcasting.clock import Clock
from storage.ledger import Ledger
from testbed.model.fakes import NOW_MS
from testbed.model.ledger_dynamo import Key, LedgerDynamo, canceled, refusal
from testbed.units import write_units

T = TypeVar("T")

READ_SECONDS, WRITE_SECONDS = (0.003, 0.008), (0.008, 0.017)
UPDATE_SECONDS = (0.003, 0.007)


class VirtualTime:
    """A time in which threads wait for one another, and nothing else passes."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._waiting: list[tuple[float, int, threading.Event]] = []
        self._waits = 0

    def sleep(self, seconds: float) -> None:
        """Let time pass for the worker that calls; others go on meanwhile."""
        mine = self._wait_until(self.seconds + seconds)
        self._let_the_first_go_on()
        mine.wait()

    def run(self, works: Sequence[Callable[[], T]]) -> list[T | Exception]:
        """Do all works at once; return what each returned or raised, in their order."""
        ends: list[T | Exception | None] = [None] * len(works)
        over = threading.Event()
        unfinished = len(works)

        def run(number: int, begin: threading.Event) -> None:
            nonlocal unfinished
            begin.wait()
            try:
                ends[number] = works[number]()
            except Exception as error:  # noqa: BLE001 - told to the caller
                ends[number] = error
            unfinished -= 1
            if unfinished:
                self._let_the_first_go_on()
            else:
                over.set()

        threads = [
            threading.Thread(target=run, args=(number, self._wait_until(self.seconds)))
            for number in range(len(works))
        ]
        for thread in threads:
            thread.start()
        self._let_the_first_go_on()
        over.wait()
        for thread in threads:
            thread.join()
        return [end for end in ends if end is not None]

    def _wait_until(self, seconds: float) -> threading.Event:
        event = threading.Event()
        self._waits += 1
        heapq.heappush(self._waiting, (seconds, self._waits, event))
        return event

    def _let_the_first_go_on(self) -> None:
        seconds, _, event = heapq.heappop(self._waiting)
        self.seconds = max(self.seconds, seconds)
        event.set()


@dataclass
class _Holder:
    """A write under way; `is_canceled` when another has met it on one of its rows."""

    is_canceled: bool = False


@dataclass
class ContendedDynamo(LedgerDynamo):
    """A DynamoDB that takes its time, lets no two writes overlap on a row, and meters units.

    Of two that overlap the later one is canceled, with `is_mutual` both.
    """

    time: VirtualTime = field(default_factory=VirtualTime)
    random: Random = field(default_factory=Random)
    units_per_second: float = float("inf")
    is_mutual: bool = False
    row_writes_per_second: float = 1_000.0
    updates: int = 0
    conflicts: int = 0
    throttles: int = 0
    transactions: int = 0
    _holders: dict[Key, _Holder] = field(default_factory=dict)
    _partitions: dict[str, tuple[float, float]] = field(default_factory=dict)
    _rows: dict[Key, tuple[float, float]] = field(default_factory=dict)

    def ledger(self) -> Ledger:
        """Return a ledger as one worker has it."""
        clock = Clock(
            lambda: self.time.seconds,
            lambda: NOW_MS + int(self.time.seconds * 1000),
            self.time.sleep,
        )
        return Ledger(
            self.table, self.counters, clock=clock, jitter=self.random.random, replay_seconds=60
        )

    def get_item(self, **request: Any) -> dict[str, Any]:
        """Read a row, as it is after a while."""
        self.time.sleep(self.random.uniform(*READ_SECONDS))
        return super().get_item(**request)

    def query(self, **query: Any) -> dict[str, Any]:
        """Read rows, as they are after a while."""
        self.time.sleep(self.random.uniform(*READ_SECONDS))
        return super().query(**query)

    def update_item(self, **update: Any) -> dict[str, Any]:
        """Change a row, unless it has been changed too often in this second."""
        self.time.sleep(self.random.uniform(*UPDATE_SECONDS))
        self.updates += 1
        key = (update["Key"]["pk"]["S"], update["Key"]["sk"]["S"])
        room, at = self._rows.get(key, (self.row_writes_per_second, 0.0))
        room += (self.time.seconds - at) * self.row_writes_per_second
        room = min(self.row_writes_per_second, room)
        if room < 1:
            self.throttles += 1
            raise refusal("ProvisionedThroughputExceededException")
        self._rows[key] = room - 1, self.time.seconds
        return super().update_item(**update)

    def put_item(self, **put: Any) -> None:
        """Write a row, unless a transaction holds it."""
        units = write_units("PutItem", put)
        with self._holding(put, units=units, is_transaction=False) as reasons:
            if reasons:
                raise refusal(_SINGLE[reasons[0]])
            super().put_item(**put)

    def transact_write_items(self, **request: Any) -> None:
        """Write several rows, unless another transaction holds one of them."""
        puts = [one["Put"] for one in request["TransactItems"]]
        units = write_units("TransactWriteItems", request)
        with self._holding(*puts, units=units) as reasons:
            if reasons:
                raise canceled(*reasons)
            super().transact_write_items(**request)

    @contextmanager
    def _holding(
        self, *puts: dict[str, Any], units: float, is_transaction: bool = True
    ) -> Iterator[tuple[str, ...]]:
        """Hold rows for as long as a write takes; yield why it is canceled, if it is.

        Only transactions hold rows: DynamoDB puts all other writes of a row in an order.
        """
        self.transactions += is_transaction
        keys = [(put["Item"]["pk"]["S"], put["Item"]["sk"]["S"]) for put in puts]
        holder, met = _Holder(), [self._holders[key] for key in keys if key in self._holders]
        is_throttled = not met and not self._meter(puts, units)
        if is_transaction and not met and not is_throttled:
            self._holders |= dict.fromkeys(keys, holder)
        for other in met:
            other.is_canceled |= self.is_mutual
        try:
            self.time.sleep(self.random.uniform(*WRITE_SECONDS))
            is_in_conflict = bool(met) or holder.is_canceled
            self.conflicts += is_in_conflict
            self.throttles += is_throttled
            yield ("TransactionConflict",) * is_in_conflict or ("ThrottlingError",) * is_throttled
        finally:
            for key in keys:
                if self._holders.get(key) is holder:
                    del self._holders[key]

    def forget_units(self) -> None:
        """Have every partition begin anew with a second's worth of units."""
        self._partitions.clear()

    def _meter(self, puts: Sequence[dict[str, Any]], units: float) -> bool:
        """Take a write's units from its partitions, and tell whether they have as many."""
        sizes: dict[str, float] = {}
        for put in puts:
            name = put["Item"]["pk"]["S"]
            sizes[name] = sizes.get(name, 0.0) + write_units("PutItem", put)
        units_left = {}
        for name, share in sizes.items():
            before, at = self._partitions.get(name, (self.units_per_second, 0.0))
            grown = before + (self.time.seconds - at) * self.units_per_second
            mine = share * units / sum(sizes.values())
            units_left[name] = min(self.units_per_second, grown) - mine
        if any(one < 0 for one in units_left.values()):
            return False
        self._partitions |= {name: (units, self.time.seconds) for name, units in units_left.items()}
        return True


_SINGLE = {
    "TransactionConflict": "TransactionConflictException",
    "ThrottlingError": "ThrottlingException",
}
"""The same reasons, when a single row is written."""
