"""Reads the frames of a stream, those of a range of numbers that are not in memory yet."""

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from botocore.exceptions import BotoCoreError, ClientError

from broadcasting.items import SORT_KEY, Item
from broadcasting.ledger_items import FRAMES, frame_key, frame_row_of
from broadcasting.ledger_rows import FrameRow
from broadcasting.replay import Found
from storage.frame_cache import FrameCache, row_bytes
from storage.ledger_refusals import unread
from storage.patience import Patience

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

PAGE_FRAMES: Final = 100
"""How many frames one Query reads at most: DynamoDB stops at 1 MB, too."""

_NEWEST_FRAMES: Final = 5


class _Page(NamedTuple):
    """The rows of a page, and the number up to which there are no others."""

    rows: list[FrameRow]
    until: int


class FrameReader:
    """Reads frames, strongly consistently, and keeps what it has read."""

    def __init__(
        self,
        client: "DynamoDBClient",
        name: str,
        *,
        patience: Patience,
        cache: FrameCache | None = None,
    ) -> None:
        self._client = client
        self._name = name
        self._patience = patience
        self._cache = FrameCache() if cache is None else cache

    def read(
        self, stream: str, epoch: str, numbers: range, *, most_bytes: int, ends_at: float
    ) -> Found:
        """Return the rows of numbers, from the first on.

        None is read any more once rows of `most_bytes` have been found. Raises ReadError, and
        BusyError after `ends_at`.
        """
        rows: dict[int, FrameRow] = {}
        size, until = 0, numbers.start - 1
        while until < numbers.stop - 1 and size < most_bytes:
            cached = self._cache.get(stream, epoch, until + 1)
            page = _Page([cached], until + 1) if cached else None
            if page is None:
                first = until + 1
                page = self._patience.until_done(
                    lambda first=first: self._page(stream, range(first, numbers.stop)),  # type: ignore[misc]
                    ends_at=ends_at,
                )
            rows |= {row.seq: row for row in page.rows}
            size += sum(map(row_bytes, page.rows))
            until = page.until
        return Found(rows, until)

    def newest(self, stream: str, numbers: range, *, ends_at: float) -> dict[int, FrameRow]:
        """Return the rows of the highest of some numbers that have one, by their numbers: a few.

        The very highest may be for other clients. Raises ReadError, and BusyError after `ends_at`.
        """
        rows, _ = self._patience.until_done(
            lambda: self._query(stream, numbers, limit=_NEWEST_FRAMES, is_newest_first=True),
            ends_at=ends_at,
        )
        return {row.seq: row for row in rows}

    def _page(self, stream: str, numbers: range) -> _Page:
        """Read the next rows of a range."""
        rows, next_key = self._query(stream, numbers, limit=PAGE_FRAMES)
        until = int(next_key.removeprefix(FRAMES)) if next_key else numbers.stop - 1
        return _Page(rows, until)

    def _query(
        self, stream: str, numbers: range, *, limit: int, is_newest_first: bool = False
    ) -> tuple[list[FrameRow], str]:
        """Read rows of a range, and keep them; return the sort key at which it has stopped, too."""
        last = numbers.stop - 1
        partition, first_key = frame_key(stream, numbers.start)
        try:
            answer: Any = self._client.query(
                TableName=self._name,
                KeyConditionExpression="pk = :stream AND sk BETWEEN :first AND :last",
                ExpressionAttributeValues={
                    ":stream": {"S": partition},
                    ":first": {"S": first_key},
                    ":last": {"S": frame_key(stream, last)[1]},
                },
                ConsistentRead=True,
                ScanIndexForward=not is_newest_first,
                Limit=limit,
            )
        except (ClientError, BotoCoreError) as error:
            raise unread(f"frames of {partition}", error) from error
        rows = []
        for item in cast("list[Item]", answer["Items"]):
            with suppress(KeyError, TypeError, ValueError):  # as if it were not there
                rows.append(frame_row_of(item))
        for row in rows:
            self._cache.put(row)
        next_key = answer.get("LastEvaluatedKey")
        return rows, next_key[SORT_KEY]["S"] if next_key else ""
