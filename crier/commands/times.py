"""The time now, and how a time is shown."""

import time
from datetime import UTC, datetime


def now_ms() -> int:
    """Return the time in epoch milliseconds."""
    return time.time_ns() // 1_000_000


def shown_time(epoch_ms: int) -> str:
    """Return a time as people read it, in UTC."""
    return f"{datetime.fromtimestamp(epoch_ms / 1000, UTC):%Y-%m-%d %H:%M:%S}Z"
