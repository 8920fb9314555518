"""The counter of a stream as an item of DynamoDB: two attributes for each mark.

| attribute      | what                                             |
|----------------|--------------------------------------------------|
| `last`         | the last number                                  |
| `epoch`        | of the numbers; absent in an earlier release's   |
| `number:<key>` | the number that a broadcast has taken            |
| `at:<key>`     | when, in epoch milliseconds                      |
"""

from typing import Final

from broadcasting.items import EXPIRY, Item
from broadcasting.numbering import Counter, Mark, expires

LAST, EPOCH = "last", "epoch"
NUMBER, TAKEN_AT = "number:", "at:"
"""What the names of a mark's two attributes begin with."""

_NONE: Final = {"N": "0"}


def counter_of(item: Item) -> Counter:
    """Read a counter. Raises KeyError or ValueError for any other item."""
    keys = (name.removeprefix(NUMBER) for name in item if name.startswith(NUMBER))
    marks = (
        Mark(key, int(item[NUMBER + key]["N"]), int(item.get(TAKEN_AT + key, _NONE)["N"]))
        for key in keys
    )
    return Counter(int(item[LAST]["N"]), item.get(EPOCH, {}).get("S", ""), tuple(marks))


def is_usable(item: Item | None, stream: str, now_ms: int) -> bool:
    """Tell whether this is a stream's counter that counts: it has an epoch, and has not expired."""
    if item is None or EPOCH not in item:
        return False
    return not expires(stream) or EXPIRY not in item or int(item[EXPIRY]["N"]) > now_ms // 1000
