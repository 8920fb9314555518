"""Why connections have not ended, in few words: without what is different for each of them."""

import re
from collections import Counter
from collections.abc import Iterable
from typing import Final

MOST_REASONS = 5
"""How many reasons are counted by themselves; all others are counted together."""

OTHERS = "other reasons"
_LONGEST = 120
_URL: Final = re.compile(r"\bhttps?://[^\s\"'>]+")
_TOKEN: Final = re.compile(r"(?=[\w=+/-]*\d)[\w=+/-]{12,}")
"""An id: of a connection, of a request, an address of memory. Plain words have no digits."""


def plain_reason(reason: str, connection_id: str) -> str:
    """Return a reason without ids and URLs, cut to 120 characters."""
    short = _URL.sub("…", reason.replace(connection_id, "…"))
    return _TOKEN.sub("…", short)[:_LONGEST]


def count_reasons(reasons: Iterable[str]) -> dict[str, int]:
    """Count reasons, the most frequent first; all after the fifth count as one."""
    counts = Counter(reasons)
    shown = dict(counts.most_common(MOST_REASONS))
    others = counts.total() - sum(shown.values())
    return shown | ({OTHERS: others} if others else {})
