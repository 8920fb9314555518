"""What every unit test of the functions starts from: a clean environment and nothing wired."""

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

import pytest

import authorizer_wiring
import wiring
from log import logger

if TYPE_CHECKING:
    import logging


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Name the service, and forget what an earlier test wired."""
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "unit")
    caches = (
        wiring.connections_table.cache_clear,
        wiring.broadcast_wiring.cache_clear,
        authorizer_wiring.authorizer_wiring.cache_clear,
    )
    for clear in caches:
        clear()
    yield
    for clear in caches:
        clear()


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Catch what the functions log: the logger holds on to the stdout of its import."""
    caught = io.StringIO()
    handler = cast("logging.StreamHandler[io.StringIO]", logger.registered_handler)
    before = handler.setStream(caught)
    yield caught
    if before is not None:
        handler.setStream(before)
