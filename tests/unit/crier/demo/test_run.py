"""The demo's waiting: for the account, and for the stale rows to go."""

import time
from typing import TYPE_CHECKING, cast

import pytest

from broadcasting.receipt import Receipt
from crier.demo import run as demo
from crier.errors import CrierError
from tests.support.fake_stack import OPENED_MS, FakeStack, a_summary

if TYPE_CHECKING:
    from crier.deployed.deployment import Deployment


@pytest.fixture
def stack() -> FakeStack:
    """A stack with an empty ledger."""
    return FakeStack()


def test_demo_takes_its_account_from_the_ledger(stack: FakeStack) -> None:
    """The counts are those of the broadcast, however many log lines it has."""
    counts = Receipt(targeted=5, delivered=4, gone=1)
    stack.table.open(a_summary(counts=counts, open_slices=0, settled_ms=OPENED_MS + 1))

    account = demo._settled(cast("Deployment", stack), "news", 1)

    assert account.counts == counts


def test_demo_says_so_when_the_broadcast_does_not_settle(stack: FakeStack) -> None:
    """The error names the broadcast and what to type."""
    stack.table.open(a_summary())

    with pytest.raises(CrierError, match="news did not settle within 0 s; `crier local`"):
        demo._settled(cast("Deployment", stack), "news", 0)


def test_demo_looks_for_stale_rows_once_they_had_time_to_go(
    stack: FakeStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The function deletes them after all else: the broadcast is settled a moment before."""
    seen = iter([{"a", "ghost"}, {"a"}])
    monkeypatch.setattr(demo, "connection_ids", lambda _: next(seen))
    monkeypatch.setattr(time, "sleep", lambda _: None)

    left = demo._swept(cast("Deployment", stack), {"ghost"})

    assert left == {"a"}
