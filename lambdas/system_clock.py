"""The clock of this machine, which the functions are wired with."""

import time
from typing import Final

from broadcasting.clock import Clock

SYSTEM_CLOCK: Final = Clock(time.monotonic, lambda: time.time_ns() // 1_000_000, time.sleep)
