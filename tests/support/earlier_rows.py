"""Rows of the ledger as the release before wrote them: the frame in the summary, nowhere else."""

import json
from typing import Any

from broadcasting.backlog import ALL_SHARDS, encode_backlog
from broadcasting.message import Broadcast, parse_broadcast
from testbed.function.app import App

_LIFE_SECONDS = 7 * 24 * 3600
_NO_COUNTS = json.dumps(
    {"targeted": 0, "delivered": 0, "gone": 0, "failed": 0, "expired": 0, "throttled": 0}
)


def open_as_before(app: App, body: str, frame: str) -> str:
    """Write the rows of a broadcast that was opened and not begun; return its id."""
    broadcast, now_ms = parse_broadcast(body, "unknown"), app.time.now_ms()
    key = f"broadcast#{broadcast.id}"
    recent = {"channel": "*", "seq": 1, "broadcast_id": broadcast.id, "opened_ms": now_ms}
    expires = {"expiresAt": now_ms // 1000 + _LIFE_SECONDS}
    for values in (
        {"pk": key, "sk": "summary", **_summary(broadcast, frame, now_ms), **expires},
        {"pk": key, "sk": "slice#0", **_slice(broadcast.id), **expires},
        {"pk": "channel#*", "sk": "seq#000000000001", **recent, **expires},
        {"pk": "channel#*", "sk": "sequence", "channel": "*", "last": 1},
    ):
        facts = {**values, "version": 1, "writer": "earlier"}
        app.rows_of_ledger.put({name: _attribute(value) for name, value in facts.items()})
    return broadcast.id


def _summary(broadcast: Broadcast, frame: str, now_ms: int) -> dict[str, object]:
    return {
        "id": broadcast.id,
        "digest": broadcast.digest,
        "channel": "*",
        "seq": 1,
        "frame": frame,
        "opened_ms": now_ms,
        "expires_ms": 0,
        "counts": _NO_COUNTS,
        "open_slices": 1,
        "slices": 1,
        "settled_ms": 0,
        "status": "open",
    }


def _slice(broadcast_id: str) -> dict[str, object]:
    return {
        "broadcast_id": broadcast_id,
        "id": "0",
        "work": encode_backlog(ALL_SHARDS),
        "counts": _NO_COUNTS,
        "owner": "",
        "leased_until_ms": 0,
        "unannounced": "[]",
        "failed_rows": 0,
        "hops": 1,
        "is_closed": 0,
    }


def _attribute(value: object) -> dict[str, Any]:
    if isinstance(value, int):
        return {"N": str(value)}
    return {"B": value} if isinstance(value, bytes) else {"S": value}
