"""How long a client takes to be whole again after a cut. Pure; times are in seconds."""

from collections.abc import Collection
from dataclasses import dataclass

from broadcasting.followed_channel import Recovered
from crier.listening.effects import Changed, Followed, State
from crier.listening.listener import Event
from crier.listening.waits import STEADY_MS

_STEADY_SECONDS = STEADY_MS / 1000


@dataclass(slots=True)
class Return:
    """From a cut to the moment at which the client has all that it missed, in all channels.

    `waited_seconds` is what it waited before its `tries`. `is_first_failure` tells that no other
    end of a connection was shortly before it, so that the first wait is the shortest one.
    """

    cut_at: float
    is_first_failure: bool
    missing: set[str]
    tries: int = 0
    waited_seconds: float = 0.0
    whole_at: float | None = None

    @property
    def is_at_first_try(self) -> bool:
        """Whether the first try has brought it back."""
        return self.whole_at is not None and self.is_first_failure and self.tries == 1

    @property
    def seconds(self) -> float:
        """How long it took; 0 while it is not whole."""
        return 0.0 if self.whole_at is None else self.whole_at - self.cut_at


class Returns:
    """The returns of one client; one that is cut again before it is whole has not returned."""

    def __init__(self, channels: Collection[str]) -> None:
        self.all: list[Return] = []
        self._channels = channels
        self._connected_at = float("inf")

    def cut(self, now: float) -> None:
        """Note that the connection, which had served, was cut."""
        is_steady = now - self._connected_at >= _STEADY_SECONDS
        self.all.append(Return(now, is_steady, set(self._channels)))

    def take(self, event: Event, now: float) -> None:
        """Note what the client tells."""
        if isinstance(event, Changed) and event.state is State.CONNECTED:
            self._connected_at = now
        one = self.all[-1] if self.all else None
        if one is None or one.whole_at is not None:
            return
        match event:
            case Changed(state=State.WAITING, retry_in_ms=retry_in_ms):
                one.tries += 1
                one.waited_seconds += (retry_in_ms or 0.0) / 1000
            case Followed(channel, Recovered()):
                one.missing.discard(channel)
                if not one.missing:
                    one.whole_at = now
