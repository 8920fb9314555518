"""The errors of broadcasting.

BroadcastingError
├── RejectedError           a queue message that breaks its contract; retrying cannot help
│   └── GaveUpError         a slice that was taken up too often; a redrive begins its count anew
└── RefusedFrameError       a client's frame that is answered with an error (client_refusal.py)
"""


class BroadcastingError(Exception):
    """Something that the rules of broadcasting refuse."""


class RejectedError(BroadcastingError):
    """A queue message breaks its contract: it belongs in the dead-letter queue, with `reason`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class GaveUpError(RejectedError):
    """A slice was taken up too often without any connection ending in it."""
