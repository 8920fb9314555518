"""What API Gateway is answered: for one route, and not too large."""

import json

import pytest

from access.client import Client
from access.policy import allow, deny, is_method_arn
from broadcasting.channel_patterns import MOST_CHARACTERS, MOST_PATTERNS, NO_CHANNELS
from broadcasting.checks import MOST_USER
from tests.support.authorizing import ARN

MOST_BYTES = 8 * 1024
"""https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html"""


def test_policy_fits_into_an_answer_whatever_the_client_is() -> None:
    """The longest user, all of whose characters are escaped, and the longest channels."""
    size = (MOST_CHARACTERS + 1) // MOST_PATTERNS - 1
    channels = tuple("x" * size for _ in range(MOST_PATTERNS))
    longest_arn = ARN.replace("prod", "x" * 128).replace("a1b2c3", "y" * 40)
    client = Client("\N{SLIGHTLY SMILING FACE}" * MOST_USER, channels, 10**12)

    answer = allow(longest_arn, client)

    assert is_method_arn(longest_arn)
    assert len(json.dumps(answer)) < MOST_BYTES
    assert all(isinstance(value, str) for value in answer["context"].values())


@pytest.mark.parametrize(
    ("client", "context"),
    [
        (Client("alice", None), {}),
        (Client("alice", ()), {"channels": NO_CHANNELS}),
        (Client("alice", ("a", "b*"), 7), {"channels": "a b*", "exp": "7"}),
    ],
)
def test_policy_has_what_is_known_of_the_client(client: Client, context: dict[str, str]) -> None:
    """What is not known is absent: no channels are not the same as nothing said of them."""
    answer = allow(ARN, client)

    assert (answer["principalId"], answer["context"]) == ("alice", context)
    assert answer["policyDocument"]["Statement"][0] == {
        "Action": "execute-api:Invoke",
        "Effect": "Allow",
        "Resource": ARN,
    }


@pytest.mark.parametrize("region", ["eu-central-1", "us-gov-west-1", "cn-north-1"])
def test_policy_takes_the_routes_of_all_partitions(region: str) -> None:
    """And those of the local AWS."""
    partition = {"us-gov-west-1": "aws-us-gov", "cn-north-1": "aws-cn"}.get(region, "aws")
    arn = f"arn:{partition}:execute-api:{region}:000000000000:abc/$default/$connect"

    assert is_method_arn(arn)
    assert deny(arn)["policyDocument"]["Statement"][0]["Resource"] == arn


@pytest.mark.parametrize("arn", [None, 7, "", "*", ARN + "/*", ARN[:-1] + "*", [ARN], {"a": ARN}])
def test_policy_refuses_all_routes_when_it_knows_none(arn: object) -> None:
    """A route with a wildcard is none."""
    assert not is_method_arn(arn)
    assert deny(arn)["policyDocument"]["Statement"] == [
        {"Action": "execute-api:Invoke", "Effect": "Deny", "Resource": "*"}
    ]


@pytest.mark.parametrize(
    ("part", "least", "most"),
    [
        ("partition", 1, 20),
        ("region", 1, 40),
        ("account", 0, 12),
        ("api", 1, 40),
        ("stage", 1, 128),
    ],
)
def test_policy_takes_routes_whose_parts_are_neither_too_short_nor_too_long(
    part: str, least: int, most: int
) -> None:
    """An answer has a size, and a part that is left out may stand for all."""

    def arn(size: int) -> str:
        parts = {
            "partition": "aws",
            "region": "eu-west-1",
            "account": "0",
            "api": "a",
            "stage": "b",
        }
        return "arn:{partition}:execute-api:{region}:{account}:{api}/{stage}/$connect".format(
            **parts | {part: "1" * size}
        )

    assert all(is_method_arn(arn(size)) for size in (least, most))
    assert not any(is_method_arn(arn(size)) for size in {max(0, least - 1), most + 1} - {least})
