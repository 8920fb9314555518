"""The authorizer as API Gateway calls it: who gets in, what it costs, and what is said of it."""

import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ConnectTimeoutError
from hypothesis import given, settings
from hypothesis import strategies as st

import handlers.authorize
from access import base64url
from access.key_cache import FAILED_SECONDS, FRESH_SECONDS, STALE_SECONDS, UNKNOWN_SECONDS
from access.key_errors import KeysError
from access.key_set import MOST_BYTES
from access.refusal import Refusal
from authorizer_wiring import build_authorizer
from broadcasting.door_rows import denied_item, ticket_item
from settings import AuthorizerSettings
from testbed.model.fakes import FakeTime
from tests.support.authorizing import (
    ARN,
    PUBLIC_KEYS,
    SECRETS,
    TICKETS,
    Authorizer,
    Issuer,
    connecting,
    effect,
    failed,
)
from tests.support.boto_wire import BotoWire, WiredSession
from tests.support.tokens import (
    CLAIMS,
    NOW,
    SECRET,
    jwks,
    rsa_jwk,
    rsa_key,
    signed_ec,
    signed_rsa,
    signed_secret,
    token,
)

TICKET = base64url.encode(bytes(range(32)))
DENY_LIST = {"DENY_LIST": "true", "CONNECTIONS_TABLE": "t"}
SCOPED = CLAIMS | {"scope": "crier:connect"}
OTHER_SECRET = b"another secret of thirty-two bytes or more"
SIGNED = [signed_rsa(), signed_ec()]
NO_ROW: tuple[int, dict[str, Any]] = (200, {})


def _by_keys(**changes: str) -> Authorizer:
    return Authorizer(PUBLIC_KEYS | changes)


def _by_ticket(*answers: tuple[int, Any], **changes: str) -> Authorizer:
    authorizer = Authorizer(TICKETS | changes)
    authorizer.answers(*answers)
    return authorizer


def _by_secret(*answers: tuple[int, Any]) -> Authorizer:
    authorizer = Authorizer(SECRETS)
    authorizer.answers(*answers)
    return authorizer


def _ticket_row(**changes: Any) -> tuple[int, dict[str, Any]]:
    item = ticket_item(TICKET, user="alice", channels=["a", "b*"], expires_seconds=NOW + 60)
    return 200, {"Attributes": {**item, **changes}}


def _version(secret: bytes) -> tuple[int, dict[str, Any]]:
    return 200, {"SecretString": secret.decode()}


NO_VERSION = failed("ResourceNotFoundException")


def _lines(log: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.getvalue().splitlines()]


def test_authorizer_lets_a_client_in_by_its_route() -> None:
    """By this one and no other; what the token says comes with every later event."""
    answer = _by_keys().answer(connecting(signed_rsa(CLAIMS | {"channels": ["a", "b*"]})))

    assert answer == {
        "principalId": "alice",
        "policyDocument": {
            "Version": "2012-10-17",
            "Statement": [
                {"Action": "execute-api:Invoke", "Effect": "Allow", "Resource": ARN},
            ],
        },
        "context": {"channels": "a b*", "exp": str(NOW + 600)},
    }


def test_authorizer_leaves_out_what_the_token_does_not_say_or_is_not_to_count() -> None:
    """Without channels; and without an end of the session where the token is for connecting."""
    authorizer = _by_keys(SESSION_ENDS_WITH_TOKEN="false")

    plain = authorizer.answer(connecting(signed_rsa()))
    none = authorizer.answer(connecting(signed_rsa(CLAIMS | {"channels": []})))

    assert (plain["context"], none["context"]) == ({}, {"channels": ""})


