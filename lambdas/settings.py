"""The functions' settings, read from the environment and checked all at once."""

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

_NUMBER: Final = re.compile(r"[0-9]{1,9}")
_FLAGS: Final = ("true", "false")


class SettingsError(Exception):
    """The environment lacks settings or has wrong ones; the message names each of them."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__(
            f"wrong environment: {'; '.join(problems)}. The stack sets these; deploy it again"
        )
        self.problems = problems


class ConnectionSettings(NamedTuple):
    """What the connect and disconnect functions need."""

    connections_table: str

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> "ConnectionSettings":
        """Read from the environment. Raises SettingsError."""
        reader = _Reader(environment)
        table = reader.text("CONNECTIONS_TABLE")
        reader.finish()
        return cls(table)


class BroadcastSettings(NamedTuple):
    """What the broadcast function needs.

    `posts_in_flight` is the number of posts at once, 1 to 4,096; `http2` is whether HTTP/2 is
    offered to `@connections`. `posts_per_second` and `post_burst` are the pace of all broadcast
    functions together, of which `maximum_concurrency` serve one queue. An outage of `@connections`
    is waited for `outage_seconds`, 60 to 43,200. `ca_bundle` is the file that AWS_CA_BUNDLE names,
    if it is set.
    """

    connections_table: str
    broadcasts_table: str
    callback_url: str
    dead_letter_queue_url: str
    slice_queue_url: str
    slice_queue_arn: str
    slice_dead_letter_queue_url: str
    posts_in_flight: int
    http2: bool
    posts_per_second: int
    post_burst: int
    outage_seconds: int
    maximum_concurrency: int
    ca_bundle: str | None

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> "BroadcastSettings":
        """Read from the environment. Raises SettingsError."""
        reader = _Reader(environment)
        settings = cls(
            connections_table=reader.text("CONNECTIONS_TABLE"),
            broadcasts_table=reader.text("BROADCASTS_TABLE"),
            callback_url=reader.url("CALLBACK_URL"),
            dead_letter_queue_url=reader.url("DEAD_LETTER_QUEUE_URL"),
            slice_queue_url=reader.url("SLICE_QUEUE_URL"),
            slice_queue_arn=reader.text("SLICE_QUEUE_ARN"),
            slice_dead_letter_queue_url=reader.url("SLICE_DEAD_LETTER_QUEUE_URL"),
            posts_in_flight=reader.number("POSTS_IN_FLIGHT", 1, 4_096),
            http2=reader.flag("HTTP2"),
            posts_per_second=reader.number("POSTS_PER_SECOND", 1, 1_000_000),
            post_burst=reader.number("POST_BURST", 1, 1_000_000),
            outage_seconds=reader.number("OUTAGE_SECONDS", 60, 43_200),
            maximum_concurrency=reader.number("MAXIMUM_CONCURRENCY", 2, 1_000),
            ca_bundle=environment.get("AWS_CA_BUNDLE") or None,
        )
        reader.finish()
        return settings


class _Reader:
    """Reads settings one by one, and collects what is wrong with them for one error."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._problems: list[str] = []

    def text(self, name: str) -> str:
        value = self._environment.get(name, "").strip()
        if not value:
            self._problems.append(f"{name} is missing")
        return value

    def url(self, name: str) -> str:
        value = self.text(name)
        if value and not value.startswith(("https://", "http://")):
            self._problems.append(f"{name} is {value!r}, expected an http or https URL")
        return value

    def number(self, name: str, least: int, most: int) -> int:
        value = self.text(name)
        is_right = _NUMBER.fullmatch(value) and least <= int(value) <= most
        if value and not is_right:
            expected = f"expected a whole number from {least} to {most}"
            self._problems.append(f"{name} is {value!r}, {expected}")
        return int(value) if is_right else 0

    def flag(self, name: str) -> bool:
        value = self.text(name)
        if value and value not in _FLAGS:
            self._problems.append(f"{name} is {value!r}, expected true or false")
        return value == "true"

    def finish(self) -> None:
        if self._problems:
            raise SettingsError(self._problems)
