"""Synthesizes the stack as `cdk deploy` does: few times, as it is slow."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk.assertions import Template

from stacks.broadcast_stack import BroadcastStack
from stacks.settings import DeploySettings
from tests.support.small_layer import small_layer

ROOT = Path(__file__).parents[3]
PROD = {"stage": "prod", "auth": "iam"}
Synthesize = Callable[[DeploySettings], Template]


@pytest.fixture(scope="session")
def synthesize(tmp_path_factory: pytest.TempPathFactory) -> Synthesize:
    """Return what makes a template of settings, with the flags of the real app."""
    layer = tmp_path_factory.mktemp("jwt-layer")
    flags: dict[str, Any] = json.loads((ROOT / "cdk.json").read_text())["context"]

    def template(settings: DeploySettings) -> Template:
        app = cdk.App(context={**flags, "aws:cdk:bundling-stacks": []})
        with small_layer(layer):
            return Template.from_stack(
                BroadcastStack(app, f"crier-{settings.stage}", settings=settings)
            )

    return template


@pytest.fixture(scope="session")
def prod(synthesize: Synthesize) -> Template:
    """Return the template of the stage prod with its defaults, and a mode without authorizer."""
    return synthesize(DeploySettings.from_context(PROD))


@pytest.fixture(scope="session")
def prod_again(synthesize: Synthesize) -> Template:
    """Return the template of the stage prod, from another synth."""
    return synthesize(DeploySettings.from_context(PROD))


@pytest.fixture(scope="session")
def dev(synthesize: Synthesize) -> Template:
    """Return the template of the stage dev with its defaults."""
    return synthesize(DeploySettings.from_context({}))


@pytest.fixture(scope="session")
def local(synthesize: Synthesize) -> Template:
    """Return the template of dev as it is for a local run."""
    base = "http://127.0.0.1:4566/_aws/execute-api"
    return synthesize(DeploySettings.from_context({"localCallbackBase": base}))


@pytest.fixture(scope="session")
def without_replay(synthesize: Synthesize) -> Template:
    """Return the template of dev where clients cannot ask for what they missed, nor subscribe."""
    context = {"replaySeconds": "0", "openChannels": ""}
    return synthesize(DeploySettings.from_context(context))


@pytest.fixture(scope="session")
def dev_with_all_set(synthesize: Synthesize) -> Template:
    """Return the template of dev with access logs, a keep-alive, and no default."""
    return synthesize(
        DeploySettings.from_context(
            {
                "accessLogs": "true",
                "broadcastTimeoutSeconds": "90",
                "clientBurst": "40",
                "clientRate": "30",
                "connectBurst": "20",
                "connectRate": "10",
                "functionMemoryMb": "256",
                "http2": "false",
                "keepAliveMinutes": "9",
                "logLevel": "WARNING",
                "logRetentionDays": "14",
                "maximumConcurrency": "7",
                "openChannels": "news, room.*",
                "outageSeconds": "7200",
                "postBurst": "1234",
                "postsInFlight": "8",
                "postsPerSecond": "4321",
                "replayFrames": "60",
                "replaySeconds": "50",
            }
        )
    )
