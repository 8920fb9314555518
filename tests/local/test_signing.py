"""Signatures against an independent verifier: the local AWS, signatures and IAM enforced."""

import io
import json
import random
import re
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import boto3
import pytest
from typer.testing import CliRunner
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

from broadcasting.clock import Clock
from broadcasting.connection import Connection
from broadcasting.outcome import Outcome, Settlement, Verdict
from broadcasting.pacing.pace import Pace
from crier import cli
from crier.local.local_aws import ACCOUNT, REGION, LocalAws
from crier.paths import ROOT
from delivery.http.endpoint import parse_endpoint
from delivery.selector_fan_out import SelectorFanOut
from delivery.signing import Credentials
from testbed.audience import KnownAudience
from tests.support.page_code import defined_in

CLOCK = Clock(time.monotonic, lambda: time.time_ns() // 1_000_000, time.sleep)
OLD_MS = CLOCK.epoch_ms() - 600_000
SECURITY = ROOT / "docs" / "operator" / "security.md"
TELL_ID = """
def handler(event, _):
    return {"statusCode": 200, "body": event["requestContext"]["connectionId"]}
"""


@dataclass(frozen=True, slots=True)
class StrictAws:
    """A local AWS with a WebSocket API that tells each client its connection id."""

    port: int
    client: Callable[[str], Any]
    api_id: str
    signed_api_id: str

    def url(self, scheme: str) -> str:
        """Return where the API is."""
        return f"{scheme}://127.0.0.1:{self.port}/_aws/execute-api/{self.api_id}/prod"

    def make_user(self, name: str, *, method: str) -> Credentials:
        """Return the key of a new user who may use one method of `@connections`."""
        resource = f"arn:aws:execute-api:{REGION}:{ACCOUNT}:{self.api_id}/prod/{method}/*"
        return self._make_user(name, Action="execute-api:ManageConnections", Resource=resource)

    def make_client(self, name: str, *, route: str) -> boto3.Session:
        """Return a session of a new user who may use one route of the API that wants signatures."""
        resource = f"arn:aws:execute-api:{REGION}:{ACCOUNT}:{self.signed_api_id}/prod/{route}"
        key = self._make_user(name, Action="execute-api:Invoke", Resource=resource)
        return boto3.Session(key.access_key, key.secret_key, region_name=REGION)

    def _make_user(self, name: str, **statement: str) -> Credentials:
        iam = self.client("iam")
        iam.create_user(UserName=name)
        policy = _policy(**statement)
        iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=policy)
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return Credentials(key["AccessKeyId"], key["SecretAccessKey"])

    def deliver(self, credentials: Credentials, *connections: Connection) -> Iterator[Settlement]:
        """Post "hear" to connections."""
        fan_out = SelectorFanOut(
            parse_endpoint(self.url("http")),
            region=REGION,
            credentials=lambda: credentials,
            tls=None,
            pace=Pace(1_000, 1_000),
            clock=CLOCK,
            jitter=random.random,
        )
        with closing(fan_out):
            yield from fan_out.deliver("hear", KnownAudience(connections), time.monotonic() + 10)


@pytest.fixture(scope="module")
def aws() -> Iterator[StrictAws]:
    """Start a local AWS that verifies signatures and enforces policies."""
    with pytest.MonkeyPatch.context() as patch, ExitStack() as opened:
        patch.setenv("AUTH", "true")
        with LocalAws() as local_aws:
            root = boto3.Session("test", "test", region_name=REGION)

            @cache
            def client(service: str) -> Any:
                made = root.client(service, endpoint_url=local_aws.endpoint.url)  # type: ignore[call-overload]
                opened.callback(made.close)
                return made

            function = _make_function(client)
            apis = (_make_api(client, function), _make_api(client, function, signed=True))
            yield StrictAws(local_aws.port, client, *apis)


@pytest.fixture
def socket(aws: StrictAws) -> Iterator[ClientConnection]:
    """Connect a client."""
    with connect(aws.url("ws")) as client:
        yield client


@pytest.fixture
def connection(socket: ClientConnection) -> Connection:
    """Ask for the client's connection id."""
    socket.send("who am I?")
    return Connection(str(socket.recv(timeout=20)), OLD_MS)


def test_signature_is_accepted(
    aws: StrictAws, socket: ClientConnection, connection: Connection
) -> None:
    """The frame arrives, and an unknown connection is gone: ids with `=` are signed right."""
    user = aws.make_user("right", method="POST")

    settled = aws.deliver(user, connection, Connection("L0SM9=", OLD_MS))

    assert {one.connection.id: one.outcome for one in settled} == {
        connection.id: Outcome.DELIVERED,
        "L0SM9=": Outcome.GONE,
    }
    assert socket.recv(timeout=5) == "hear"


