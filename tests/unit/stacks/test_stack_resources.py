"""The stack's parts: what they are, and what they are not."""

from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from aws_cdk.assertions import Match, Template

from stacks.settings import DeploySettings

LAMBDAS = Path(__file__).parents[3] / "lambdas"
API = {"Ref": "WebSocketApi273F6915"}
QUEUES = {"BroadcastsQueueA9C09604", "SlicesQueue3E684816"}
DEAD_LETTERS = {"BroadcastsDeadLettersBCC44E30", "SlicesDeadLettersAAF284B4"}


def assets(template: Template) -> dict[str, str]:
    """Return the asset, named by its hash, of each function and layer."""
    found = {}
    for id_, one in template.to_json()["Resources"].items():
        code = one["Properties"].get("Code") or one["Properties"].get("Content")
        if code:
            found[id_] = code["S3Key"]
    return found


@pytest.fixture
def compiled() -> Iterator[Path]:
    """Yield a compiled module among the functions' sources, as Python leaves them."""
    folder = LAMBDAS / "__pycache__"
    was_there = folder.exists()
    folder.mkdir(exist_ok=True)
    file = folder / f"{uuid4().hex}.cpython-313.pyc"
    file.write_bytes(b"compiled")
    yield file
    file.unlink()
    if not was_there and not list(folder.iterdir()):
        folder.rmdir()


def test_logical_ids_are_frozen(prod: Template) -> None:
    """Another logical id would replace a table or a queue, and lose what is in it."""
    tables = set(prod.find_resources("AWS::DynamoDB::Table"))
    queues = set(prod.find_resources("AWS::SQS::Queue"))

    assert tables == {"ConnectionsTable916FDB22", "LedgerTable9343E4AA"}
    assert queues == QUEUES | DEAD_LETTERS


def test_tables_are_on_demand_and_expire_rows(prod: Template) -> None:
    """They cost what is used, drop old rows, and have no recovery, which is not needed."""
    prod.all_resources_properties(
        "AWS::DynamoDB::Table",
        {
            "BillingMode": "PAY_PER_REQUEST",
            "TimeToLiveSpecification": {"AttributeName": "expiresAt", "Enabled": True},
            "PointInTimeRecoverySpecification": Match.absent(),
            "ProvisionedThroughput": Match.absent(),
        },
    )


def test_dead_letter_queue_is_that_of_its_queue_alone(prod: Template) -> None:
    """No other queue of the account may name ours: foreign letters would be put back as ours."""
    queues = prod.find_resources("AWS::SQS::Queue")

    found = {id_: queue["Properties"] for id_, queue in queues.items()}

    for id_ in QUEUES:
        dead = found[id_]["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"][0]
        name = found[id_]["QueueName"]["Fn::Join"][1]
        arn = found[dead]["RedriveAllowPolicy"]["sourceQueueArns"][0]["Fn::Join"][1]
        assert name == [
            f"crier-prod-{id_.partition('Queue')[0].lower()}-",
            {"Fn::Select": [2, {"Fn::Split": ["/", {"Ref": "AWS::StackId"}]}]},
        ]
        assert arn[:-1] == [
            "arn:",
            {"Ref": "AWS::Partition"},
            ":sqs:",
            {"Ref": "AWS::Region"},
            ":",
            {"Ref": "AWS::AccountId"},
            f":{name[0]}",
        ]
        assert arn[-1] == name[1]
        assert found[dead]["RedriveAllowPolicy"]["redrivePermission"] == "byQueue"
        assert len(found[dead]["RedriveAllowPolicy"]["sourceQueueArns"]) == 1
        assert found[id_]["RedriveAllowPolicy"] == {"redrivePermission": "denyAll"}


def test_queues_take_what_sqs_takes(prod: Template) -> None:
    """The functions and the command line count on messages of up to 1 MiB."""
    prod.all_resources_properties("AWS::SQS::Queue", {"MaximumMessageSize": 1024 * 1024})


