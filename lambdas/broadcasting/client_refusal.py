"""Why a client's frame is refused: what its answer says."""

from enum import Enum

from broadcasting.errors import BroadcastingError


class Code(Enum):
    """Why, in one word; a client decides by it what to do."""

    BAD_FRAME = "bad-frame"
    UNKNOWN_ACTION = "unknown-action"
    BAD_CHANNEL = "bad-channel"
    NOT_ALLOWED = "not-allowed"
    TOO_MANY_CHANNELS = "too-many-channels"
    GONE = "gone"
    BUSY = "busy"


class RefusedFrameError(BroadcastingError):
    """A client's frame cannot be answered with what it asks for.

    `message` is for the client alone, as it may quote what was sent: it is not for logs. `ref` is
    what the client called its request, None when it did not; `after_ms` is the time in milliseconds
    after which it may ask again, None for a request that is refused for good.
    """

    def __init__(
        self, code: Code, message: str, *, ref: str | None = None, after_ms: int | None = None
    ) -> None:
        super().__init__(code.value)
        self.code = code
        self.message = message
        self.ref = ref
        self.after_ms = after_ms

    def of(self, ref: str | None) -> "RefusedFrameError":
        """Return the same refusal of a request that the client called `ref`."""
        return RefusedFrameError(self.code, self.message, ref=ref, after_ms=self.after_ms)


def bad_frame(message: str) -> RefusedFrameError:
    """Return the refusal of a frame that is not made as it has to be."""
    return RefusedFrameError(Code.BAD_FRAME, message)
