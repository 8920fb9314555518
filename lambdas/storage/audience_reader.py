"""Reads an audience while it is posted to: a few shards at a time, and some pages ahead."""

from collections import deque
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

from broadcasting.audience import LISTED
from broadcasting.backlog import ShardCursor
from broadcasting.clock import Clock
from broadcasting.connection import Connection
from broadcasting.receipt import Receipt
from storage.audience_pages import PAGE_ROWS, AudiencePages, Page, ids_taken
from storage.errors import ReadError
from storage.shard_sizes import ShardSizes

READS_AT_ONCE = 4
"""How many shards are read at once: enough for the rate of one worker."""

MOST_AHEAD = 2 * PAGE_ROWS
"""With this many connections ahead nothing more is read until some have been taken."""


@dataclass(slots=True)
class _Part:
    """The connections of a page that has been read, but for those already yielded.

    `taken` is the one that was yielded or passed over last.
    """

    partition: str
    rows: deque[Connection]
    next: ShardCursor | None
    taken: Connection | None = None


class AudienceReader:
    """Iterates over the connections of some shards, and knows at any time what is still unread.

    Iteration ends early, without raising, at the deadline. A shard with a page that cannot be read
    ends there (`error` says why for the first of them), and the other shards go on. Memory stays
    flat: at most some pages are ahead.

    Connections to be excluded are passed over, and so are those of a list of `ids` that have no
    row: `passed_over` counts them.
    """

    def __init__(
        self,
        pages: AudiencePages,
        shards: Sequence[ShardCursor],
        *,
        clock: Clock,
        deadline: float,
        ids: Sequence[str] = (),
        exclude: Collection[str] = (),
    ) -> None:
        """Read from `shards` on; `ids` are the connections of an audience that lists them."""
        self.error: ReadError | None = None
        self.is_beyond_first_pages = False
        """Whether a second page of some shard has been begun."""
        self._pages = pages
        self._clock = clock
        self._deadline = deadline
        self._now_ms = clock.epoch_ms()
        self._ids = ids
        self._exclude = frozenset(exclude)
        self._absent: set[str] = set()
        """The ids of the list that were found to have no row."""
        self._excluded = self._absent_passed = 0
        self._to_pass_over = 0
        """How many of those ahead will be."""
        self._not_begun = deque(shards)
        self._cursors = {cursor.partition: cursor for cursor in shards}
        self._to_read = deque[ShardCursor]()
        self._parts = deque[_Part]()
        self._ahead = 0
        self._sizes = ShardSizes(expected=_listed(ids, shards))
        self._threads = ThreadPoolExecutor(READS_AT_ONCE, thread_name_prefix="read")
        self._reads: dict[Future[Page], ShardCursor] = {}
        self._read_on()

    @property
    def unread(self) -> tuple[ShardCursor, ...]:
        """The shards that are not taken to their end, and where to go on."""
        part = self._parts[0] if self._parts else None
        if part and part.taken:
            self._cursors[part.partition] = ShardCursor(part.partition, part.taken.id)
        return tuple(self._cursors.values())

    @property
    def passed_over(self) -> Receipt:
        """The connections that were passed over: excluded ones, and absent ones, which are gone."""
        return Receipt(
            targeted=self._absent_passed, gone=self._absent_passed, excluded=self._excluded
        )

    @property
    def spare(self) -> tuple[ShardCursor, ...]:
        """The shards that can be given away: all that was read of them has been taken."""
        if not self._to_read:
            return tuple(self._not_begun)
        ahead = {part.partition for part in self._parts}
        begun = (cursor for cursor in self._to_read if cursor.partition not in ahead)
        return (*begun, *self._not_begun)

    @property
    def to_come(self) -> int:
        """About how many connections are still to be taken. Any thread may ask."""
        begun = len(self._to_read) + len(self._reads)
        ahead = max(0, self._ahead - self._to_pass_over)
        return ahead + self._sizes.unread(begun + len(self._not_begun))

    def give_away(self, shards: Sequence[ShardCursor]) -> None:
        """Forget spare shards: another worker reads them, or reads on in them."""
        for cursor in shards:
            if cursor in self._not_begun:
                self._not_begun.remove(cursor)
            else:
                self._to_read.remove(cursor)
                self._sizes.forget(cursor.partition)
            del self._cursors[cursor.partition]

    def close(self) -> None:
        """Start no more reads; reads that are under way end by themselves."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def __iter__(self) -> Iterator[Connection]:
        """Return the reader itself."""
        return self

    def __next__(self) -> Connection:
        """Return the next connection to post to, waiting for a page if need be."""
        while True:
            while not (self._parts and self._parts[0].rows):
                self._end_part() if self._parts else self._next_page()
            part = self._parts[0]  # no call for each connection: there may be 30,000 of them
            part.taken = connection = part.rows.popleft()
            self._ahead -= 1
            if not part.rows:
                self._end_part()
            if not (self._to_pass_over and self._is_passed_over(connection.id)):
                return connection

    def _is_passed_over(self, connection_id: str) -> bool:
        """Count a connection that is not to be posted to."""
        if connection_id in self._exclude:
            self._excluded += 1
        elif connection_id in self._absent:
            self._absent_passed += 1
        else:
            return False
        self._to_pass_over -= 1
        return True

    def _end_part(self) -> None:
        """Move the cursor of a page that has been taken to its end."""
        part = self._parts.popleft()
        if part.next is None:
            del self._cursors[part.partition]
        else:
            self._cursors[part.partition] = part.next
            self.is_beyond_first_pages = True
        self._read_on()

    def _next_page(self) -> None:
        seconds = self._deadline - self._clock.monotonic()
        if not self._reads or seconds <= 0:
            raise StopIteration
        done, _ = wait(self._reads, timeout=seconds, return_when=FIRST_COMPLETED)
        for future in done:
            self._take(self._reads.pop(future), future)
        self._read_on()

    def _take(self, cursor: ShardCursor, future: "Future[Page]") -> None:
        try:
            page = future.result()
        except ReadError as error:
            self.error = self.error or error
            return
        except Exception as error:  # noqa: BLE001 - one bad shard must not stop the others
            wrong = f"partition {cursor.partition} after {cursor.after}: {error!r}"
            self.error = self.error or ReadError(wrong)
            return
        self._parts.append(_Part(cursor.partition, deque(page.connections), page.next))
        self._ahead += len(page.connections)
        if self._exclude or page.absent:
            passed_over = self._exclude | page.absent
            self._absent |= page.absent
            self._to_pass_over += sum(one.id in passed_over for one in page.connections)
        if page.next is not None:
            self._to_read.append(page.next)
        self._sizes.note(cursor.partition, len(page.connections), is_end=page.next is None)

    def _read_on(self) -> None:
        """Start reads; shards that are begun come before shards that are not."""
        while len(self._reads) < READS_AT_ONCE and self._ahead < MOST_AHEAD:
            if self._to_read:
                cursor = self._to_read.popleft()
            elif self._not_begun:
                cursor = self._not_begun.popleft()
            else:
                return
            self._reads[self._threads.submit(self._page, cursor)] = cursor

    def _page(self, cursor: ShardCursor) -> Page:
        if cursor.partition == LISTED:
            return self._pages.listed_page(self._ids, cursor.after, self._now_ms)
        return self._pages.page(cursor, self._now_ms)


def _listed(ids: Sequence[str], shards: Sequence[ShardCursor]) -> int:
    """Return how many listed ids are still to be looked up."""
    after = [one.after for one in shards if one.partition == LISTED]
    return len(ids) - ids_taken(ids, after[0]) if after else 0
