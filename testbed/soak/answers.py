"""Holds answers about channels against the broadcasts: each range is whole, or lost. Pure."""

from collections import Counter
from collections.abc import Iterator, Mapping

from broadcasting.position import Reason
from testbed.soak.live import wrong_in
from testbed.soak.sent import Sent
from testbed.soak.session import Answer


def wrong_answer(
    answer: Answer, stream: str, numbered: Mapping[int, Sent], *, most_frames: int
) -> Iterator[str]:
    """Yield a complaint for each frame that an answer lacks, or should not have.

    `numbered` are the broadcasts of the stream, `most_frames` is how many are replayed.
    """
    position = answer.position
    begin, end = position["from"], position["to"]
    about = f"an answer about {stream} from {begin} to {end}"
    yield from (f"{about} has {one}" for one in _wrong_frames(answer, begin, numbered))
    if lost := position.get("lost"):
        is_range = (lost["from"], lost["to"], position["frames"]) == (begin, end, [])
        is_right = lost["reason"] == Reason.TOO_MANY.value and end - begin > most_frames
        if not (is_range and is_right):
            yield f"{about} says that this is lost: {lost}"
        return
    came = {frame["seq"] for frame in position["frames"]}
    for seq in range(begin + 1, end + 1):
        one = numbered.get(seq)
        if one is not None and one.is_meant(answer.ids) and seq not in came:
            yield f"{about} lacks {one.id}, number {seq}"


def _wrong_frames(answer: Answer, begin: int, numbered: Mapping[int, Sent]) -> Iterator[str]:
    times: Counter[int] = Counter()
    for frame in answer.position["frames"]:
        one, seq = numbered.get(frame["seq"]), frame["seq"]
        times[seq] += 1
        if seq <= begin or times[seq] > 1:
            yield f"number {seq} ({times[seq]} times)"
        elif one is None or one.id != frame["id"]:
            yield f"{frame['id']} as number {seq}, which is {'none' if one is None else one.id}"
        elif not one.is_meant(answer.ids):
            yield f"{one.id}, which leaves out one of {sorted(answer.ids)}"
        elif wrong := wrong_in(frame, one):
            yield f"{one.id} with {wrong}"
