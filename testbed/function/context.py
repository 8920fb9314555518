"""What a function is told about its invocation."""

import time
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Context:
    """Lambda's context object, as far as the functions read it."""

    ends_at: float
    """On the monotonic clock."""

    @classmethod
    def lasting(cls, seconds: float) -> Self:
        """Return the context of an invocation that begins now."""
        return cls(time.monotonic() + seconds)

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds until Lambda would end the invocation."""
        return max(0, int((self.ends_at - time.monotonic()) * 1000))
