"""Deploy settings: CDK context (`-c name=value`), checked before anything is made."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from typing import Any, get_type_hints

from stacks import open_channels, origins, producers
from stacks.access_settings import NO_AUTH, trouble_with
from stacks.allowed_values import ALLOWED
from stacks.client_settings import ClientSettings
from stacks.context_files import origin, place_of

_OF_THE_CDK_CLI = ("acknowledged-issue-numbers", "cli-telemetry")
"""What `cdk acknowledge` and `cdk cli-telemetry` write into cdk.context.json."""


_MOST_SHOWN = 200


class SettingsError(Exception):
    """A value from the CDK context is not allowed; the message says which one, and what is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploySettings(ClientSettings):
    """How one stage is deployed. In the context the names are in camelCase: `logRetentionDays`.

    Those that say who may connect are in access_settings.py, and those that say what clients may
    ask for in client_settings.py.

    stage                      dev or prod
    execution_logs             off, or errors: API Gateway's own log of requests that failed. It
                               needs the account's CloudWatch role, as access_logs does
    access_logs                log each connect, frame and disconnect. A fresh AWS account
                               refuses it until its API Gateway CloudWatch role is set, once per
                               account and Region: make a role that API Gateway may assume, with
                               the policy AmazonAPIGatewayPushToCloudWatchLogs, and pass it to
                               `aws apigateway update-account --patch-operations
                               op=replace,path=/cloudwatchRoleArn,value=ARN`
    connect_rate               connects per second, 1-100,000
    connect_burst              how many of them at once, 1-100,000
    function_memory_mb         of the broadcast function; 1,769 MB is one whole vCPU
    keep_alive_minutes         how often all connections are sent a keep-alive, 1-9; 0 for
                               never
    log_level                  INFO, WARNING or ERROR; the account of a broadcast is always logged
    log_retention_days         of all logs
    maximum_concurrency        broadcast functions at once per queue, 2-1,000. There are two
                               queues
    broadcast_timeout_seconds  of the broadcast function, 15-900
    outage_seconds             how long an outage of `@connections` is waited for, 60-43,200; then
                               the slice is a dead letter
    posts_in_flight            posts at once in one broadcast function, 1-4,096. Over HTTP/1.1
                               each takes one of the 1,024 file descriptors that a function has,
                               and at most 768 of them go at once
    http2                      offer HTTP/2 to `@connections`; without it, or where the server does
                               not speak it, posts go over HTTP/1.1
    posts_per_second           how fast all broadcast functions together post, 1-1,000,000; None
                               for 80 % of the Region's quota, which all APIs of the account share
    post_burst                 how many posts go at once after a pause, 1-1,000,000; None for 80 %
                               of the Region's quota
    producers                  ARNs of the SNS topics and EventBridge rules that may send
                               broadcasts: a list in cdk.json, with commas after -c
    local_callback_base        only for the local run, which is dev: where its `@connections` are
    """

    stage: str = "dev"
    execution_logs: str = "off"
    access_logs: bool = False
    connect_burst: int = 1_000
    connect_rate: int = 500
    function_memory_mb: int = 1_769
    keep_alive_minutes: int = 0
    log_level: str = "INFO"
    log_retention_days: int = 7
    maximum_concurrency: int = 5
    broadcast_timeout_seconds: int = 60
    outage_seconds: int = 3_600
    posts_in_flight: int = 2_048
    http2: bool = True
    posts_per_second: int | None = None
    post_burst: int | None = None
    producers: tuple[str, ...] = ()
    local_callback_base: str = ""

    def __post_init__(self) -> None:
        """Refuse a value that is out of bounds. Raises SettingsError."""
        for name, (allowed, is_allowed) in ALLOWED.items():
            value = getattr(self, name)
            if not is_allowed(value):
                raise SettingsError(_complaint(name, value, allowed))
        for name, kind in _LISTS.items():
            value = getattr(self, name)
            if trouble := kind.trouble_with(value):
                place = place_of(_camel(name), value)
                raise SettingsError(f"{_camel(name)} {trouble}, expected {kind.EXPECTED} ({place})")
        if self.is_prod and self.local_callback_base:
            none = "none with stage prod: only the local run, which is dev, sets it"
            raise SettingsError(_complaint("local_callback_base", self.local_callback_base, none))
        is_local = bool(self.local_callback_base)
        if found := trouble_with(self, is_prod=self.is_prod, is_local=is_local):
            value = getattr(self, found.name)
            place = place_of(_camel(found.name), value)
            raise SettingsError(f"{_camel(found.name)} is {_shown(value)}{found.words} ({place})")

    @property
    def is_prod(self) -> bool:
        """Whether this is the stage that must not be lost."""
        return self.stage == "prod"

    @classmethod
    def from_context(cls, context: Mapping[str, Any]) -> "DeploySettings":
        """Read the settings from the CDK context; absent ones have their stage's default.

        Names with a colon or a slash belong to the CDK, as two more do; any other unknown one is
        refused, so that a typo is not overlooked. Raises SettingsError.
        """
        known = {_camel(field.name): field.name for field in fields(cls)}
        given = {
            name: value
            for name, value in context.items()
            if not set(name) & set(":/") and name not in _OF_THE_CDK_CLI
        }
        for name in given:
            if name not in known:
                raise SettingsError(_unknown(name, list(known)))
        values = {known[name]: _convert(known[name], value) for name, value in given.items()}
        if values.get("stage") == "prod":
            if "auth" not in values:
                raise SettingsError(NO_AUTH)
            values = {**_OF_PROD, **values}
        return cls(**values)


