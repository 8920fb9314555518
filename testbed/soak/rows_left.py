"""Which rows are left when all clients are gone, and which of them should not be. Pure.

In the connections table nothing of a client may stay, with two exceptions that only their expiry
removes: tickets, and a `self` row that is the only row of its connection. A function that dies
while it subscribes a connection that has just gone leaves such a one; no broadcast finds it.

In the ledger all stays by design, until it expires: summaries, slices, failed connections, numbers,
frames. Counters of everyone's and of listed connections' broadcasts, and the budget, stay for good.
A mark on a counter may stay for five minutes; the next opening or replay of its stream closes it.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from broadcasting.counter_items import counter_of
from broadcasting.door_rows import SELF, TICKET
from broadcasting.items import EXPIRY, PARTITION_KEY, SORT_KEY
from broadcasting.ledger_items import ENTRIES, FAILED, FRAMES, SLICES
from broadcasting.numbering import MARK_LIFE_MS, Counter, expires, mark_key

Item = Mapping[str, Any]

_CONNECTION = "connection#"
_OF_CONNECTIONS = ("all#", "channel#", "user#", _CONNECTION)
_OF_BROADCASTS = ("summary", SLICES, FAILED)


class ClientRows(NamedTuple):
    """The keys of rows that name a connection: those to be deleted, and those only to expire."""

    left: list[str]
    kept: list[str]
    ids: frozenset[str]
    """The connections that have a row of either kind."""


def client_rows(items: Iterable[Item]) -> ClientRows:
    """Sort the rows of the connections table. Raises ValueError for a row of no known kind."""
    keys = [_key(item) for item in items if not _is_ticket(item)]
    own = {key: key[0].removeprefix(_CONNECTION) for key in keys if _is_own(key)}
    with_others = {sk for pk, sk in keys if (pk, sk) not in own}
    kept = [key for key, id_ in own.items() if id_ not in with_others]
    left = [key for key in keys if key not in kept]
    ids = frozenset(with_others.union(own.values()))
    return ClientRows(["/".join(key) for key in left], ["/".join(key) for key in kept], ids)


def wrong_client_rows(items: Iterable[Item]) -> Iterator[str]:
    """Yield a complaint for each row of no known kind, and for each one that never expires."""
    for item in items:
        key = _key(item)
        if not (key[0].startswith(_OF_CONNECTIONS) or _is_ticket(item)):
            yield f"row {'/'.join(key)} is of an unknown kind"
        elif EXPIRY not in item:
            yield f"row {'/'.join(key)} never expires"


class Numbers(NamedTuple):
    """What the ledger has of one stream."""

    counter: Counter
    framed: frozenset[int]
    opened_ms: int
    """When the last broadcast was opened."""


def numbers_of(items: Iterable[Item]) -> dict[str, Numbers]:
    """Return what the ledger has of each stream."""
    counters: dict[str, Counter] = {}
    framed: dict[str, set[int]] = {}
    opened: dict[str, int] = {}
    for item in items:
        (pk, sk), name = _key(item), _key(item)[0].removeprefix("channel#")
        if not pk.startswith("channel#"):
            continue
        if sk == "sequence":
            counters[name] = counter_of(dict(item))
        elif sk.startswith(FRAMES):
            framed.setdefault(name, set()).add(int(sk.removeprefix(FRAMES)))
        else:
            opened[name] = max(opened.get(name, 0), int(item["opened_ms"]["N"]))
    return {
        name: Numbers(one, frozenset(framed.get(name, ())), opened.get(name, 0))
        for name, one in counters.items()
    }


def wrong_numbers(stream: str, numbers: Numbers, ids: Collection[str]) -> Iterator[str]:
    """Yield a complaint for each number without a row, and each mark that should not be there.

    `ids` are the broadcasts that were sent.
    """
    counter, keys = numbers.counter, {mark_key(one) for one in ids}
    marked = {mark.number for mark in counter.marks}
    for number in sorted(set(range(1, counter.last + 1)) - numbers.framed - marked):
        yield f"number {number} of {stream} has no row"
    for mark in counter.marks:
        if mark.key not in keys:
            yield f"number {mark.number} of {stream} is marked for no broadcast that was sent"
        elif numbers.opened_ms - mark.taken_ms > MARK_LIFE_MS:
            yield f"number {mark.number} of {stream} is still marked, after a later opening"


def wrong_ledger_rows(items: Iterable[Item], ids: Collection[str]) -> Iterator[str]:
    """Yield a complaint for each row of an unknown kind, or that never expires and should."""
    for item in items:
        pk, sk = _key(item)
        stream, id_ = pk.removeprefix("channel#"), pk.removeprefix("broadcast#")
        is_for_good = pk == "budget" or (sk == "sequence" and not expires(stream))
        of_stream = pk.startswith("channel#") and sk.startswith(("sequence", ENTRIES, FRAMES))
        of_broadcast = pk.startswith("broadcast#") and id_ in ids and sk.startswith(_OF_BROADCASTS)
        if not (of_stream or of_broadcast or pk == "budget"):
            yield f"row {pk}/{sk} is of an unknown kind"
        elif EXPIRY not in item and not is_for_good:
            yield f"row {pk}/{sk} never expires"


def _key(item: Item) -> tuple[str, str]:
    return item[PARTITION_KEY]["S"], item[SORT_KEY]["S"]


def _is_ticket(item: Item) -> bool:
    return _key(item)[0].startswith(TICKET)


def _is_own(key: tuple[str, str]) -> bool:
    return key[0].startswith(_CONNECTION) and key[1] == SELF