@pytest.mark.parametrize(
    ("ends", "left_seconds", "is_let_in"),
    [("true", 1, True), ("true", 0, False), ("true", -29, False), ("false", -29, True)],
)
def test_authorizer_opens_no_session_that_is_over(
    ends: str, left_seconds: int, *, is_let_in: bool
) -> None:
    """The leeway is for tokens that are for connecting only; `$connect` would refuse the others."""
    authorizer = _by_keys(SESSION_ENDS_WITH_TOKEN=ends)

    assert authorizer.lets_in(signed_rsa(CLAIMS | {"exp": NOW + left_seconds})) is is_let_in


def test_authorizer_refuses_by_the_same_route() -> None:
    """The principal of a refusal is no user."""
    answer = _by_keys().answer(connecting())

    assert (effect(answer), answer["principalId"]) == ("Deny", "refused")
    assert answer["policyDocument"]["Statement"][0]["Resource"] == ARN
    assert "context" not in answer


@pytest.mark.parametrize("event", [None, "text", [], {}, connecting(methodArn="arn:*/$connect")])
def test_authorizer_refuses_all_when_the_event_names_no_route(event: Any) -> None:
    """There is nothing else to name."""
    answer = _by_keys().answer(event)

    assert answer["policyDocument"]["Statement"][0]["Resource"] == "*"
    assert effect(answer) == "Deny"


def test_authorizer_takes_a_token_from_the_subprotocols() -> None:
    """Browsers can set these only."""
    headers = {"Sec-WebSocket-Protocol": f"crier.v1, bearer.{signed_ec()}"}

    assert _by_keys().lets_in(headers=headers, multiValueHeaders=None)


def test_authorizer_refuses_two_tokens() -> None:
    """Both right, in both places or in one."""
    good, authorizer = signed_rsa(), _by_keys()
    headers = {"sec-websocket-protocol": f"bearer.{good}"}
    twice = {"token": [good, good]}

    assert authorizer.lets_in(good)
    assert not authorizer.lets_in(good, headers=headers, multiValueHeaders=None)
    assert not authorizer.lets_in(good, multiValueQueryStringParameters=twice)


def test_authorizer_asks_for_the_origin_first() -> None:
    """That costs nothing: no key is fetched, and no ticket is used up."""
    pages = {"ALLOWED_ORIGINS": "https://a.example, https://b.example"}
    by_keys, by_ticket = _by_keys(**pages), _by_ticket(_ticket_row(), **pages)
    foreign = {"multiValueHeaders": {"Origin": ["https://c.example"]}}
    ours = {"multiValueHeaders": {"origin": ["https://b.example"]}}

    assert not by_keys.lets_in(signed_rsa(), **foreign)
    assert not by_ticket.lets_in(TICKET, **foreign)
    assert (by_keys.issuer.fetches, by_ticket.wire.operations) == (0, [])
    assert by_keys.lets_in(signed_rsa(), **ours)
    assert by_ticket.lets_in(TICKET, **ours)


@settings(max_examples=300)
@given(st.data())
def test_authorizer_refuses_a_token_of_which_any_byte_is_changed(data: st.DataObject) -> None:
    """Whatever it is changed to, and wherever."""
    good = data.draw(st.sampled_from(SIGNED))
    place = data.draw(st.integers(0, len(good) - 1))
    instead = data.draw(st.characters(codec="utf-8").filter(lambda one: one != good[place]))

    assert not _by_keys().lets_in(good[:place] + instead + good[place + 1 :])


def test_authorizer_needs_no_request_for_a_token() -> None:
    """The keys are there."""
    authorizer = _by_keys()

    assert all(authorizer.lets_in(signed_rsa()) for _ in range(50))
    assert (authorizer.issuer.fetches, authorizer.wire.operations) == (1, [])


def test_authorizer_needs_one_request_for_a_ticket() -> None:
    """It takes the ticket out, on the condition that it is there, and reads what it was."""
    authorizer = _by_ticket(_ticket_row())

    answer = authorizer.answer(connecting(TICKET))

    assert (answer["principalId"], answer["context"]) == ("alice", {"channels": "a b*"})
    assert authorizer.wire.operations == ["DeleteItem"]
    assert json.loads(authorizer.wire.bodies[0]) == {
        "TableName": "t",
        "Key": {
            name: ticket_item(TICKET, user="alice", channels=None, expires_seconds=0)[name]
            for name in ("pk", "sk")
        },
        "ConditionExpression": "attribute_exists(pk)",
        "ReturnValues": "ALL_OLD",
    }


