"""The channels that a client may use: names, or the beginnings of names with a `*` at the end."""

import re
from typing import Final

NO_CHANNELS: Final = "!"
"""In place of the channels of a client that may use none. It is no channel's name; an empty text
may be dropped on the way, and a client without this value may use the open channels."""

MOST_PATTERNS: Final = 100
MOST_CHARACTERS: Final = 4_096
"""Of all patterns, with a space between two: an authorizer's result has 8 KB, and holds more.

https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
"""

EXPECTED: Final = (
    f"a list of up to {MOST_PATTERNS} channel names of 1 to 64 of A-Z a-z 0-9 . _ : - each, which "
    f"may end with a *, and {MOST_CHARACTERS:,} characters in all"
)
_PATTERN: Final = re.compile(r"[A-Za-z0-9._:-]{1,64}|[A-Za-z0-9._:-]{0,63}\*")


def read_patterns(found: object) -> tuple[str, ...]:
    """Return the patterns of a list, or of a text with spaces between them. Raises ValueError."""
    patterns = (found.split(" ") if found else []) if isinstance(found, str) else found
    if not isinstance(patterns, list) or len(patterns) > MOST_PATTERNS:
        raise ValueError(f"found {found!r:.200}, expected {EXPECTED}")
    for one in patterns:
        if not isinstance(one, str) or not _PATTERN.fullmatch(one):
            raise ValueError(f"found {one!r:.100} among the channels, expected {EXPECTED}")
    if len(" ".join(patterns)) > MOST_CHARACTERS:
        raise ValueError(f"found {len(' '.join(patterns)):,} characters, expected {EXPECTED}")
    return tuple(patterns)


def may_use(channel: str, patterns: tuple[str, ...]) -> bool:
    """Tell whether one of the patterns allows a channel."""
    return any(
        channel.startswith(one[:-1]) if one.endswith("*") else channel == one for one in patterns
    )
