"""What a reaction is over HTTP/2: its twin on one stream, or what happens to the connection."""

from typing import assert_never

from testbed.stand_in.http2_frames import ErrorCode, Kind, frame
from testbed.stand_in.http2_streams import Streams
from testbed.stand_in.reaction import (
    Announce,
    Answer,
    Garbage,
    GoAway,
    HalfAnswer,
    Raw,
    Reaction,
    Reset,
    Silence,
    StreamReset,
)

_OK = Answer(200)
_OK_WITH_BODY = Answer(200, b"{}")


def perform(streams: Streams, stream_id: int, connection_id: str, reaction: Reaction) -> None:
    """Perform a reaction that is due."""
    match reaction:
        case Answer():
            _answer(streams, stream_id, reaction)
        case Raw():
            _send_raw(streams, stream_id, reaction)
        case Garbage():
            streams.outbox.frames.append(reaction.data)
            streams.keep(stream_id, connection_id)
        case HalfAnswer():
            _send_half(streams, stream_id)
            streams.keep(stream_id, connection_id)
        case Silence():
            streams.keep(stream_id, connection_id)
        case Announce():
            streams.announce(reaction.settings)
            streams.wait(stream_id, connection_id, reaction.then)
        case _:
            _end(streams, stream_id, reaction)


def _answer(streams: Streams, stream_id: int, answer: Answer) -> None:
    streams.answer(stream_id, answer)
    if answer.close:
        streams.go_away(ErrorCode.NO_ERROR)


def _end(streams: Streams, stream_id: int, reaction: Reset | StreamReset | GoAway) -> None:
    """End the stream or the connection."""
    match reaction:
        case Reset():
            _reset(streams, stream_id, reaction)
        case StreamReset():
            _reset_stream(streams, stream_id, reaction)
        case GoAway():
            _go_away(streams, stream_id, reaction)
        case _:
            assert_never(reaction)


def _send_raw(streams: Streams, stream_id: int, raw: Raw) -> None:
    data = raw.data(stream_id) if callable(raw.data) else raw.data
    if raw.status:
        streams.count(raw.status)
    streams.outbox.frames.append(data)
    if raw.close:
        streams.channel.end()


def _send_half(streams: Streams, stream_id: int) -> None:
    """Send the head of a 200 and one of its two bytes."""
    streams.outbox.frames.append(streams.head(stream_id, _OK_WITH_BODY))
    streams.outbox.frames.append(frame(Kind.DATA, 0, stream_id, _OK_WITH_BODY.body[:1]))


def _reset(streams: Streams, stream_id: int, reset: Reset) -> None:
    """Reset the TCP connection, before an answer, in the middle of its bytes, or after it."""
    if reset.when == "during":
        head = streams.head(stream_id, _OK)
        streams.outbox.frames.append(head[: len(head) // 2])
    elif reset.when == "after":
        streams.answer(stream_id, _OK)
    streams.reset()


def _reset_stream(streams: Streams, stream_id: int, reset: StreamReset) -> None:
    if reset.when == "during":
        _send_half(streams, stream_id)
    elif reset.when == "after":
        streams.answer(stream_id, _OK)
    streams.reset_stream(stream_id, reset.code)


def _go_away(streams: Streams, stream_id: int, go_away: GoAway) -> None:
    last_ids = {"none": 0, "before": stream_id - 1, "this": stream_id, "all": None}
    streams.go_away(go_away.code, last_ids[go_away.last])
    if go_away.delivers:
        streams.answer(stream_id, _OK)
