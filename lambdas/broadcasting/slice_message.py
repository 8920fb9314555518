"""The message that has a slice taken up: it names the slice; all else is in the ledger."""

import json
from typing import NamedTuple

from broadcasting.connection import require_text
from broadcasting.errors import RejectedError

_LONGEST_ID = 128
"""More than a broadcast's id has, and far more than a slice's; a key of DynamoDB has 1 KB."""


class SliceId(NamedTuple):
    """Which slice of which broadcast."""

    broadcast_id: str
    slice_id: str


def encode_slice_message(broadcast_id: str, slice_id: str) -> str:
    """Return the body of the SQS message for a slice; ASCII, as SQS refuses some text."""
    return json.dumps({"broadcast": broadcast_id, "slice": slice_id})


def parse_slice_message(body: str) -> SliceId:
    """Return the slice that a message names. Raises RejectedError when it names none."""
    try:
        fields = json.loads(body)
        broadcast_id, slice_id = fields["broadcast"], fields["slice"]
        require_text("broadcast", broadcast_id)
        require_text("slice", slice_id)
        if len(broadcast_id) > _LONGEST_ID or len(slice_id) > _LONGEST_ID:
            raise ValueError(f"an id is longer than {_LONGEST_ID} characters")  # noqa: TRY301
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise RejectedError(
            f"not a slice message: {error!r}; the slice queue is internal, send broadcasts to the "
            "broadcast queue"
        ) from error
    return SliceId(broadcast_id, slice_id)
