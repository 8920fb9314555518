"""What `crier send` makes of its arguments."""

import pytest

from broadcasting.errors import RejectedError
from broadcasting.frame import MAX_FRAME_BYTES
from crier.request import request_of


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"text": "Hear ye!"}', {"text": "Hear ye!"}),
        ("[1, null]", [1, None]),
        ("-5", -5),
        ("Hear ye!", "Hear ye!"),
        ("", ""),
        ("NaN", "NaN"),
        ("Infinity", "Infinity"),
        ("-Infinity", "-Infinity"),
        ("[NaN]", "[NaN]"),
    ],
)
def test_request_is_json_or_else_a_text(text: str, message: object) -> None:
    """What is JSON is sent as such, anything else as a text: Python's NaN is not JSON."""
    request = request_of(text, None)

    assert request == {"message": message}


def test_request_has_the_id_when_one_is_named() -> None:
    """The id is in the body only when it is given."""
    request = request_of("x", "news-1")

    assert request == {"message": "x", "id": "news-1"}


def test_request_has_its_time_to_live_when_one_is_named() -> None:
    """The time to live is in the body only when it is given."""
    request = request_of("x", ttl_seconds=60)

    assert request == {"message": "x", "ttlSeconds": 60}


@pytest.mark.parametrize("ttl_seconds", [-1, 0, 86_401])
def test_request_is_rejected_when_its_time_to_live_cannot_be(ttl_seconds: int) -> None:
    """The contract's bounds hold."""
    with pytest.raises(RejectedError, match="ttlSeconds: expected a whole number from 1 to 86400"):
        request_of("x", ttl_seconds=ttl_seconds)


def test_request_is_rejected_as_the_function_rejects_it_when_it_is_one_byte_too_large() -> None:
    """The id that SQS will give counts, too: what passes here is delivered."""
    frame = '{"id":"%s","seq":1000000000000,"channel":"*","message":"","sentAt":1767225600000}'
    longest = MAX_FRAME_BYTES - len(frame % ("x" * 36))

    request_of("a" * longest, None)

    with pytest.raises(RejectedError, match="130049 bytes"):
        request_of("a" * (longest + 1), None)


@pytest.mark.parametrize("depth", range(900, 1000, 3))
def test_request_is_made_or_rejected_when_nesting_is_at_the_recursion_limit(depth: int) -> None:
    """No depth is read and then fails with anything but a reason."""
    try:
        request_of("[" * depth + "]" * depth, None)
    except RejectedError as error:
        assert "nested too deeply" in error.reason  # noqa: PT017 - either end is right
