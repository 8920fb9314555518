"""The counter of a stream as an item of DynamoDB: two attributes for each mark.

| attribute      | what                                             |
|----------------|--------------------------------------------------|
| `last`         | the last number                                  |
| `epoch`        | of the numbers; absent in an earlier release's   |
| `number:<key>` | the number that a broadcast has taken            |
| `at:<key>`     | when, in epoch milliseconds                      |
"""

from typing import Final

from broadcasting.items import Item
from broadcasting.numbering import Counter, Mark

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
