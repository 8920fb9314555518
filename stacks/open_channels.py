"""The channels that a client may use when its token or ticket names none.

They follow the rules of lambdas/broadcasting/channel_patterns.py; a test holds the two together.
"""

import re
from collections.abc import Sequence

MOST_PATTERNS = 100

MOST_CHARACTERS = 2_048
"""Of all patterns, with a space between two: the variables of a function have 4 KB.

https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
"""

EXPECTED = (
    f"up to {MOST_PATTERNS} channel names of 1 to 64 of A-Z a-z 0-9 . _ : - each, which may end "
    "with a *, with commas or spaces between them: * for all channels, an empty list or text for "
    "none"
)

_PATTERN = re.compile(r"[A-Za-z0-9._:-]{1,64}|[A-Za-z0-9._:-]{0,63}\*")
_BETWEEN = re.compile(r"[ \t]*,[ \t]*|[ \t]+")


def split(text: str) -> list[str]:
    """Return the names of a text, which has commas or spaces between them; of an empty one none."""
    found = text.strip(" \t")
    return _BETWEEN.split(found) if found else []


def trouble_with(patterns: Sequence[str]) -> str:
    """Return what is wrong with a list of channels, empty when nothing is."""
    if len(patterns) > MOST_PATTERNS:
        return f"names {len(patterns):,} channels"
    for pattern in patterns:
        if wrong := _wrong(pattern):
            return f"names {pattern[:100]!r}, which {wrong}"
    if (characters := len(" ".join(patterns))) > MOST_CHARACTERS:
        return f"has {characters:,} characters, more than the {MOST_CHARACTERS:,} there is room for"
    return ""


def _wrong(pattern: str) -> str:
    if _PATTERN.fullmatch(pattern):
        return ""
    if pattern.startswith("@"):
        return "is of a user: each client may use its own user's, and no other's"
    return "has a * before its end" if "*" in pattern[:-1] else "is no channel's name"
