"""Whether a counter counts."""

import pytest

from broadcasting.counter_items import is_usable
from broadcasting.items import Item

NOW_MS = 1_700_000_000_000


@pytest.mark.parametrize(
    ("item", "stream", "usable"),
    [
        (None, "*", False),
        ({"last": {"N": "1"}}, "*", False),
        ({"epoch": {"S": "k"}, "expiresAt": {"N": "1"}}, "*", True),
        ({"epoch": {"S": "k"}, "expiresAt": {"N": "1"}}, "!", True),
        ({"epoch": {"S": "k"}, "expiresAt": {"N": "1700000000"}}, "news", False),
        ({"epoch": {"S": "k"}, "expiresAt": {"N": "1700000001"}}, "user#bob", True),
        ({"epoch": {"S": "k"}}, "news", True),
    ],
)
def test_counter_counts_with_an_epoch_until_it_expires(
    item: Item | None, stream: str, *, usable: bool
) -> None:
    """Everyone's never expires; a channel's and a user's do, to the second."""
    assert is_usable(item, stream, NOW_MS) is usable
