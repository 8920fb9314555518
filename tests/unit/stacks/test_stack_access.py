"""Who may connect, by mode: the route, the authorizer's function, its permissions and alarms."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from aws_cdk.assertions import Match, Template

from broadcasting.channel_rows import channel_key
from broadcasting.connection_row import connection_key
from broadcasting.door_rows import DENIED, TICKET
from broadcasting.ledger_items import partition_of_channel
from broadcasting.user_rows import self_key, user_key
from settings import AuthorizerSettings
from stacks.parts import row_statements
from stacks.settings import DeploySettings

Synthesize = Callable[[DeploySettings], Template]
JWT = {"auth": "jwt", "issuer": "https://i.example", "audience": "app"}
KEYS = {**JWT, "jwksUrl": "https://i.example/keys"}
CONTEXTS: dict[str, dict[str, Any]] = {
    "open": {"auth": "open", "allowOpen": True},
    "iam": {"auth": "iam"},
    "ticket": {"auth": "ticket"},
    "ticket and deny list": {
        "auth": "ticket",
        "denyList": True,
        "allowedOrigins": ["https://a.example", "https://b.example"],
    },
    "keys": KEYS,
    "keys and deny list": {
        **KEYS,
        "denyList": True,
        "sessionEndsWithToken": False,
        "audienceClaim": "client_id",
        "channelsClaim": "scope",
    },
    "secret": {**JWT, "jwtSecret": "crier/key"},
    "secret by ARN": {
        **JWT,
        "jwtSecret": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:key-a1B2c3",
    },
}
WITH_AUTHORIZER = [name for name in CONTEXTS if name not in ("open", "iam")]
TABLE = {"Fn::GetAtt": ["ConnectionsTable916FDB22", "Arn"]}
LOGS = {
    "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
    "Effect": "Allow",
    "Resource": {"Fn::GetAtt": ["AuthorizerLogsBA5DABC9", "Arn"]},
}


def on_rows(action: str, rows: str) -> dict[str, Any]:
    """Return the statement that allows an action on rows whose partition key begins so."""
    return {
        "Action": f"dynamodb:{action}",
        "Condition": {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": [rows]}},
        "Effect": "Allow",
        "Resource": TABLE,
    }


def read_secret(resource: object) -> dict[str, Any]:
    """Return the statement that allows reading a secret."""
    return {"Action": "secretsmanager:GetSecretValue", "Effect": "Allow", "Resource": resource}


NAMED_SECRET = {
    "Fn::Join": [
        "",
        [
            *("arn:", {"Ref": "AWS::Partition"}, ":secretsmanager:", {"Ref": "AWS::Region"}, ":"),
            *({"Ref": "AWS::AccountId"}, ":secret:crier/key-??????"),
        ],
    ]
}
STATEMENTS: dict[str, list[dict[str, Any]]] = {
    "ticket": [on_rows("DeleteItem", "ticket#*")],
    "ticket and deny list": [on_rows("DeleteItem", "ticket#*"), on_rows("GetItem", "denied#*")],
    "keys": [],
    "keys and deny list": [on_rows("GetItem", "denied#*")],
    "secret": [read_secret(NAMED_SECRET)],
    "secret by ARN": [
        read_secret("arn:aws:secretsmanager:eu-central-1:123456789012:secret:key-a1B2c3")
    ],
}
NAME = {"Ref": "ConnectionsTable916FDB22"}
OF_JWT = {
    "AUTH": "jwt",
    "ISSUER": "https://i.example",
    "AUDIENCE": "app",
    "AUDIENCE_CLAIM": "aud",
    "CHANNELS_CLAIM": "channels",
    "DENY_LIST": "false",
    "SESSION_ENDS_WITH_TOKEN": "true",
}
OF_TICKET = {
    "AUTH": "ticket",
    "CONNECTIONS_TABLE": NAME,
    "DENY_LIST": "false",
    "SESSION_ENDS_WITH_TOKEN": "true",
}
VARIABLES: dict[str, dict[str, Any]] = {
    "ticket": OF_TICKET,
    "ticket and deny list": {
        **OF_TICKET,
        "ALLOWED_ORIGINS": "https://a.example,https://b.example",
        "DENY_LIST": "true",
    },
    "keys": {**OF_JWT, "JWKS_URL": "https://i.example/keys"},
    "keys and deny list": {
        **OF_JWT,
        "JWKS_URL": "https://i.example/keys",
        "CONNECTIONS_TABLE": NAME,
        "DENY_LIST": "true",
        "SESSION_ENDS_WITH_TOKEN": "false",
        "AUDIENCE_CLAIM": "client_id",
        "CHANNELS_CLAIM": "scope",
    },
    "secret": {**OF_JWT, "JWT_SECRET_ARN": "crier/key"},
    "secret by ARN": {**OF_JWT, "JWT_SECRET_ARN": CONTEXTS["secret by ARN"]["jwtSecret"]},
}


@pytest.fixture(scope="session")
def templates(synthesize: Synthesize) -> Callable[[str], Template]:
    """Return what gives the template of prod with one of the contexts."""
    made: dict[str, Template] = {}

    def template(name: str) -> Template:
        if name not in made:
            settings = DeploySettings.from_context({"stage": "prod", **CONTEXTS[name]})
            made[name] = synthesize(settings)
        return made[name]

    return template


def authorizer_of(template: Template) -> tuple[str, dict[str, Any]]:
    """Return the logical id and the properties of the authorizer's function."""
    handler = {"Properties": {"Handler": "handlers.authorize.handler"}}
    ((id_, function),) = template.find_resources("AWS::Lambda::Function", handler).items()
    return id_, function["Properties"]


