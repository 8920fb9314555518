"""The message that has a slice taken up."""

import pytest
from hypothesis import assume, given

from broadcasting.errors import RejectedError
from broadcasting.slice_message import encode_slice_message, parse_slice_message
from tests.support.strategies import TEXT


@given(TEXT, TEXT)
def test_slice_message_survives_its_way(broadcast_id: str, slice_id: str) -> None:
    """What is encoded is parsed again; the body is ASCII, as SQS refuses some text."""
    assume(max(len(broadcast_id), len(slice_id)) <= 128)

    body = encode_slice_message(broadcast_id, slice_id)

    assert body.isascii()
    assert parse_slice_message(body) == (broadcast_id, slice_id)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "x",
        "null",
        "1",
        "[]",
        "{}",
        '{"message": "hi"}',
        '{"broadcast": "b"}',
        '{"broadcast": "b", "slice": 0}',
        '{"broadcast": "b", "slice": ""}',
        '{"broadcast": null, "slice": "0"}',
        '{"broadcast": "\\ud800", "slice": "0"}',
        "[" * 200_000,
        encode_slice_message("b" * 129, "0"),
        encode_slice_message("b", "0" * 129),
    ],
)
def test_slice_message_is_rejected_when_it_is_something_else(body: str) -> None:
    """The queue is internal: the reason says where broadcasts belong."""
    with pytest.raises(RejectedError, match="broadcast queue"):
        parse_slice_message(body)