@pytest.mark.parametrize(
    ("authorizer", "given", "operations"),
    [
        (_by_keys(**DENY_LIST), signed_rsa(), ["GetItem"]),
        (_by_ticket(_ticket_row(), **DENY_LIST), TICKET, ["DeleteItem", "GetItem"]),
    ],
)
def test_authorizer_needs_one_request_more_for_the_deny_list(
    authorizer: Authorizer, given: str, operations: list[str]
) -> None:
    """A strong read of one row: a user who was thrown out a moment ago stays out."""
    authorizer.answers(NO_ROW)

    assert authorizer.lets_in(given)
    assert authorizer.wire.operations == operations
    assert json.loads(authorizer.wire.bodies[-1]) == {
        "TableName": "t",
        "Key": {"pk": {"S": "denied#alice"}, "sk": {"S": "self"}},
        "ConsistentRead": True,
    }


@pytest.mark.parametrize(
    ("changes", "is_let_in"),
    [
        ({"expiresAt": {"N": str(NOW + 1)}}, False),
        ({"expiresAt": {"N": str(NOW)}}, True),
        ({"expiresAt": {"N": str(NOW - 86_400)}}, True),
        ({"expiresAt": {"S": str(NOW - 1)}}, False),
        ({"expiresAt": {"NULL": True}}, False),
        ({"expiresAt": {"BOOL": False}}, False),
        ({"expiresAt": {"N": "1.5"}}, False),
    ],
)
def test_authorizer_keeps_users_of_the_deny_list_out(
    changes: dict[str, Any], *, is_let_in: bool
) -> None:
    """Until their time is over, whenever the row is deleted; one that has no time is for ever."""
    authorizer = _by_keys(**DENY_LIST)
    authorizer.answers((200, {"Item": denied_item("alice", NOW) | changes}))

    assert authorizer.lets_in(signed_rsa()) is is_let_in


def test_authorizer_does_not_read_the_deny_list_for_a_token_that_is_refused() -> None:
    """Forged tokens cost no read."""
    authorizer = _by_keys(**DENY_LIST)

    assert not authorizer.lets_in(signed_rsa()[:-2])
    assert authorizer.wire.operations == []


def test_authorizer_takes_a_ticket_once() -> None:
    """DynamoDB's condition says so, also to two who come at once."""
    authorizer = _by_ticket(_ticket_row(), failed("ConditionalCheckFailedException"))

    assert [authorizer.lets_in(TICKET) for _ in range(2)] == [True, False]


MALFORMED: dict[str, list[dict[str, Any]]] = {
    "expiresAt": [
        *({"N": str(at)} for at in (NOW, NOW - 1, NOW + 3_600, -1, 1.5, "1e400")),
        *({"S": str(NOW + 30)}, {"NULL": True}, {"BOOL": True}, {"L": []}),
    ],
    "user": [
        *({"S": user} for user in ("", "a\nb", "x" * 129)),
        *({"N": "7"}, {"L": [{"S": "a"}]}, {"NULL": True}),
    ],
    "channels": [
        *({"N": "7"}, {"N": "1.5"}, {"NS": ["1"]}, {"M": {}}, {"BOOL": True}, {"B": "YQ=="}),
        *({"L": [{"N": "1"}]}, {"L": [{"L": []}]}, {"L": [{"S": "a*b"}]}, {"S": "a  b"}),
    ],
}


