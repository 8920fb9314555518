"""Actions that are due later: a calendar of milliseconds, cheaper than a heap of actions."""

import heapq
import time
from collections.abc import Callable

Action = Callable[[], None]


class Timers:
    """Actions by the millisecond in which they are due: never early, up to 1 ms late."""

    def __init__(self) -> None:
        self._actions: dict[int, list[Action]] = {}
        self._due_ms: list[int] = []

    def push(self, delay_seconds: float, action: Action) -> None:
        """Let an action happen after a delay."""
        self.push_at(int((time.monotonic() + delay_seconds) * 1000) + 1, action)

    def push_at(self, due_ms: int, action: Action) -> None:
        """Let an action happen in a certain millisecond of the monotonic clock."""
        actions = self._actions.get(due_ms)
        if actions is None:
            self._actions[due_ms] = [action]
            heapq.heappush(self._due_ms, due_ms)
        else:
            actions.append(action)

    def seconds_to_next(self) -> float | None:
        """Return how long nothing is due, or None when nothing waits."""
        return max(0.0, self._due_ms[0] / 1000 - time.monotonic()) if self._due_ms else None

    def fire(self) -> None:
        """Let happen what is due."""
        now_ms = int(time.monotonic() * 1000)
        while self._due_ms and self._due_ms[0] <= now_ms:
            for action in self._actions.pop(heapq.heappop(self._due_ms)):
                action()
