"""The public prices of what a broadcast uses, and what its counted use costs.

us-east-1, on demand, without any free tier, as of 2026-11: https://aws.amazon.com/lambda/pricing/
(arm64), https://aws.amazon.com/dynamodb/pricing/on-demand/, https://aws.amazon.com/sqs/pricing/
and https://aws.amazon.com/api-gateway/pricing/ (the first billion messages of a month).
"""

import math
from dataclasses import dataclass

AS_OF = "2026-11"
DOLLARS_PER_GB_SECOND = 0.0000133334
DOLLARS_PER_INVOCATION = 0.20e-6
DOLLARS_PER_WRITE_UNIT = 0.625e-6
DOLLARS_PER_READ_UNIT = 0.125e-6
DOLLARS_PER_QUEUE_REQUEST = 0.40e-6
DOLLARS_PER_MESSAGE = 1.00e-6
"""For each 32 KiB of it."""

_METERED_BYTES = 32 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """What one broadcast used; clean-up is the deleting of stale rows."""

    invocations: int
    gb_seconds: float
    dynamodb_requests: int
    read_units: float
    write_units: float
    queue_requests: int
    cleanup_requests: int
    cleanup_write_units: float
    cleanup_read_units: float = 0.0  # results of the release before have none


@dataclass(frozen=True, slots=True)
class Cost:
    """Dollars for one broadcast, by service."""

    function: float
    dynamodb: float
    queues: float
    messages: float

    @property
    def ours(self) -> float:
        """What Crier adds to the messages themselves."""
        return self.function + self.dynamodb + self.queues

    @property
    def share(self) -> float:
        """That as a part of API Gateway's charge."""
        return self.ours / self.messages


def cost_of(use: Use, *, messages: int, frame_bytes: int) -> Cost:
    """Return what a use costs, and what API Gateway charges for the messages."""
    metered = math.ceil(frame_bytes / _METERED_BYTES)
    return Cost(
        function=use.gb_seconds * DOLLARS_PER_GB_SECOND + use.invocations * DOLLARS_PER_INVOCATION,
        dynamodb=(use.read_units + use.cleanup_read_units) * DOLLARS_PER_READ_UNIT
        + (use.write_units + use.cleanup_write_units) * DOLLARS_PER_WRITE_UNIT,
        queues=use.queue_requests * DOLLARS_PER_QUEUE_REQUEST,
        messages=messages * metered * DOLLARS_PER_MESSAGE,
    )
