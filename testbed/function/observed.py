"""What a test sees of the function: its requests to AWS, its log lines and its metrics."""

import json
import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Self

from log import logger

_SHOWN_CHARACTERS = 4_000
_OWN = frozenset(vars(logging.makeLogRecord({})))


@dataclass
class Wire:
    """Counts what all environments ask AWS for: calls, and each attempt that a call makes.

    `when_sent` get the operation and the body of each attempt.
    """

    calls: Counter[str] = field(default_factory=Counter)
    when_sent: list[Callable[[str, str], None]] = field(default_factory=list)
    _sent: list[tuple[str, str]] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)

    def called(self, operation: str) -> None:
        """Count a call."""
        with self._lock:
            self.calls[operation] += 1

    def sent(self, operation: str, body: bytes | str | None) -> None:
        """Count an attempt."""
        text = body.decode(errors="replace") if isinstance(body, bytes) else body or ""
        with self._lock:
            self._sent.append((operation, text[:_SHOWN_CHARACTERS]))
        for hear in self.when_sent:
            hear(operation, text)

    def attempts(self, operation: str = "", text: str = "") -> int:
        """Return how many attempts of an operation had a text in their body; of all with ""."""
        with self._lock:
            sent = list(self._sent)
        return sum(operation in ("", one) and text in body for one, body in sent)

    @property
    def reservations(self) -> int:
        """How often posts were reserved, each attempt counted."""
        return self.attempts("UpdateItem", '"budget"')

    def forget(self) -> None:
        """Count from nought again."""
        with self._lock:
            self.calls.clear()
            self._sent.clear()


@dataclass(frozen=True)
class Line:
    """A log line: its level, its message, and its fields."""

    level: str
    message: str
    fields: dict[str, Any]


class Log(logging.Handler):
    """Keeps the function's log lines while it is entered."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[Line] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line."""
        fields = {name: value for name, value in vars(record).items() if name not in _OWN}
        self.lines.append(Line(record.levelname, record.getMessage(), fields))

    def of(self, message: str) -> list[Line]:
        """Return the lines with a message."""
        return [line for line in self.lines if line.message == message]

    def __enter__(self) -> Self:
        logger._logger.addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        logger._logger.removeHandler(self)


def metric_sums(printed: str) -> Counter[str]:
    """Return the sums of the metrics that were printed, in the embedded metric format."""
    sums: Counter[str] = Counter()
    for line in printed.splitlines():
        if '"_aws"' in line:
            facts = json.loads(line)
            names = [one["Name"] for one in facts["_aws"]["CloudWatchMetrics"][0]["Metrics"]]
            for name in names:
                value = facts[name]
                sums[name] += sum(value) if isinstance(value, list) else value
    return sums
