"""Deploy settings: what is allowed, and what its user is told otherwise."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from stacks.settings import DeploySettings, SettingsError

ROOT = Path(__file__).parents[3]
WHOLE = "a whole number from"


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("stage", "staging", "dev or prod"),
        ("stage", 1, "dev or prod"),
        ("accessLogs", "yes", "true or false"),
        ("clientBurst", "0", f"{WHOLE} 1 to 5000"),
        ("clientBurst", 5_001, f"{WHOLE} 1 to 5000"),
        ("clientRate", "0", f"{WHOLE} 1 to 10000"),
        ("clientRate", "10001", f"{WHOLE} 1 to 10000"),
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
        ("postsInFlight", "many", f"{WHOLE} 1 to 4096"),
        ("postsInFlight", 4_097, f"{WHOLE} 1 to 4096"),
        ("http2", "no", "true or false"),
        ("http2", 1, "true or false"),
        ("postsPerSecond", True, f"{WHOLE} 1 to 1000000"),
        ("postsPerSecond", "0", f"{WHOLE} 1 to 1000000"),
        ("postsPerSecond", None, f"{WHOLE} 1 to 1000000"),
        ("postBurst", "1000001", f"{WHOLE} 1 to 1000000"),
        ("replaySeconds", "-1", f"{WHOLE} 0 to 604800"),
        ("replaySeconds", "604801", f"{WHOLE} 0 to 604800"),
        ("replaySeconds", None, f"{WHOLE} 0 to 604800"),
        ("replaySeconds", "1d", f"{WHOLE} 0 to 604800"),
        ("replayFrames", "0", f"{WHOLE} 1 to 1000"),
        ("replayFrames", 1_001, f"{WHOLE} 1 to 1000"),
        ("localCallbackBase", "https://example.com", "an http URL of this machine"),
        ("localCallbackBase", "http://example.com", "an http URL of this machine"),
    ],
)
def test_settings_name_the_value_when_it_is_wrong(name: str, value: object, allowed: str) -> None:
    """A wrong value is refused with its name, itself, and what is allowed."""
    with pytest.raises(SettingsError) as caught:
        DeploySettings.from_context({name: value})

    shown = value if str(value).isdigit() else repr(value)  # a number is shown as one
    shown = "true" if value is True else shown  # as JSON has it
    assert str(caught.value).startswith(f"{name} is {shown}, expected {allowed}")
    assert str(caught.value).endswith(f"(-c {name}=…)")


TOPIC = "arn:aws:sns:eu-central-1:123456789012:news"
RULE = "arn:aws:events:eu-central-1:123456789012:rule/news"


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("news", "names 'news', which is no ARN"),
        ("", "names '', which is no ARN"),
        (f"{TOPIC},", "names '', which is no ARN"),
        (f'["{TOPIC}"]', "names '[\"arn:"),
        ([TOPIC, "arn:aws:s3:::bucket"], "names 'arn:aws:s3:::bucket', which is of s3"),
        ("arn:aws:sqs:eu-central-1:123456789012:q", "which is of sqs"),
        ("arn:aws:scheduler:eu-central-1:123456789012:schedule/default/a", "which is of scheduler"),
        (f"{TOPIC}, {RULE}", f"names ' {RULE}', which has whitespace"),
        ([f"{TOPIC}\n"], f"names '{TOPIC}\\n', which has whitespace"),
        ([TOPIC, RULE, TOPIC], f"names {TOPIC} 2 times"),
        ("arn:aws:sns:eu-central-1:123456789012:*", "which has a wildcard"),
        ("arn:aws:sns:*:123456789012:news", "which has a wildcard"),
        ("arn:aws:events:eu-central-1:123456789012:rule/new?", "which has a wildcard"),
        (f"{TOPIC}:0f1e2d3c-4b5a-6978", "which is not the ARN of a topic"),
        ("arn:aws:sns:eu-central-1:1234:news", "which is not the ARN of a topic"),
        ("arn:aws:sns::123456789012:news", "which is not the ARN of a topic"),
        ("arn:aws:events:eu-central-1:123456789012:event-bus/a", "not the ARN of a rule"),
        ("arn:aws:events:eu-central-1:123456789012:rule/", "not the ARN of a rule"),
        ("arn:aws:events:eu-central-1:123456789012:rule//news", "not the ARN of a rule"),
        ([f"{TOPIC}{number:0200}" for number in range(40)], "names 40 ARNs, more than the 7,000"),
        (TOPIC.replace("aws", "AWS", 1), "which is not the ARN of a topic"),
    ],
)
def test_settings_name_the_producer_that_is_wrong(value: object, found: str) -> None:
    """Each is the whole ARN of one topic or of one rule, given once."""
    with pytest.raises(SettingsError) as caught:
        DeploySettings.from_context({"producers": value})

    assert str(caught.value).startswith("producers ")
    assert found in str(caught.value)
    assert ", expected ARNs of SNS topics and EventBridge rules, such as arn:aws:sns:" in str(
        caught.value
    )


@pytest.mark.parametrize("value", [1, True, None, {"a": 1}, [1], [TOPIC, None], [[TOPIC]]])
def test_settings_refuse_producers_that_are_no_list(value: object) -> None:
    """Not even JSON of another kind becomes an ARN by accident."""
    with pytest.raises(SettingsError, match=r"^producers is .*, expected ARNs of SNS topics"):
        DeploySettings.from_context({"producers": value})


@pytest.mark.parametrize(
    "arn",
    [
        TOPIC,
        f"{TOPIC}.fifo",
        RULE,
        "arn:aws:events:eu-central-1:123456789012:rule/my.bus/news_1",
        "arn:aws:events:us-east-1:123456789012:rule/aws.partner/example.com/acme/news",
        "arn:aws-cn:sns:cn-north-1:123456789012:news",
        "arn:aws-us-gov:events:us-gov-west-1:123456789012:rule/news",
    ],
)
def test_settings_take_producers_as_a_list_or_with_commas(arn: str) -> None:
    """A list in cdk.json, a text on the command line."""
    other = "arn:aws:sns:us-east-1:000000000000:x"

    assert DeploySettings.from_context({"producers": [arn, other]}).producers == (arn, other)
    assert DeploySettings.from_context({"producers": f"{arn},{other}"}).producers == (arn, other)
    assert DeploySettings.from_context({"producers": []}).producers == ()


def test_settings_refuse_a_local_url_when_the_stage_is_prod() -> None:
    """Prod never posts to a machine of its deployer: only the local run, dev, has such a URL."""
    base = "http://127.0.0.1:4566/_aws/execute-api"
    context = {"stage": "prod", "auth": "iam", "localCallbackBase": base}

    with pytest.raises(
        SettingsError, match=r"^localCallbackBase is .*, expected none with stage p"
    ):
        DeploySettings.from_context(context)


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
        DeploySettings.from_context({"postBursts": "8"})


def test_settings_list_the_names_when_none_is_close() -> None:
    """A name like no other is refused with all that there are."""
    with pytest.raises(SettingsError) as caught:
        DeploySettings.from_context({"zzz": "8"})

    assert "did you mean" not in str(caught.value)
    assert "accessLogs, allowOpen, allowedOrigins, audience, audienceClaim, auth" in str(
        caught.value
    )


@pytest.mark.parametrize(
    ("context", "expected"),
    [
        ({}, DeploySettings(stage="dev", log_retention_days=7, maximum_concurrency=5)),
        (
            {"stage": "prod", "auth": "iam"},
            DeploySettings(stage="prod", auth="iam", log_retention_days=30, maximum_concurrency=50),
        ),
        (
            {"stage": "prod", "auth": "iam", "logRetentionDays": "90"},
            DeploySettings(stage="prod", auth="iam", log_retention_days=90, maximum_concurrency=50),
        ),
        ({"@aws-cdk/x": True, "aws:cdk:y": []}, DeploySettings()),
        ({"acknowledged-issue-numbers": [34892], "cli-telemetry": False}, DeploySettings()),
        (
            {"accessLogs": True, "postsInFlight": 8},
            DeploySettings(access_logs=True, posts_in_flight=8),
        ),
        (
            {"accessLogs": "True", "postsInFlight": "8"},
            DeploySettings(access_logs=True, posts_in_flight=8),
        ),
        ({"http2": False}, DeploySettings(http2=False)),
        (
            {"replaySeconds": "0", "replayFrames": 1_000, "clientRate": 1, "clientBurst": "5000"},
            DeploySettings(
                replay_seconds=0, replay_frames=1_000, client_rate=1, client_burst=5_000
            ),
        ),
        (
            {"http2": "false", "postsInFlight": 4_096},
            DeploySettings(http2=False, posts_in_flight=4_096),
        ),
    ],
)
def test_settings_have_their_stages_defaults(
    context: dict[str, object], expected: DeploySettings
) -> None:
    """What is not given has its stage's default; the CDK's own keys are ignored."""
    settings = DeploySettings.from_context(context)

    assert settings == expected
