"""When the keys of an issuer are fetched, and how long they hold."""

from access.key_cache import (
    FAILED_SECONDS,
    FRESH_SECONDS,
    STALE_SECONDS,
    UNKNOWN_SECONDS,
    KeyCache,
)
from tests.support.tokens import issuer_keys

START = 1_000.0
KNOWN, UNKNOWN = ("RS256", "rsa"), ("RS256", "other")


def _filled() -> KeyCache:
    cache = KeyCache()
    cache.take(issuer_keys(), START)
    return cache


def test_cache_is_empty_at_first() -> None:
    """Nobody gets in before the keys are there."""
    cache = KeyCache()

    assert cache.find(*KNOWN, START) is None
    assert cache.is_due(*KNOWN, START)


def test_cache_answers_while_the_keys_are_fresh() -> None:
    """Without a fetch."""
    cache = _filled()

    assert cache.find(*KNOWN, START + FRESH_SECONDS - 1)
    assert not cache.is_due(*KNOWN, START + FRESH_SECONDS - 1)
    assert cache.is_due(*KNOWN, START + FRESH_SECONDS)


def test_cache_fetches_for_keys_that_it_does_not_know_now_and_then() -> None:
    """A rotated key is found within minutes; a flood of made-up ones fetches no more often."""
    cache = _filled()

    assert cache.find(*UNKNOWN, START) is None
    assert not cache.is_due(*UNKNOWN, START + UNKNOWN_SECONDS - 1)
    assert cache.is_due(*UNKNOWN, START + UNKNOWN_SECONDS)
    cache.take(issuer_keys(), START + UNKNOWN_SECONDS)
    assert not cache.is_due(*UNKNOWN, START + UNKNOWN_SECONDS)


def test_cache_goes_on_with_the_last_keys_while_the_issuer_is_away() -> None:
    """For a day, with a try now and then; after that it is closed."""
    cache, later = _filled(), START + FRESH_SECONDS
    cache.fail(later)

    assert cache.find(*KNOWN, later)
    assert not cache.is_due(*KNOWN, later + FAILED_SECONDS - 1)
    assert cache.is_due(*KNOWN, later + FAILED_SECONDS)
    assert cache.find(*KNOWN, START + STALE_SECONDS - 1)
    assert cache.find(*KNOWN, START + STALE_SECONDS) is None
    assert cache.is_due(*KNOWN, START + STALE_SECONDS)


def test_cache_forgets_keys_that_the_issuer_has_taken_back() -> None:
    """The new set replaces the one before."""
    cache = _filled()
    keys = issuer_keys()

    cache.take(type(keys)({}), START + 1.0)

    assert cache.find(*KNOWN, START + 1.0) is None


def test_cache_tries_once_for_a_key_that_it_does_not_know_while_the_issuer_is_away() -> None:
    """Made-up keys have it fetch no more often than while the issuer answers."""
    cache, later = _filled(), START + UNKNOWN_SECONDS
    cache.fail(later)

    assert not cache.is_due(*UNKNOWN, later + FAILED_SECONDS)
    assert not cache.is_due(*UNKNOWN, later + UNKNOWN_SECONDS - 1)
    assert cache.is_due(*UNKNOWN, later + UNKNOWN_SECONDS)


def test_cache_waits_between_fetches_that_fail_while_it_has_no_keys() -> None:
    """Each client would wait for one."""
    cache = KeyCache()
    cache.fail(START)

    assert cache.is_closed(START)
    assert not cache.is_due(*KNOWN, START + FAILED_SECONDS - 1)
    assert cache.is_due(*KNOWN, START + FAILED_SECONDS)


def test_cache_takes_keys_of_the_future_for_old_ones() -> None:
    """The clock was set back: how old they are is not known. A failure of the future is over."""
    cache = _filled()
    cache.fail(START)

    assert cache.is_closed(START - 1)
    assert cache.find(*KNOWN, START - 1) is None
    assert cache.is_due(*KNOWN, START - 1)


def test_cache_may_fetch_more_often_for_keys_that_it_does_not_know() -> None:
    """As a secret does."""
    cache = KeyCache(60.0)
    cache.take(issuer_keys(), START)

    assert not cache.is_due(*UNKNOWN, START + 59)
    assert cache.is_due(*UNKNOWN, START + 60)


def test_cache_has_the_times_that_operators_are_told() -> None:
    """Ten minutes, a day, five minutes for an unknown key, ten seconds after a failure."""
    times = (FRESH_SECONDS, STALE_SECONDS, UNKNOWN_SECONDS, FAILED_SECONDS)

    assert times == (600.0, 86_400.0, 300.0, 10.0)
