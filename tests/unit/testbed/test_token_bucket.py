"""The account's token bucket, with a time of its own."""

from testbed.stand_in.token_bucket import TokenBucket


def _taken(bucket: TokenBucket, tries: int, now: float) -> int:
    return sum(bucket.take(now) for _ in range(tries))


def test_bucket_starts_full() -> None:
    """The burst is there at once, and no more."""
    bucket = TokenBucket(posts_per_second=100, burst=50, now=7.0)

    assert _taken(bucket, 80, now=7.0) == 50


def test_bucket_fills_at_its_rate() -> None:
    """Half a second is worth half of the rate."""
    bucket = TokenBucket(posts_per_second=100, burst=60, now=0.0)
    _taken(bucket, 60, now=0.0)

    assert _taken(bucket, 80, now=0.5) == 50


def test_bucket_holds_no_more_than_its_burst() -> None:
    """Long idle times are not saved up."""
    bucket = TokenBucket(posts_per_second=100, burst=50, now=0.0)

    assert _taken(bucket, 80, now=1000.0) == 50


def test_bucket_loses_no_part_of_a_token() -> None:
    """However often it is asked, it admits the rate."""
    bucket = TokenBucket(posts_per_second=128, burst=1, now=0.0)
    bucket.take(0.0)

    taken = sum(bucket.take(step / 1024) for step in range(1, 1025))

    assert taken == 128
