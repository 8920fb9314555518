"""The demo's counting: which client received what, and which rows are still there."""

from dataclasses import replace

import pytest

from crier.demo.result import DemoResult, Reception, Rows, compare_rows, receptions

WELL = DemoResult(
    connections=100,
    ghosts=5,
    targeted=105,
    delivered=100,
    gone=5,
    failed=0,
    received=100,
    duplicates=0,
    missing=0,
    wrong=0,
    first_seconds=0.1,
    last_seconds=0.5,
    settled_per_second=262.5,
    stale_rows_left=0,
    live_rows_lost=0,
)


def test_receptions_counts_each_client_once_when_all_received() -> None:
    """Each client with the one right frame has received it; times are since enqueuing."""
    frames = [[(10.5, "hear")], [(12.0, "hear")]]

    reception = receptions(frames, "hear", sent_at=10.0)

    assert reception == Reception(
        received=2, duplicates=0, missing=0, wrong=0, first_seconds=0.5, last_seconds=2.0
    )


def test_receptions_counts_frames_too_many_when_a_client_has_three() -> None:
    """A client with three right frames has two too many, and did not receive exactly once."""
    frames = [[(10.5, "hear"), (11.0, "hear"), (19.0, "hear")], [(11.5, "hear")]]

    reception = receptions(frames, "hear", sent_at=10.0)

    assert reception == Reception(
        received=1, duplicates=2, missing=0, wrong=0, first_seconds=0.5, last_seconds=1.5
    )


def test_receptions_counts_a_client_as_missing_when_it_has_only_wrong_frames() -> None:
    """A frame with other content is wrong, and its client still misses the right one."""
    frames = [[(10.5, "other")], [(11.0, "hear")]]

    reception = receptions(frames, "hear", sent_at=10.0)

    assert (reception.received, reception.missing, reception.wrong) == (1, 1, 1)
    assert reception.first_seconds == 1.0


def test_receptions_counts_both_when_a_client_has_a_right_and_a_wrong_frame() -> None:
    """A wrong frame beside the right one does not take its receipt away."""
    frames = [[(10.5, "other"), (11.0, {"text": "hear"})]]

    reception = receptions(frames, {"text": "hear"}, sent_at=10.0)

    assert (reception.received, reception.missing, reception.wrong) == (1, 0, 1)


def test_receptions_has_no_times_when_nobody_received() -> None:
    """Without a right frame the times are zero, and every client is missing."""
    frames: list[list[tuple[float, str]]] = [[], []]

    reception = receptions(frames, "hear", sent_at=10.0)

    assert reception == Reception(
        received=0, duplicates=0, missing=2, wrong=0, first_seconds=0.0, last_seconds=0.0
    )


def test_rows_are_well_when_only_the_ghosts_went() -> None:
    """Rows are as promised when the ghosts' are gone and all others are there."""
    before, after = {"a", "b", "ghost-1"}, {"a", "b"}

    rows = compare_rows(before, after, {"ghost-1"})

    assert rows == Rows(stale_left=0, live_lost=0)


def test_rows_count_the_stale_when_ghosts_are_left() -> None:
    """A ghost's row that is still there is stale."""
    before = {"a", "ghost-1", "ghost-2"}

    rows = compare_rows(before, {"a", "ghost-2"}, {"ghost-1", "ghost-2"})

    assert rows == Rows(stale_left=1, live_lost=0)


def test_rows_count_the_lost_when_live_ones_went() -> None:
    """A live connection's row that went is lost; a row that came meanwhile is not counted."""
    before = {"a", "b", "ghost-1"}

    rows = compare_rows(before, {"a", "new"}, {"ghost-1"})

    assert rows == Rows(stale_left=0, live_lost=1)


def test_result_has_no_complaints_when_all_is_well() -> None:
    """A demo in which everything is as promised has nothing to complain of."""
    complaints = WELL.complaints

    assert complaints == []


@pytest.mark.parametrize(
    ("result", "complaint"),
    [
        (replace(WELL, missing=3), "3 clients did not receive the message"),
        (replace(WELL, duplicates=2), "2 frames too many"),
        (replace(WELL, wrong=4), "4 frames with other content"),
        (replace(WELL, stale_rows_left=5), "5 rows of ghosts left"),
        (replace(WELL, live_rows_lost=6), "6 live rows lost"),
        (replace(WELL, failed=7), "7 connections failed"),
        (replace(WELL, delivered=99), "delivered is 99, expected 100"),
        (replace(WELL, gone=4), "gone is 4, expected 5"),
    ],
)
def test_result_complains_once_when_one_figure_is_off(result: DemoResult, complaint: str) -> None:
    """Each figure that is not as promised is one complaint that names it."""
    complaints = result.complaints

    assert complaints == [complaint]


def test_result_as_json_has_every_figure() -> None:
    """The JSON has the figures under their names, so that a result can be made of it again."""
    figures = WELL.as_json()

    assert DemoResult(**figures) == WELL