_TYPES = get_type_hints(DeploySettings)
_OF_PROD = {"log_retention_days": 30, "maximum_concurrency": 50}
_LISTS = {"producers": producers, "allowed_origins": origins, "open_channels": open_channels}


def _convert(name: str, value: object) -> Any:
    """Read a value as the setting's type: the command line gives strings, cdk.json any JSON."""
    wanted, text = _TYPES[name], str(value)
    if wanted is bool and text.lower() in ("true", "false"):
        return text.lower() == "true"
    if wanted in (int, int | None) and re.fullmatch("[0-9]{1,9}", text):
        return int(text)
    if wanted in (str, str | None) and isinstance(value, str):
        return value
    if name in _LISTS:
        return _list(name, value)
    raise SettingsError(_complaint(name, value, ALLOWED[name][0]))


def _list(name: str, value: object) -> tuple[str, ...]:
    """Read a list; a text is what the command line gives, which has no empty list of most kinds."""
    split = open_channels.split if name == "open_channels" else _at_commas
    found = split(value) if isinstance(value, str) else value
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise SettingsError(_complaint(name, value, _LISTS[name].EXPECTED))
    return tuple(found)


def _at_commas(text: str) -> list[str]:
    return text.split(",")


def _complaint(name: str, value: object, allowed: str) -> str:
    place = place_of(_camel(name), value)
    return f"{_camel(name)} is {_shown(value)}, expected {allowed} ({place})"


def _shown(value: object) -> str:
    """Return a value as its user writes it: JSON's true, a list with commas; a long one cut."""
    if isinstance(value, bool):
        return str(value).lower()
    shown = repr(",".join(value) if isinstance(value, tuple) else value)
    return shown if len(shown) <= _MOST_SHOWN else f"{shown[:_MOST_SHOWN]}… ({len(shown):,} long)"


def _unknown(name: str, known: list[str]) -> str:
    close = get_close_matches(name, known, 1)
    meant, cure = (f"; did you mean {close[0]}?", "rename it") if close else (".", "take it out")
    return (
        f"there is no setting {name!r}{meant} {origin(name, cure=cure)} Settings are: "
        f"{', '.join(sorted(known))}."
    )


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)
