"""The storm's verdict: each kind of broken promise is found, and what is right is not."""

from collections.abc import Callable

import pytest

from broadcasting.audience import Audience
from testbed.soak.sent import Sent, by_stream
from testbed.storm.diary import Diary, Heard
from testbed.storm.verdict import expected_by, lacking, wrong_storm

JOINED_AT = 10.0

NEWS = [
    Sent(f"n{seq}", Audience(channel="news"), at, seq=seq)
    for seq, at in ((1, 8.0), (2, 9.0), (3, 11.0), (4, 12.0), (5, 13.0))
]
SPORT = [Sent("s1", Audience(channel="sport"), 11.0, seq=1)]
EVERYONE = [Sent("e1", Audience(), 11.0, seq=1)]
SENT = [*NEWS, *SPORT, *EVERYONE]


def heard(*seqs: int) -> list[Heard]:
    """Return frames of `news`."""
    return [Heard(f"n{seq}", seq) for seq in seqs]


def diary(*seqs: int) -> Diary:
    """Return what a client of `news` and everyone's was told that has all of the latter."""
    frames = {"news": heard(*seqs), "*": [Heard("e1", 1)]}
    return Diary("alice", frozenset({"*", "news"}), joined_at=JOINED_AT, heard=frames)


def complaints(one: Diary, sent: list[Sent] = SENT) -> list[str]:
    """Return what is wrong."""
    return list(wrong_storm([one], sent))


@pytest.mark.parametrize("seqs", [(3, 4, 5), (2, 3, 4, 5), (1, 2, 3, 4, 5)])
def test_each_frame_once_and_in_order_is_right(seqs: tuple[int, ...]) -> None:
    """From the first one on that was sent after the join; what was sent before may be there."""
    assert complaints(diary(*seqs)) == []


@pytest.mark.parametrize(
    ("seqs", "wrong"),
    [
        ((3, 5), ["alice lacks numbers [4] of news"]),
        ((3, 4), ["alice lacks numbers [5] of news"]),
        ((4, 5), ["alice lacks numbers [3] of news"]),
        ((1, 3, 4, 5), ["alice lacks numbers [2] of news"]),
        ((), ["alice lacks numbers [3, 4, 5] of news"]),
        ((3, 4, 4, 5), ["alice in news: n4 came 2 times"]),
        ((3, 5, 4), ["alice in news: n4 (4) came after 5"]),
        (
            (3, 4, 5, 3),
            ["alice in news: n3 came 2 times", "alice in news: n3 (3) came after 5"],
        ),
    ],
)
def test_lost_doubled_and_swapped_frames_are_found(seqs: tuple[int, ...], wrong: list[str]) -> None:
    """One in the middle, the last one, the first one, all; a copy beside it and a late one."""
    assert complaints(diary(*seqs)) == wrong


def _hear_of_another_channel(one: Diary) -> None:
    one.heard["sport"] = [Heard("s1", 1)]


def _hear_of_another_channel_in_its_own(one: Diary) -> None:
    one.heard["news"].append(Heard("s1", 6))


def _hear_what_was_not_sent(one: Diary) -> None:
    one.heard["news"].append(Heard("unknown", 6))


def _hear_a_wrong_number(one: Diary) -> None:
    one.heard["news"][-1] = Heard("n5", 6)


def _be_told_of_a_gap(one: Diary) -> None:
    one.gaps.append("news after 2 up to 3 (expired)")


def _end(one: Diary) -> None:
    one.ended = "unauthorized"


@pytest.mark.parametrize(
    ("go_wrong", "wrong"),
    [
        (_hear_of_another_channel, "alice in sport: 1 frames, and it does not follow this channel"),
        (_hear_of_another_channel_in_its_own, "alice in news: s1 came, which was not sent there"),
        (_hear_what_was_not_sent, "alice in news: unknown came, which was not sent there"),
        (_hear_a_wrong_number, "alice in news: n5 came as number 6, expected 5"),
        (
            _be_told_of_a_gap,
            "alice was told that frames are lost: news after 2 up to 3 (expired)",
        ),
        (_end, "alice has ended: unauthorized"),
    ],
)
def test_foreign_frames_gaps_and_ends_are_found(
    go_wrong: Callable[[Diary], None], wrong: str
) -> None:
    """All else is right; a gap counts also when nothing is missing after it."""
    one = diary(3, 4, 5)

    go_wrong(one)

    assert complaints(one) == [wrong]


def test_client_that_never_came_is_found() -> None:
    """It may have nothing, which is no excuse."""
    one = Diary("bob", frozenset({"*"}))
    one.troubles["refused"] = 3

    assert complaints(one) == ["bob was never let in: {'refused': 3}"]


def test_broadcasts_that_got_no_number_or_another_ones_are_found() -> None:
    """An accepted message must be opened, and each number of a channel is one broadcast's."""
    never = Sent("never", Audience(channel="news"), 14.0)
    again = Sent("again", Audience(channel="sport"), 14.0, seq=1)

    assert complaints(diary(3, 4, 5), [*SENT, never, again]) == [
        "never to news was enqueued, and has no number",
        "again: number 1 of sport is that of s1",
    ]


def test_client_must_have_what_was_sent_after_its_join_and_after_its_first_frame() -> None:
    """Of each channel by itself; of one that was not let in nothing is expected."""
    streams, _ = by_stream(SENT)
    outside = Diary("bob", frozenset({"news"}))

    assert expected_by(diary(), "news", streams) == {"n3": 3, "n4": 4, "n5": 5}
    assert expected_by(diary(2), "news", streams) == {"n2": 2, "n3": 3, "n4": 4, "n5": 5}
    assert expected_by(diary(), "unused", streams) == {}
    assert expected_by(outside, "news", streams) == {}
    assert list(lacking(diary(2, 5), streams)) == ["alice lacks numbers [3, 4] of news"]
