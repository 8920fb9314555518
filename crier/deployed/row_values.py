"""Single rows and attributes of the ledger, as DynamoDB gives them: some cannot be read."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import astuple, dataclass
from typing import Any, TypeVar

from broadcasting.connection import LATEST_MS
from broadcasting.items import EXPIRY, PARTITION_KEY, SORT_KEY
from broadcasting.receipt import Receipt
from crier.errors import CrierError

Item = dict[str, Any]
"""A row as DynamoDB gives it: whatever its attributes are, which `read_row` finds out."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class UnreadableRow:
    """A row that cannot be read, by its key, and what is wrong with it."""

    pk: str
    sk: str
    why: str

    @property
    def key(self) -> str:
        """The row's key, as people look for it."""
        return f"{self.pk} / {self.sk}"

    def as_json(self) -> dict[str, str]:
        """Return what a script wants to know."""
        return {"pk": self.pk, "sk": self.sk, "reason": self.why}


class UnreadableError(CrierError):
    """The one row that was asked for cannot be read."""

    def __init__(self, row: UnreadableRow) -> None:
        super().__init__(
            f"the row {row.key} of the ledger cannot be read: {row.why}; was it written by "
            "another version of Crier?"
        )
        self.row = row


def read_row(item: Item, read: Callable[[Item], _T]) -> _T | UnreadableRow:
    """Read a row; one that cannot be read hides no other."""
    try:
        _expiry(item)
        return read(item)
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        what = f"{error}" if type(error) is ValueError else f"{error!r}"
        return UnreadableRow(item[PARTITION_KEY]["S"], item[SORT_KEY]["S"], what)


def unexpired(items: Iterable[Item], now_seconds: float) -> Iterator[Item]:
    """Yield the rows that have not expired: DynamoDB deletes those that have days later."""
    for item in items:
        try:
            is_expired = _expiry(item) <= now_seconds
        except (KeyError, TypeError, ValueError):  # `read_row` tells
            is_expired = False
        if not is_expired:
            yield item


def text(item: Item, name: str) -> str:
    """Return a text of a row. Raises ValueError when it has none of that name."""
    return str(value(item, name, "S"))


def counts_of(item: Item) -> Receipt:
    """Return the sums of a row. Raises ValueError or TypeError when they are none."""
    counts = Receipt(**json.loads(text(item, "counts")))
    if not all(type(one) is int for one in astuple(counts)):
        raise ValueError(f"counts are {counts}, expected whole numbers")
    return counts


def number(item: Item, name: str, *, default: str | None = None) -> int:
    """Return a number of a row that is no less than 0 and no later than a time can be.

    Without a `default` it has to be there. Raises ValueError.
    """
    found = value(item, name, "N") if default is None else optional(item, name, "N", default)
    whole = int(found)
    if not 0 <= whole <= LATEST_MS:
        raise ValueError(f"{name} is {whole}, expected 0 to {LATEST_MS}")
    return whole


def count(item: Item, name: str) -> int:
    """Return a number of a row that counts something, also one that is wrongly below 0."""
    whole = int(value(item, name, "N"))
    if abs(whole) > LATEST_MS:
        raise ValueError(f"{name} is {whole}, expected a count")
    return whole


def optional(item: Item, name: str, kind: str, default: str) -> Any:
    """Return an attribute that rows of an earlier release lack."""
    return value(item, name, kind) if name in item else default


def value(item: Item, name: str, kind: str) -> Any:
    """Return an attribute. Raises ValueError when there is none of that name and type."""
    if name not in item:
        raise ValueError(f"it has no {name}")
    if kind not in item[name]:
        raise ValueError(f"{name} is of the type {', '.join(item[name])}, expected {kind}")
    return item[name][kind]


def _expiry(item: Item) -> float:
    return int(value(item, EXPIRY, "N")) if EXPIRY in item else float("inf")
