"""cdk-nag and cfn-lint find nothing in the stack but what is acknowledged, in each mode."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sqs as sqs
from cdk_nag import AwsSolutionsChecks
from cfnlint.api import lint_by_config  # type: ignore[import-untyped]  # it has no types
from cfnlint.config import ManualArgs  # type: ignore[import-untyped]

from stacks.broadcast_stack import BroadcastStack
from stacks.settings import DeploySettings
from tests.support.acknowledged import acknowledge, acknowledged, found
from tests.support.small_layer import small_layer

ROOT = Path(__file__).parents[3]
NEEDLESS_DEPENDENCY = "W3005"
"""The CDK spells out dependencies that a reference implies, too."""

_ISSUER = {"auth": "jwt", "issuer": "https://issuer.example", "audience": "crier"}
CONTEXTS: dict[str, dict[str, Any]] = {
    "dev open": {},
    "dev iam": {"auth": "iam", "accessLogs": True, "executionLogs": "errors"},
    "dev jwt": {**_ISSUER, "jwtSecret": "crier/tokens"},
    "dev ticket": {"auth": "ticket"},
    "prod open": {"stage": "prod", "auth": "open", "allowOpen": True, "keepAliveMinutes": 9},
    "prod iam": {"stage": "prod", "auth": "iam"},
    "prod jwt": {"stage": "prod", **_ISSUER, "jwksUrl": "https://issuer.example/keys"},
    "prod ticket": {
        "stage": "prod",
        "auth": "ticket",
        "denyList": True,
        "allowedOrigins": "https://app.example",
    },
}
"""Both stages in each mode; the other settings that change the template are spread over them."""


@pytest.fixture(scope="module", autouse=True)
def layer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let the layer of jwt be a small one that is there: its real one is fetched."""
    with small_layer(tmp_path_factory.mktemp("layer")):
        yield


@dataclass(frozen=True, slots=True)
class Checked:
    """A stack after its synth: the report of cdk-nag, and where its template is."""

    settings: DeploySettings
    report: Mapping[str, Any]
    template: Path


Check = Callable[[str], Checked]
Spoil = Callable[[cdk.Stack], object]
Lint = Callable[[str], set[str]]
SPOILED = "spoiled"


@pytest.fixture(scope="module")
def check(tmp_path_factory: pytest.TempPathFactory) -> Check:
    """Return what synthesizes a stack as the app does, with cdk-nag, once for each context."""
    return cache(lambda name: _synthesized(name, tmp_path_factory.mktemp("synth")))


def _synthesized(name: str, folder: Path, spoil: Spoil | None = None) -> Checked:
    """Synthesize into a folder, where cdk-nag's report is, too; `spoil` changes the stack before.

    The report is needed, as a finding that is a warning lets the synth pass.
    """
    settings = DeploySettings.from_context(CONTEXTS[name])
    flags = json.loads((ROOT / "cdk.json").read_text())["context"]
    app = cdk.App(context={**flags, "aws:cdk:bundling-stacks": []}, outdir=str(folder))
    stack = BroadcastStack(app, f"crier-{settings.stage}", settings=settings)
    acknowledge(stack, settings)
    if spoil:
        spoil(stack)
    cdk.Validations.of(app).add_plugins(AwsSolutionsChecks())
    try:
        app.synth()
    except RuntimeError as error:
        if "ValidationFailed" not in str(error):
            raise
    report = json.loads((folder / "validation-report.json").read_text())
    return Checked(settings, report, folder / stack.template_file)


def _wildcard_policy(stack: cdk.Stack) -> None:
    """Let the connect function do everything."""
    role = stack.node.find_child("ConnectRole")
    assert isinstance(role, iam.Role)
    role.add_to_policy(iam.PolicyStatement(actions=["dynamodb:*"], resources=["*"]))


def _plain_queue(stack: cdk.Stack) -> None:
    """Add a queue that takes what comes without TLS, and has no dead letters."""
    sqs.Queue(stack, "Plain")


@pytest.mark.parametrize("name", CONTEXTS)
def test_cdk_nag_finds_what_is_acknowledged_and_no_more(check: Check, name: str) -> None:
    """Each acknowledgement is of a finding, each finding is acknowledged, with a reason."""
    checked = check(name)

    suppressed = found(checked.report, "suppressedViolations")

    expected = list(acknowledged(checked.settings))
    assert found(checked.report, "violations") == []
    assert all(one.reason for one in expected)
    assert sorted(_outer(construct, expected) + rule for construct, rule in suppressed) == sorted(
        one.construct + one.rule for one in expected
    )


def _outer(construct: str, expected: list[Any]) -> str:
    """Return the acknowledged construct that one is in."""
    inside = (one.construct for one in expected if f"{construct}/".startswith(f"{one.construct}/"))
    return next(inside, construct)


@pytest.mark.parametrize(
    ("spoil", "rules"),
    [
        (_wildcard_policy, {"IAM5[Action::dynamodb:*]", "IAM5[Resource::*]"}),
        (_plain_queue, {"SQS3", "SQS4"}),
    ],
)
def test_cdk_nag_finds_what_is_wrong(tmp_path: Path, spoil: Spoil, rules: set[str]) -> None:
    """A policy that allows all, and a queue without TLS: the check can fail."""
    checked = _synthesized("prod ticket", tmp_path, spoil)

    assert {rule for _, rule in found(checked.report, "violations")} == rules


@pytest.fixture(scope="module")
def lint(check: Check, tmp_path_factory: pytest.TempPathFactory) -> Lint:
    """Return what tells the rules that cfn-lint finds broken in a template.

    It reads all templates in one run: it loads its rules, which takes a second, for each run.
    """

    @cache
    def broken() -> dict[str, set[str]]:
        templates = {name: check(name).template for name in CONTEXTS}
        templates[SPOILED] = _spoiled(templates["prod iam"], tmp_path_factory.mktemp("spoiled"))
        matches = lint_by_config(ManualArgs(templates=[str(one) for one in templates.values()]))
        return {
            name: {match.rule.id for match in matches if match.filename == str(template)}
            for name, template in templates.items()
        }

    return lambda name: broken()[name]


def _spoiled(template: Path, folder: Path) -> Path:
    """Return a template with a property that there is not, and with a value out of bounds."""
    content = json.loads(template.read_text())
    table = content["Resources"]["ConnectionsTable916FDB22"]["Properties"]
    queue = content["Resources"]["BroadcastsQueueA9C09604"]["Properties"]
    table["TimeToLive"] = True
    queue["VisibilityTimeout"] = 43_201
    (spoiled := folder / "spoiled.json").write_text(json.dumps(content))
    return spoiled


@pytest.mark.parametrize("name", CONTEXTS)
def test_cfn_lint_finds_needless_dependencies_only(lint: Lint, name: str) -> None:
    """The template is what CloudFormation takes."""
    assert lint(name) == {NEEDLESS_DEPENDENCY}


def test_cfn_lint_finds_what_is_wrong(lint: Lint) -> None:
    """A property that there is not, and a value out of bounds: the check can fail."""
    assert lint(SPOILED) == {NEEDLESS_DEPENDENCY, "E3002", "E3034"}
