"""Deploy settings: what is allowed, and what its user is told otherwise."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from stacks.settings import Settings, SettingsError

ROOT = Path(__file__).parents[3]
WHOLE = "a whole number from"


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("stage", "staging", "dev or prod"),
        ("stage", 1, "dev or prod"),
        ("accessLogs", "yes", "true or false"),
        ("connectBurst", "0", f"{WHOLE} 1 to 100000"),
        ("connectRate", "100001", f"{WHOLE} 1 to 100000"),
        ("connectRate", "1.5", f"{WHOLE} 1 to 100000"),
        ("functionMemoryMb", "127", f"{WHOLE} 128 to 10240"),
        ("functionMemoryMb", 10_241, f"{WHOLE} 128 to 10240"),
        ("keepAliveMinutes", "10", f"{WHOLE} 0 to 9"),
        ("keepAliveMinutes", "-1", f"{WHOLE} 0 to 9"),
        ("logLevel", "DEBUG", "INFO, WARNING or ERROR"),
        ("logLevel", "warning", "INFO, WARNING or ERROR"),
        ("logRetentionDays", "2", "one of 1, 3, 5, 7, 14, 30, 60, 90, 180, 365"),
        ("maximumConcurrency", "1", f"{WHOLE} 2 to 1000"),
        ("maximumConcurrency", "-5", f"{WHOLE} 2 to 1000"),
        ("broadcastTimeoutSeconds", "901", f"{WHOLE} 15 to 900"),
        ("broadcastTimeoutSeconds", "14", f"{WHOLE} 15 to 900"),
        ("outageSeconds", "59", f"{WHOLE} 60 to 43200"),
        ("outageSeconds", "43201", f"{WHOLE} 60 to 43200"),
        ("postsInFlight", "many", f"{WHOLE} 1 to 768"),
        ("postsPerSecond", True, f"{WHOLE} 1 to 1000000"),
        ("postsPerSecond", "0", f"{WHOLE} 1 to 1000000"),
        ("postsPerSecond", None, f"{WHOLE} 1 to 1000000"),
        ("postBurst", "1000001", f"{WHOLE} 1 to 1000000"),
        ("localCallbackBase", "https://example.com", "an http URL of this machine"),
        ("localCallbackBase", "http://example.com", "an http URL of this machine"),
    ],
)
def test_settings_name_the_value_when_it_is_wrong(name: str, value: object, allowed: str) -> None:
    """A wrong value is refused with its name, itself, and what is allowed."""
    with pytest.raises(SettingsError) as caught:
        Settings.from_context({name: value})

    shown = value if str(value).isdigit() else repr(value)  # a number is shown as one
    assert str(caught.value).startswith(f"{name} is {shown}, expected {allowed}")
    assert str(caught.value).endswith(f"(-c {name}=…)")


def test_settings_refuse_a_local_url_when_the_stage_is_prod() -> None:
    """Prod never posts to a machine of its deployer: only the local run, dev, has such a URL."""
    context = {"stage": "prod", "localCallbackBase": "http://127.0.0.1:4566/_aws/execute-api"}

    with pytest.raises(
        SettingsError, match=r"^localCallbackBase is .*, expected none with stage p"
    ):
        Settings.from_context(context)


def test_app_says_only_what_is_wrong_when_a_setting_is() -> None:
    """The app ends with the message and exit code 1, and without a traceback."""
    context = json.dumps({"stage": "staging"})

    done = subprocess.run(
        [sys.executable, "app.py"],
        capture_output=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, "CDK_CONTEXT_JSON": context},
        text=True,
        timeout=60,
    )

    assert done.returncode == 1
    assert done.stderr == "Error: stage is 'staging', expected dev or prod (-c stage=…)\n"


def test_settings_suggest_a_name_when_it_is_unknown() -> None:
    """A typo is refused with what was probably meant."""
    with pytest.raises(SettingsError, match="no setting 'postBursts'; did you mean postBurst"):
        Settings.from_context({"postBursts": "8"})


def test_settings_list_the_names_when_none_is_close() -> None:
    """A name like no other is refused with all that there are."""
    with pytest.raises(SettingsError) as caught:
        Settings.from_context({"zzz": "8"})

    assert "did you mean" not in str(caught.value)
    assert "accessLogs, broadcastTimeoutSeconds, connectBurst" in str(caught.value)


@pytest.mark.parametrize(
    ("context", "expected"),
    [
        ({}, Settings(stage="dev", log_retention_days=7, maximum_concurrency=5)),
        (
            {"stage": "prod"},
            Settings(stage="prod", log_retention_days=30, maximum_concurrency=50),
        ),
        (
            {"stage": "prod", "logRetentionDays": "90"},
            Settings(stage="prod", log_retention_days=90, maximum_concurrency=50),
        ),
        ({"@aws-cdk/x": True, "aws:cdk:y": []}, Settings()),
        ({"acknowledged-issue-numbers": [34892], "cli-telemetry": False}, Settings()),
        ({"accessLogs": True, "postsInFlight": 8}, Settings(access_logs=True, posts_in_flight=8)),
        (
            {"accessLogs": "True", "postsInFlight": "8"},
            Settings(access_logs=True, posts_in_flight=8),
        ),
    ],
)
def test_settings_have_their_stages_defaults(
    context: dict[str, object], expected: Settings
) -> None:
    """What is not given has its stage's default; the CDK's own keys are ignored."""
    settings = Settings.from_context(context)

    assert settings == expected
