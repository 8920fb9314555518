"""Reads an audience while it is being posted to: all shards at once, a page ahead of need."""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from broadcasting.audience import Connection
from broadcasting.clock import Clock
from broadcasting.slice import ShardCursor
from storage.connections import ConnectionsTable, Page
from storage.errors import ReadError


class AudienceReader:
    """Iterates over the connections of some shards, and knows at any time what is still unread.

    Iteration ends early, without raising, at the deadline; a shard with a page that cannot be
    read is left there (`error` says why, the first time), and the others go on. `unread` and
    `rest` then tell what is left. Memory stays flat: each shard is read at most one page ahead.
    """

    def __init__(
        self,
        table: ConnectionsTable,
        shards: Sequence[ShardCursor],
        *,
        clock: Clock,
        deadline: float,
    ) -> None:
        self.error: ReadError | None = None
        self.count = 0
        """How many connections have been read, those in `rest` aside."""
        self._table = table
        self._clock = clock
        self._deadline = deadline
        self._now_ms = clock.epoch_ms()
        self._cursors = {cursor.shard: cursor for cursor in shards}
        self._rest: deque[Connection] = deque()
        self._threads = ThreadPoolExecutor(max(1, len(shards)), thread_name_prefix="read")
        self._reads: dict[Future[Page], ShardCursor] = {}
        for cursor in shards:
            self._read(cursor)

    @property
    def unread(self) -> tuple[ShardCursor, ...]:
        """The shards that are not read to their end, and where to go on."""
        return tuple(self._cursors.values())

    @property
    def rest(self) -> tuple[Connection, ...]:
        """The connections of the last page that nobody has taken."""
        return tuple(self._rest)

    def close(self) -> None:
        """Start no more reads; those under way end by themselves."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def __iter__(self) -> Iterator[Connection]:
        """Return the reader itself."""
        return self

    def __next__(self) -> Connection:
        """Return the next connection, waiting for a page if need be."""
        while not self._rest:
            self._next_page()
        self.count += 1
        return self._rest.popleft()

    def _next_page(self) -> None:
        seconds = self._deadline - self._clock.monotonic()
        if not self._reads or seconds <= 0:
            raise StopIteration
        done, _ = wait(self._reads, timeout=seconds, return_when=FIRST_COMPLETED)
        for future in done:
            self._take(self._reads.pop(future), future)

    def _take(self, cursor: ShardCursor, future: "Future[Page]") -> None:
        try:
            page = future.result()
        except ReadError as error:
            self.error = self.error or error
            return
        except Exception as error:  # noqa: BLE001 - one bad shard must not stop the others
            wrong = f"shard {cursor.shard} after {cursor.after}: {error!r}"
            self.error = self.error or ReadError(wrong)
            return
        self._rest.extend(page.connections)
        if page.next is None:
            del self._cursors[cursor.shard]
        else:
            self._cursors[cursor.shard] = page.next
            self._read(page.next)

    def _read(self, cursor: ShardCursor) -> None:
        self._reads[self._threads.submit(self._table.page, cursor, self._now_ms)] = cursor