def test_signature_with_a_session_token_is_accepted(
    aws: StrictAws, socket: ClientConnection, connection: Connection
) -> None:
    """A function's credentials are temporary ones."""
    session = aws.client("sts").get_session_token()["Credentials"]
    temporary = Credentials(
        session["AccessKeyId"], session["SecretAccessKey"], session["SessionToken"]
    )

    (settled,) = aws.deliver(temporary, connection)

    assert settled.outcome is Outcome.DELIVERED
    assert socket.recv(timeout=5) == "hear"


def test_signature_is_refused_when_the_secret_is_wrong(
    aws: StrictAws, socket: ClientConnection, connection: Connection
) -> None:
    """No connection has failed because of it, and none received anything."""
    wrong = replace(aws.make_user("wrong", method="POST"), secret_key="another")

    _assert_forbidden(aws.deliver(wrong, connection), "signature")
    _assert_silent(socket)


def test_signature_is_refused_when_its_user_may_not_post(
    aws: StrictAws, socket: ClientConnection, connection: Connection
) -> None:
    """Permission for another method is none."""
    reader = aws.make_user("reader", method="GET")

    _assert_forbidden(aws.deliver(reader, connection), "authoriz")
    _assert_silent(socket)


@pytest.mark.parametrize(("method", "status"), [("GET", 410), ("POST", 403)])
def test_probe_is_answered_by_what_its_user_may_do(
    aws: StrictAws, monkeypatch: pytest.MonkeyPatch, method: str, status: int
) -> None:
    """Its signed GET is verified; permission to post is none to ask."""
    user = aws.make_user(f"prober-{method}", method=method)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", user.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", user.secret_key)
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)

    done = CliRunner().invoke(cli.app, ["probe", aws.url("http"), "--region", REGION, "--json"])

    told = json.loads(done.stdout)
    assert (told["status"], done.exit_code) == (status, int(status != 410))


def test_signed_url_of_the_guide_lets_a_client_in(aws: StrictAws) -> None:
    """Its holder may connect, and nobody who has not signed, or may use another route only."""
    url = aws.url("ws").replace(aws.api_id, aws.signed_api_id)
    sign = defined_in(SECURITY, "signed_url")
    allowed = aws.make_client("client", route="$connect")
    other = aws.make_client("other", route="$default")
    key = allowed.get_credentials()
    assert key
    forged = boto3.Session(key.access_key, "another", region_name=REGION)

    with connect(sign(url, allowed)) as client:
        client.send("who am I?")
        told = client.recv(timeout=20)
    answers = [_refusal(one) for one in (url, sign(url, other), sign(url, forged))]

    assert told
    assert answers == [403, 403, 403]


def _refusal(url: str) -> int:
    """Return the status that a client hears in place of a connection."""
    with pytest.raises(InvalidStatus) as refused:
        connect(url)
    return refused.value.response.status_code


def _assert_forbidden(settled: Iterator[Settlement], reason: str) -> None:
    (one,) = settled
    assert (one.outcome, one.verdict) == (Outcome.PENDING, Verdict.FORBIDDEN)
    assert re.search(f"403.*{reason}", one.reason)


def _assert_silent(socket: ClientConnection) -> None:
    """The answer to a frame of its own is the next thing that a client receives."""
    socket.send("anything else?")
    assert socket.recv(timeout=20) != "hear"


def _make_api(client: Callable[[str], Any], function: str, *, signed: bool = False) -> str:
    """Return the id of a new API; clients have to sign, if it is said."""
    gateway = client("apigatewayv2")
    api_id: str = gateway.create_api(
        Name="strict", ProtocolType="WEBSOCKET", RouteSelectionExpression="$request.body.action"
    )["ApiId"]
    integration = gateway.create_integration(
        ApiId=api_id,
        IntegrationType="AWS_PROXY",
        IntegrationUri=f"arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/"
        f"{function}/invocations",
    )
    if signed:
        gateway.create_route(
            ApiId=api_id,
            RouteKey="$connect",
            AuthorizationType="AWS_IAM",
            Target=f"integrations/{integration['IntegrationId']}",
        )
    gateway.create_route(
        ApiId=api_id,
        RouteKey="$default",
        Target=f"integrations/{integration['IntegrationId']}",
        RouteResponseSelectionExpression="$default",
    )
    gateway.create_stage(ApiId=api_id, StageName="prod", AutoDeploy=True)
    return api_id


def _make_function(client: Callable[[str], Any]) -> str:
    """Return the ARN of a function that API Gateway may invoke."""
    trust = _policy(Action="sts:AssumeRole", Principal={"Service": "lambda.amazonaws.com"})
    role = client("iam").create_role(RoleName="tell-id", AssumeRolePolicyDocument=trust)
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("tell_id.py", TELL_ID)
    function = client("lambda").create_function(
        FunctionName="tell-id",
        Runtime="python3.13",
        Role=role["Role"]["Arn"],
        Handler="tell_id.handler",
        Code={"ZipFile": code.getvalue()},
    )
    client("lambda").add_permission(
        FunctionName="tell-id",
        StatementId="api",
        Action="lambda:InvokeFunction",
        Principal="apigateway.amazonaws.com",
    )
    return str(function["FunctionArn"])


def _policy(**statement: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]})
