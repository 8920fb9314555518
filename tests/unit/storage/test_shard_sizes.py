"""What the shards that were read tell about those that were not."""

from storage.shard_sizes import ShardSizes


def test_sizes_expect_nothing_before_a_shard_has_ended() -> None:
    """It is 0, even if rows of a shard have been read."""
    sizes = ShardSizes()
    sizes.note("all#0", 1_000, is_end=False)

    assert sizes.unread(16) == 0


def test_sizes_expect_as_much_of_every_shard() -> None:
    """For shards that are begun, the rows that were read are taken off."""
    sizes = ShardSizes()
    sizes.note("all#0", 1_000, is_end=False)
    sizes.note("all#1", 1_000, is_end=False)
    sizes.note("all#0", 200, is_end=True)

    assert sizes.unread(15) == 15 * 1_200 - 1_000


def test_sizes_expect_nothing_when_more_has_been_read_than_was_expected() -> None:
    """A guess may be wrong; it is never below 0."""
    sizes = ShardSizes()
    sizes.note("all#0", 1, is_end=True)
    sizes.note("all#1", 5, is_end=False)

    assert sizes.unread(1) == 0


def test_sizes_count_no_rows_of_a_shard_that_was_given_away() -> None:
    """They would be taken off the shards that remain."""
    sizes = ShardSizes()
    sizes.note("all#0", 1_000, is_end=False)
    sizes.note("all#1", 1_200, is_end=True)

    sizes.forget("all#0")

    assert sizes.unread(2) == 2 * 1_200
