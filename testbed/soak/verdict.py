"""Holds all that clients have received against the broadcasts that were sent. Pure."""

from collections.abc import Iterable, Iterator, Mapping

from testbed.soak.answers import wrong_answer
from testbed.soak.client import Speaker
from testbed.soak.following import wrong_following
from testbed.soak.live import wrong_frames
from testbed.soak.sent import Sent, by_stream
from testbed.soak.session import Session


def wrong_receptions(
    speakers: Iterable[Speaker],
    sessions: Iterable[Session],
    sent: Mapping[str, Sent],
    *,
    most_frames: int,
) -> Iterator[str]:
    """Yield a complaint for each promise that a client has seen broken.

    `most_frames` is how many frames are replayed.
    """
    streams, _ = by_stream(sent.values())
    for session in sessions:
        yield from wrong_frames(session, sent)
        for answer in session.answers:
            stream = session.stream_of(answer.channel)
            numbered = streams.get(stream, {})
            yield from wrong_answer(answer, stream, numbered, most_frames=most_frames)
    for speaker in speakers:
        for one in speaker.all_followed:
            yield from wrong_following(one, streams.get(one.stream, {}), tuple(speaker.ids))
