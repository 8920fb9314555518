"""Tickets: what the table knows of them, and whom they let in."""

from typing import Any

import pytest

from access import base64url
from access.client import Client
from access.refusal import Refusal, RefusedError
from access.ticket import (
    CLOCK_DIFFERENCE_SECONDS,
    MOST_SECONDS,
    TICKET_BYTES,
    TicketOffice,
    client_of_ticket,
    require_ticket,
)
from tests.support.tokens import NOW

BYTES = bytes(range(TICKET_BYTES))
TICKET = base64url.encode(BYTES)
ROW = {"user": "alice", "expiresAt": NOW + 30}


def test_ticket_may_be_looked_up_when_it_is_written_as_one() -> None:
    """The text of 32 bytes: there is one text for them."""
    require_ticket(TICKET)


@pytest.mark.parametrize(
    "ticket",
    [
        *("", "x", TICKET[:-1], TICKET + "A", TICKET + "=", f" {TICKET}", TICKET[:-1] + "9"),
        *(TICKET.replace("A", "+", 1), base64url.encode(BYTES + b"x"), "…", "A" * 10_000),
    ],
)
def test_ticket_is_refused_when_it_is_not_written_as_one(ticket: str) -> None:
    """No read is spent on it."""
    with pytest.raises(RefusedError, match=Refusal.TICKET):
        require_ticket(ticket)


def test_ticket_names_its_client() -> None:
    """It says nothing of how long the client stays."""
    assert client_of_ticket(ROW, NOW) == Client("alice", None)
    assert client_of_ticket(ROW | {"channels": ["a*"]}, NOW) == Client("alice", ("a*",))
    assert client_of_ticket(ROW | {"channels": "a b"}, NOW).channels == ("a", "b")


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"expiresAt": NOW}, Refusal.TICKET),
        ({"expiresAt": NOW - 1}, Refusal.TICKET),
        ({"expiresAt": NOW + MOST_SECONDS + CLOCK_DIFFERENCE_SECONDS + 1}, Refusal.TICKET),
        ({"expiresAt": "soon"}, Refusal.TICKET),
        ({"expiresAt": None}, Refusal.TICKET),
        ({"expiresAt": True}, Refusal.TICKET),
        ({"user": ""}, Refusal.USER),
        ({"user": None}, Refusal.USER),
        ({"user": "a\nb"}, Refusal.USER),
        ({"channels": ["a*b"]}, Refusal.CHANNELS),
        ({"channels": 7}, Refusal.CHANNELS),
    ],
)
def test_ticket_is_refused_when_it_is_over_or_malformed(
    changes: dict[str, Any], refusal: Refusal
) -> None:
    """DynamoDB deletes rows days after their time; an application may write anything."""
    with pytest.raises(RefusedError) as caught:
        client_of_ticket(ROW | changes, NOW)

    assert caught.value.refusal is refusal


def test_ticket_holds_for_a_minute_of_a_clock_that_is_ahead() -> None:
    """The application's clock may differ."""
    at = NOW + MOST_SECONDS + CLOCK_DIFFERENCE_SECONDS

    assert client_of_ticket(ROW | {"expiresAt": at}, NOW).user == "alice"


def test_ticket_is_taken_once_and_only_when_it_is_written_as_one() -> None:
    """What is not there is refused, and so is what was not looked for."""
    rows, asked = {TICKET: ROW}, []

    def take(text: str) -> dict[str, Any] | None:
        asked.append(text)
        return rows.pop(text, None)

    desk = TicketOffice(take)
    client = desk.redeem(TICKET, NOW)

    assert client.user == "alice"
    for text in (TICKET, "no ticket"):
        with pytest.raises(RefusedError) as caught:
            desk.redeem(text, NOW)
        assert caught.value.refusal is Refusal.TICKET
    assert asked == [TICKET, TICKET]


def test_ticket_has_the_bounds_that_operators_are_told() -> None:
    """A minute, and ten seconds for clocks that differ."""
    assert (MOST_SECONDS, CLOCK_DIFFERENCE_SECONDS, TICKET_BYTES) == (60, 10, 32)
