"""Single attributes of the ledger's rows, as DynamoDB gives them."""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import astuple
from typing import Any

from broadcasting.audience import LATEST_MS
from broadcasting.counts import Counts
from crier.errors import CrierError

Item = dict[str, Any]
"""A row as DynamoDB gives it."""

EXPIRY = "expiresAt"
"""Epoch seconds; a row that has none, the counter of a channel, is kept for ever."""


@contextmanager
def readable(name: str) -> Iterator[None]:
    """Turn what reading a row may raise into a CrierError."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CrierError(
            f"{name} in the ledger cannot be read ({error!r}): was it written by another version "
            "of Crier?"
        ) from error


def unexpired(items: Iterable[Item], now_seconds: float) -> Iterator[Item]:
    """Yield the rows that have not expired: DynamoDB deletes those that have days later."""
    for item in items:
        with readable("the expiry of a row"):
            is_expired = EXPIRY in item and int(item[EXPIRY]["N"]) <= now_seconds
        if not is_expired:
            yield item


def text(item: Item, name: str) -> str:
    """Return a text of a row. Raises CrierError when it has none of that name."""
    return str(value(item, name, "S"))


def counts_of(item: Item) -> Counts:
    """Return the sums of a row. Raises ValueError or TypeError when they are none."""
    counts = Counts(**json.loads(text(item, "counts")))
    if not all(type(one) is int for one in astuple(counts)):
        raise ValueError(f"counts are {counts}, expected whole numbers")
    return counts


def number(item: Item, name: str, *, default: str | None = None) -> int:
    """Return a number of a row that is no less than 0 and no later than a time can be.

    Without a `default` it has to be there. Raises ValueError, and CrierError when it is missing.
    """
    found = value(item, name, "N") if default is None else optional(item, name, "N", default)
    whole = int(found)
    if not 0 <= whole <= LATEST_MS:
        raise ValueError(f"{name} is {whole}, expected 0 to {LATEST_MS}")
    return whole


def optional(item: Item, name: str, kind: str, default: str) -> Any:
    """Return an attribute that rows of an earlier release lack."""
    return item[name][kind] if name in item else default


def value(item: Item, name: str, kind: str) -> Any:
    """Return an attribute. Raises CrierError when there is none of that name and kind."""
    try:
        return item[name][kind]
    except KeyError as error:
        raise CrierError(
            f"a row of the ledger has no {name}: was it written by another version of Crier?"
        ) from error
