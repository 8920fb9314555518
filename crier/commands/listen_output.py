"""What `crier listen` prints: frames and gaps as data, all else as notes."""

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from broadcasting.followed_channel import Frame, Gap, Message, Recovered
from crier import terminal
from crier.errors import CrierError
from crier.listening.effects import Changed, Followed, State, Trouble
from crier.listening.listener import Event
from crier.wording import counted

_LOST = {
    "expired": "they are not kept any more",
    "too-many": "more than the stack replays",
    "epoch": "its numbers have begun anew",
}


class Output:
    """Prints what comes of some channels, of all if none is named.

    `on_enough` is called after `most_frames` frames; None is for no end.
    """

    def __init__(
        self, channels: Collection[str], *, as_json: bool, most_frames: int | None
    ) -> None:
        self.on_enough: Callable[[], None] = lambda: None
        self._channels, self._as_json, self._most = channels, as_json, most_frames
        self._frames = 0
        self._refusal = ""
        self._why = ""
        self._was_connected = False
        self._end: Changed | None = None

    def show(self, event: Event) -> None:
        """Print what came."""
        if self._has_enough:
            return
        match event:
            case Followed(channel, what):
                if not self._channels or channel in self._channels:
                    with _writing():
                        self._show_followed(channel, what)
            case Changed():
                self._show_change(event)
            case Trouble():
                if event.code == "unauthorized":
                    self._refusal = event.message
                terminal.note(f"{event.code}: {event.message}")

    def raise_if_unfinished(self, timeout_seconds: int | None) -> None:
        """Raise CrierError when it ended by itself, did not connect, or has too few frames."""
        if self._has_enough:
            return
        if self._end and self._refusal:
            raise CrierError(
                f"the client is not let in: {self._refusal}; check the API and the stage in the "
                "URL, or give another token, ticket or signed URL"
            )
        if self._end:
            raise CrierError(
                f"the server has sent the client away ({self._end.reason}), and told it not to "
                "come back"
            )
        if timeout_seconds is not None and not self._was_connected:
            why = self._why or "the first try has not ended"
            raise CrierError(f"the client did not connect in {timeout_seconds} s: {why}")
        if self._most is not None:
            raise CrierError(
                f"{counted(self._frames, 'frame')} came in {timeout_seconds} s, "
                f"expected {self._most:,}"
            )

    @property
    def _has_enough(self) -> bool:
        return self._most is not None and self._frames >= self._most

    def _show_followed(self, channel: str, what: Message | Gap | Recovered) -> None:
        match what:
            case Message(frame, is_replayed):
                self._frames += 1
                self._show_frame(frame, is_replayed=is_replayed)
                if self._has_enough:
                    self.on_enough()
            case Gap(start, end, reason):
                self._show_gap(channel, start, end, reason)
            case Recovered(frames):
                terminal.note(f"{channel}: nothing is missing, {counted(frames, 'frame')} replayed")

    def _show_frame(self, frame: Frame, *, is_replayed: bool) -> None:
        if self._as_json:
            _show_json({**frame, "replayed": is_replayed})
            return
        message = json.dumps(frame.get("message"), ensure_ascii=False)
        replayed = " (replayed)" if is_replayed else ""
        line = f"{_time_of(frame)} {frame['channel']} {frame['seq']}{replayed} {message}"
        terminal.out.print(terminal.plain(line), soft_wrap=True)

    def _show_gap(self, channel: str, start: int, end: int, reason: str) -> None:
        if self._as_json:
            gap = {"from": start, "to": end, "reason": reason}
            _show_json({"type": "gap", "channel": channel, **gap})
        why = _LOST.get(reason, reason)
        numbers = f"after {start}" if end <= start else f"{start + 1} to {end}"
        terminal.note(f"{channel}: LOST, numbers {numbers}: {why}; load your state anew")

    def _show_change(self, change: Changed) -> None:
        if change.state is State.CLOSED:
            self._end = change
        self._was_connected |= change.state is State.CONNECTED
        why = f": {change.why}" if change.why else ""
        if change.state is State.WAITING:
            self._why = change.reason + why
        wait = "" if change.retry_in_ms is None else f", again in {change.retry_in_ms / 1000:.1f} s"
        terminal.note(f"{change.state} ({change.reason}{why}{wait})")


@contextmanager
def _writing() -> Iterator[None]:
    """Turn an error of the output into a CrierError; a pipe without a reader ends the program."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:  # the disk is full, say
        raise CrierError(f"the output could not be written: {error.strerror}") from error


def _show_json(value: Mapping[str, Any]) -> None:
    """Print a line at once: a program may wait for it at the other end of a pipe."""
    terminal.show_json_line(value)
    terminal.out.file.flush()


def _time_of(frame: Frame) -> str:
    """Return when a broadcast was sent, in the time of this machine."""
    try:
        return f"{datetime.fromtimestamp(frame['sentAt'] / 1000).astimezone():%H:%M:%S.%f}"[:-3]
    except (OverflowError, OSError, ValueError):
        return "--:--:--.---"
