"""The channels that a client may use: names, or the beginnings of names with a `*` at the end."""

import re
from typing import Final

from access.refusal import Refusal, RefusedError

MOST_PATTERNS: Final = 100
MOST_TEXT: Final = 4_096
"""Together, with a space between two: an authorizer's result may have 8 KB, and holds more.

https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
"""

_PATTERN: Final = re.compile(r"[A-Za-z0-9._:-]{1,64}|[A-Za-z0-9._:-]{0,63}\*")


def read_patterns(found: object) -> tuple[str, ...]:
    """Return the patterns of a list, or of a text with spaces between them. Raises RefusedError."""
    patterns = (found.split(" ") if found else []) if isinstance(found, str) else found
    if not isinstance(patterns, list) or len(patterns) > MOST_PATTERNS:
        raise RefusedError(Refusal.CHANNELS)
    if not all(isinstance(one, str) and _PATTERN.fullmatch(one) for one in patterns):
        raise RefusedError(Refusal.CHANNELS)
    if len(" ".join(patterns)) > MOST_TEXT:
        raise RefusedError(Refusal.CHANNELS)
    return tuple(patterns)


def may_use(channel: str, patterns: tuple[str, ...]) -> bool:
    """Tell whether one of the patterns allows a channel."""
    return any(
        channel.startswith(one[:-1]) if one.endswith("*") else channel == one for one in patterns
    )
