"""Which users are kept out, and until when."""

from typing import Any

import pytest

from access.deny_list import require_not_denied
from access.refusal import Refusal, RefusedError
from tests.support.tokens import NOW


@pytest.mark.parametrize("row", [None, {"expiresAt": NOW}, {"expiresAt": 0}, {"expiresAt": -1}])
def test_user_is_not_denied_without_a_row_that_holds(row: dict[str, Any] | None) -> None:
    """DynamoDB deletes rows days after their time."""
    require_not_denied(row, NOW)


@pytest.mark.parametrize(
    "until", [NOW + 1, 10**30, None, "", "0", 0.0, float(NOW), True, False, []]
)
def test_user_is_denied_by_a_row_that_holds_or_is_malformed(until: object) -> None:
    """An operator wrote it: in doubt the user stays out."""
    for row in ({"expiresAt": until}, {}):
        with pytest.raises(RefusedError) as caught:
            require_not_denied(row, NOW)

        assert caught.value.refusal is Refusal.DENIED
