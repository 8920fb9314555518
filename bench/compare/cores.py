"""Cores: one for the stand-in, another for the strategy, where the system allows it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Cores:
    """None where a process runs on whichever core the system chooses."""

    stand_in: int | None = None
    strategy: int | None = None

    @classmethod
    def find(cls) -> Self:
        """Return the first two that this process may use, or none when there are not two."""
        if not hasattr(os, "sched_getaffinity"):
            return cls()
        usable = sorted(os.sched_getaffinity(0))
        return cls(usable[0], usable[1]) if len(usable) > 1 else cls()


@contextmanager
def pinned(core: int | None) -> Iterator[None]:
    """Pin this thread, and so what it starts: every thread of a child, from its first one on."""
    if core is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