@pytest.mark.parametrize(
    ("name", "authorization"),
    [
        ("open", {"AuthorizationType": "NONE", "AuthorizerId": Match.absent()}),
        ("iam", {"AuthorizationType": "AWS_IAM", "AuthorizerId": Match.absent()}),
        ("ticket", {"AuthorizationType": "CUSTOM", "AuthorizerId": Match.any_value()}),
        ("keys", {"AuthorizationType": "CUSTOM", "AuthorizerId": Match.any_value()}),
    ],
)
def test_connect_alone_is_authorized_as_the_mode_says(
    templates: Callable[[str], Template], name: str, authorization: dict[str, Any]
) -> None:
    """API Gateway knows authorization of `$connect` only."""
    template, routes = templates(name), "AWS::ApiGatewayV2::Route"

    template.has_resource_properties(routes, {"RouteKey": "$connect", **authorization})
    for other in ("$disconnect", "$default"):
        template.has_resource_properties(
            routes,
            {"RouteKey": other, "AuthorizationType": "NONE", "AuthorizerId": Match.absent()},
        )


@pytest.mark.parametrize("name", ["open", "iam"])
def test_mode_without_an_authorizer_has_nothing_of_one(
    templates: Callable[[str], Template], name: str
) -> None:
    """Neither a function, nor a layer, nor an alarm."""
    template = templates(name)

    template.resource_count_is("AWS::ApiGatewayV2::Authorizer", 0)
    template.resource_count_is("AWS::CloudWatch::Alarm", 0)
    template.resource_count_is("AWS::Lambda::LayerVersion", 1)
    template.resource_count_is("AWS::Lambda::Function", 4)


@pytest.mark.parametrize("name", WITH_AUTHORIZER)
def test_authorizer_is_asked_at_each_connect_without_an_identity_source(
    templates: Callable[[str], Template], name: str
) -> None:
    """With one, API Gateway would answer 401 to clients whose token is in the other place.

    The stage, which deploys by itself, comes after it.
    """
    template = templates(name)
    function, _ = authorizer_of(template)
    ((id_, authorizer),) = template.find_resources("AWS::ApiGatewayV2::Authorizer").items()
    (stage,) = template.find_resources("AWS::ApiGatewayV2::Stage").values()

    found = authorizer["Properties"]

    assert found["AuthorizerType"] == "REQUEST"
    assert found["IdentitySource"] == []
    assert "AuthorizerResultTtlInSeconds" not in found
    assert {"Fn::GetAtt": [function, "Arn"]} in found["AuthorizerUri"]["Fn::Join"][1]
    assert id_ in stage["DependsOn"]


@pytest.mark.parametrize("name", WITH_AUTHORIZER)
def test_authorizer_may_do_exactly_what_its_mode_needs(
    templates: Callable[[str], Template], name: str
) -> None:
    """Its role has these statements, in one policy, and no others."""
    template = templates(name)
    _, function = authorizer_of(template)
    role = function["Role"]["Fn::GetAtt"][0]

    policies = template.find_resources(
        "AWS::IAM::Policy", {"Properties": {"Roles": [{"Ref": role}]}}
    )

    documents = [policy["Properties"]["PolicyDocument"] for policy in policies.values()]
    assert documents == [{"Statement": [LOGS, *STATEMENTS[name]], "Version": "2012-10-17"}]
    template.resource_properties_count_is(
        "AWS::IAM::Role", {"ManagedPolicyArns": Match.any_value()}, 0
    )


@pytest.mark.parametrize("name", WITH_AUTHORIZER)
def test_authorizer_is_told_its_mode_and_no_more(
    templates: Callable[[str], Template], name: str
) -> None:
    """What a mode does not use is not in the environment; the secret itself never is."""
    _, function = authorizer_of(templates(name))

    variables = function["Environment"]["Variables"]

    own = {key: value for key, value in variables.items() if not key.startswith("POWERTOOLS_")}
    assert own == VARIABLES[name]


