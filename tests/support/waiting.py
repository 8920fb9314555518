"""Waiting for what another process does, for a bounded time."""

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_LOOK_SECONDS = 0.1


async def until(find: Callable[[], T], seconds: float = 30.0) -> T:
    """Return the first result of `find` that is not empty. Fails the test when none comes."""
    give_up = time.monotonic() + seconds
    while not (found := await asyncio.to_thread(find)):
        assert time.monotonic() < give_up, f"nothing came within {seconds} s"
        await asyncio.sleep(_LOOK_SECONDS)
    return found


def wait_for(find: Callable[[], T], seconds: float = 30.0) -> T:
    """Do the same in a test that is no coroutine."""
    give_up = time.monotonic() + seconds
    while not (found := find()):
        assert time.monotonic() < give_up, f"nothing came within {seconds} s"
        time.sleep(_LOOK_SECONDS)
    return found
