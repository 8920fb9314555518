"""What the tests of the command line share."""

from collections.abc import Iterator
from functools import cache

import pytest
import typer.main


@pytest.fixture(autouse=True, scope="session")
def one_command() -> Iterator[None]:
    """Let Typer make the command once, as in a run of `crier`: it takes longer than most tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("typer.testing._get_command", cache(typer.main.get_command))
        yield
