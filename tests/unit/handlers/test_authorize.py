"""The authorizer as API Gateway calls it: who gets in, and what is said of it."""

import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import handlers.authorize
from access.key_errors import KeysError
from access.refusal import Refusal
from authorizer_wiring import build_authorizer
from settings import AuthorizerSettings
from testbed.model.fakes import FakeTime
from tests.support.authorizing import (
    ARN,
    NO_VERSION,
    OTHER_SECRET,
    PUBLIC_KEYS,
    SCOPED,
    SECRETS,
    TICKET,
    TICKETS,
    Authorizer,
    Issuer,
    by_keys,
    by_secret,
    by_ticket,
    connecting,
    effect,
    failed,
    lines_of,
    ticket_row,
    version,
)
from tests.support.boto_wire import BotoWire, WiredSession
from tests.support.tokens import (
    CLAIMS,
    NOW,
    SECRET,
    signed_ec,
    signed_rsa,
    signed_secret,
    token,
)

SIGNED = [signed_rsa(), signed_ec()]


def test_authorizer_lets_a_client_in_by_its_route() -> None:
    """By this one and no other; what the token says comes with every later event."""
    answer = by_keys().answer(connecting(signed_rsa(CLAIMS | {"channels": ["a", "b*"]})))

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
    authorizer = by_keys(SESSION_ENDS_WITH_TOKEN="false")

    plain = authorizer.answer(connecting(signed_rsa()))
    none = authorizer.answer(connecting(signed_rsa(CLAIMS | {"channels": []})))

    assert (plain["context"], none["context"]) == ({}, {"channels": "!"})


@pytest.mark.parametrize(
    ("ends", "left_seconds", "is_let_in"),
    [("true", 1, True), ("true", 0, False), ("true", -29, False), ("false", -29, True)],
)
def test_authorizer_opens_no_session_that_is_over(
    ends: str, left_seconds: int, *, is_let_in: bool
) -> None:
    """The leeway is for tokens that are for connecting only; `$connect` would refuse the others."""
    authorizer = by_keys(SESSION_ENDS_WITH_TOKEN=ends)

    assert authorizer.lets_in(signed_rsa(CLAIMS | {"exp": NOW + left_seconds})) is is_let_in


def test_authorizer_refuses_by_the_same_route() -> None:
    """The principal of a refusal is no user."""
    answer = by_keys().answer(connecting())

    assert (effect(answer), answer["principalId"]) == ("Deny", "refused")
    assert answer["policyDocument"]["Statement"][0]["Resource"] == ARN
    assert "context" not in answer


@pytest.mark.parametrize("event", [None, "text", [], {}, connecting(methodArn="arn:*/$connect")])
def test_authorizer_refuses_all_when_the_event_names_no_route(event: Any) -> None:
    """There is nothing else to name."""
    answer = by_keys().answer(event)

    assert answer["policyDocument"]["Statement"][0]["Resource"] == "*"
    assert effect(answer) == "Deny"


def test_authorizer_takes_a_token_from_the_subprotocols() -> None:
    """Browsers can set these only."""
    headers = {"Sec-WebSocket-Protocol": f"crier.v1, bearer.{signed_ec()}"}

    assert by_keys().lets_in(headers=headers, multiValueHeaders=None)


def test_authorizer_refuses_two_tokens() -> None:
    """Both right, in both places or in one."""
    good, authorizer = signed_rsa(), by_keys()
    headers = {"sec-websocket-protocol": f"bearer.{good}"}
    twice = {"token": [good, good]}

    assert authorizer.lets_in(good)
    assert not authorizer.lets_in(good, headers=headers, multiValueHeaders=None)
    assert not authorizer.lets_in(good, multiValueQueryStringParameters=twice)


def test_authorizer_asks_for_the_origin_first() -> None:
    """That costs nothing: no key is fetched, and no ticket is used up."""
    pages = {"ALLOWED_ORIGINS": "https://a.example, https://b.example"}
    of_keys, of_tickets = by_keys(**pages), by_ticket(ticket_row(), **pages)
    foreign = {"multiValueHeaders": {"Origin": ["https://c.example"]}}
    ours = {"multiValueHeaders": {"origin": ["https://b.example"]}}

    assert not of_keys.lets_in(signed_rsa(), **foreign)
    assert not of_tickets.lets_in(TICKET, **foreign)
    assert (of_keys.issuer.fetches, of_tickets.wire.operations) == (0, [])
    assert of_keys.lets_in(signed_rsa(), **ours)
    assert of_tickets.lets_in(TICKET, **ours)