@pytest.mark.parametrize(
    ("name", "attribute"),
    [(name, attribute) for name, several in MALFORMED.items() for attribute in several],
)
def test_authorizer_refuses_a_ticket_whose_row_is_malformed_or_over(
    name: str, attribute: dict[str, Any]
) -> None:
    """Applications write the rows: they may hold anything."""
    assert not _by_ticket(_ticket_row(**{name: attribute})).lets_in(TICKET)


@pytest.mark.parametrize("missing", ["user", "expiresAt"])
def test_authorizer_refuses_a_ticket_whose_row_lacks_something(missing: str) -> None:
    """It has been used up all the same."""
    status, body = _ticket_row()
    del body["Attributes"][missing]

    assert not _by_ticket((status, body)).lets_in(TICKET)


@pytest.mark.parametrize(
    ("channels", "told"),
    [
        ({"L": [{"S": "a"}, {"S": "b*"}]}, {"channels": "a b*"}),
        ({"SS": ["a", "b"]}, {"channels": "a b"}),
        ({"S": "a b"}, {"channels": "a b"}),
        ({"L": []}, {"channels": ""}),
        ({"NULL": True}, {}),
    ],
)
def test_authorizer_takes_a_tickets_channels_in_each_form(
    channels: dict[str, Any], told: dict[str, str]
) -> None:
    """As a list or a text; none is none, and null says nothing of them."""
    answer = _by_ticket(_ticket_row(channels=channels)).answer(connecting(TICKET))

    assert answer["context"] == told


@pytest.mark.parametrize("given", [signed_rsa(), "", "x", TICKET + "=", TICKET[:-1], "A" * 5_000])
def test_authorizer_reads_nothing_for_what_cannot_be_a_ticket(given: str) -> None:
    """Anyone could make it read."""
    authorizer = _by_ticket()

    assert not authorizer.lets_in(given)
    assert authorizer.wire.operations == []


def test_authorizer_takes_up_keys_that_are_rotated() -> None:
    """The issuer's new key is fetched when a token names it; the old one holds until then."""
    authorizer = _by_keys()
    assert authorizer.lets_in(signed_rsa())
    authorizer.issuer.document = jwks(rsa_jwk(rsa_key(), kid="new"))

    authorizer.time.run(UNKNOWN_SECONDS - 1)
    before = [authorizer.lets_in(signed_rsa(kid=kid)) for kid in ("new", "rsa")]
    authorizer.time.run(1)
    after = [authorizer.lets_in(signed_rsa(kid=kid)) for kid in ("new", "rsa")]

    assert (before, after) == ([False, True], [True, False])
    assert authorizer.issuer.fetches == 2


@pytest.mark.parametrize("is_down", [False, True])
def test_authorizer_fetches_once_for_a_flood_of_unknown_keys(*, is_down: bool) -> None:
    """In five minutes, whether the issuer answers or not; known keys are answered meanwhile."""
    authorizer = _by_keys()
    assert authorizer.lets_in(signed_rsa())
    authorizer.time.run(UNKNOWN_SECONDS)
    authorizer.issuer.error = KeysError("down") if is_down else None

    for number in range(200):
        assert not authorizer.lets_in(signed_rsa(kid=f"made-up-{number}"))
        authorizer.time.run(1)
        assert authorizer.lets_in(signed_rsa(CLAIMS | {"exp": NOW + 3_600}))

    assert authorizer.issuer.fetches == 2


