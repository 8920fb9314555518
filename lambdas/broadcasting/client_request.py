"""What a client asks for: values, each of which refuses what cannot be asked.

A channel is named as in frames: a channel's own name, `*` for everyone's, `@` for the stream of the
client's user. All raise RefusedFrameError.
"""

from dataclasses import dataclass
from typing import Final

from broadcasting import checks
from broadcasting.audience import EVERYONE, OWN
from broadcasting.client_refusal import Code, RefusedFrameError, bad_frame
from broadcasting.strict_json import shown

MOST_CHANNELS: Final = 25
"""Of one request: DynamoDB writes that many rows at once."""

MOST_NUMBER: Final = 2**53 - 1
"""The largest whole number that JavaScript is exact with."""

MOST_EPOCH: Final = 32
MOST_EARLIER: Final = 3
"""Characters of an epoch, and earlier connection ids of a client."""


@dataclass(frozen=True, slots=True)
class After:
    """All after the frame with the number `seq` in an epoch: of a client that has been here."""

    seq: int
    epoch: str

    def __post_init__(self) -> None:
        """Refuse what is no number, and no epoch."""
        if wrong := checks.integer(0, MOST_NUMBER)(self.seq):
            raise bad_frame(f"the number of a frame: {wrong}, found {shown(self.seq)}")
        if not isinstance(self.epoch, str) or len(self.epoch) > MOST_EPOCH:
            raise bad_frame(
                f"epoch: expected a string of up to {MOST_EPOCH} characters, as an answer had it, "
                f"found {shown(self.epoch)}"
            )


@dataclass(frozen=True, slots=True)
class Last:
    """The last frames, 1 to `most`, and all after them."""

    frames: int
    most: int

    def __post_init__(self) -> None:
        """Refuse what is no number, and too many."""
        if wrong := checks.integer(1, self.most)(self.frames):
            raise bad_frame(f"last: {wrong}, found {shown(self.frames)}")


Since = After | Last | None
"""From where on a client wants frames; None is from now on."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A channel, and from where on."""

    channel: str
    since: Since = None

    def __post_init__(self) -> None:
        """Refuse what is no channel of a client."""
        require_channels((self.channel,))


@dataclass(frozen=True, slots=True, kw_only=True)
class Join:
    """The first request of a connection; `was` are the ids of the client's earlier connections."""

    wanted: tuple[Wanted, ...]
    was: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse too much at once."""
        _require_few(len(self.wanted))
        _require_earlier(self.was)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscribe:
    """More channels for a connection."""

    wanted: tuple[Wanted, ...]
    was: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse nothing, and too much at once."""
        _require_few(len(self.wanted), least=1)
        _require_earlier(self.was)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsubscribe:
    """No more frames of these channels; `*` and `@` cannot be left."""

    channels: tuple[str, ...]

    def __post_init__(self) -> None:
        """Refuse nothing, too much at once, and what cannot be left."""
        _require_few(len(self.channels), least=1)
        require_channels(self.channels)
        if implied := [one for one in self.channels if one in (EVERYONE, OWN)]:
            raise RefusedFrameError(
                Code.BAD_CHANNEL,
                f"found channel {implied[0]}, expected one that can be left: a client hears its "
                "broadcasts for as long as it is connected",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """What was missed of one channel."""

    wanted: Wanted
    was: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse too many earlier connections."""
        _require_earlier(self.was)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ping:
    """The newest numbers of these channels."""

    channels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what are no channels, and too many."""
        _require_few(len(self.channels))
        require_channels(self.channels)


Request = Join | Subscribe | Unsubscribe | Replay | Ping


@dataclass(frozen=True, slots=True)
class ClientFrame:
    """A client's request, and what the client calls it: None when it does not."""

    request: Request
    ref: str | None = None


def require_channels(names: tuple[str, ...]) -> None:
    """Refuse what is no channel that a client may name."""
    for name in names:
        if name not in (EVERYONE, OWN) and checks.CHANNEL(name):
            raise RefusedFrameError(
                Code.BAD_CHANNEL,
                f"found channel {shown(name)}, expected 1 to 64 of A-Z a-z 0-9 . _ : - or one of "
                "* (everyone) and @ (your own user)",
            )


def _require_few(channels: int, *, least: int = 0) -> None:
    if channels > MOST_CHANNELS:
        raise RefusedFrameError(
            Code.TOO_MANY_CHANNELS,
            f"found {channels} channels, expected at most {MOST_CHANNELS} in one frame: send more "
            "frames",
        )
    if channels < least:
        raise bad_frame(f"found no channel, expected {least} to {MOST_CHANNELS}")


def _require_earlier(was: tuple[str, ...]) -> None:
    if wrong := checks.ids(0, MOST_EARLIER)(list(was)):
        raise bad_frame(f"was: {wrong}, found {shown(was)}")
