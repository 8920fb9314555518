"""Who may connect, on a local AWS of its own: one stack that is deployed in one mode after another.

The tests stand in the order of the deploys, so that each deploy changes what the one before made.
"""

import asyncio
import json
import secrets
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from broadcasting.door_rows import ticket_item, ticket_key
from broadcasting.items import Key, key_attributes
from crier.commands.invitation import signed_url
from crier.deployed.deployment import Deployment
from crier.local import own_issuer
from crier.local.deploy import deploy_locally
from crier.local.local_aws import LocalAws
from tests.support.connection_keys import keys_of
from tests.support.function_logs import Logs
from tests.support.tokens import CLAIMS, ISSUER, jwks, rsa_jwk, rsa_key, signed_rsa
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(240)
REFUSED = {401, 403}


@pytest.fixture(scope="module")
def local_aws() -> Iterator[LocalAws]:
    """A local AWS for this file alone: the mode of the stack would disturb other tests."""
    with LocalAws() as aws:
        yield aws


@pytest.fixture(scope="module")
def deployment(local_aws: LocalAws) -> Deployment:
    """The app in the mode ticket."""
    return deploy_locally(local_aws, lambda _: None, auth="ticket")


@pytest.fixture
def key_url() -> Iterator[str]:
    """The URL of an issuer's keys on loopback."""
    document = jwks(rsa_jwk(rsa_key(), kid="rsa"))

    class Issuer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(document)))
            self.end_headers()
            self.wfile.write(document)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Issuer) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/keys"
        server.shutdown()
        thread.join()


async def status_of(url: str) -> int:
    """Return the status that a client's handshake is answered with; 101 is one that is let in."""
    try:
        async with connect(url, compression=None, open_timeout=60):
            return 101
    except InvalidStatus as error:
        return error.response.status_code


def connections_in(deployment: Deployment) -> list[Any]:
    """Return the rows of connections."""
    client = deployment.client("dynamodb")
    rows = client.scan(TableName=deployment.connections_table_name)["Items"]
    return [row for row in rows if row["pk"]["S"].startswith("all#")]


def rows_in(deployment: Deployment) -> dict[Key, Any]:
    """Return all rows of the table, tickets included, by their keys."""
    client = deployment.client("dynamodb")
    rows = client.scan(TableName=deployment.connections_table_name)["Items"]
    return {(row["pk"]["S"], row["sk"]["S"]): row for row in rows}


async def rows_while_connected(deployment: Deployment, query: str) -> dict[Key, Any]:
    """Return all rows that are there while a client is connected, after those of others went."""
    await until(lambda: not connections_in(deployment))
    async with connect(f"{deployment.web_socket_url}?{query}", compression=None, open_timeout=60):
        return await asyncio.to_thread(rows_in, deployment)


def write_ticket(deployment: Deployment) -> str:
    """Write a ticket as an application does, and return it."""
    ticket = secrets.token_urlsafe(32)
    expires_seconds = int(time.time()) + 60
    deployment.client("dynamodb").put_item(
        TableName=deployment.connections_table_name,
        Item=ticket_item(ticket, user="alice", channels=None, expires_seconds=expires_seconds),
    )
    return ticket


def api_of(deployment: Deployment) -> Any:
    """Return the id of the deployed API."""
    return deployment.callback_url.split("/")[-2]


def connect_route(deployment: Deployment) -> Any:
    """Return the route that clients come in by."""
    routes = deployment.client("apigatewayv2").get_routes(ApiId=api_of(deployment))["Items"]
    (route,) = (one for one in routes if one["RouteKey"] == "$connect")
    return route


def outputs_of(deployment: Deployment) -> dict[str, str]:
    """Return the outputs of the stack."""
    client = deployment.client("cloudformation")
    (stack,) = client.describe_stacks(StackName=deployment.stack)["Stacks"]
    return {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]}


async def test_client_that_the_authorizer_refuses_has_no_row(deployment: Deployment) -> None:
    """Without a ticket, and with one that was never written: connect is not called."""
    url = deployment.web_socket_url

    bare = await status_of(url)
    wrong = await status_of(f"{url}?token={secrets.token_urlsafe(32)}")

    assert {bare, wrong} <= REFUSED
    assert rows_in(deployment) == {}


async def test_ticket_lets_its_client_in_once(deployment: Deployment) -> None:
    """Its row is deleted, and the second time it is no ticket any more."""
    ticket = write_ticket(deployment)
    url = deployment.web_socket_url

    first = await status_of(f"{url}?token={ticket}")
    again = await status_of(f"{url}?token={ticket}")

    assert first == 101
    assert again in REFUSED
    key = key_attributes(ticket_key(ticket))
    table = deployment.connections_table_name
    assert "Item" not in deployment.client("dynamodb").get_item(TableName=table, Key=key)


async def test_ticket_lets_one_of_two_in_that_come_at_once(deployment: Deployment) -> None:
    """The row is deleted by one of them only."""
    url = f"{deployment.web_socket_url}?token={write_ticket(deployment)}"

    found = await asyncio.gather(status_of(url), status_of(url), status_of(url))

    assert sorted(one == 101 for one in found) == [False, False, True]


