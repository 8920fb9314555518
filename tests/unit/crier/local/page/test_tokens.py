"""What lets the page's user in: a new token or ticket each time, where the run makes them."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import pytest

from crier.local.page.tokens import token_maker
from tests.support.fake_connections import FakeConnectionsStack

if TYPE_CHECKING:
    from crier.deployed.deployment import Deployment


@dataclass
class FakeDeployment:
    """A stack that lets clients in by a mode of `auth`."""

    auth: str


def test_each_ticket_is_a_new_one_with_its_row() -> None:
    """It says nothing of channels: the stack's `openChannels` do."""
    stack = FakeConnectionsStack(auth="ticket")
    make = token_maker(cast("Deployment", stack), None)
    assert make is not None

    tickets = {make("bob"), make("bob")}

    assert len(tickets) == 2
    rows = list(stack.table.items.values())
    assert [row["user"]["S"] for row in rows] == ["bob", "bob"]
    assert not any("channels" in row for row in rows)


def test_token_is_signed_where_the_run_has_a_secret() -> None:
    """A JWT of three parts."""
    make = token_maker(cast("Deployment", FakeDeployment("jwt")), "s" * 48)
    assert make is not None

    token = make("bob")

    assert [part[:2] for part in token.split(".")[:2]] == ["ey", "ey"]


@pytest.mark.parametrize("auth", ["open", "iam", "jwt"])
def test_run_without_a_secret_makes_no_tokens(auth: str) -> None:
    """With an issuer of one's own the tokens are that issuer's."""
    assert token_maker(cast("Deployment", FakeDeployment(auth)), None) is None
