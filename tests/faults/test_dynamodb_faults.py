"""DynamoDB throttles, leaves items unprocessed and loses answers: no account is harmed."""

import pytest

from testbed.function.app import App, ConnectFunctions, Function
from testbed.stand_in.behaviour import Behaviour
from testbed.wire_faults import WireFault
from tests.faults.conftest import Behave
from tests.support.promises import expect_exact, expect_kept

pytestmark = [pytest.mark.timeout(120), pytest.mark.usefixtures("quick_aws_tries")]

QUICK = Behaviour(latency_median_seconds=0.005)
CALLS = ("GetItem", "PutItem", "TransactWriteItems", "Query", "SendMessage")


@pytest.mark.parametrize("kind", ["throttle", "break", "lose"])
@pytest.mark.parametrize("operation", CALLS)
def test_fault_of_a_call_is_tried_again(
    app: App, stand_in: Behave, operation: str, kind: str
) -> None:
    """Half of all calls of each kind fail, or lose their answer after they took effect."""
    app.slow_down(100)
    here = stand_in(QUICK)
    audience = app.connect(120)
    app.faults = [WireFault(operation=operation, kind=kind, share=0.5)]

    broadcast_id = app.send()
    app.run(Function(app, seed=3))

    expect_kept(app, broadcast_id, here.report(), audience, duplicates=120)
    assert app.happened > 0


@pytest.mark.parametrize("operation", CALLS)
def test_call_that_fails_for_a_while_is_made_again_with_the_message(
    app: App, stand_in: Behave, operation: str
) -> None:
    """More failures than botocore's retries: the message comes again, and the slice goes on."""
    app.slow_down(50)
    here = stand_in(QUICK)
    audience = app.connect(60)
    app.faults = [WireFault(operation=operation, kind="throttle", times=9)]

    broadcast_id = app.send()
    app.run()

    expect_kept(app, broadcast_id, here.report(), audience, duplicates=60)
    assert app.happened >= (2 if operation == "SendMessage" else 9)  # one send an invocation


@pytest.mark.parametrize("operation", ["PutItem", "TransactWriteItems"])
def test_write_whose_answers_are_all_lost_counts_once(
    app: App, stand_in: Behave, operation: str
) -> None:
    """Every answer of one write is lost: opening, leasing, checkpoint, release and closing."""
    app.slow_down(50)
    here = stand_in(QUICK)
    audience = app.connect(60)
    app.faults = [WireFault(operation=operation, kind="lose", times=4)]

    broadcast_id = app.send()
    app.run()

    expect_kept(app, broadcast_id, here.report(), audience, duplicates=60)
    assert app.account(broadcast_id).seq == 1
    assert app.happened == 4


@pytest.mark.parametrize("kind", ["throttle", "break", "lose"])
@pytest.mark.parametrize("share", [0.5, 1.0])
def test_budget_that_fails_costs_no_connection_the_message(
    app: App, stand_in: Behave, share: float, kind: str
) -> None:
    """Reservations fail, some or all of them: posting goes on, at a small rate."""
    here = stand_in(QUICK)
    audience = app.connect(120)
    app.faults = [WireFault(operation="UpdateItem", body='"budget"', kind=kind, share=share)]

    broadcast_id = app.send()
    app.run(Function(app, seed=3))

    expect_kept(app, broadcast_id, here.report(), audience)
    assert app.happened > 0


@pytest.mark.parametrize(
    ("operation", "kind"),
    [
        *(
            (operation, kind)
            for operation in ("BatchWriteItem", "DeleteItem")
            for kind in ("throttle", "break", "lose")
        ),
        ("BatchWriteItem", "unprocessed"),
    ],
)
@pytest.mark.parametrize("user", [None, "🦊#1"])
def test_connections_that_come_and_go_have_rows_or_are_refused(
    app: App, stand_in: Behave, operation: str, kind: str, user: str | None
) -> None:
    """Whatever the table's faults, a client that is let in has its rows, and none once it left."""
    stand_in(QUICK)
    app.faults = [WireFault(operation=operation, kind=kind, share=0.4)]
    connect_functions = ConnectFunctions(app)

    names = [f"c{number}" for number in range(12)]
    let_in = {name for name in names if connect_functions.connect(name, user) == 200}
    rows = app.rows()
    left = {name for name in sorted(let_in)[:6] if connect_functions.disconnect(name, user) == 200}

    assert let_in == set(names) == rows
    assert len(left) == 6
    assert app.rows() == rows - left
    assert app.happened > 0


@pytest.mark.parametrize("kind", ["throttle", "break", "unprocessed", "refuse"])
def test_client_whose_rows_cannot_be_written_is_refused_and_has_none(
    app: App, stand_in: Behave, kind: str
) -> None:
    """Each write of its rows fails; taking them back does not."""
    stand_in(QUICK)
    app.faults = [WireFault(operation="BatchWriteItem", body="PutRequest", kind=kind)]

    status = ConnectFunctions(app).connect("abc=", "alice")

    assert (status, app.rows()) == (500, set())


def test_client_whose_writes_give_no_answer_is_refused_and_has_no_row(
    app: App, stand_in: Behave
) -> None:
    """All of them were done."""
    stand_in(QUICK)
    app.faults = [WireFault(operation="BatchWriteItem", body="PutRequest", kind="lose")]

    status = ConnectFunctions(app).connect("abc=", "alice")

    assert (status, app.rows()) == (500, set())


@pytest.mark.parametrize(
    ("operation", "kind"),
    [
        *(("BatchWriteItem", kind) for kind in ("unprocessed", "throttle", "lose")),
        *(("BatchGetItem", kind) for kind in ("throttle", "break", "lose")),
    ],
)
@pytest.mark.parametrize("user", [None, "🦊#1"])
def test_stale_rows_are_deleted_at_last(
    app: App, stand_in: Behave, operation: str, kind: str, user: str | None
) -> None:
    """Requests leave rows unprocessed, or fail: they are made again, for all rows of a user's."""
    stand_in(Behaviour(latency_median_seconds=0.005, gone_share=0.5))
    audience = app.connect(100, user=user)
    app.faults = [WireFault(operation=operation, kind=kind, times=2)]

    broadcast_id = app.send()
    app.run()

    counts = app.account(broadcast_id).counts
    expect_exact(app.account(broadcast_id))
    assert counts.gone + counts.delivered == len(audience)
    assert len(app.rows()) == counts.delivered
    assert app.happened == 2


def test_rows_that_cannot_be_deleted_cost_no_connection_the_message(
    app: App, stand_in: Behave
) -> None:
    """Deletes fail for good: the next broadcast finds the rows gone again."""
    here = stand_in(Behaviour(latency_median_seconds=0.005, gone_share=0.5))
    audience = app.connect(100)
    app.faults = [WireFault(operation="BatchWriteItem", kind="unprocessed")]
    first = app.send()
    app.run()
    assert app.rows() == audience

    app.faults = []
    second = app.send()
    app.run()

    for one in (first, second):
        expect_exact(app.account(one))
        assert app.account(one).counts.targeted == len(audience)
    assert app.rows() == set(here.report().received)
