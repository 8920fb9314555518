"""Broadcasts to a channel, a user, or listed connections, with some left out, under faults."""

import json
from typing import Any

import pytest

from testbed.function.app import RESERVED_MS, App, Function
from testbed.stand_in.behaviour import Behaviour
from testbed.stand_in.reaction import Answer, Post
from testbed.wire_faults import WireFault
from tests.faults.conftest import Behave
from tests.support.promises import expect_exact

pytestmark = [pytest.mark.timeout(120), pytest.mark.usefixtures("quick_aws_tries")]

QUICK = Behaviour(latency_median_seconds=0.005)
PATIENT_MS = RESERVED_MS + 1_600
"""Of an invocation: 0.4 s of it are for the last answers, as nothing is to be posted twice."""

CLOSING = '{"S": "settled"}'
CONNECTIONS, EXCLUDED, ABSENT = 100, 20, 30

KINDS = ("everyone", "channel", "user", "connections")

POINTS = {
    "number": ("UpdateItem", "#last + :one"),
    "opening": ("TransactWriteItems", "frame#"),
    "mark": ("UpdateItem", "REMOVE #number"),
    "reading": ("", ""),
    "checkpoint or release": ("PutItem", "slice#0"),
    "hand-over": ("SendMessage", ""),
    "leasing": ("GetItem", "frame#"),
    "closing": ("TransactWriteItems", CLOSING),
}
"""Requests of a broadcast, in their order; `reading` depends on the audience."""

READS = {"everyone": ("Query", "all#"), "channel": ("Query", "channel#news#")}
READS |= {"user": ("Query", "user#alice"), "connections": ("BatchGetItem", "all#")}


class Scene:
    """Connections of an audience, of which some are left out, and others that are not in it."""

    def __init__(self, app: App, kind: str) -> None:
        others = set() if kind == "everyone" else app.connect(10)
        ids = app.connect(CONNECTIONS)
        self.app = app
        self.excluded = set(sorted(ids)[:EXCLUDED])
        self.audience = ids - self.excluded
        self.absent = (
            {f"absent-{number}" for number in range(ABSENT)} if kind == "connections" else set()
        )
        listed = sorted(ids | self.absent)
        audiences: dict[str, dict[str, Any]] = {
            "everyone": {},
            "channel": {"channel": "news"},
            "user": {"user": "alice"},
            "connections": {"connections": [*listed, *listed[:5]]},
        }
        self.who = audiences[kind]
        stream = {"channel": "news", "user": "user#alice"}.get(kind)
        if stream:
            app.join(stream, ids)
            app.join("sport", others)

    def send(self, **fields: Any) -> str:
        """Enqueue the broadcast; return its id."""
        left_out = [*self.excluded, "not-in-the-audience"]
        return self.app.send(exclude=left_out, **self.who, **fields)

    def expect_kept(self, broadcast_id: str, received: set[str]) -> None:
        """Check that the account is exact, and that the right connections have received it."""
        account = self.app.account(broadcast_id)
        expect_exact(account)
        counts = account.counts
        assert received == self.audience
        assert (counts.delivered, counts.gone) == (len(self.audience), len(self.absent))
        assert counts.targeted == len(self.audience) + len(self.absent)
        assert counts.excluded == len(self.excluded)


@pytest.mark.parametrize(
    ("kind", "point", "fault"),
    [
        *(("channel", point, "kill_before") for point in POINTS),
        *(("connections", point, "kill_after") for point in POINTS),
        *(("user", point, "kill_after") for point in ("reading", "leasing")),
        ("everyone", "checkpoint or release", "kill_before"),
    ],
)
def test_crash_leaves_the_account_of_every_audience_exact(
    app: App, stand_in: Behave, point: str, fault: str, kind: str
) -> None:
    """Wherever a worker dies: none is missed, none of those left out is reached, all counted."""
    app.slow_down(100)
    here = stand_in(QUICK)
    scene = Scene(app, kind)
    operation, body = READS[kind] if point == "reading" else POINTS[point]
    app.faults = [WireFault(operation=operation, body=body, kind=fault, times=1)]

    broadcast_id = scene.send()
    app.run()

    assert app.crashes == 1
    scene.expect_kept(broadcast_id, set(here.report().received))
    assert app.account(broadcast_id).seq == 1
    assert here.report().duplicates <= CONNECTIONS
    assert app.letters(app.broadcasts) + app.letters(app.slices) == []


