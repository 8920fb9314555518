"""A frame: what a client receives, encoded once per broadcast."""

import json

from broadcasting.audience import channel_in_frame
from broadcasting.errors import RejectedError
from broadcasting.message import Broadcast

MAX_FRAME_BYTES = 127 * 1024
"""A KiB less than API Gateway delivers: an answer that replays frames has to hold any frame.

https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
"""


def encode_frame(broadcast: Broadcast, sent_at_ms: int, seq: int) -> str:
    """Return the text frame of a broadcast; `sent_at_ms` is in epoch milliseconds.

    `seq` is its number in the channel.

    Raises RejectedError when it is more than 127 KiB of UTF-8, or not Unicode text at all.
    """
    frame = json.dumps(
        {
            "id": broadcast.id,
            "seq": seq,
            "channel": channel_in_frame(broadcast.audience.stream),
            "message": broadcast.message,
            "sentAt": sent_at_ms,
        },
        ensure_ascii=False,
        separators=(",", ":"),
    )
    try:
        frame_bytes = len(frame.encode())
    except UnicodeEncodeError as error:
        raise RejectedError(
            "message holds a lone surrogate (\\ud800 to \\udfff), which UTF-8 cannot carry; "
            "expected Unicode text"
        ) from error
    if frame_bytes > MAX_FRAME_BYTES:
        raise RejectedError(
            f"the frame would be {frame_bytes} bytes, expected at most {MAX_FRAME_BYTES} "
            "(127 KiB); send less, or send a link"
        )
    return frame
