"""Whole numbers on the command line, each within its bounds."""

import re
from collections.abc import Callable

import typer

_WHOLE_NUMBER = re.compile("-?[0-9]{1,18}")


def number_within(least: int, most: int | None = None) -> Callable[[int | str], int]:
    """Return what reads an option's number, from `least` to `most`. It raises BadParameter."""
    bounds = f"from {least} to {most}" if most is not None else f"of {least} or more"

    def number(given: int | str) -> int:
        text = str(given)
        found = int(text) if _WHOLE_NUMBER.fullmatch(text) else None
        if found is None or found < least or (most is not None and found > most):
            raise typer.BadParameter(f"found {text!r}, expected a whole number {bounds}")
        return found

    return number
