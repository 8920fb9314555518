"""Numbers in sentences."""

import pytest

from crier.wording import counted


@pytest.mark.parametrize(
    ("number", "words"),
    [(0, "0 slices"), (1, "1 slice"), (2, "2 slices"), (1_000, "1,000 slices"), (-1, "-1 slices")],
)
def test_number_has_its_noun(number: int, words: str) -> None:
    """One is singular, and only one."""
    assert counted(number, "slice") == words


def test_number_has_the_plural_that_is_given() -> None:
    """Where an s at the end does not make it."""
    assert counted(1, "row of a ghost", "rows of ghosts") == "1 row of a ghost"
    assert counted(2, "row of a ghost", "rows of ghosts") == "2 rows of ghosts"
