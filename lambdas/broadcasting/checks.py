"""What single values may be, of producers and clients: names of channels and users, ids, numbers.

Each check tells what was expected of a value that is wrong.
"""

import re
from collections.abc import Callable
from typing import Final

Check = Callable[[object], str]
"""Takes a JSON value; returns what was expected of it, or an empty string when it is right."""

MOST_USER: Final = 128
"""Characters of a user's name."""

MOST_ID: Final = 128
"""Characters of a connection's id: a list of a thousand fits into a row."""

_ID: Final = re.compile(r"[!-~]{1,128}")
_OTHERS: Final = "(everyone: leave it out; a user: name that user instead)"
_CHANNEL: Final = re.compile(r"[A-Za-z0-9._:-]{1,64}")


def text(longest: int) -> Check:
    """Expect a string of 1 to `longest` characters."""

    def check(value: object) -> str:
        right = isinstance(value, str) and 1 <= len(value) <= longest and is_unicode(value)
        return "" if right else f"expected a string of 1 to {longest} characters"

    return check


def ids(fewest: int, most: int) -> Check:
    """Expect a list of `fewest` to `most` connection ids."""

    def check(value: object) -> str:
        right = isinstance(value, list) and fewest <= len(value) <= most
        right = right and all(is_connection_id(item) for item in value)  # type: ignore[attr-defined]
        if right:
            return ""
        return (
            f"expected a list of {fewest} to {most:,} connection ids, each 1 to {MOST_ID} "
            "printable characters of ASCII"
        )

    return check


def is_connection_id(value: object) -> bool:
    """Tell whether a value may be a connection's id: API Gateway's have some 16 characters."""
    return isinstance(value, str) and _ID.fullmatch(value) is not None


def integer(least: int, most: int) -> Check:
    """Expect a whole number from `least` to `most`."""

    def check(value: object) -> str:
        right = isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
        return "" if right else f"expected a whole number from {least} to {most}"

    return check


def CHANNEL(value: object) -> str:  # noqa: N802
    """Expect a channel's name; `*`, the channel of all connections, is not for producers."""
    right = isinstance(value, str) and _CHANNEL.fullmatch(value)
    return "" if right else f"expected 1 to 64 of A-Z a-z 0-9 . _ : - {_OTHERS}"


def USER(value: object) -> str:  # noqa: N802
    """Expect a user's name, all of which shows: what does not could pass for another's."""
    right = isinstance(value, str) and 1 <= len(value) <= MOST_USER and value.isprintable()
    return "" if right else f"expected 1 to {MOST_USER} characters, all of them printable"


def is_unicode(value: str) -> bool:
    """Tell whether a string can be encoded: JSON lets lone surrogates through, UTF-8 does not."""
    try:
        value.encode()  # some ten times faster than a look at each character
    except UnicodeEncodeError:
        return False
    return True
