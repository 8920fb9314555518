"""How deep arrays and objects are nested in JSON: the outermost is level 1, a string has level 0.

The limit is for clients: many of them parse what they receive with a recursive parser.
"""

from itertools import accumulate
from typing import Final

from broadcasting.errors import RejectedError

MOST_LEVELS: Final = 64
"""How deep the message of a broadcast may be nested."""

_BRACKETS: Final = bytes.maketrans(b"{}", b"[]")
_OTHERS: Final = bytes(set(range(256)) - set(b'"[]{}'))


def require_few_levels(message: object) -> None:
    """Raise RejectedError when a message is nested deeper than 64 levels."""
    levels = count_levels(message)
    if levels > MOST_LEVELS:
        raise RejectedError(
            f"message is nested too deeply: {levels} levels, expected at most {MOST_LEVELS}; "
            "flatten it, or send what is inside as a string of JSON"
        )


def is_nested_deeper(text: str, levels: int) -> bool:
    """Return whether JSON text is nested deeper than `levels`.

    It is called for every message, so that it leaves all bytes to the interpreter's own loops: to
    look at each parsed value would cost up to half as much as parsing does.
    """
    if not _has_more_openers(text, levels):
        return False
    brackets = _brackets(text)
    while brackets and levels > 0:
        brackets = brackets.replace(b"[]", b"")  # the innermost level
        levels -= 1
    return bool(brackets)


def count_text_levels(text: str) -> int:
    """Return how deep JSON text is nested, also when it is too deep to be parsed."""
    steps = (1 if bracket == ord("[") else -1 for bracket in _brackets(text))
    return max(accumulate(steps), default=0)


def count_levels(value: object) -> int:
    """Return how deep a JSON value is nested."""
    levels, level = 0, [value]
    while level := [one for one in level if isinstance(one, dict | list)]:
        levels += 1
        level = [
            inner for one in level for inner in (one.values() if isinstance(one, dict) else one)
        ]
    return levels


def _has_more_openers(text: str, count: int) -> bool:
    """Return whether more than `count` arrays and objects begin in a text."""
    openers = 0
    for opener in "[{":
        position = text.find(opener)  # several times faster than to count them in a long text
        while position >= 0:
            openers += 1
            if openers > count:
                return True
            position = text.find(opener, position + 1)
    return False


def _brackets(text: str) -> bytes:
    """Return the brackets of JSON text, all of them square, without those in strings."""
    bare = text.encode("utf-8", "surrogatepass")
    if b"\\" in bare:
        bare = bare.replace(rb"\\", b"").replace(rb"\"", b"")
    # Two quotes in a row are a string, or the end of one and the beginning of the next: without
    # them each bracket is still where it was, in a string or outside.
    bare = bare.translate(_BRACKETS, _OTHERS).replace(b'""', b"")
    return b"".join(bare.split(b'"')[::2]) if b'"' in bare else bare