@pytest.mark.parametrize(
    ("kind", "point"),
    [
        ("channel", "checkpoint or release"),
        ("connections", "checkpoint or release"),
        ("user", "hand-over"),
        ("everyone", "closing"),
    ],
)
def test_crash_after_the_account_was_written_repeats_no_connection_of_an_audience(
    app: App, stand_in: Behave, point: str, kind: str
) -> None:
    """Not for those that are left out either: each is counted once."""
    app.slow_down(100)  # too short for a write while posts are under way
    here = stand_in(QUICK)
    scene = Scene(app, kind)
    operation, body = POINTS[point]
    app.faults = [WireFault(operation=operation, body=body, kind="kill_after", times=1)]

    broadcast_id = scene.send()
    app.run()

    scene.expect_kept(broadcast_id, set(here.report().received))
    assert here.report().duplicates == 0


def test_deaths_and_deadlines_in_a_row_leave_an_exact_account(app: App, stand_in: Behave) -> None:
    """Two workers die before their hand-over, each having reached a few connections."""
    app.slow_down(15, PATIENT_MS)
    here = stand_in(QUICK)
    scene = Scene(app, "connections")
    app.faults = [WireFault(operation="SendMessage", kind="kill_before", times=2)]

    broadcast_id = scene.send()
    app.run()

    assert app.crashes == 2
    assert app.invocations >= 3
    scene.expect_kept(broadcast_id, set(here.report().received))
    assert here.report().duplicates == 0


@pytest.mark.parametrize(
    ("kind", "fault"),
    [*((kind, "throttle") for kind in KINDS), ("channel", "lose"), ("connections", "break")],
)
def test_table_that_fails_for_a_while_costs_no_connection_of_an_audience(
    app: App, stand_in: Behave, fault: str, kind: str
) -> None:
    """Its rows cannot be read, its frame cannot be read, its number cannot be taken."""
    here = stand_in(QUICK)
    scene = Scene(app, kind)
    app.faults = [
        WireFault(operation=operation, body=body, kind=fault, times=5)
        for operation, body in (READS[kind], POINTS["number"], POINTS["mark"])
    ]

    broadcast_id = scene.send()
    app.run()

    scene.expect_kept(broadcast_id, set(here.report().received))
    assert here.report().duplicates == 0


@pytest.mark.parametrize("kind", ["channel", "user", "connections"])
def test_gone_connections_of_an_audience_leave_no_row(
    app: App, stand_in: Behave, kind: str
) -> None:
    """Of those that are left out all rows stay: nothing was posted to them."""
    scene = Scene(app, kind)
    gone = set(sorted(scene.audience)[:40])

    def is_gone(post: Post) -> Answer:
        return Answer(410 if post.connection_id in gone else 200)

    here = stand_in(is_gone)
    before = app.rows()

    broadcast_id = scene.send()
    app.run()

    counts = app.account(broadcast_id).counts
    expect_exact(app.account(broadcast_id))
    assert (counts.gone, counts.excluded) == (40 + len(scene.absent), EXCLUDED)
    assert set(here.report().received) == scene.audience - gone
    assert app.rows() == before - gone


def test_slice_of_listed_connections_goes_on_after_a_redrive(app: App, stand_in: Behave) -> None:
    """The list and those left out are in the frame's row: a thousand hops later, too."""
    app.slow_down(30, PATIENT_MS)
    here = stand_in(QUICK)
    scene = Scene(app, "connections")
    broadcast_id = scene.send()
    app.invoke(Function(app))
    app.rows_of_ledger.change(broadcast_id, "slice#0", hops={"N": "1000"})
    app.run()
    (letter,) = app.letters(app.slices)
    assert "1000 times" in letter.reason

    app.redrive(rejected=True)
    app.run()

    scene.expect_kept(broadcast_id, set(here.report().received))
    assert here.report().duplicates == 0


def test_message_that_comes_again_in_another_order_is_the_same_broadcast(
    app: App, stand_in: Behave
) -> None:
    """Its lists are sets; with another audience it is another broadcast, and rejected."""
    here = stand_in(QUICK)
    scene = Scene(app, "connections")
    ids = scene.who["connections"]
    broadcast_id = scene.send(id="b1")
    app.run()

    app.send_raw(
        app.broadcasts,
        json.dumps(
            {
                "id": "b1",
                "message": "Hear ye!",
                "connections": ids[::-1],
                "exclude": sorted([*scene.excluded, "not-in-the-audience"]),
            }
        ),
    )
    app.send(id="b1", connections=ids)
    app.run()

    (reason,) = app.dead_letters(app.broadcasts)
    assert "id b1 belongs to another broadcast, number 1 of those to listed connections" in reason
    scene.expect_kept(broadcast_id, set(here.report().received))
    assert here.report().duplicates == 0