@pytest.mark.parametrize(
    "change",
    [
        {"Handler": "handlers.nowhere.handler"},
        {"Timeout": 1, "Environment": {"Variables": {"AWS_ENDPOINT_URL": "http://192.0.2.1"}}},
    ],
    ids=["it cannot be loaded", "its time is over"],
)
async def test_client_has_no_row_when_the_authorizer_fails(
    deployment: Deployment, change: dict[str, Any]
) -> None:
    """With a good ticket neither: what does not answer lets no client in."""
    client, name = deployment.client("lambda"), deployment.function_name("Authorizer")
    whole = client.get_function_configuration(FunctionName=name)
    variables = whole["Environment"]["Variables"] | change.get("Environment", {}).get(
        "Variables", {}
    )
    changed = {**change, "Environment": {"Variables": variables}}
    kept = {one: whole[one] for one in ("Handler", "Timeout")}
    kept["Environment"] = {"Variables": whole["Environment"]["Variables"]}
    url = f"{deployment.web_socket_url}?token={write_ticket(deployment)}"

    client.update_function_configuration(FunctionName=name, **changed)
    try:
        status = await status_of(url)
    finally:
        client.update_function_configuration(FunctionName=name, **kept)

    assert status >= 400
    assert not [key for key in rows_in(deployment) if key[0].startswith("all#")]
    assert await status_of(f"{deployment.web_socket_url}?token={write_ticket(deployment)}") == 101


async def test_user_has_all_rows_while_connected_and_none_afterwards(
    deployment: Deployment, logs: Logs
) -> None:
    """What the authorizer says of the client reaches the connect and the disconnect function."""
    rows = await rows_while_connected(deployment, f"token={write_ticket(deployment)}")
    (name,) = {sk for pk, sk in rows if pk.startswith("all#")}

    assert set(rows) == set(keys_of(name, "alice"))
    assert {float(row["expiresAt"]["N"]) - time.time() > 7_000 for row in rows.values()} == {True}
    await until(lambda: not rows_in(deployment))
    assert logs.find(message="connected", connection_id=name, user="alice")


def test_deploy_in_mode_ticket_has_what_the_template_says(deployment: Deployment) -> None:
    """An authorizer without an identity source, two alarms, and the statement to copy."""
    client, outputs = deployment.client("apigatewayv2"), outputs_of(deployment)
    alarms = deployment.client("cloudwatch").describe_alarms()["MetricAlarms"]

    (authorizer,) = client.get_authorizers(ApiId=api_of(deployment))["Items"]

    route = connect_route(deployment)
    assert authorizer["IdentitySource"] == []
    assert route["AuthorizationType"] == "CUSTOM"
    assert route["AuthorizerId"] == authorizer["AuthorizerId"]
    assert "-Authorizer" in deployment.function_name("Authorizer")
    assert "-Connect" in deployment.function_name("Connect")
    assert {alarm["AlarmName"] for alarm in alarms} == {
        "crier-dev-authorizer-errors",
        "crier-dev-authorizer-failed",
    }
    assert (outputs["Auth"], outputs["DenyList"]) == ("ticket", "false")
    statement = json.loads(outputs["TicketPolicyStatement"])
    assert statement["Resource"].endswith(f":table/{deployment.connections_table_name}")
    assert statement["Action"] == "dynamodb:PutItem"


async def test_deploy_in_mode_jwt_lets_in_with_a_token_of_the_issuer(
    deployment: Deployment, local_aws: LocalAws, logs: Logs, key_url: str
) -> None:
    """The keys come over loopback; no token is in any function's output, refused or not."""
    changed = deploy_locally(
        local_aws,
        lambda _: None,
        auth="jwt",
        issuer=ISSUER,
        audience=CLAIMS["aud"],
        jwksUrl=key_url,
        denyList="true",
    )
    url, now = changed.web_socket_url, int(time.time())
    good = signed_rsa({**CLAIMS, "exp": now + 600})
    expired = signed_rsa({**CLAIMS, "exp": now - 600})

    statuses = [await status_of(f"{url}?token={one}") for one in (expired, f"{good}x", good)]
    bare = await status_of(url)

    assert changed.connections_table_name == deployment.connections_table_name
    assert statuses[-1] == 101
    assert {bare, *statuses[:-1]} <= REFUSED
    assert (outputs_of(changed)["Auth"], outputs_of(changed)["DenyList"]) == ("jwt", "true")
    assert "TicketPolicyStatement" not in outputs_of(changed)
    rows = await rows_while_connected(changed, f"token={good}")
    assert {key[0].partition("#")[0] for key in rows} == {"all", "user", "connection"}
    assert {row["expiresAt"]["N"] for row in rows.values()} == {str(now + 600)}
    await until(lambda: not rows_in(changed))
    written = "".join(path.read_text() for path in local_aws.logs.iterdir())
    assert logs.find(service="crier-dev")
    assert [part for one in (good, expired) for part in one.split(".")[1:] if part in written] == []


async def test_local_run_signs_tokens_that_let_clients_in(local_aws: LocalAws) -> None:
    """As `crier local --auth jwt` does it: a secret in the local AWS, and no issuer."""
    changed = deploy_locally(local_aws, lambda _: None, auth="jwt", **own_issuer.SETTINGS)
    secret = own_issuer.make_secret(changed)
    token = own_issuer.token_for("alice", secret, now_seconds=int(time.time()))
    other = own_issuer.token_for("alice", "x" * 48, now_seconds=int(time.time()))

    statuses = [await status_of(f"{changed.web_socket_url}?token={one}") for one in (token, other)]

    assert statuses[0] == 101
    assert statuses[1] in REFUSED


async def test_deploy_in_mode_iam_has_no_authorizer(local_aws: LocalAws) -> None:
    """API Gateway itself wants a signed URL, such as the local run invites with."""
    changed = deploy_locally(local_aws, lambda _: None, auth="iam")

    route = connect_route(changed)

    assert route["AuthorizationType"] == "AWS_IAM"
    assert outputs_of(changed)["Auth"] == "iam"
    names = changed.client("lambda").list_functions()["Functions"]
    assert [one for one in names if one["Handler"] == "handlers.authorize.handler"] == []
    assert await status_of(changed.web_socket_url) in REFUSED
    assert await status_of(signed_url(changed.web_socket_url)) == 101
