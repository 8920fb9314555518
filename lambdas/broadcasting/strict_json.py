"""Reads JSON as strictly as its standard; Python takes NaN, too, and makes infinity of `1e400`."""

import json
import re
from collections.abc import Callable
from functools import partial
from typing import Any, Final, NoReturn

from broadcasting.errors import RejectedError
from broadcasting.nesting import MOST_LEVELS, count_text_levels

_STRING_OR_CONSTANT: Final = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|(NaN|-?Infinity)', re.DOTALL)


def read_json(
    text: str, *, object_pairs_hook: Callable[[list[tuple[str, Any]]], Any] | None = None
) -> Any:
    """Read a JSON value. `object_pairs_hook` makes the objects, as that of `json.loads` does.

    Raises JSONDecodeError, a ValueError, when the text is not JSON, and RejectedError when it is
    JSON that is nested too deeply to be read, or has a number that is too large.
    """
    try:
        return json.loads(
            text,
            object_pairs_hook=object_pairs_hook,
            parse_constant=partial(_refuse_constant, text),
            parse_float=_finite,
            parse_int=_readable,
        )
    except RecursionError as error:
        raise RejectedError(
            f"nested too deeply to be read: {count_text_levels(text)} levels, expected at most "
            f"{MOST_LEVELS} in message"
        ) from error


def cut(text: str, limit: int = 80) -> str:
    """Return a short text as it is, and of a long one the beginning and the length."""
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text)} characters)"


def shown(value: object) -> str:
    """Return a value as its sender wrote it, as JSON, cut when it is long."""
    return cut(json.dumps(value))


def _refuse_constant(text: str, literal: str) -> NoReturn:
    """Raise an error that says where the first constant outside a string is."""
    constants = (found for found in _STRING_OR_CONSTANT.finditer(text) if found[1])
    raise json.JSONDecodeError(f"{literal} is not a JSON number", text, next(constants).start())


def _finite(literal: str) -> float:
    number = float(literal)
    if number in (float("inf"), float("-inf")):
        raise _too_large(literal)
    return number


def _readable(literal: str) -> int:
    try:
        return int(literal)
    except ValueError as error:  # more digits than Python reads
        raise _too_large(literal) from error


def _too_large(literal: str) -> RejectedError:
    return RejectedError(f"number {cut(literal)} is too large to be read; send it as a string")