def test_queues_are_encrypted_and_talk_tls_only(prod: Template) -> None:
    """Each queue is encrypted at rest and denies whatever comes without TLS."""
    policies = prod.find_resources("AWS::SQS::QueuePolicy").values()

    guarded = {policy["Properties"]["Queues"][0]["Ref"] for policy in policies}
    for policy in policies:
        (statement,) = policy["Properties"]["PolicyDocument"]["Statement"]
        queue = policy["Properties"]["Queues"][0]["Ref"]
        assert statement == {
            "Action": "sqs:*",
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            "Effect": "Deny",
            "Principal": {"AWS": "*"},
            "Resource": {"Fn::GetAtt": [queue, "Arn"]},
        }
    assert guarded == QUEUES | DEAD_LETTERS
    prod.all_resources_properties("AWS::SQS::Queue", {"SqsManagedSseEnabled": True})


@pytest.mark.parametrize(
    ("fixture", "policy", "protection"),
    [("prod", "Retain", True), ("dev", "Delete", Match.absent())],
)
def test_tables_outlive_the_stack_in_prod(
    request: pytest.FixtureRequest, fixture: str, policy: str, protection: object
) -> None:
    """In prod both outlive the stack, and none is deleted by mistake; in dev both go with it."""
    template: Template = request.getfixturevalue(fixture)

    template.resource_count_is("AWS::DynamoDB::Table", 2)
    template.all_resources(
        "AWS::DynamoDB::Table",
        {
            "DeletionPolicy": policy,
            "UpdateReplacePolicy": policy,
            "Properties": Match.object_like({"DeletionProtectionEnabled": protection}),
        },
    )


@pytest.mark.parametrize(("fixture", "timeout"), [("prod", 60), ("dev_with_all_set", 90)])
def test_queues_wait_for_the_function_and_redrive(
    request: pytest.FixtureRequest, fixture: str, timeout: int
) -> None:
    """A message comes again soon after its worker must have ended, 20 times, then is set aside.

    By default so soon that a worker that died is replaced within 90 s.
    """
    queues = request.getfixturevalue(fixture).find_resources("AWS::SQS::Queue")

    found = {id_: queue["Properties"] for id_, queue in queues.items()}

    for id_ in QUEUES:
        dead = found[id_]["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"][0]
        assert found[id_]["VisibilityTimeout"] == timeout + 20
        assert found[id_]["RedrivePolicy"]["maxReceiveCount"] == 20
        assert dead in DEAD_LETTERS
        assert dead[:6] == id_[:6]


def test_queues_keep_messages_as_long_as_sqs_can(prod: Template) -> None:
    """A message that waits for a repair is not lost after the four days that SQS defaults to."""
    prod.all_resources_properties("AWS::SQS::Queue", {"MessageRetentionPeriod": 14 * 24 * 60 * 60})


@pytest.mark.parametrize(("fixture", "most"), [("prod", 50), ("dev_with_all_set", 7)])
def test_event_sources_report_single_failures(
    request: pytest.FixtureRequest, fixture: str, most: int
) -> None:
    """Both queues feed the broadcast function, a message at a time, up to the concurrency."""
    template: Template = request.getfixturevalue(fixture)

    sources = template.find_resources("AWS::Lambda::EventSourceMapping").values()

    assert {one["Properties"]["EventSourceArn"]["Fn::GetAtt"][0] for one in sources} == QUEUES
    template.all_resources_properties(
        "AWS::Lambda::EventSourceMapping",
        {
            "BatchSize": 1,
            "FunctionName": {"Ref": "Broadcast21A29F1F"},
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
            "ScalingConfig": {"MaximumConcurrency": most},
        },
    )


def test_functions_run_python_on_arm64(prod: Template) -> None:
    """All functions, and no others, run Python 3.13 on arm64."""
    house = {"Architectures": ["arm64"], "Runtime": "python3.13"}

    prod.resource_count_is("AWS::Lambda::Function", 4)
    prod.all_resources_properties("AWS::Lambda::Function", house)


def test_broadcast_function_has_its_settings(dev_with_all_set: Template) -> None:
    """The broadcast function has the memory, time and pace that the settings say."""
    dev_with_all_set.has_resource_properties(
        "AWS::Lambda::Function",
        {
            "Handler": "handlers.broadcast.handler",
            "MemorySize": 256,
            "Timeout": 90,
            "RecursiveLoop": "Allow",
            "Environment": {
                "Variables": Match.object_like(
                    {
                        "HTTP2": "false",
                        "MAXIMUM_CONCURRENCY": "7",
                        "OUTAGE_SECONDS": "7200",
                        "POSTS_IN_FLIGHT": "8",
                        "POSTS_PER_SECOND": "4321",
                        "POST_BURST": "1234",
                        "REPLAY_SECONDS": "50",
                    }
                )
            },
        },
    )


