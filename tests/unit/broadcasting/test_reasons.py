"""Reasons in the log: few, and without what differs from one connection to the next."""

import pytest

from broadcasting.reasons import OTHERS, count_reasons, plain_reason


@pytest.mark.parametrize(
    ("reason", "plain"),
    [
        ("403 Forbidden", "403 Forbidden"),
        ('410 {"connectionId":"L0SM9cOFvHcCIhw="}', '410 {"connectionId":"…"}'),
        (
            "TimeoutError: no answer within 5.0 s",
            "TimeoutError: no answer within 5.0 s",
        ),
        ("could not reach https://a.example/prod/x?y=1 in time", "could not reach … in time"),
        ('{"requestId":"9f0b3c2e-1111-2222-3333-444455556666"}', '{"requestId":"…"}'),
        ("ConnectionRefusedError: [Errno 111] Connection refused", None),
        ("x" * 500, "x" * 120),
    ],
)
def test_plain_reason_leaves_out_ids_and_urls(reason: str, plain: str | None) -> None:
    """So that equal reasons are counted together, and the log holds no connection's id."""
    assert plain_reason(reason, "L0SM9cOFvHcCIhw=") == (reason if plain is None else plain)


def test_count_reasons_is_bounded() -> None:
    """The five most frequent, and all others as one."""
    reasons = [str(number) for number in range(9) for _ in range(number + 1)]

    counted = count_reasons(reasons)

    assert counted == {"8": 9, "7": 8, "6": 7, "5": 6, "4": 5, OTHERS: 10}
    assert count_reasons(["a"]) == {"a": 1}
