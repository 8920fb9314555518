"""Whole numbers on the command line."""

import pytest
import typer

from crier.numbers import number_within


@pytest.mark.parametrize(("given", "number"), [("1", 1), ("50", 50), (20, 20)])
def test_number_is_read_within_its_bounds(given: int | str, number: int) -> None:
    """A text from the command line, or the default."""
    assert number_within(1, 50)(given) == number


@pytest.mark.parametrize("given", ["0", "51", "-1", "1,0", "1.5", "x", "", "9" * 5_000])
def test_number_is_refused_out_of_its_bounds(given: str) -> None:
    """The message says what was found, and what was expected."""
    with pytest.raises(typer.BadParameter) as caught:
        number_within(1, 50)(given)

    assert caught.value.message == f"found {given!r}, expected a whole number from 1 to 50"


def test_number_may_have_no_upper_bound() -> None:
    """As a time to wait."""
    with pytest.raises(typer.BadParameter, match="expected a whole number of 1 or more"):
        number_within(1)("0")

    assert number_within(1)("99999") == 99_999