@pytest.mark.parametrize("name", CONTEXTS)
def test_connect_is_told_whether_the_authorizer_names_a_user(
    templates: Callable[[str], Template], name: str
) -> None:
    """Where it does, a route that lost its authorizer lets no client in."""
    handler = {"Properties": {"Handler": "handlers.connect.handler"}}
    (function,) = templates(name).find_resources("AWS::Lambda::Function", handler).values()

    variables = function["Properties"]["Environment"]["Variables"]

    own = {key: value for key, value in variables.items() if not key.startswith("POWERTOOLS_")}
    needs_user = "true" if name in WITH_AUTHORIZER else "false"
    assert own == {"CONNECTIONS_TABLE": NAME, "NEEDS_USER": needs_user}


@pytest.mark.parametrize("name", WITH_AUTHORIZER)
def test_authorizer_takes_what_it_is_told(templates: Callable[[str], Template], name: str) -> None:
    """What the stack takes for a setting, the function does, too."""
    _, function = authorizer_of(templates(name))
    variables = function["Environment"]["Variables"]
    told = {key: "a-table" if value == NAME else value for key, value in variables.items()}

    settings = AuthorizerSettings.read(told)

    assert (settings.token is not None) == (CONTEXTS[name]["auth"] == "jwt")
    assert settings.deny_list == CONTEXTS[name].get("denyList", False)
    assert list(settings.allowed_origins) == CONTEXTS[name].get("allowedOrigins", [])


def test_authorizer_is_small_and_gives_up_soon(templates: Callable[[str], Template]) -> None:
    """A client waits for it."""
    id_, function = authorizer_of(templates("ticket"))

    assert (function["MemorySize"], function["Timeout"]) == (512, 8)
    assert (function["Architectures"], function["Runtime"]) == (["arm64"], "python3.13")
    assert id_ == "AuthorizerBD825682"  # `function_name("Connect")` does not meet it


@pytest.mark.parametrize("name", WITH_AUTHORIZER)
def test_api_gateway_may_invoke_the_authorizer_for_this_api_alone(
    templates: Callable[[str], Template], name: str
) -> None:
    """Its permission names the authorizer, and nothing else may invoke it."""
    template = templates(name)
    function, _ = authorizer_of(template)
    ((authorizer, _),) = template.find_resources("AWS::ApiGatewayV2::Authorizer").items()
    permissions = template.find_resources("AWS::Lambda::Permission").values()
    arn = {"Fn::GetAtt": [function, "Arn"]}

    (found,) = [
        one["Properties"] for one in permissions if one["Properties"]["FunctionName"] == arn
    ]

    assert found["Principal"] == "apigateway.amazonaws.com"
    assert found["Action"] == "lambda:InvokeFunction"
    assert found["SourceArn"]["Fn::Join"][1][-3:] == [
        {"Ref": "WebSocketApi273F6915"},
        "/authorizers/",
        {"Ref": authorizer},
    ]


@pytest.mark.parametrize(
    ("alarm", "metric"),
    [
        (
            "crier-prod-authorizer-errors",
            {
                "Namespace": "AWS/Lambda",
                "MetricName": "Errors",
                "Dimensions": [{"Name": "FunctionName", "Value": {"Ref": "AuthorizerBD825682"}}],
            },
        ),
        (
            "crier-prod-authorizer-failed",
            {
                "Namespace": "Crier",
                "MetricName": "AuthorizerFailed",
                "Dimensions": [{"Name": "service", "Value": "crier-prod"}],
            },
        ),
    ],
)
def test_alarm_tells_that_the_authorizer_does_not_decide(
    templates: Callable[[str], Template], alarm: str, metric: dict[str, Any]
) -> None:
    """One failure within a minute is enough, none is no alarm, and whom it tells is not ours."""
    template = templates("ticket")

    template.resource_count_is("AWS::CloudWatch::Alarm", 2)
    template.has_resource_properties(
        "AWS::CloudWatch::Alarm",
        {
            **metric,
            "AlarmActions": Match.absent(),
            "AlarmDescription": Match.string_like_regexp("clients are refused that may connect"),
            "AlarmName": alarm,
            "ComparisonOperator": "GreaterThanOrEqualToThreshold",
            "EvaluationPeriods": 1,
            "Period": 60,
            "Statistic": "Sum",
            "Threshold": 1,
            "TreatMissingData": "notBreaching",
        },
    )


