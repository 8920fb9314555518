"""What each deploy setting may be: in words, and as a check."""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

STAGES = ("dev", "prod")

LOG_LEVELS = ("INFO", "WARNING", "ERROR")

LOG_RETENTION_DAYS = (1, 3, 5, 7, 14, 30, 60, 90, 180, 365)
"""What CloudWatch Logs takes, up to a year.

https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
"""

LEAST_TIMEOUT_SECONDS = 15
"""The broadcast function keeps back 11 s of its time (RESERVED_SECONDS): 4 s remain for posts."""

Rule = tuple[str, Callable[[Any], bool]]
"""What a value may be, in words, and whether a value is that."""


def _within(least: int, most: int) -> Rule:
    return f"a whole number from {least} to {most}", lambda value: least <= value <= most


def _is_loopback(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost", "::1")


def _unless_absent(rule: Rule) -> Rule:
    allowed, is_allowed = rule
    return allowed, lambda value: value is None or is_allowed(value)


ALLOWED: Mapping[str, Rule] = {
    "stage": (" or ".join(STAGES), lambda value: value in STAGES),
    "access_logs": ("true or false", lambda _: True),
    "connect_burst": _within(1, 100_000),
    "connect_rate": _within(1, 100_000),
    "function_memory_mb": _within(128, 10_240),
    "keep_alive_minutes": _within(0, 9),
    "log_level": ("INFO, WARNING or ERROR", lambda value: value in LOG_LEVELS),
    "log_retention_days": (
        f"one of {', '.join(map(str, LOG_RETENTION_DAYS))}",
        lambda value: value in LOG_RETENTION_DAYS,
    ),
    "maximum_concurrency": _within(2, 1_000),
    "broadcast_timeout_seconds": _within(LEAST_TIMEOUT_SECONDS, 900),
    "outage_seconds": _within(60, 43_200),
    "posts_in_flight": _within(1, 4_096),
    "http2": ("true or false", lambda _: True),
    "posts_per_second": _unless_absent(_within(1, 1_000_000)),
    "post_burst": _unless_absent(_within(1, 1_000_000)),
    "local_callback_base": (
        "an http URL of this machine, such as http://127.0.0.1:4566/_aws/execute-api",
        lambda value: not value or _is_loopback(value),
    ),
}
