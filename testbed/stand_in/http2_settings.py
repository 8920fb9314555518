"""What the stand-in announces to an HTTP/2 client, and from when on it holds. RFC 9113, 6.5."""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from testbed.stand_in.http2_frames import (
    MAX_STREAM_ID,
    USUAL_FRAME_BYTES,
    USUAL_TABLE_BYTES,
    USUAL_WINDOW_BYTES,
    Setting,
    settings_frame,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Http2Limits:
    """What is announced when a connection opens; AWS's front doors announce 128 streams."""

    max_streams: int = 128
    window_bytes: int = USUAL_WINDOW_BYTES
    """Of each stream; it is widened as soon as a part of a post has come."""
    max_frame_bytes: int = USUAL_FRAME_BYTES
    table_bytes: int = USUAL_TABLE_BYTES
    connection_window_bytes: int = 16 * 1024 * 1024

    def __post_init__(self) -> None:
        for name in ("max_streams", "window_bytes", "table_bytes"):
            value = getattr(self, name)
            if not 0 <= value < 2**31:
                raise ValueError(f"{name} is {value}; expected 0 to 2^31 - 1")
        if not USUAL_FRAME_BYTES <= self.max_frame_bytes < 2**24:
            raise ValueError(f"max_frame_bytes is {self.max_frame_bytes}; expected 2^14 to 2^24-1")
        if not USUAL_WINDOW_BYTES <= self.connection_window_bytes < 2**31:
            found = self.connection_window_bytes
            raise ValueError(f"connection_window_bytes is {found}; expected 65,535 or more")

    def pairs(self) -> tuple[tuple[Setting, int], ...]:
        """Return the settings to announce."""
        return (
            (Setting.HEADER_TABLE_SIZE, self.table_bytes),
            (Setting.MAX_CONCURRENT_STREAMS, self.max_streams),
            (Setting.INITIAL_WINDOW_SIZE, self.window_bytes),
            (Setting.MAX_FRAME_SIZE, self.max_frame_bytes),
        )


class Announced:
    """What a client is held to: wider settings at once, narrower ones once acknowledged."""

    def __init__(self) -> None:
        self.values = {
            Setting.HEADER_TABLE_SIZE: USUAL_TABLE_BYTES,
            Setting.MAX_CONCURRENT_STREAMS: MAX_STREAM_ID,
            Setting.INITIAL_WINDOW_SIZE: USUAL_WINDOW_BYTES,
            Setting.MAX_FRAME_SIZE: USUAL_FRAME_BYTES,
        }
        self._unacknowledged: deque[dict[Setting, int]] = deque()

    def announce(self, settings: Iterable[tuple[Setting, int]]) -> bytes:
        """Return the frame that announces settings."""
        fresh = dict(settings)
        self._unacknowledged.append(fresh)
        self._widen(fresh)
        return settings_frame(fresh.items())

    def acknowledge(self) -> bool:
        """Take a client's acknowledgement; returns whether anything waited for it.

        What is announced already, but not acknowledged, still counts where it is wider.
        """
        if not self._unacknowledged:
            return False
        self.values.update(self._unacknowledged.popleft())
        for settings in self._unacknowledged:
            self._widen(settings)
        return True

    def _widen(self, settings: Mapping[Setting, int]) -> None:
        for name, value in settings.items():
            self.values[name] = max(value, self.values.get(name, value))