def test_libraries_for_tokens_are_the_authorizers_alone_and_for_jwt_only(
    templates: Callable[[str], Template],
) -> None:
    """All functions share one layer; a compiled one is loaded where tokens are verified."""
    for name, layers in (("ticket", 1), ("keys", 2), ("secret", 2)):
        template = templates(name)
        functions = template.find_resources("AWS::Lambda::Function").values()
        counts = {
            one["Properties"]["Handler"]: len(one["Properties"]["Layers"]) for one in functions
        }
        assert counts.pop("handlers.authorize.handler") == layers
        assert set(counts.values()) == {1}
        template.resource_count_is("AWS::Lambda::LayerVersion", layers)
        template.all_resources_properties(
            "AWS::Lambda::LayerVersion",
            {"CompatibleArchitectures": ["arm64"], "CompatibleRuntimes": ["python3.13"]},
        )


@pytest.mark.parametrize("name", CONTEXTS)
def test_outputs_tell_the_command_line_who_may_connect(
    templates: Callable[[str], Template], name: str
) -> None:
    """The mode, and whether users can be kept out."""
    outputs = templates(name).find_outputs("*")

    assert outputs["Auth"]["Value"] == CONTEXTS[name]["auth"]
    assert outputs["DenyList"]["Value"] == str(CONTEXTS[name].get("denyList", False)).lower()
    assert ("TicketPolicyStatement" in outputs) == name.startswith("ticket")


def test_output_has_the_statement_for_the_application_that_writes_tickets(
    templates: Callable[[str], Template],
) -> None:
    """It allows writing tickets, and nothing else."""
    output = templates("ticket").find_outputs("TicketPolicyStatement")["TicketPolicyStatement"]

    before, arn, after = output["Value"]["Fn::Join"][1]

    assert arn == TABLE
    assert before == (
        '{"Action":"dynamodb:PutItem","Condition":{"ForAllValues:StringLike":'
        '{"dynamodb:LeadingKeys":["ticket#*"]}},"Effect":"Allow","Resource":"'
    )
    assert after == '"}'


def test_rows_of_the_permissions_are_those_that_the_functions_write() -> None:
    """The stack imports nothing of the functions, so both have the names."""
    assert (f"{TICKET}*",) == row_statements.TICKETS
    assert (f"{DENIED}*",) == row_statements.DENIED
    by_kind = {
        row_statements.EVERYONE: connection_key("a"),
        row_statements.OWN: self_key("a"),
        row_statements.CHANNELS: channel_key("a", "a"),
        row_statements.USERS: user_key("a", "a"),
    }
    assert {rows: (f"{pk.partition('#')[0]}#*",) for rows, (pk, _) in by_kind.items()} == {
        rows: rows for rows in by_kind
    }
    assert {*row_statements.CONNECTIONS} == {row for rows in by_kind for row in rows}
    streams = [partition_of_channel(one) for one in ("*", "a", "user#a", "!")]
    assert {f"{pk.partition('#')[0]}#*" for pk in streams} == {*row_statements.CHANNELS}


def test_nothing_allows_every_resource_with_an_authorizer(
    templates: Callable[[str], Template],
) -> None:
    """No statement that allows has a star for its resource or its action."""
    resources = templates("ticket and deny list").to_json()["Resources"].values()
    documents = [one["Properties"].get("PolicyDocument", {}) for one in resources]

    allowing = [
        one for each in documents for one in each.get("Statement", ()) if one["Effect"] == "Allow"
    ]

    assert len(allowing) > 8
    assert [one for one in allowing if "*" in (one["Resource"], one["Action"])] == []


def test_execution_logs_have_errors_and_no_requests(synthesize: Synthesize) -> None:
    """A data trace would log tokens; a route's own settings keep both numbers of its throttle."""
    template = synthesize(DeploySettings(execution_logs="errors"))

    (stage,) = template.find_resources("AWS::ApiGatewayV2::Stage").values()

    logs = {"DataTraceEnabled": False, "LoggingLevel": "ERROR"}
    routes = {
        route: {**logs, "ThrottlingBurstLimit": 1_000, "ThrottlingRateLimit": rate}
        for route, rate in (("$connect", 500), ("$default", 1_000))
    }
    assert stage["Properties"]["DefaultRouteSettings"] == logs
    assert stage["Properties"]["RouteSettings"] == routes


def test_access_logs_have_nothing_of_the_query(dev_with_all_set: Template) -> None:
    """A token is in the query; no variable of the format is, nor anything from a header."""
    (stage,) = dev_with_all_set.find_resources("AWS::ApiGatewayV2::Stage").values()

    written = stage["Properties"]["AccessLogSettings"]["Format"]

    logged = ("requestId", "requestTime", "connectionId", "eventType", "routeKey", "status")
    assert json.loads(written) == {name: f"$context.{name}" for name in logged}