@settings(max_examples=300)
@given(st.data())
def test_authorizer_refuses_a_token_of_which_any_byte_is_changed(data: st.DataObject) -> None:
    """Whatever it is changed to, and wherever."""
    good = data.draw(st.sampled_from(SIGNED))
    place = data.draw(st.integers(0, len(good) - 1))
    instead = data.draw(st.characters(codec="utf-8").filter(lambda one: one != good[place]))

    assert not by_keys().lets_in(good[:place] + instead + good[place + 1 :])


def test_authorizer_needs_no_request_for_a_token() -> None:
    """The keys are there."""
    authorizer = by_keys()

    assert all(authorizer.lets_in(signed_rsa()) for _ in range(50))
    assert (authorizer.issuer.fetches, authorizer.wire.operations) == (1, [])


@pytest.mark.parametrize("environment", [{}, {"AUTH": "open"}, TICKETS | {"CONNECTIONS_TABLE": ""}])
def test_authorizer_is_closed_when_its_settings_are_wrong(
    environment: dict[str, str], log: io.StringIO
) -> None:
    """The log names them."""
    assert not Authorizer(environment).lets_in(TICKET)
    (line,) = lines_of(log)
    assert (line["message"], line["error"]) == ("could not decide", "SettingsError")
    assert "wrong environment" in line["reason"]


@pytest.mark.parametrize("error", [RuntimeError("x"), MemoryError(), RecursionError(), KeyError(1)])
def test_authorizer_is_closed_whatever_goes_wrong(error: Exception, log: io.StringIO) -> None:
    """A function that raises is answered 500 to the client, and could be made to."""

    def break_down() -> Any:
        raise error

    answer = handlers.authorize.decide(connecting(signed_rsa()), break_down)

    assert effect(answer) == "Deny"
    (line,) = lines_of(log)
    assert line["error"] == type(error).__name__
    assert line["place"].startswith("handlers/authorize.py:")


def test_authorizer_decides_when_it_cannot_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """A log that is broken lets nobody in, and keeps nobody out."""

    def break_down(*_arguments: object, **_names: object) -> None:
        raise OSError("no space")

    for name in ("publish_let_in", "publish_refused", "publish_failed"):
        monkeypatch.setattr(handlers.authorize, name, break_down)
    down = Authorizer(PUBLIC_KEYS, Issuer(error=KeysError("down")))

    assert by_keys().lets_in(signed_rsa())
    assert not by_keys().lets_in("x")
    assert not down.lets_in(signed_rsa())


def test_authorizer_opens_one_session() -> None:
    """Each reads botocore's models anew, for a client that waits for a cold start."""
    opened: list[BotoWire] = []

    def open_session() -> Any:
        opened.append(BotoWire())
        return WiredSession(opened[-1])

    read = AuthorizerSettings.read(SECRETS | {"DENY_LIST": "true", "CONNECTIONS_TABLE": "t"})
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
    assert [line["reason"] for line in lines_of(log)] == ["ticket"]


def test_authorizer_logs_one_line_for_each_decision(
    log: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who was let in, or why not; the metrics count both, and refusals by their reason, too."""
    authorizer = by_keys()

    authorizer.lets_in(signed_rsa())
    authorizer.lets_in(signed_rsa(CLAIMS | {"exp": NOW - 60}))

    first, second = lines_of(log)
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
    return lambda: by_secret(version(current), NO_VERSION, version(current), NO_VERSION)


def _down(error: Exception) -> Callable[[], Authorizer]:
    return lambda: Authorizer(PUBLIC_KEYS, Issuer(error=error))


@pytest.mark.parametrize(
    ("make", "secret"),
    [
        (by_keys, signed_rsa()),
        (by_keys, signed_rsa(CLAIMS | {"exp": NOW - 60})),
        (by_keys, signed_rsa(CLAIMS | {"sub": "a\nb"})),
        (by_keys, signed_rsa(CLAIMS | {"channels": ["é"]})),
        (by_keys, signed_rsa(kid="unknown")),
        (by_keys, signed_rsa(b"\xff")),
        (by_keys, token({"alg": "none"}, CLAIMS, b"signature")),
        (by_keys, signed_ec()[:-3]),
        (by_keys, signed_rsa() + ".more"),
        (_down(RuntimeError(f"could not use {signed_rsa()}")), signed_rsa()),
        (_down(KeysError("down")), signed_rsa()),
        (_secret_with(SECRET), signed_secret(SCOPED)),
        (_secret_with(OTHER_SECRET), signed_secret(SCOPED)),
        (_secret_with(b"short"), signed_secret(SCOPED)),
        (lambda: by_keys(AUTH="?"), signed_rsa()),
        (lambda: by_ticket(ticket_row()), TICKET),
        (lambda: by_ticket(ticket_row(user={"S": ""})), TICKET),
        (lambda: by_ticket(failed("ConditionalCheckFailedException")), TICKET),
        (lambda: by_ticket(failed("AccessDeniedException")), TICKET),
        (by_ticket, TICKET),  # the wire itself breaks
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
