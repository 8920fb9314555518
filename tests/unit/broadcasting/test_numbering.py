"""How the broadcasts of a stream are numbered: what is known from the counter and its marks."""

from typing import TYPE_CHECKING

import pytest

from broadcasting.counter_items import counter_of
from broadcasting.numbering import Counter, Mark, expires, mark_key

if TYPE_CHECKING:
    from broadcasting.items import Item


@pytest.mark.parametrize(
    ("numbers", "known_until"), [((), 7), ((7,), 6), ((7, 5, 6), 4), ((1, 7), 0)]
)
def test_counter_knows_the_numbers_before_its_smallest_mark(
    numbers: tuple[int, ...], known_until: int
) -> None:
    """The rows of the others may not be there yet."""
    counter = Counter(7, "k", tuple(Mark(str(one), one, 0) for one in numbers))

    assert counter.known_until == known_until


def test_mark_is_stale_when_it_is_older_than_five_minutes() -> None:
    """A worker lives for a minute: who took the number is dead."""
    old, young = Mark("a", 1, 1_000), Mark("b", 2, 1_001)
    counter = Counter(2, "k", (old, young))

    assert list(counter.stale_marks(301_001)) == [old]
    assert list(counter.stale_marks(301_000)) == []


def test_newest_number_is_before_the_smallest_mark_that_is_not_stale() -> None:
    """The other marks are closed when a client asks."""
    counter = Counter(9, "k", (Mark("a", 3, 1_000), Mark("b", 6, 1_001), Mark("c", 8, 1_001)))

    assert [counter.newest(now_ms) for now_ms in (301_000, 301_001, 301_002)] == [2, 5, 9]


def test_mark_keys_are_short_and_tell_ids_apart() -> None:
    """They are names of attributes, of which a row may have many."""
    keys = {mark_key(id_) for id_ in ("a", "b", "\N{SNOWMAN}" * 64)}

    assert len(keys) == 3
    assert {len(key) for key in keys} == {22}


@pytest.mark.parametrize(
    ("stream", "is_expiring"), [("*", False), ("!", False), ("news", True), ("user#alice", True)]
)
def test_counters_of_channels_and_users_expire(stream: str, *, is_expiring: bool) -> None:
    """That of everyone goes on after any silence."""
    assert expires(stream) is is_expiring


def test_counter_is_read_with_its_marks() -> None:
    """Two attributes for each; other attributes are not the counter's."""
    item: Item = {
        "pk": {"S": "channel#news"},
        "sk": {"S": "sequence"},
        "last": {"N": "9"},
        "epoch": {"S": "k3f"},
        "number:a-_": {"N": "8"},
        "at:a-_": {"N": "1700"},
        "number:b": {"N": "9"},
        "version": {"N": "4"},
        "expiresAt": {"N": "1"},
    }

    assert counter_of(item) == Counter(9, "k3f", (Mark("a-_", 8, 1_700), Mark("b", 9, 0)))


def test_counter_of_an_earlier_release_has_no_epoch() -> None:
    """It gets one with the next number, or when a client asks."""
    assert counter_of({"last": {"N": "9"}}) == Counter(9, "")
