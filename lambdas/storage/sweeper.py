"""Deletes stale rows in batches, outside the sending path."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from threading import Event

from broadcasting.audience import EVERYONE
from broadcasting.clock import Jitter
from broadcasting.retry import Backoff
from storage.connections import ConnectionsTable
from storage.errors import StorageError
from storage.row_batches import BATCH_ROWS

_WRITERS = 4
_MOST_BATCHES = 400
"""How many batches wait at most: memory stays flat. The next broadcast meets the other rows."""


class StaleSweeper:
    """Collects the ids of connections that are gone and deletes their rows, 25 connections at once.

    A row that cannot be deleted does no harm: the next broadcast finds its connection gone again.
    So no method raises, and `close` ends all deletes.
    """

    def __init__(
        self,
        table: ConnectionsTable,
        *,
        jitter: Jitter,
        stream: str = EVERYONE,
        sleep: Callable[[float], object] | None = None,
        backoff: Backoff | None = None,
    ) -> None:
        """Delete what a broadcast of a `stream` finds gone."""
        self._table = table
        self._stream = stream
        self._jitter = jitter
        self._is_over = Event()
        self._sleep = sleep or self._is_over.wait
        self._backoff = backoff or Backoff()
        self._batch: list[str] = []
        self._deletes: dict[Future[int], int] = {}
        self._not_deleted = 0
        self._threads = ThreadPoolExecutor(_WRITERS, thread_name_prefix="sweep")

    def add(self, connection_id: str) -> None:
        """Have the rows of a connection deleted, at once or together with the next ones.

        An id that is in the batch already is passed over: DynamoDB refuses the same key twice.
        """
        if connection_id in self._batch:
            return
        self._batch.append(connection_id)
        if len(self._batch) == BATCH_ROWS:
            self._flush()

    @property
    def stale_rows(self) -> int:
        """How many connections still have rows, as far as that is known."""
        return self._not_deleted + sum(self._deletes.values()) + len(self._batch)

    def finish(self, timeout_seconds: float) -> int:
        """Wait for the deletes, at most `timeout_seconds`; return `stale_rows`."""
        if self._batch:
            self._flush()
        wait(self._deletes, timeout=max(0.0, timeout_seconds))
        self._forget_done()
        return self.stale_rows

    def close(self) -> None:
        """Begin no delete any more, and try none again. Never raises."""
        self._is_over.set()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _flush(self) -> None:
        batch, self._batch = self._batch, []
        if len(self._deletes) >= _MOST_BATCHES:
            self._forget_done()
        if len(self._deletes) >= _MOST_BATCHES:
            self._not_deleted += len(batch)
            return
        try:
            self._deletes[self._threads.submit(self._delete, batch)] = len(batch)
        except RuntimeError:  # no thread can be started, or it is over
            self._not_deleted += len(batch)

    def _forget_done(self) -> None:
        for future in [one for one in self._deletes if one.done()]:
            connections = self._deletes.pop(future)
            self._not_deleted += connections if future.exception() else future.result()

    def _delete(self, ids: list[str]) -> int:
        """Delete rows, trying again with what is left; return how many connections have some."""
        for tries in range(self._backoff.tries):
            if self._is_over.is_set():
                break
            if tries:
                self._sleep(self._backoff.seconds(tries, self._jitter()))
            try:
                ids = self._table.remove_batch(ids, stream=self._stream)
            except StorageError:
                continue  # deleting once more what is deleted already does no harm
            if not ids:
                break
        return len(ids)