def test_no_other_function_sets_its_recursive_loop(prod: Template) -> None:
    """To set the default is a call that a restricted role may lack."""
    functions = prod.find_resources("AWS::Lambda::Function").values()

    set_by = {
        one["Properties"]["Handler"]: one["Properties"]["RecursiveLoop"]
        for one in functions
        if "RecursiveLoop" in one["Properties"]
    }

    assert set_by == {"handlers.broadcast.handler": "Allow"}


@pytest.mark.parametrize(("fixture", "level"), [("prod", "INFO"), ("dev_with_all_set", "WARNING")])
def test_functions_log_at_the_level_that_is_set(
    request: pytest.FixtureRequest, fixture: str, level: str
) -> None:
    """All functions have it, and Lambda filters nothing by itself."""
    template: Template = request.getfixturevalue(fixture)

    template.all_resources_properties(
        "AWS::Lambda::Function",
        {
            "Environment": {"Variables": Match.object_like({"POWERTOOLS_LOG_LEVEL": level})},
            "LoggingConfig": {
                "ApplicationLogLevel": Match.absent(),
                "LogFormat": Match.absent(),
            },
        },
    )


def test_stage_deploys_by_itself_without_access_logs(prod: Template) -> None:
    """The stage deploys changes, and does not need an account's logging role."""
    prod.has_resource_properties(
        "AWS::ApiGatewayV2::Stage",
        {"AutoDeploy": True, "AccessLogSettings": Match.absent()},
    )


@pytest.mark.parametrize(
    ("fixture", "connects", "frames"),
    [("prod", (500, 1_000), (1_000, 1_000)), ("dev_with_all_set", (10, 20), (30, 40))],
)
def test_stage_throttles_what_clients_ask_for_and_nothing_else(
    request: pytest.FixtureRequest,
    fixture: str,
    connects: tuple[int, int],
    frames: tuple[int, int],
) -> None:
    """A throttle of the stage might hold for posts; one of 0 would refuse everyone.

    Frames have their own: a herd that asks for what it missed keeps no client from connecting.
    """
    template: Template = request.getfixturevalue(fixture)

    (stage,) = template.find_resources("AWS::ApiGatewayV2::Stage").values()

    throttles = {
        route: {"ThrottlingBurstLimit": burst, "ThrottlingRateLimit": rate}
        for route, (rate, burst) in (("$connect", connects), ("$default", frames))
    }
    assert stage["Properties"]["RouteSettings"] == throttles
    assert "DefaultRouteSettings" not in stage["Properties"]


def test_stage_comes_after_its_routes_and_all_that_is_theirs(prod: Template) -> None:
    """What comes after the automatic deployment would not be deployed."""
    of_routes = ("Route", "RouteResponse", "Integration")

    (stage,) = prod.find_resources("AWS::ApiGatewayV2::Stage").values()

    before = {
        id_ for kind in of_routes for id_ in prod.find_resources(f"AWS::ApiGatewayV2::{kind}")
    }
    assert len(before) == 7
    assert before <= set(stage["DependsOn"])


def test_stage_logs_accesses_when_set(dev_with_all_set: Template) -> None:
    """With the setting, each request is a line of JSON in a log group of its own."""
    written = Match.serialized_json(Match.object_like({"connectionId": "$context.connectionId"}))
    target = {"Fn::GetAtt": ["WebSocketAccessLogs9551558C", "Arn"]}

    dev_with_all_set.has_resource_properties(
        "AWS::ApiGatewayV2::Stage",
        {
            "AccessLogSettings": {"DestinationArn": target, "Format": written},
        },
    )


def test_default_route_answers(prod: Template) -> None:
    """On AWS a client gets the answer to an unknown frame only with a route response."""
    prod.resource_count_is("AWS::ApiGatewayV2::RouteResponse", 1)
    prod.has_resource_properties(
        "AWS::ApiGatewayV2::RouteResponse", {"RouteResponseKey": "$default"}
    )


