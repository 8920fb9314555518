"""What the page on security says is true: its tests exist, its code does what the door asks for."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest

from access.claims import ClaimRules
from access.key_set import secret_key
from access.ticket import client_of_ticket, require_ticket
from broadcasting import door_rows
from crier.local.environment import clean_environment
from tests.support.page_code import code_of, defined_in
from tests.support.tokens import SECRET, verifier

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "operator" / "security.md"
NOW = 1_800_000_000

_DYNAMODB_FOR_NODE = """
export class DynamoDBClient { send(command) { console.log(JSON.stringify(command.input)); } }
export class PutItemCommand { constructor(input) { this.input = input; } }
"""


class FakeService:
    """A client of boto3 that keeps what is written, and knows one secret."""

    def __init__(self) -> None:
        self.items: list[dict[str, Any]] = []

    def put_item(self, **arguments: Any) -> None:
        """Keep the item."""
        self.items.append(arguments["Item"])

    def get_secret_value(self, **_: Any) -> dict[str, str]:
        """Return the secret."""
        return {"SecretString": SECRET.decode()}


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> FakeService:
    """Stand in for every service, and for the clock."""
    made = FakeService()
    monkeypatch.setattr(boto3, "client", lambda _name: made)
    monkeypatch.setattr("time.time", lambda: NOW + 0.9)
    return made


def test_security_names_tests_that_exist() -> None:
    """What is said to be stopped has a test that shows it."""
    written = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^ *(?:async )?def (test_\w+)", path.read_text(), re.MULTILINE)
    }

    named = set(re.findall(r"`(test_\w+)`", PAGE.read_text()))

    assert len(named) > 30
    assert sorted(named - written) == []


@pytest.mark.parametrize(
    ("arguments", "channels"), [((), None), (("news game:*",), ("news", "game:*")), (("",), ())]
)
def test_ticket_in_python_is_what_the_authorizer_takes(
    service: FakeService, arguments: tuple[str, ...], channels: tuple[str, ...] | None
) -> None:
    """Its row is the one that our own command writes."""
    ticket = defined_in(PAGE, "ticket_for")("alice", *arguments)

    require_ticket(ticket)
    assert service.items == [
        door_rows.ticket_item(ticket, user="alice", channels=channels, expires_seconds=NOW + 30)
    ]


def test_ticket_in_javascript_is_what_the_authorizer_takes(tmp_path: Path) -> None:
    """Its row is the one that our own command writes, at the time that it was written."""
    package = tmp_path / "node_modules" / "@aws-sdk" / "client-dynamodb"
    package.mkdir(parents=True)
    (package / "index.mjs").write_text(_DYNAMODB_FOR_NODE)
    (package / "package.json").write_text('{"name": "client-dynamodb", "main": "index.mjs"}')
    program = tmp_path / "program.mjs"
    call = 'console.log(JSON.stringify(await ticketFor("alice", "news game:*")));\n'
    program.write_text(code_of(PAGE, "js", "ticketFor") + call)
    node = shutil.which("node", path=clean_environment()["PATH"])

    printed = subprocess.run([str(node), program], capture_output=True, check=True, text=True)

    put, ticket = (json.loads(line) for line in printed.stdout.splitlines())
    ends = int(put["Item"]["expiresAt"]["N"])
    require_ticket(ticket)
    assert put["Item"] == door_rows.ticket_item(
        ticket, user="alice", channels=["news", "game:*"], expires_seconds=ends
    )
    row = {"user": "alice", "channels": "news game:*", "expiresAt": ends}
    assert client_of_ticket(row, ends - 30).user == "alice"


@pytest.mark.usefixtures("service")
def test_token_of_a_secret_is_what_the_authorizer_takes() -> None:
    """It is signed, for connecting, and ends after ten minutes."""
    rules = ClaimRules(issuer="https://app.example", audience="crier", needs_scope=True)
    door = verifier(rules, find_key=lambda _algorithm, _id: secret_key(SECRET), is_secret=True)

    token = defined_in(PAGE, "token_for")("alice")

    client = door.verify(token, NOW)
    assert (client.user, client.expires_seconds) == ("alice", NOW + 600)


def test_signed_url_is_for_the_gateway_and_for_a_minute() -> None:
    """All of the signature is in the query, the session's token, too."""
    session = boto3.Session("AKID", "secret", "token", region_name="eu-central-1")

    url = defined_in(PAGE, "signed_url")(
        "wss://id.execute-api.eu-central-1.amazonaws.com/prod", session
    )

    parts, query = urlsplit(url), parse_qs(urlsplit(url).query)
    assert (parts.scheme, parts.path) == ("wss", "/prod")
    assert query["X-Amz-Expires"] == ["60"]
    assert query["X-Amz-SignedHeaders"] == ["host"]
    assert query["X-Amz-Security-Token"] == ["token"]
    assert query["X-Amz-Credential"][0].endswith("/eu-central-1/execute-api/aws4_request")
