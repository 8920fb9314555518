"""The deny list: users that an operator has thrown out, and keeps out for a while."""

from collections.abc import Mapping
from typing import Any

from access.refusal import Refusal, RefusedError
from broadcasting.items import EXPIRY


def require_not_denied(row: Mapping[str, Any] | None, now_seconds: int) -> None:
    """Refuse a user whose row, by the names of its attributes, says so. Raises RefusedError.

    A row that is over does not count: DynamoDB deletes it days later. One that does not say until
    when it holds does.
    """
    if row is None:
        return
    until_seconds = row.get(EXPIRY)
    is_over = isinstance(until_seconds, int) and until_seconds <= now_seconds
    if isinstance(until_seconds, bool) or not is_over:
        raise RefusedError(Refusal.DENIED)