def test_local_run_changes_callback_urls_only(dev: Template, local: Template) -> None:
    """The local run has its own URLs and no route response; all else is as on AWS."""
    real, here = dev.to_json(), local.to_json()
    base = "127.0.0.1:4566/_aws/execute-api/"
    url = {"Fn::Join": ["", [f"http://{base}", API, "/dev"]]}

    variables = here["Resources"]["Broadcast21A29F1F"]["Properties"]["Environment"]["Variables"]

    local.resource_count_is("AWS::ApiGatewayV2::RouteResponse", 0)
    assert variables.pop("CALLBACK_URL") == url
    assert here["Outputs"].pop("CallbackUrl")["Value"] == url
    assert here["Outputs"].pop("WebSocketUrl")["Value"] == {
        "Fn::Join": ["", [f"ws://{base}", API, "/dev"]]
    }
    del real["Outputs"]["CallbackUrl"], real["Outputs"]["WebSocketUrl"]
    del real["Resources"]["Broadcast21A29F1F"]["Properties"]["Environment"]["Variables"][
        "CALLBACK_URL"
    ]
    del real["Resources"]["WebSocketApidefaultRouteResponse91C6B80C"]
    real["Resources"]["WebSocketStageE8999091"]["DependsOn"].remove(
        "WebSocketApidefaultRouteResponse91C6B80C"
    )
    route = real["Resources"]["WebSocketApidefaultRoute650FC9FB"]["Properties"]
    assert route.pop("RouteResponseSelectionExpression") == "$default"
    assert here == real


def test_outputs_say_where_things_are(prod: Template) -> None:
    """The outputs are what a client, a producer and an operator need."""
    host = [API, ".execute-api.", {"Ref": "AWS::Region"}, ".", {"Ref": "AWS::URLSuffix"}, "/prod"]

    outputs = {id_: one["Value"] for id_, one in prod.find_outputs("*").items()}

    assert outputs == {
        "WebSocketUrl": {"Fn::Join": ["", ["wss://", *host]]},
        "BroadcastQueueUrl": {"Ref": "BroadcastsQueueA9C09604"},
        "BroadcastQueueArn": {"Fn::GetAtt": ["BroadcastsQueueA9C09604", "Arn"]},
        "DeadLetterQueueUrl": {"Ref": "BroadcastsDeadLettersBCC44E30"},
        "SliceQueueUrl": {"Ref": "SlicesQueue3E684816"},
        "SliceDeadLetterQueueUrl": {"Ref": "SlicesDeadLettersAAF284B4"},
        "LedgerTableName": {"Ref": "LedgerTable9343E4AA"},
        "ConnectionsTableName": {"Ref": "ConnectionsTable916FDB22"},
        "CallbackUrl": {"Fn::Join": ["", ["https://", *host]]},
        "Auth": "iam",
        "DenyList": "false",
    }


def test_assets_are_the_same_when_modules_were_compiled(
    prod: Template, synthesize: Callable[[DeploySettings], Template], compiled: Path
) -> None:
    """What Python leaves beside the sources does not deploy the functions again."""
    again = synthesize(DeploySettings.from_context({"stage": "prod", "auth": "iam"}))

    assert compiled.exists()
    assert assets(again) == assets(prod)
    assert len(assets(again)) == 5


def test_assets_are_the_same_when_synthesized_twice(prod: Template, prod_again: Template) -> None:
    """Two synths of the same sources are the same template."""
    assert prod_again.to_json() == prod.to_json()


@pytest.mark.parametrize(
    ("fixture", "count", "days", "policy"),
    [("prod", 4, 30, "Retain"), ("dev_with_all_set", 5, 14, "Delete")],
)
def test_logs_are_kept_as_long_as_set(
    request: pytest.FixtureRequest, fixture: str, count: int, days: int, policy: str
) -> None:
    """Every log group keeps lines for the days of the settings; prod's outlive the stack."""
    template: Template = request.getfixturevalue(fixture)

    template.resource_count_is("AWS::Logs::LogGroup", count)
    template.all_resources(
        "AWS::Logs::LogGroup",
        {"DeletionPolicy": policy, "Properties": {"RetentionInDays": days}},
    )
