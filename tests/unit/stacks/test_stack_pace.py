"""The pace that a stack is deployed with: as set, or by the Region."""

from collections.abc import Callable
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk.assertions import Template

from stacks.broadcast_stack import BroadcastStack
from stacks.settings import DeploySettings

LOW = [
    "af-south-1",
    "ap-south-2",
    "ap-southeast-3",
    "ap-southeast-4",
    "ap-southeast-5",
    "ap-southeast-7",
    "ca-west-1",
    "eu-central-2",
    "eu-south-1",
    "eu-south-2",
    "il-central-1",
    "me-central-1",
    "mx-central-1",
]
USUAL = [
    "us-east-1",
    "eu-central-1",
    "ap-southeast-1",
    "eu-south-3",
    "cn-north-1",
    "us-gov-west-1",
]


def _is_true(condition: dict[str, Any], region: str) -> bool:
    """Evaluate a condition as CloudFormation does, which takes 2 to 10 alternatives."""
    ((function, values),) = condition.items()
    if function == "Fn::Or":
        assert 2 <= len(values) <= 10
        return any(_is_true(one, region) for one in values)
    assert function == "Fn::Equals"
    left, right = (region if one == {"Ref": "AWS::Region"} else one for one in values)
    return bool(left == right)


def _pace(template: Template, region: str) -> tuple[str, str]:
    """Return posts per second and burst as the function has them in a Region."""
    conditions = template.to_json().get("Conditions", {})
    handler = {"Properties": {"Handler": "handlers.broadcast.handler"}}
    (function,) = template.find_resources("AWS::Lambda::Function", handler).values()
    variables = function["Properties"]["Environment"]["Variables"]

    def value_of(name: str) -> str:
        value = variables[name]
        if isinstance(value, str):
            return value
        condition, then, otherwise = value["Fn::If"]
        return str(then if _is_true(conditions[condition], region) else otherwise)

    return value_of("POSTS_PER_SECOND"), value_of("POST_BURST")


@pytest.mark.parametrize(
    ("region", "pace"),
    [
        *((region, ("2000", "1000")) for region in LOW),
        *((region, ("8000", "4000")) for region in USUAL),
    ],
)
def test_pace_is_four_fifths_of_the_regions_quota(
    prod: Template, region: str, pace: tuple[str, str]
) -> None:
    """13 Regions have a quarter of the usual quota; a Region that is not known has the usual."""
    assert _pace(prod, region) == pace


@pytest.mark.parametrize("region", [LOW[0], USUAL[0]])
def test_pace_is_what_is_set_in_any_region(dev_with_all_set: Template, region: str) -> None:
    """A setting wins, and without need no condition is made."""
    assert _pace(dev_with_all_set, region) == ("4321", "1234")
    assert "Conditions" not in dev_with_all_set.to_json()


def test_pace_is_by_region_where_only_the_other_number_is_set(
    synthesize: Callable[[DeploySettings], Template],
) -> None:
    """Each of the two has its own default."""
    template = synthesize(DeploySettings(post_burst=7))

    assert _pace(template, LOW[0]) == ("2000", "7")
    assert _pace(template, USUAL[0]) == ("8000", "7")


@pytest.mark.parametrize("region", [LOW[0], USUAL[0]])
def test_pace_is_the_regions_when_the_stack_names_it(prod: Template, region: str) -> None:
    """A stack with an environment of its own has the same pace."""
    app = cdk.App(context={"aws:cdk:bundling-stacks": []})
    place = cdk.Stage(app, "Placed", env=cdk.Environment(account="111111111111", region=region))

    stack = BroadcastStack(
        place, "crier-prod", settings=DeploySettings.from_context({"stage": "prod", "auth": "iam"})
    )

    assert stack.region == region
    assert _pace(Template.from_stack(stack), region) == _pace(prod, region)