@pytest.mark.parametrize(
    "trouble",
    [
        *(KeysError("the keys were answered with status 500"), TimeoutError(), OSError("reset")),
        *(b"<html>", b"", b"{}", b"[]", b'{"keys":[]}', b" " * (MOST_BYTES + 1), RuntimeError("?")),
    ],
)
def test_authorizer_goes_on_for_a_day_with_the_last_keys(
    trouble: Exception | bytes, log: io.StringIO
) -> None:
    """While the issuer is down, or answers what is no key set; after that it is closed."""
    claims = CLAIMS | {"exp": NOW + 2 * 86_400 - 60}
    authorizer = _by_keys()
    assert authorizer.lets_in(signed_rsa())
    if isinstance(trouble, bytes):
        authorizer.issuer.document = trouble or b" "
    else:
        authorizer.issuer.error = trouble

    authorizer.time.run(STALE_SECONDS - 1)
    held = authorizer.lets_in(signed_rsa(claims))
    authorizer.time.run(1)
    closed = not authorizer.lets_in(signed_rsa(claims))
    authorizer.issuer.error, authorizer.issuer.document = None, b""
    authorizer.time.run(FAILED_SECONDS)

    assert (held, closed) == (True, True)
    assert authorizer.lets_in(signed_rsa(claims))
    messages = [line["message"] for line in _lines(log)]
    assert messages == ["let in", "keys not fetched", "let in", "could not decide", "let in"]


