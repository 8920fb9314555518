"""Frames in memory: bounded by their bytes, those used last."""

from broadcasting.ledger_rows import FrameRow
from storage.frame_cache import CACHE_BYTES, FrameCache, row_bytes


def _row(number: int, *, stream: str = "*", epoch: str = "k", size: int = 1_000) -> FrameRow:
    return FrameRow(stream, number, "x" * size, epoch=epoch)


def test_frame_is_found_by_stream_epoch_and_number() -> None:
    """And by nothing else."""
    cache = FrameCache()
    cache.put(_row(1))

    assert cache.get("*", "k", 1) == _row(1)
    assert [cache.get("a", "k", 1), cache.get("*", "x", 1), cache.get("*", "k", 2)] == [None] * 3


def test_frames_that_were_not_used_go_first() -> None:
    """Once there are too many bytes."""
    cache = FrameCache(3 * row_bytes(_row(1)))
    for number in (1, 2, 3):
        cache.put(_row(number))
    cache.get("*", "k", 1)

    cache.put(_row(4))

    assert [number for number in range(1, 5) if cache.get("*", "k", number)] == [1, 3, 4]


def test_frame_that_is_put_twice_counts_once() -> None:
    """It is the same: frames never change."""
    cache = FrameCache(2 * row_bytes(_row(1)))

    for _ in range(5):
        cache.put(_row(1))
    cache.put(_row(2))

    assert cache.get("*", "k", 1)
    assert cache.get("*", "k", 2)


def test_frame_that_is_too_large_is_not_kept() -> None:
    """And nothing is counted for it."""
    cache = FrameCache(2_000)
    cache.put(_row(1, size=5_000))

    assert cache.get("*", "k", 1) is None
    cache.put(_row(2))
    assert cache.get("*", "k", 2)


def test_row_is_measured_with_its_ids() -> None:
    """A thousand ids of 128 characters are as much as a large frame."""
    ids = tuple(f"{number:0128}" for number in range(1_000))
    plain = _row(1)

    assert row_bytes(plain._replace(exclude=ids)) == row_bytes(plain) + 129_000
    assert row_bytes(plain._replace(frame="é")) == row_bytes(plain) - 998
    assert CACHE_BYTES == 8 * 1024**2
