"""The authorizer and its rows: tickets, and the deny list."""

import io
import json
from typing import Any

import pytest
from botocore.exceptions import ConnectTimeoutError

from broadcasting.door_rows import denied_item, ticket_item
from tests.support.authorizing import (
    DENY_LIST,
    NO_ROW,
    PUBLIC_KEYS,
    TICKET,
    TICKETS,
    Authorizer,
    by_keys,
    by_ticket,
    connecting,
    failed,
    lines_of,
    ticket_row,
)
from tests.support.tokens import (
    NOW,
    signed_rsa,
)


def test_authorizer_needs_one_request_for_a_ticket() -> None:
    """It takes the ticket out, on the condition that it is there, and reads what it was."""
    authorizer = by_ticket(ticket_row())

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
        (by_keys(**DENY_LIST), signed_rsa(), ["GetItem"]),
        (by_ticket(ticket_row(), **DENY_LIST), TICKET, ["DeleteItem", "GetItem"]),
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
    authorizer = by_keys(**DENY_LIST)
    authorizer.answers((200, {"Item": denied_item("alice", NOW) | changes}))

    assert authorizer.lets_in(signed_rsa()) is is_let_in


def test_authorizer_does_not_read_the_deny_list_for_a_token_that_is_refused() -> None:
    """Forged tokens cost no read."""
    authorizer = by_keys(**DENY_LIST)

    assert not authorizer.lets_in(signed_rsa()[:-2])
    assert authorizer.wire.operations == []


def test_authorizer_takes_a_ticket_once() -> None:
    """DynamoDB's condition says so, also to two who come at once."""
    authorizer = by_ticket(ticket_row(), failed("ConditionalCheckFailedException"))

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
    assert not by_ticket(ticket_row(**{name: attribute})).lets_in(TICKET)


@pytest.mark.parametrize("missing", ["user", "expiresAt"])
def test_authorizer_refuses_a_ticket_whose_row_lacks_something(missing: str) -> None:
    """It has been used up all the same."""
    status, body = ticket_row()
    del body["Attributes"][missing]

    assert not by_ticket((status, body)).lets_in(TICKET)


@pytest.mark.parametrize(
    ("channels", "told"),
    [
        ({"L": [{"S": "a"}, {"S": "b*"}]}, {"channels": "a b*"}),
        ({"SS": ["a", "b"]}, {"channels": "a b"}),
        ({"S": "a b"}, {"channels": "a b"}),
        ({"L": []}, {"channels": "!"}),
    ],
)
def test_authorizer_takes_a_tickets_channels_in_each_form(
    channels: dict[str, Any], told: dict[str, str]
) -> None:
    """As a list or a text; none is none."""
    answer = by_ticket(ticket_row(channels=channels)).answer(connecting(TICKET))

    assert answer["context"] == told


def test_authorizer_refuses_a_ticket_whose_channels_are_null() -> None:
    """An application that writes null means something, and not that all of them are open."""
    assert not by_ticket(ticket_row(channels={"NULL": True})).lets_in(TICKET)


@pytest.mark.parametrize("given", [signed_rsa(), "", "x", TICKET + "=", TICKET[:-1], "A" * 5_000])
def test_authorizer_reads_nothing_for_what_cannot_be_a_ticket(given: str) -> None:
    """Anyone could make it read."""
    authorizer = by_ticket()

    assert not authorizer.lets_in(given)
    assert authorizer.wire.operations == []


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
    (line,) = lines_of(log)
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
    authorizer.answers(failed("ThrottlingException"), ticket_row() if is_ticket else NO_ROW)

    assert authorizer.lets_in(TICKET if is_ticket else signed_rsa())


def test_authorizer_refuses_a_ticket_whose_answer_was_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It may have been taken: the client asks its application for another one."""
    authorizer = by_ticket(ticket_row(), failed("ConditionalCheckFailedException"))
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


@pytest.mark.parametrize("number", ["1.5", "-1.5", "1E+30", "-7"])
def test_authorizer_knows_why_it_refuses_a_ticket_with_an_odd_time(
    number: str, log: io.StringIO
) -> None:
    """It is the ticket, not a fault of ours."""
    assert not by_ticket(ticket_row(expiresAt={"N": number})).lets_in(TICKET)
    assert [line["reason"] for line in lines_of(log)] == ["ticket"]


def test_authorizer_says_that_a_ticket_was_used(log: io.StringIO) -> None:
    """The second client is refused, and no alarm is raised for it."""
    authorizer = by_ticket(failed("ConditionalCheckFailedException"))

    assert not authorizer.lets_in(TICKET)
    (line,) = lines_of(log)
    assert (line["message"], line["reason"]) == ("refused", "ticket")
