"""The functions' settings, read from the environment and checked all at once."""

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from access.key_url import KeyUrl, parse_key_url
from broadcasting.channel_patterns import read_patterns

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


class ConnectSettings(NamedTuple):
    """What the connect function needs besides: whether the authorizer names a user each time.

    Without the variable it does not: a deploy gives a function its code before its variables.
    """

    needs_user: bool

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> "ConnectSettings":
        """Read from the environment. Raises SettingsError."""
        reader = _Reader(environment)
        needs_user = bool(reader.optional("NEEDS_USER")) and reader.flag("NEEDS_USER")
        reader.finish()
        return cls(needs_user)


class BroadcastSettings(NamedTuple):
    """What the broadcast function needs.

    `posts_in_flight` is the number of posts at once, 1 to 4,096; `http2` is whether HTTP/2 is
    offered to `@connections`. `posts_per_second` and `post_burst` are the pace of all broadcast
    functions together, of which `maximum_concurrency` serve one queue. An outage of `@connections`
    is waited for `outage_seconds`, 60 to 43,200. A client may ask for a frame that it missed for
    `replay_seconds`, 0 to 604,800; 0 is for never. `ca_bundle` is the file that AWS_CA_BUNDLE
    names, if it is set.
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
    replay_seconds: int
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
            replay_seconds=reader.number("REPLAY_SECONDS", 0, 604_800),
            ca_bundle=environment.get("AWS_CA_BUNDLE") or None,
        )
        reader.finish()
        return settings


class ClientFrameSettings(NamedTuple):
    """What the function needs that answers clients' frames.

    A client may ask for what it missed in the last `replay_seconds`, 0 to 604,800, and for
    `replay_frames` of each channel, 1 to 1,000. `open_channels` are the patterns of the channels
    for clients of which no authorizer says which they may use.
    """

    connections_table: str
    broadcasts_table: str
    replay_seconds: int
    replay_frames: int
    open_channels: tuple[str, ...]

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> "ClientFrameSettings":
        """Read from the environment. Raises SettingsError."""
        reader = _Reader(environment)
        settings = cls(
            connections_table=reader.text("CONNECTIONS_TABLE"),
            broadcasts_table=reader.text("BROADCASTS_TABLE"),
            replay_seconds=reader.number("REPLAY_SECONDS", 0, 604_800),
            replay_frames=reader.number("REPLAY_FRAMES", 1, 1_000),
            open_channels=reader.patterns("OPEN_CHANNELS"),
        )
        reader.finish()
        return settings


class TokenSettings(NamedTuple):
    """What the authorizer needs to verify tokens: either the URL of the keys, or a secret's id."""

    jwks_url: KeyUrl | None
    secret_id: str | None
    issuer: str
    audience: str
    audience_claim: str
    channels_claim: str


class AuthorizerSettings(NamedTuple):
    """What the authorizer needs. `token` is None where tickets let clients in.

    `connections_table` is empty where neither tickets nor a deny list are read. No
    `allowed_origins` are all of them.
    """

    token: TokenSettings | None
    connections_table: str
    allowed_origins: tuple[str, ...]
    deny_list: bool
    session_ends_with_token: bool

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> "AuthorizerSettings":
        """Read from the environment. Raises SettingsError."""
        reader = _Reader(environment)
        auth = reader.choice("AUTH", ("jwt", "ticket"))
        deny_list = reader.flag("DENY_LIST")
        reads_table = auth == "ticket" or deny_list
        settings = cls(
            token=_token_settings(reader) if auth == "jwt" else None,
            connections_table=reader.text("CONNECTIONS_TABLE") if reads_table else "",
            allowed_origins=reader.names("ALLOWED_ORIGINS"),
            deny_list=deny_list,
            session_ends_with_token=reader.flag("SESSION_ENDS_WITH_TOKEN"),
        )
        reader.finish()
        return settings


def _token_settings(reader: "_Reader") -> TokenSettings:
    return TokenSettings(
        jwks_url=reader.key_url("JWKS_URL", instead="JWT_SECRET_ARN"),
        secret_id=reader.optional("JWT_SECRET_ARN") or None,
        issuer=reader.text("ISSUER"),
        audience=reader.text("AUDIENCE"),
        audience_claim=reader.optional("AUDIENCE_CLAIM") or "aud",
        channels_claim=reader.optional("CHANNELS_CLAIM") or "channels",
    )


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

    def optional(self, name: str) -> str:
        return self._environment.get(name, "").strip()

    def names(self, name: str) -> tuple[str, ...]:
        """Read names with commas between them; what is there has to name one."""
        value = self.optional(name)
        found = tuple(filter(None, map(str.strip, value.split(","))))
        if value and not found:
            self._problems.append(f"{name} is {value!r}, expected names with commas between them")
        return found

    def patterns(self, name: str) -> tuple[str, ...]:
        """Read the patterns of channels with spaces between them; there may be none."""
        if name not in self._environment:
            self._problems.append(f"{name} is missing")
        try:
            return read_patterns(self.optional(name))
        except ValueError as error:
            self._problems.append(f"{name}: {error}")
            return ()

    def choice(self, name: str, allowed: tuple[str, ...]) -> str:
        value = self.text(name)
        if value and value not in allowed:
            self._problems.append(f"{name} is {value!r}, expected {' or '.join(allowed)}")
        return value

    def url(self, name: str) -> str:
        value = self.text(name)
        if value and not value.startswith(("https://", "http://")):
            self._problems.append(f"{name} is {value!r}, expected an http or https URL")
        return value

    def key_url(self, name: str, *, instead: str) -> KeyUrl | None:
        """Read the URL of keys, which stands in place of another setting."""
        value = self.optional(name)
        if bool(value) == bool(self.optional(instead)):
            found = "both" if value else "neither"
            self._problems.append(f"found {found} of {name} and {instead}, expected one of them")
            return None
        try:
            return parse_key_url(value) if value else None
        except ValueError as error:
            self._problems.append(f"{name} is {value!r}, {error}")
            return None

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
