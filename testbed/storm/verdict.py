"""Holds what clients were told against what was broadcast: each frame once, in order. Pure.

It knows nothing of positions: what a client must have follows from when it had joined, and when and
under which number a broadcast was sent.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

from testbed.soak.sent import Sent, Streams, by_stream
from testbed.storm.diary import Diary, Heard


def wrong_storm(diaries: Iterable[Diary], sent: Sequence[Sent]) -> Iterator[str]:
    """Yield a complaint for each promise that a storm has seen broken."""
    for one in sent:
        if not one.seq:
            yield f"{one.id} to {one.stream} was enqueued, and has no number"
    streams, complaints = by_stream(sent)
    yield from complaints
    for diary in diaries:
        yield from _wrong_diary(diary, streams)


def expected_by(diary: Diary, channel: str, streams: Streams) -> dict[str, int]:
    """Return the broadcasts that a client must have of a channel, and their numbers.

    These are all that were enqueued after it had joined, and all after the first one that it has:
    it may have begun a little sooner.
    """
    numbered = streams.get(channel, {})
    had = {one.id for one in diary.heard.get(channel, ())}
    first = min((seq for seq, one in numbered.items() if one.id in had), default=float("inf"))
    since = float("inf") if diary.joined_at is None else diary.joined_at
    return {one.id: seq for seq, one in numbered.items() if seq >= first or one.sent_at >= since}


def lacking(diary: Diary, streams: Streams) -> Iterator[str]:
    """Yield what a client lacks, for each channel that it follows."""
    for channel in sorted(diary.channels):
        had = {one.id for one in diary.heard.get(channel, ())}
        expected = expected_by(diary, channel, streams)
        if missing := sorted(seq for id_, seq in expected.items() if id_ not in had):
            yield f"{diary.user} lacks numbers {missing} of {channel}"


def _wrong_diary(diary: Diary, streams: Streams) -> Iterator[str]:
    if diary.joined_at is None:
        yield f"{diary.user} was never let in: {dict(diary.troubles)}"
    if diary.ended:
        yield f"{diary.user} has ended: {diary.ended}"
    yield from (f"{diary.user} was told that frames are lost: {one}" for one in diary.gaps)
    yield from lacking(diary, streams)
    for channel, frames in diary.heard.items():
        numbers = {one.id: seq for seq, one in streams.get(channel, {}).items()}
        about = f"{diary.user} in {channel}"
        if channel not in diary.channels:
            yield f"{about}: {len(frames)} frames, and it does not follow this channel"
        yield from (f"{about}: {wrong}" for wrong in _wrong_frames(frames, numbers))


def _wrong_frames(frames: Sequence[Heard], numbers: Mapping[str, int]) -> Iterator[str]:
    """Yield what is wrong in the frames of one channel, as a client was given them."""
    for id_, times in Counter(one.id for one in frames).items():
        if times > 1:
            yield f"{id_} came {times} times"
    for one in frames:
        if one.id not in numbers:
            yield f"{one.id} came, which was not sent there"
        elif numbers[one.id] != one.seq:
            yield f"{one.id} came as number {one.seq}, expected {numbers[one.id]}"
    known = [one for one in frames if one.id in numbers]
    for before, after in pairwise(known):
        if numbers[after.id] < numbers[before.id]:
            yield f"{after.id} ({numbers[after.id]}) came after {numbers[before.id]}"
