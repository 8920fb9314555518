"""What clients may ask for once they are let in, and how much of it at a time."""

from dataclasses import dataclass

from stacks.access_settings import AccessSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSettings(AccessSettings):
    """What the clients of one stage may ask for.

    open_channels              the channels of clients whose token or ticket names none: names, or
                               beginnings of names with a * at the end. A list in cdk.json; with
                               commas or spaces after -c. None at all: an empty list, or an empty
                               text
    replay_seconds             how long a client may ask for a frame that it missed, 0-604,800; 0
                               for never: no frame is then kept longer than its broadcast takes
    replay_frames              how many frames a client may ask for at a time, 1-1,000
    client_rate                frames of all clients per second, 1-10,000
    client_burst               how many of them at once, 1-5,000
    """

    open_channels: tuple[str, ...] = ("*",)
    replay_seconds: int = 86_400
    replay_frames: int = 300
    client_rate: int = 1_000
    client_burst: int = 1_000
