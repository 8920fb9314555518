"""What one invocation did for a slice."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from broadcasting.ledger import LeaseLostError
from broadcasting.ledger_rows import Summary
from broadcasting.receipt import Receipt
from broadcasting.trouble import Trouble
from storage.errors import ReadError

Stop = ReadError | LeaseLostError
"""What ends the work on a slice early: a shard cannot be read, or another worker has the lease."""


class InvocationReport(NamedTuple):
    """What one invocation did for a slice, as far as it was written down.

    `counts` are this invocation's alone: connections that it met, and those that ended in it.
    `summary` is the broadcast's as of the last write. `trouble` is why the round counted for no
    connection, `trouble_reason` what was answered; `given_up` is why the slice is to become a dead
    letter. `stopped_by` ended the work early, `failure` is why the message must come again.
    `reasons` count why connections have not ended. `handed_over` counts the slices that were split
    off; `stale_rows_left` are rows of gone connections that are still there. `protocol` is what the
    connections to `@connections` spoke, as ALPN names it; `calmed` is how often the server asked
    for calm.
    """

    summary: Summary
    slice_id: str
    counts: Receipt
    is_closed: bool
    pending: int = 0
    unread_shards: int = 0
    reasons: Mapping[str, int] = MappingProxyType({})
    handed_over: int = 0
    stale_rows_left: int = 0
    trouble: Trouble | None = None
    trouble_reason: str = ""
    given_up: str = ""
    stopped_by: Stop | None = None
    failure: Exception | None = None
    protocol: str = ""
    calmed: int = 0
