"""The authorizer with a wire in place of AWS, and a key set in place of an issuer."""

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from access import base64url
from authorizer_wiring import AuthorizerWiring, build_authorizer
from broadcasting.door_rows import ticket_item
from handlers.authorize import decide
from settings import AuthorizerSettings
from testbed.model.fakes import FakeTime
from tests.support.boto_wire import BotoWire, WiredSession
from tests.support.tokens import (
    AUDIENCE,
    CLAIMS,
    ISSUER,
    NOW,
    ec_jwk,
    ec_key,
    jwks,
    rsa_jwk,
    rsa_key,
)

ARN = "arn:aws:execute-api:eu-central-1:123456789012:a1b2c3/prod/$connect"
FLAGS = {"DENY_LIST": "false", "SESSION_ENDS_WITH_TOKEN": "true"}
TICKETS = {**FLAGS, "AUTH": "ticket", "CONNECTIONS_TABLE": "t"}
PUBLIC_KEYS = {
    **FLAGS,
    "AUTH": "jwt",
    "JWKS_URL": "https://issuer.example/keys",
    "ISSUER": ISSUER,
    "AUDIENCE": AUDIENCE,
}
SECRETS = {
    **{name: value for name, value in PUBLIC_KEYS.items() if name != "JWKS_URL"},
    "JWT_SECRET_ARN": "crier/secret",
}


def connecting(token: Any = None, **changes: Any) -> dict[str, Any]:
    """Return the event of a client that connects, as API Gateway sends it."""
    query = None if token is None else {"token": token}
    return {
        "type": "REQUEST",
        "methodArn": ARN,
        "headers": {"Host": "a1b2c3.execute-api.eu-central-1.amazonaws.com"},
        "multiValueHeaders": {"Host": ["a1b2c3.execute-api.eu-central-1.amazonaws.com"]},
        "queryStringParameters": query,
        "multiValueQueryStringParameters": query and {"token": [token]},
        "stageVariables": {},
        "requestContext": {"eventType": "CONNECT", "connectionId": "c="},
        **changes,
    }


@dataclass
class Issuer:
    """Publishes keys, or fails to; counts how often it was asked."""

    document: bytes = b""
    error: Exception | None = None
    fetches: int = 0

    def fetch(self) -> bytes:
        """Return the document."""
        self.fetches += 1
        if self.error:
            raise self.error
        return self.document or jwks(rsa_jwk(rsa_key(), kid="rsa"), ec_jwk(ec_key(), kid="ec"))


@dataclass
class Authorizer:
    """Answers events. AWS is a wire, the time a fake one, which begins at NOW."""

    environment: Mapping[str, str]
    issuer: Issuer = field(default_factory=Issuer)
    wire: BotoWire = field(default_factory=BotoWire)
    time: FakeTime = field(default_factory=lambda: FakeTime(epoch_ms=NOW * 1000))
    _wired: AuthorizerWiring | None = None

    def wiring(self) -> AuthorizerWiring:
        """Return what it works with, built on the first call."""
        if self._wired is None:
            self._wired = build_authorizer(
                AuthorizerSettings.read(self.environment),
                lambda: WiredSession(self.wire),
                self.time.clock,
                fetcher_of=lambda _url: self.issuer.fetch,
            )
        return self._wired

    def answer(self, event: Any) -> dict[str, Any]:
        """Answer an event."""
        return decide(event, self.wiring)

    def lets_in(self, token: Any = None, **changes: Any) -> bool:
        """Tell whether a client gets in."""
        return effect(self.answer(connecting(token, **changes))) == "Allow"

    def answers(self, *answers: tuple[int, Mapping[str, Any]]) -> None:
        """Set what AWS answers: a status and a body for each request."""
        self.wire.answers += [(status, json.dumps(body).encode()) for status, body in answers]


def effect(answer: Mapping[str, Any]) -> str:
    """Return the effect of an answer, which must be for our route or, refusing, for all."""
    (statement,) = answer["policyDocument"]["Statement"]
    assert statement["Action"] == "execute-api:Invoke"
    assert statement["Resource"] == ARN or statement["Effect"] == "Deny"
    return str(statement["Effect"])


def failed(code: str, status: int = 400) -> tuple[int, Mapping[str, Any]]:
    """Return the answer of an AWS service that refuses a request."""
    return status, {"__type": f"com.amazonaws#{code}", "message": "the text of an error"}


TICKET = base64url.encode(bytes(range(32)))


DENY_LIST = {"DENY_LIST": "true", "CONNECTIONS_TABLE": "t"}


SCOPED = CLAIMS | {"scope": "crier:connect"}


OTHER_SECRET = b"another secret of thirty-two bytes or more"


NO_ROW: tuple[int, dict[str, Any]] = (200, {})


NO_VERSION = failed("ResourceNotFoundException")


def by_keys(**changes: str) -> Authorizer:
    """Return an authorizer of public keys."""
    return Authorizer(PUBLIC_KEYS | changes)


def by_ticket(*answers: tuple[int, Any], **changes: str) -> Authorizer:
    """Return an authorizer of tickets, and set what DynamoDB answers it."""
    authorizer = Authorizer(TICKETS | changes)
    authorizer.answers(*answers)
    return authorizer


def by_secret(*answers: tuple[int, Any]) -> Authorizer:
    """Return an authorizer of a shared secret, and set what Secrets Manager answers it."""
    authorizer = Authorizer(SECRETS)
    authorizer.answers(*answers)
    return authorizer


def ticket_row(**changes: Any) -> tuple[int, dict[str, Any]]:
    """Return the answer to a delete of a ticket."""
    item = ticket_item(TICKET, user="alice", channels=["a", "b*"], expires_seconds=NOW + 60)
    return 200, {"Attributes": {**item, **changes}}


def version(secret: bytes) -> tuple[int, dict[str, Any]]:
    """Return the answer to a read of a secret."""
    return 200, {"SecretString": secret.decode()}


def lines_of(log: io.StringIO) -> list[dict[str, Any]]:
    """Return what was logged."""
    return [json.loads(line) for line in log.getvalue().splitlines()]
