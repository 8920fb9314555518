"""What the roles of a running stack allow, one action on one resource at a time."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from crier.deployed.deployment import Deployment


class Grant(NamedTuple):
    """One action on one resource that a function's role allows. `resource` is a name of ours."""

    function: str
    action: str
    resource: str


class Grants:
    """The grants of a stack's functions: they can be listed, and taken away for a while."""

    def __init__(self, deployment: Deployment, names: Mapping[str, str]) -> None:
        """Take the ARNs of resources with our names for them."""
        self._iam = deployment.client("iam")
        self._names = names
        self._roles = dict(_roles_of(deployment))

    def all(self) -> set[Grant]:
        """Return what the functions may do."""
        return {
            Grant(function, action, self._name(arn))
            for function, role in self._roles.items()
            for statement in self._document(*role)["Statement"]
            for action, arn in _pairs(statement)
        }

    @contextmanager
    def without(self, grant: Grant) -> Iterator[None]:
        """Take one grant away from the running stack; give it back at the end."""
        role = self._roles[grant.function]
        whole = self._document(*role)
        others = [one for one in _single(whole["Statement"]) if not self._is(one, grant)]
        assert len(others) == len(_single(whole["Statement"])) - 1
        self._put(*role, {**whole, "Statement": others})
        try:
            yield
        finally:
            self._put(*role, whole)

    def _is(self, statement: Mapping[str, Any], grant: Grant) -> bool:
        return (statement["Action"], self._name(statement["Resource"])) == grant[1:]

    def _name(self, arn: str) -> str:
        (name,) = [name for found, name in self._names.items() if found in arn]
        return name

    def _document(self, role: str, policy: str) -> dict[str, Any]:
        found = self._iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
        return found if isinstance(found, dict) else json.loads(found)

    def _put(self, role: str, policy: str, document: Mapping[str, Any]) -> None:
        self._iam.put_role_policy(
            RoleName=role, PolicyName=policy, PolicyDocument=json.dumps(document)
        )


def _roles_of(deployment: Deployment) -> Iterator[tuple[str, tuple[str, str]]]:
    """Return each function's id with the names of its role and of the role's one policy."""
    iam = deployment.client("iam")
    resources = deployment.client("cloudformation").describe_stack_resources(
        StackName=deployment.stack
    )["StackResources"]
    for one in resources:
        if one["ResourceType"] == "AWS::IAM::Role":
            name = one["PhysicalResourceId"]
            (policy,) = iam.list_role_policies(RoleName=name)["PolicyNames"]
            yield one["LogicalResourceId"].split("Role")[0], (name, policy)


def _pairs(statement: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for action in _listed(statement["Action"]):
        for arn in _listed(statement["Resource"]):
            yield action, arn


def _single(statements: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the same statements, each with one action on one resource."""
    return [
        {**statement, "Action": action, "Resource": arn}
        for statement in statements
        for action, arn in _pairs(statement)
    ]


def _listed(found: str | list[str]) -> list[str]:
    return [found] if isinstance(found, str) else found
