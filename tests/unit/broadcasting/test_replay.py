"""What a client is given that comes back: all that was meant for it, or told that it is lost."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broadcasting.client_request import After, Last, Since
from broadcasting.ledger_rows import FrameRow
from broadcasting.numbering import Counter, Mark
from broadcasting.position import Lost, Position, Reason, frame_bytes
from broadcasting.replay import Found, Viewer, numbers_wanted, position_of

EPOCH = "k3f0"
NOW_MS = 1_000_000
LATER_MS = NOW_MS + 1
ME = "me="
FRAME = "0123456789"
FAR = Viewer(frozenset({ME}), NOW_MS, most_frames=300, room_bytes=10_000)


def _row(number: int, **changes: object) -> FrameRow:
    row = FrameRow("*", number, f"f{number}", epoch=EPOCH, replay_until_ms=LATER_MS)
    return row._replace(**changes)  # type: ignore[arg-type]


def _counter(last: int, *marks: int) -> Counter:
    return Counter(last, EPOCH, tuple(Mark(f"k{one}", one, NOW_MS) for one in marks))


def _position(
    counter: Counter,
    since: Since,
    *rows: FrameRow,
    viewer: Viewer = FAR,
    until: int | None = None,
) -> Position:
    """Return a position, when all rows that are there were looked for, or those up to a number."""
    wanted = numbers_wanted(counter, since, most_frames=viewer.most_frames)
    last = counter.last if until is None else until
    found = {row.seq: row for row in rows if row.seq in wanted and row.seq <= last}
    return position_of(counter, since, Found(found, last), viewer)


def _rows(first: int, last: int) -> list[FrameRow]:
    return [_row(number) for number in range(first, last + 1)]


def _given(position: Position) -> tuple[int, int, list[str], bool]:
    assert position.lost is None
    return position.start, position.end, list(position.frames), position.more


def _lost(position: Position) -> Lost:
    assert position.lost
    assert position.end == position.seq
    return position.lost


def test_fresh_client_begins_behind_what_is_known() -> None:
    """It needs no frames: those above come as posts, or are seen as a gap."""
    position = _position(_counter(9, 8), None, *_rows(1, 9))

    assert (position.epoch, position.seq) == (EPOCH, 7)
    assert _given(position) == (7, 7, [], False)
    assert numbers_wanted(_counter(9, 8), None, most_frames=300) == range(0)


def test_client_that_has_been_here_is_given_what_it_missed() -> None:
    """In order."""
    assert _given(_position(_counter(5), After(2, EPOCH), *_rows(1, 5))) == (
        2,
        5,
        ["f3", "f4", "f5"],
        False,
    )


def test_client_that_has_missed_nothing_is_given_nothing() -> None:
    """No row has to be looked for."""
    assert _given(_position(_counter(5), After(5, EPOCH))) == (5, 5, [], False)
    assert list(numbers_wanted(_counter(5), After(5, EPOCH), most_frames=300)) == []


@pytest.mark.parametrize(
    "change",
    [
        {"frame": ""},
        {"exclude": ("other", ME)},
        {"until_ms": NOW_MS},
        {"until_ms": 1},
    ],
    ids=["void", "excluded", "over just now", "over"],
)
def test_number_that_is_not_for_the_client_is_passed_over(change: dict[str, object]) -> None:
    """It is complete without it."""
    rows = [_row(1), _row(2, **change), _row(3)]

    assert _given(_position(_counter(3), After(0, EPOCH), *rows)) == (0, 3, ["f1", "f3"], False)


def test_frame_that_is_not_over_yet_is_given() -> None:
    """And one that excludes others."""
    rows = [_row(1, until_ms=LATER_MS), _row(2, exclude=("other",))]

    assert _given(_position(_counter(2), After(0, EPOCH), *rows)) == (0, 2, ["f1", "f2"], False)


def test_earlier_connections_of_the_client_are_excluded_too() -> None:
    """The sender came back under another id."""
    viewer = FAR._replace(ids=frozenset({ME, "was="}))
    row = _row(1, exclude=("was=",))

    assert _given(_position(_counter(1), After(0, EPOCH), row, viewer=viewer))[2] == []


@pytest.mark.parametrize(
    "rows",
    [
        [_row(2), _row(3)],
        [_row(1), _row(3)],
        [_row(1), _row(2)],
        [],
        [_row(1), _row(2), _row(3, replay_until_ms=NOW_MS)],
        [_row(1, replay_until_ms=0), _row(2), _row(3)],
        [_row(1), _row(2, epoch="other"), _row(3)],
        [_row(1), _row(2, epoch=""), _row(3)],
    ],
    ids=["first", "middle", "last", "all", "over", "never", "another epoch", "no epoch"],
)
def test_range_with_a_hole_is_lost_as_a_whole(rows: list[FrameRow]) -> None:
    """Never partial."""
    position = _position(_counter(3), After(0, EPOCH), *rows)

    assert _lost(position) == Lost(0, 3, Reason.EXPIRED)
    assert (position.start, position.end, position.frames) == (0, 3, ())


@pytest.mark.parametrize("since", [After(2, "other"), After(2, ""), After(4, EPOCH)])
def test_position_of_another_epoch_or_of_the_future_is_lost(since: After) -> None:
    """The client goes on from what is known, with the epoch that it is told."""
    position = _position(_counter(3), since, *_rows(1, 3))

    assert _lost(position) == Lost(since.seq, 3, Reason.EPOCH)
    assert position.epoch == EPOCH


def test_client_that_has_missed_too_many_has_lost_them() -> None:
    """One fewer is given; nothing is looked for."""
    viewer = FAR._replace(most_frames=3)
    counter = _counter(10)

    assert _given(_position(counter, After(7, EPOCH), *_rows(1, 10), viewer=viewer))[1] == 10
    position = _position(counter, After(6, EPOCH), *_rows(1, 10), viewer=viewer)
    assert _lost(position) == Lost(6, 10, Reason.TOO_MANY)
    assert list(numbers_wanted(counter, After(6, EPOCH), most_frames=3)) == []


def test_rows_above_what_is_known_are_given_and_the_end_stays_contiguous() -> None:
    """4 is taken and has no row yet; the posts of 5 may have come before the subscription."""
    rows = [*_rows(1, 3), _row(5)]

    position = _position(_counter(5, 4), After(2, EPOCH), *rows)

    assert position.seq == 3
    assert _given(position) == (2, 3, ["f3", "f5"], False)


def test_end_goes_on_over_rows_whose_mark_is_not_removed_yet() -> None:
    """The row is there: it cannot change any more."""
    position = _position(_counter(5, 4), After(2, EPOCH), *_rows(1, 5))

    assert position.seq == 3
    assert _given(position) == (2, 5, ["f3", "f4", "f5"], False)


def test_position_above_a_smaller_mark_is_no_loss() -> None:
    """The client has been posted 4 already, whose row is there; 3 comes, or shows as a gap."""
    position = _position(_counter(6, 3, 6), After(4, EPOCH), *_rows(4, 5))

    assert position.seq == 2
    assert _given(position) == (4, 5, ["f5"], False)
    assert _given(_position(_counter(4, 3), After(4, EPOCH))) == (4, 4, [], False)


def test_hole_above_what_is_known_is_no_loss() -> None:
    """Nothing says that the number has rows."""
    assert _given(_position(_counter(4, 3), After(2, EPOCH), _row(4))) == (2, 2, ["f4"], False)


def test_answer_that_is_full_ends_before_the_frame_that_does_not_fit() -> None:
    """The client asks again from there."""
    size = frame_bytes("f1")
    rows = _rows(1, 4)
    seen = [
        _given(
            _position(
                _counter(4), After(0, EPOCH), *rows, viewer=FAR._replace(room_bytes=room * size)
            )
        )
        for room in (0, 1, 3, 4)
    ]

    assert seen == [
        (0, 0, [], True),
        (0, 1, ["f1"], True),
        (0, 3, ["f1", "f2", "f3"], True),
        (0, 4, ["f1", "f2", "f3", "f4"], False),
    ]


def test_frame_above_a_gap_that_does_not_fit_is_left_out() -> None:
    """The client sees the gap below the newest one, and asks for it later."""
    rows = [_row(1), _row(3), _row(4, frame="a frame that is too long"), _row(5)]
    viewer = FAR._replace(room_bytes=3 * frame_bytes("f1"))

    position = _position(_counter(5, 2), After(0, EPOCH), *rows, viewer=viewer)

    assert _given(position) == (0, 1, ["f1", "f3", "f5"], False)


def test_newest_frame_above_a_gap_goes_before_the_others() -> None:
    """Without it no gap would show that anything is missing."""
    rows = [_row(1), _row(3), _row(4), _row(5)]
    viewer = FAR._replace(room_bytes=2 * frame_bytes("f1"))

    position = _position(_counter(6, 2, 6), After(0, EPOCH), *rows, viewer=viewer)

    assert _given(position) == (0, 1, ["f1", "f5"], False)


def test_newest_frame_above_a_gap_that_does_not_fit_is_asked_for_again() -> None:
    """From the end of the answer, where nothing else takes its room; one for others needs none."""
    rows = [_row(1), _row(3), _row(4, frame="the newest one")]
    viewer = FAR._replace(room_bytes=frame_bytes("the newest one"))
    for_others = _row(4, frame="the newest one", exclude=frozenset({ME}))

    full = _position(_counter(4, 2), After(0, EPOCH), *rows, viewer=viewer)
    again = _position(_counter(4, 2), After(1, EPOCH), *rows, viewer=viewer)
    without = _position(_counter(4, 2), After(0, EPOCH), *rows[:2], for_others, viewer=viewer)

    assert _given(full) == (0, 1, ["f1", "f3"], True)
    assert _given(again) == (1, 1, ["the newest one"], False)
    assert _given(without) == (0, 1, ["f1", "f3"], False)


def test_rows_that_were_not_looked_for_are_asked_for_again() -> None:
    """They are neither lost nor given."""
    position = _position(_counter(9), After(0, EPOCH), *_rows(1, 9), until=4)

    assert _given(position) == (0, 4, ["f1", "f2", "f3", "f4"], True)
    assert _given(_position(_counter(9), After(2, EPOCH), until=2)) == (2, 2, [], True)
    assert _given(_position(_counter(9, 9), After(8, EPOCH), until=8)) == (8, 8, [], True)


def test_last_frames_are_those_before_what_is_known() -> None:
    """And those above."""
    assert _given(_position(_counter(9, 9), Last(2, 300), *_rows(1, 9))) == (
        6,
        9,
        ["f7", "f8", "f9"],
        False,
    )
    assert _given(_position(_counter(1), Last(5, 300), _row(1))) == (0, 1, ["f1"], False)
    assert _given(_position(_counter(0), Last(5, 300))) == (0, 0, [], False)


def test_last_frames_that_are_not_kept_any_more_are_fewer() -> None:
    """The range says how many: nothing that is not there was promised."""
    rows = [_row(5), _row(6, replay_until_ms=NOW_MS), *_rows(7, 9)]

    assert _given(_position(_counter(9), Last(5, 300), *rows)) == (6, 9, ["f7", "f8", "f9"], False)
    assert _given(_position(_counter(9), Last(5, 300))) == (9, 9, [], False)


def test_last_frames_that_were_not_looked_for_are_asked_for_again() -> None:
    """From the end of those that were."""
    position = _position(_counter(9), Last(5, 300), *_rows(5, 9), until=6)

    assert _given(position) == (4, 6, ["f5", "f6"], True)


@dataclass(frozen=True, slots=True)
class _Number:
    """What is known of a number: whether its row is there, usable, meant; whether it is marked."""

    is_there: bool = True
    is_replayed: bool = True
    is_mine: bool = True
    is_marked: bool = False


_NUMBERS = st.lists(
    st.builds(
        _Number,
        is_there=st.sampled_from([True] * 9 + [False]),
        is_replayed=st.sampled_from([True] * 9 + [False]),
        is_mine=st.sampled_from([True, True, False]),
        is_marked=st.sampled_from([False] * 9 + [True]),
    ),
    max_size=25,
)
_SINCE = (
    st.none()
    | st.builds(After, st.integers(0, 27), st.sampled_from([EPOCH] * 5 + ["x"]))
    | st.builds(Last, st.integers(1, 30), st.just(30))
)


@st.composite
def _scenes(draw: st.DrawFn) -> tuple[Mapping[int, _Number], Since, int, int, int]:
    numbers = draw(_NUMBERS)
    first = min((at for at, one in enumerate(numbers) if one.is_marked), default=len(numbers))
    real = [  # a row below the first mark was written; it may have gone since
        one if at > first else dataclasses.replace(one, is_marked=at == first)
        for at, one in enumerate(numbers)
    ]
    return (
        dict(enumerate(real, 1)),
        draw(_SINCE),
        draw(st.integers(0, 26)),
        draw(st.integers(0, 120)),
        draw(st.integers(1, 12)),
    )


@given(_scenes())
@settings(max_examples=1_500, deadline=None)
def test_what_is_given_is_all_that_was_meant_or_nothing(
    scene: tuple[Mapping[int, _Number], Since, int, int, int],
) -> None:
    """Against a model that knows each number: complete in the range, never partial, and it ends."""
    numbers, since, until, room_bytes, most_frames = scene
    counter = Counter(
        len(numbers),
        EPOCH,
        tuple(Mark(f"k{at}", at, NOW_MS) for at, one in numbers.items() if one.is_marked),
    )
    rows = [
        _row(
            at,
            frame=FRAME if one.is_mine else "",
            replay_until_ms=LATER_MS if one.is_replayed else NOW_MS,
        )
        for at, one in numbers.items()
        if one.is_there
    ]
    rows = [row._replace(frame=f"{row.frame}{row.seq:04}" if row.frame else "") for row in rows]
    wanted = numbers_wanted(counter, since, most_frames=most_frames)
    until = max(until, wanted.start - 1)
    viewer = Viewer(frozenset({ME}), NOW_MS, most_frames, room_bytes)

    position = _position(counter, since, *rows, viewer=viewer, until=min(until, len(numbers)))

    usable = {at for at, one in numbers.items() if one.is_there and one.is_replayed}
    mine = {at for at in usable if numbers[at].is_mine}
    told = [int(frame.removeprefix(FRAME)) for frame in position.frames]
    assert position.seq == counter.known_until
    assert position.frames_bytes <= room_bytes
    assert told == sorted(set(told))
    assert set(told) <= mine
    if position.lost:
        _require_loss(position, since, counter, usable, most_frames)
        return
    between = set(range(position.start + 1, position.end + 1))
    above = {at for at in mine if position.end < at <= until}
    assert between <= usable
    assert [one for one in told if one <= position.end] == sorted(mine & between)
    assert position.start <= position.end <= counter.last
    if isinstance(since, After):
        assert position.start == since.seq
    if not position.more and since is not None:
        assert {max(above, default=0)} <= {0, *told}
        assert position.end >= min(counter.known_until, counter.last)
        assert position.end + 1 not in usable or position.end >= until


def _require_loss(
    position: Position, since: Since, counter: Counter, usable: set[int], most_frames: int
) -> None:
    """Require that a loss is one, and that only a client with a number is told of it."""
    assert isinstance(since, After)
    assert position.lost
    missed = set(range(since.seq + 1, counter.known_until + 1))
    match position.lost.reason:
        case Reason.EPOCH:
            assert since.epoch != EPOCH or since.seq > counter.last
        case Reason.TOO_MANY:
            assert len(missed) > most_frames
        case Reason.EXPIRED:
            assert missed - usable
