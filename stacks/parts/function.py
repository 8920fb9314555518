"""A function with our defaults: every Lambda of ours is one."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from aws_cdk import Duration, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from stacks.parts.dependencies import Dependencies
from stacks.parts.log_group import LogGroup
from stacks.settings import DeploySettings

_LAMBDAS = str(Path(__file__).parents[2] / "lambdas")


class Function(lambda_.Function):
    """A handler of `lambdas/` on Python 3.13 and arm64, with a log group that does not grow.

    `layers` are those that it has besides the one of all functions.

    `recursive_loop`: whether the function may cause its own invocation more than 16 times. When
    it is not given it is not set: Lambda then stops such a loop, and setting it needs a permission
    that a restricted role may lack.
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        settings: DeploySettings,
        dependencies: Dependencies,
        module: str,
        description: str,
        environment: Mapping[str, str],
        layers: Sequence[lambda_.ILayerVersion] = (),
        memory_mb: int = 512,
        timeout: Duration | None = None,
        recursive_loop: lambda_.RecursiveLoop | None = None,
    ) -> None:
        log_group = LogGroup(scope, f"{id_}Logs", settings=settings)
        role = iam.Role(
            scope, f"{id_}Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com")
        )
        log_group.grant_write(role)  # instead of the managed policy, which allows every group
        super().__init__(
            scope,
            id_,
            architecture=lambda_.Architecture.ARM_64,
            code=lambda_.Code.from_asset(_LAMBDAS, exclude=["**/__pycache__", "**/*.pyc"]),
            description=description,
            environment={
                "POWERTOOLS_LOG_LEVEL": settings.log_level,
                "POWERTOOLS_SERVICE_NAME": Stack.of(scope).stack_name,
                **environment,
            },
            handler=f"handlers.{module}.handler",
            layers=[dependencies.layer, *layers],
            log_group=log_group,
            memory_size=memory_mb,
            recursive_loop=recursive_loop,
            role=role,
            runtime=lambda_.Runtime.PYTHON_3_13,
            timeout=timeout or Duration.seconds(10),
        )
