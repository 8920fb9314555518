"""The function that decides who may connect, in the modes jwt and ticket."""

from aws_cdk import Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk.aws_apigatewayv2_authorizers import WebSocketLambdaAuthorizer
from constructs import Construct

from stacks.parts.dependencies import Dependencies
from stacks.parts.function import Function
from stacks.parts.jwt_layer import jwt_layers
from stacks.parts.row_statements import DENIED, TICKETS, rows_statement
from stacks.settings import DeploySettings

MEMORY_MB = 512
"""A share of a vCPU goes with the memory, here 0.29 of one. To verify a token takes a millisecond,
but a cold start, which a client waits for, loads compiled libraries: at 128 MB it takes four times
as long, and a whole vCPU (1,769 MB) costs 3.5 times as much at each connect.
"""

TIMEOUT_SECONDS = 8
"""The function itself gives up after 6 s at most, and answers: two requests to DynamoDB, each made
twice, with half a second each for TCP, TLS and the answer. When it is cut off, API Gateway refuses
the client all the same, but no line says why."""


class Authorizer(Function):
    """A function, the permissions that its mode needs, and the alarms on it.

    `on_connect` is what the route `$connect` asks. It has no identity source: API Gateway wants all
    of those to be there, and a token is either in the query or among the sub-protocols.
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        settings: DeploySettings,
        dependencies: Dependencies,
        connections: dynamodb.ITable,
    ) -> None:
        super().__init__(
            scope,
            id_,
            settings=settings,
            dependencies=dependencies,
            module="authorize",
            description="Decides who may connect",
            environment=_environment(settings, connections),
            layers=jwt_layers(scope, settings),
            memory_mb=MEMORY_MB,
            timeout=Duration.seconds(TIMEOUT_SECONDS),
        )
        if settings.auth == "ticket":
            self.add_to_role_policy(rows_statement(connections, TICKETS, "DeleteItem"))
        if settings.deny_list:
            self.add_to_role_policy(rows_statement(connections, DENIED, "GetItem"))
        if settings.jwt_secret:
            self.add_to_role_policy(_read_secret(self, settings.jwt_secret))
        _watch(self)
        self.on_connect = WebSocketLambdaAuthorizer("Authorizer", self, identity_source=[])


def _environment(settings: DeploySettings, connections: dynamodb.ITable) -> dict[str, str]:
    """Return the variables; those that are None are left out."""
    reads_rows = settings.auth == "ticket" or settings.deny_list
    variables = {
        "AUTH": settings.auth,
        "CONNECTIONS_TABLE": connections.table_name if reads_rows else None,
        "ALLOWED_ORIGINS": ",".join(settings.allowed_origins) or None,
        "DENY_LIST": str(settings.deny_list).lower(),
        "SESSION_ENDS_WITH_TOKEN": str(settings.session_ends_with_token).lower(),
    }
    if settings.auth == "jwt":
        variables |= {
            "JWKS_URL": settings.jwks_url,
            "JWT_SECRET_ARN": settings.jwt_secret,
            "ISSUER": settings.issuer,
            "AUDIENCE": settings.audience,
            "AUDIENCE_CLAIM": settings.audience_claim,
            "CHANNELS_CLAIM": settings.channels_claim,
        }
    return {name: value for name, value in variables.items() if value is not None}


def _read_secret(function: Function, name_or_arn: str) -> iam.PolicyStatement:
    """Return the statement that allows reading one secret.

    The ARN of a secret ends in six characters more than its name.

    https://docs.aws.amazon.com/secretsmanager/latest/userguide/auth-and-access_iam-policies.html
    """
    arn = name_or_arn
    if not name_or_arn.startswith("arn:"):
        name = f"secret:{name_or_arn}-??????"
        arn = Stack.of(function).format_arn(service="secretsmanager", resource=name)
    return iam.PolicyStatement(actions=["secretsmanager:GetSecretValue"], resources=[arn])


def _watch(function: Function) -> None:
    """Make the two alarms, which do nothing by themselves: an operator says whom they tell.

    Both mean that clients are refused who may come in: the function failed or was cut off, or it
    answered, but could not get the keys, the secret or the row that it judges by.
    """
    stack = Stack.of(function).stack_name
    errors = function.metric_errors(period=Duration.minutes(1), statistic="Sum")
    failed = cloudwatch.Metric(
        namespace="Crier",
        metric_name="AuthorizerFailed",
        dimensions_map={"service": stack},
        period=Duration.minutes(1),
        statistic="Sum",
    )
    for id_, metric, name, what in (
        ("ErrorsAlarm", errors, "errors", "The authorizer failed or was cut off"),
        ("FailedAlarm", failed, "failed", "The authorizer could not get what it judges by"),
    ):
        cloudwatch.Alarm(
            function,
            id_,
            alarm_description=f"{what}: clients are refused that may connect",
            alarm_name=f"{stack}-authorizer-{name}",
            comparison_operator=(cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD),
            evaluation_periods=1,
            metric=metric,
            threshold=1,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