def test_authorizer_is_closed_when_it_has_never_had_keys(
    log: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    """It asks for them now and then, and an alarm can see that it could not decide."""
    authorizer = Authorizer(PUBLIC_KEYS, Issuer(error=KeysError("the reason")))

    assert not any(authorizer.lets_in(signed_rsa()) for _ in range(3))
    assert authorizer.issuer.fetches == 1
    authorizer.time.run(FAILED_SECONDS)
    assert not authorizer.lets_in(signed_rsa())
    assert authorizer.issuer.fetches == 2
    first, second, *_ = _lines(log)
    assert (first["message"], first["reason"]) == ("keys not fetched", "the reason")
    assert (second["message"], second["error"]) == ("could not decide", "KeysUnavailableError")
    assert second["place"].startswith("access/key_source.py:")
    assert capsys.readouterr().out.count('"AuthorizerFailed":[1.0]') == 4


def test_authorizer_fetches_keys_again_while_they_are_in_use() -> None:
    """An issuer may have taken one back."""
    authorizer = _by_keys()
    assert authorizer.lets_in(signed_rsa())
    authorizer.issuer.document = jwks(rsa_jwk(rsa_key(), kid="new"))
    authorizer.time.freeze(FRESH_SECONDS)  # also while the function is frozen

    assert not authorizer.lets_in(signed_rsa(CLAIMS | {"exp": NOW + 3_600}))


def test_authorizer_lets_in_by_a_secret() -> None:
    """Both versions are read once; tokens need no request."""
    authorizer = _by_secret(_version(SECRET), NO_VERSION)

    assert all(authorizer.lets_in(signed_secret(SCOPED)) for _ in range(20))
    assert not authorizer.lets_in(signed_secret(CLAIMS))
    assert authorizer.wire.operations == ["GetSecretValue"] * 2
    assert [json.loads(body) for body in authorizer.wire.bodies] == [
        {"SecretId": "crier/secret", "VersionStage": "AWSCURRENT"},
        {"SecretId": "crier/secret", "VersionStage": "AWSPREVIOUS"},
    ]


def test_authorizer_takes_a_secret_of_bytes() -> None:
    """Secrets Manager has texts and bytes."""
    as_bytes = (200, {"SecretBinary": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="})

    assert _by_secret(as_bytes, NO_VERSION).lets_in(signed_secret(SCOPED, secret=bytes(range(32))))


def test_authorizer_locks_no_client_out_while_a_secret_is_rotated() -> None:
    """Both versions let in: the new one as soon as it is read, the old one as the previous."""
    old, new = (signed_secret(SCOPED, secret=one) for one in (SECRET, OTHER_SECRET))
    authorizer = _by_secret(_version(SECRET), NO_VERSION)
    assert authorizer.lets_in(old)

    authorizer.time.run(60)
    authorizer.answers(_version(OTHER_SECRET), _version(SECRET))

    assert authorizer.lets_in(new)
    assert authorizer.lets_in(old)
    assert authorizer.wire.operations == ["GetSecretValue"] * 4


def test_authorizer_forgets_a_secret_that_was_rotated_twice() -> None:
    """That is what to do with one that has leaked."""
    authorizer = _by_secret(_version(SECRET), NO_VERSION)
    assert authorizer.lets_in(signed_secret(SCOPED))

    authorizer.time.run(FRESH_SECONDS)
    authorizer.answers(_version(OTHER_SECRET), _version(OTHER_SECRET + b"!"))

    assert not authorizer.lets_in(signed_secret(SCOPED | {"exp": NOW + 3_600}))


def test_authorizer_reads_the_secret_once_a_minute_for_a_flood_of_forged_tokens() -> None:
    """A signature that does not fit could be one of a new secret."""
    authorizer = _by_secret(_version(SECRET), NO_VERSION, *[_version(SECRET), NO_VERSION] * 2)

    for _ in range(120):
        assert not authorizer.lets_in(signed_secret(SCOPED, secret=OTHER_SECRET))
        authorizer.time.run(1)

    assert len(authorizer.wire.operations) == 4


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ([(200, {"SecretString": "x" * 31}), NO_VERSION], "the secret has 31 bytes, expected 32"),
        ([(200, {}), NO_VERSION], "the secret has 0 bytes, expected 32"),
        ([failed("ResourceNotFoundException")], "(AWSCURRENT): ResourceNotFoundException"),
        ([failed("AccessDeniedException")], "(AWSCURRENT): AccessDeniedException"),
        ([failed("InternalServiceError", 500)], "(AWSCURRENT): InternalServiceError"),
    ],
)
def test_authorizer_is_closed_without_a_secret(
    answers: list[tuple[int, Any]], reason: str, log: io.StringIO
) -> None:
    """The log says why, and nothing of the secret."""
    authorizer = _by_secret(*answers)

    assert not authorizer.lets_in(signed_secret(SCOPED))
    first, second = _lines(log)
    assert (first["message"], second["message"]) == ("keys not fetched", "could not decide")
    assert reason in first["reason"]
    assert "xxx" not in log.getvalue()


@pytest.mark.parametrize(
    "previous", [failed("InternalServiceError", 500), (200, {"SecretString": "short"})]
)
def test_authorizer_goes_on_without_the_previous_secret(previous: tuple[int, Any]) -> None:
    """The current one is enough."""
    assert _by_secret(_version(SECRET), previous).lets_in(signed_secret(SCOPED))


@pytest.mark.parametrize("environment", [TICKETS, PUBLIC_KEYS | DENY_LIST])
@pytest.mark.parametrize(
    ("answers", "code"),
    [
        ([failed("AccessDeniedException")], "AccessDeniedException"),
        ([failed("ResourceNotFoundException")], "ResourceNotFoundException"),
        ([failed("InternalServerError", 500)] * 2, "InternalServerError"),
        ([failed("ThrottlingException")] * 2, "ThrottlingException"),
    ],
)
def test_authorizer_is_closed_when_dynamodb_does_not_answer(
    environment: dict[str, str],
    answers: list[tuple[int, Any]],
    code: str,
    log: io.StringIO,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It could not decide; the log names the code, not the text."""
    authorizer = Authorizer(environment)
    authorizer.answers(*answers)
    given = TICKET if environment == TICKETS else signed_rsa()

    assert not authorizer.lets_in(given)
    (line,) = _lines(log)
    assert (line["message"], line["level"]) == ("could not decide", "ERROR")
    assert line["reason"].endswith(code)
    assert "the text of an error" not in log.getvalue()
    assert '"AuthorizerFailed":[1.0]' in capsys.readouterr().out
    assert authorizer.wire.answers == []


@pytest.mark.parametrize("environment", [TICKETS, PUBLIC_KEYS | DENY_LIST])
def test_authorizer_asks_dynamodb_twice_when_it_is_busy(environment: dict[str, str]) -> None:
    """Once more, at once: a client waits."""
    is_ticket = environment == TICKETS
    authorizer = Authorizer(environment)
    authorizer.answers(failed("ThrottlingException"), _ticket_row() if is_ticket else NO_ROW)

    assert authorizer.lets_in(TICKET if is_ticket else signed_rsa())


def test_authorizer_refuses_a_ticket_whose_answer_was_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It may have been taken: the client asks its application for another one."""
    authorizer = _by_ticket(_ticket_row(), failed("ConditionalCheckFailedException"))
    answer = authorizer.wire.__class__.__call__
    lost = [ConnectTimeoutError(endpoint_url="https://dynamodb")]

    def lose(self: Any, request: Any, **names: object) -> Any:
        found = answer(self, request, **names)
        if lost:
            raise lost.pop()
        return found

    monkeypatch.setattr(authorizer.wire.__class__, "__call__", lose)

    assert not authorizer.lets_in(TICKET)
    assert authorizer.wire.operations == ["DeleteItem"] * 2


@pytest.mark.parametrize("environment", [{}, {"AUTH": "open"}, TICKETS | {"CONNECTIONS_TABLE": ""}])
def test_authorizer_is_closed_when_its_settings_are_wrong(
    environment: dict[str, str], log: io.StringIO
) -> None:
    """The log names them."""
    assert not Authorizer(environment).lets_in(TICKET)
    (line,) = _lines(log)
    assert (line["message"], line["error"]) == ("could not decide", "SettingsError")
    assert "wrong environment" in line["reason"]


@pytest.mark.parametrize("error", [RuntimeError("x"), MemoryError(), RecursionError(), KeyError(1)])
def test_authorizer_is_closed_whatever_goes_wrong(error: Exception, log: io.StringIO) -> None:
    """A function that raises is answered 500 to the client, and could be made to."""

    def break_down() -> Any:
        raise error

    answer = handlers.authorize.decide(connecting(signed_rsa()), break_down)

    assert effect(answer) == "Deny"
    (line,) = _lines(log)
    assert line["error"] == type(error).__name__
    assert line["place"].startswith("handlers/authorize.py:")


def test_authorizer_decides_when_it_cannot_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """A log that is broken lets nobody in, and keeps nobody out."""

    def break_down(*_arguments: object, **_names: object) -> None:
        raise OSError("no space")

    for name in ("publish_let_in", "publish_refused", "publish_failed"):
        monkeypatch.setattr(handlers.authorize, name, break_down)
    down = Authorizer(PUBLIC_KEYS, Issuer(error=KeysError("down")))

    assert _by_keys().lets_in(signed_rsa())
    assert not _by_keys().lets_in("x")
    assert not down.lets_in(signed_rsa())


def test_authorizer_opens_one_session() -> None:
    """Each reads botocore's models anew, for a client that waits for a cold start."""
    opened: list[BotoWire] = []

    def open_session() -> Any:
        opened.append(BotoWire())
        return WiredSession(opened[-1])

    read = AuthorizerSettings.read(SECRETS | DENY_LIST)
    build_authorizer(read, open_session, FakeTime().clock)

    assert len(opened) == 1


def test_authorizer_is_wired_by_its_environment(
    monkeypatch: pytest.MonkeyPatch, log: io.StringIO
) -> None:
    """Lambda calls `handler`; what it is wired with is kept."""
    for name, value in (TICKETS | {"AWS_DEFAULT_REGION": "eu-central-1"}).items():
        monkeypatch.setenv(name, value)

    answer = handlers.authorize.handler(connecting("no ticket"), None)

    assert effect(answer) == "Deny"
    assert [line["reason"] for line in _lines(log)] == ["ticket"]


def test_authorizer_logs_one_line_for_each_decision(
    log: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who was let in, or why not; the metrics count both, and refusals by their reason, too."""
    authorizer = _by_keys()

    authorizer.lets_in(signed_rsa())
    authorizer.lets_in(signed_rsa(CLAIMS | {"exp": NOW - 60}))

    first, second = _lines(log)
    assert (first["message"], first["level"], first["user"]) == ("let in", "INFO", "alice")
    assert (second["message"], second["level"]) == ("refused", "WARNING")
    assert second["reason"] == "expired"
    let_in, refused = map(json.loads, capsys.readouterr().out.splitlines())
    assert (let_in["LetIn"], let_in["service"]) == ([1.0], "unit")
    assert let_in["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "Crier"
    assert let_in["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["service"]]
    assert (refused["Refused"], refused["service"], refused["reason"]) == ([1.0], "unit", "expired")
    dimensions = refused["_aws"]["CloudWatchMetrics"][0]["Dimensions"]
    assert dimensions == [["service"], ["service", "reason"]]


def _secret_with(current: bytes) -> Callable[[], Authorizer]:
    return lambda: _by_secret(_version(current), NO_VERSION, _version(current), NO_VERSION)


def _down(error: Exception) -> Callable[[], Authorizer]:
    return lambda: Authorizer(PUBLIC_KEYS, Issuer(error=error))


@pytest.mark.parametrize(
    ("make", "secret"),
    [
        (_by_keys, signed_rsa()),
        (_by_keys, signed_rsa(CLAIMS | {"exp": NOW - 60})),
        (_by_keys, signed_rsa(CLAIMS | {"sub": "a\nb"})),
        (_by_keys, signed_rsa(CLAIMS | {"channels": ["é"]})),
        (_by_keys, signed_rsa(kid="unknown")),
        (_by_keys, signed_rsa(b"\xff")),
        (_by_keys, token({"alg": "none"}, CLAIMS, b"signature")),
        (_by_keys, signed_ec()[:-3]),
        (_by_keys, signed_rsa() + ".more"),
        (_down(RuntimeError(f"could not use {signed_rsa()}")), signed_rsa()),
        (_down(KeysError("down")), signed_rsa()),
        (_secret_with(SECRET), signed_secret(SCOPED)),
        (_secret_with(OTHER_SECRET), signed_secret(SCOPED)),
        (_secret_with(b"short"), signed_secret(SCOPED)),
        (lambda: _by_keys(AUTH="?"), signed_rsa()),
        (lambda: _by_ticket(_ticket_row()), TICKET),
        (lambda: _by_ticket(_ticket_row(user={"S": ""})), TICKET),
        (lambda: _by_ticket(failed("ConditionalCheckFailedException")), TICKET),
        (lambda: _by_ticket(failed("AccessDeniedException")), TICKET),
        (_by_ticket, TICKET),  # the wire itself breaks
    ],
)
def test_authorizer_says_nothing_of_a_token(
    make: Callable[[], Authorizer],
    secret: str,
    log: io.StringIO,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Whatever becomes of it, wherever it stands: none of its parts is in any output."""
    headers = {"sec-websocket-protocol": f"crier.v1, bearer.{secret}"}
    events = [
        connecting(secret),
        connecting(headers=headers, multiValueHeaders=None),
        connecting(secret, headers=headers, multiValueHeaders=None),
        connecting(secret, type="TOKEN"),
        connecting(secret, methodArn=secret),
        connecting(multiValueQueryStringParameters={"token": [secret, secret]}),
        connecting(multiValueQueryStringParameters={"token": {secret: secret}}),
        connecting(secret, queryStringParameters=secret),
        secret,
        [secret],
    ]
    authorizer = make()

    for event in events:
        authorizer.answer(event)

    out, err = capfd.readouterr()
    said = log.getvalue() + out + err
    assert log.getvalue().count("\n") >= len(events)
    found = [part for part in (secret, *secret.split(".")) if len(part) > 4 and part in said]
    assert found == []


def test_refusals_have_names_that_say_little() -> None:
    """Each is one word or two, for a metric's dimension."""
    assert all(one.value.replace("-", "").isalpha() and len(one) < 20 for one in Refusal)
