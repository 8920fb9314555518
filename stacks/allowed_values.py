"""What each deploy setting may be: in words, and as a check."""

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import SplitResult, urlsplit

STAGES = ("dev", "prod")

AUTH = ("open", "iam", "jwt", "ticket")

EXECUTION_LOGS = ("off", "errors")

LOG_LEVELS = ("INFO", "WARNING", "ERROR")

LOG_RETENTION_DAYS = (1, 3, 5, 7, 14, 30, 60, 90, 180, 365)
"""What CloudWatch Logs takes, up to a year.

https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
"""

LEAST_TIMEOUT_SECONDS = 15
"""The broadcast function keeps back 11 s of its time (RESERVED_SECONDS): 4 s remain for posts."""

MOST_TEXT = 512
"""Characters of a text: all variables of a function together have at most 4 KB.

https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
"""

Rule = tuple[str, Callable[[Any], bool]]
"""What a value may be, in words, and whether a value is that."""

_SECRET_NAME = re.compile(r"[A-Za-z0-9/_+=.@-]{1,512}")
_SECRET_ARN = re.compile(
    r"arn:aws[a-z-]*:secretsmanager:[a-z]+(-[a-z0-9]+)+:[0-9]{12}:"
    r"secret:[A-Za-z0-9/_+=.@-]{1,512}-[A-Za-z0-9]{6}"
)
"""The ARN of a secret ends in a hyphen and six characters that Secrets Manager has chosen.

https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html
"""


def _within(least: int, most: int) -> Rule:
    return f"a whole number from {least} to {most}", lambda value: least <= value <= most


def is_loopback(url: str) -> bool:
    """Return whether a URL is plain http of this machine."""
    parts = _parts_of(url)
    return parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost", "::1")


def _parts_of(url: str) -> SplitResult:
    """Return the parts of a URL, all empty when it is none."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # which is read no earlier
    except ValueError:
        return urlsplit("")
    return parts


def _is_text(value: str, most: int = MOST_TEXT) -> bool:
    return re.fullmatch(f"[!-~]{{1,{most}}}", value) is not None


def _is_key_url(url: str) -> bool:
    """Return whether keys may be at a URL; http is looked at with the other settings."""
    parts = _parts_of(url)
    is_plain = parts.username is None and not parts.fragment and "#" not in url
    has_host = bool(parts.hostname) and (parts.scheme == "https" or is_loopback(url))
    return _is_text(url) and has_host and is_plain


def _is_secret(value: str) -> bool:
    pattern = _SECRET_ARN if value.startswith("arn:") else _SECRET_NAME
    return pattern.fullmatch(value) is not None


def _text(what: str, most: int = MOST_TEXT) -> Rule:
    words = f"{what}: 1 to {most} visible characters of ASCII, without blanks"
    return words, lambda value: _is_text(value, most)


def _unless_absent(rule: Rule) -> Rule:
    allowed, is_allowed = rule
    return allowed, lambda value: value is None or is_allowed(value)


_NAME_OR_ARN = (
    "a secret of Secrets Manager: its name (1 to 512 of A-Z a-z 0-9 / _ + = . @ -) or its whole "
    "ARN, which ends in a hyphen and six characters"
)
_EITHER: Rule = ("true or false", lambda _: True)
_MOST_CLAIM = 128

ALLOWED: Mapping[str, Rule] = {
    "stage": (" or ".join(STAGES), lambda value: value in STAGES),
    "auth": ("open, iam, jwt or ticket", lambda value: value in AUTH),
    "access_logs": _EITHER,
    "allow_open": _EITHER,
    "audience": _unless_absent(_text("the audience that tokens name")),
    "audience_claim": _text("the name of a claim", _MOST_CLAIM),
    "channels_claim": _text("the name of a claim", _MOST_CLAIM),
    "client_burst": _within(1, 5_000),
    "client_rate": _within(1, 10_000),
    "connect_burst": _within(1, 100_000),
    "connect_rate": _within(1, 100_000),
    "deny_list": _EITHER,
    "execution_logs": ("off or errors", lambda value: value in EXECUTION_LOGS),
    "function_memory_mb": _within(128, 10_240),
    "issuer": _unless_absent(_text("the issuer exactly as tokens name it")),
    "jwks_url": _unless_absent(
        ("an https URL, such as https://issuer.example/.well-known/jwks.json", _is_key_url)
    ),
    "jwt_secret": _unless_absent((_NAME_OR_ARN, _is_secret)),
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
    "http2": _EITHER,
    "replay_frames": _within(1, 1_000),
    "replay_seconds": _within(0, 604_800),
    "session_ends_with_token": _EITHER,
    "posts_per_second": _unless_absent(_within(1, 1_000_000)),
    "post_burst": _unless_absent(_within(1, 1_000_000)),
    "local_callback_base": (
        "an http URL of this machine, such as http://127.0.0.1:4566/_aws/execute-api",
        lambda value: not value or is_loopback(value),
    ),
}
