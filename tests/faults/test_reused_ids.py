"""An id is used again after seven days, while TTL has deleted some of the old rows only."""

import json
from collections.abc import Callable

import pytest

from testbed.function.app import App
from testbed.stand_in.behaviour import Behaviour
from testbed.stand_in.errors import error_answer
from testbed.stand_in.reaction import Answer, Post, Reaction
from tests.faults.conftest import Behave
from tests.support.promises import expect_exact, expect_kept

pytestmark = pytest.mark.timeout(120)

QUICK = Behaviour(latency_median_seconds=0.005)
WEEK_AND_AN_HOUR = 7 * 24 * 3600 + 3600

ROWS_LEFT_BEHIND: dict[str, Callable[[App], None]] = {
    "all rows": lambda _: None,
    "slice without summary": lambda app: app.rows_of_ledger.keep_only("weekly", "slice#0"),
    "summary without slice": lambda app: app.rows_of_ledger.keep_only("weekly", "summary"),
    "nothing": lambda app: app.rows_of_ledger.keep_only("weekly"),
}
"""Which rows TTL has not deleted yet, and how to come to that."""


def _a_week_ago(app: App, *, clients: int = 5) -> None:
    """Have a broadcast settled, and let its rows expire."""
    app.connect(clients)
    app.send(id="weekly", message="hello")
    app.run()
    assert app.account("weekly").is_settled
    app.time.skip(WEEK_AND_AN_HOUR)


@pytest.mark.parametrize("text", ["hello", "hello again"])
@pytest.mark.parametrize("left", ROWS_LEFT_BEHIND)
def test_id_of_an_expired_broadcast_is_a_new_one_whatever_rows_are_left(
    app: App, stand_in: Behave, left: str, text: str
) -> None:
    """Rows that have expired are no rows: all receive the new broadcast, once."""
    stand_in(QUICK)
    _a_week_ago(app)
    ROWS_LEFT_BEHIND[left](app)
    here, audience = stand_in(QUICK), app.connect(20)

    app.send(id="weekly", message=text)
    app.run()

    assert not app.letters(app.broadcasts) + app.letters(app.slices)
    expect_kept(app, "weekly", here.report(), audience)
    assert app.account("weekly").slices == 1


def test_id_that_has_not_expired_is_still_the_same_broadcast(app: App, stand_in: Behave) -> None:
    """After six days the id is known, and no connection receives it again."""
    stand_in(QUICK)
    _a_week_ago(app)
    app.time.skip(-24 * 3600)
    here = stand_in(QUICK)
    app.connect(5)

    app.send(id="weekly", message="hello")
    app.run()

    assert here.report().posts == 0
    assert app.account("weekly").counts.targeted == 5


def test_failed_rows_of_an_expired_broadcast_do_not_stand_in_the_way(
    app: App, stand_in: Behave
) -> None:
    """One connection failed then, another fails now: the others receive it once, and it settles."""
    refused: set[str] = set()

    def script(post: Post) -> Reaction:
        is_refused = post.connection_id in refused
        return error_answer(413) if is_refused else Answer(200)

    stand_in(script)
    refused |= app.connect(1)
    _a_week_ago(app)
    app.rows_of_ledger.keep_only("weekly", "failed#0#000000")
    here, audience = stand_in(script), app.connect(30)
    refused |= {min(audience)}

    app.send(id="weekly", message="hello")
    app.run()

    expect_exact(app.account("weekly"))
    assert app.account("weekly").counts.targeted == 30
    assert app.failed("weekly") == [min(audience)]
    assert here.report().received == dict.fromkeys(audience - refused, 1)


def test_slice_of_an_expired_broadcast_stands_in_no_splits_way(app: App, stand_in: Behave) -> None:
    """A closed slice 1 is still there: shards are split off all the same, all receive it once."""
    stand_in(QUICK)
    _a_week_ago(app)
    rows = app.rows_of_ledger
    old = rows.of("weekly")["slice#0"]
    rows.put(old | {"sk": {"S": "slice#1"}, "id": {"S": "1"}})
    rows.keep_only("weekly", "slice#1")
    here = stand_in(Behaviour(latency_median_seconds=0.02))
    audience = app.connect(12_000)

    app.send(id="weekly", message="hello")
    app.run()

    assert app.account("weekly").slices > 1
    expect_kept(app, "weekly", here.report(), audience)


def test_operator_does_not_see_failed_connections_of_an_expired_broadcast(
    app: App, stand_in: Behave
) -> None:
    """What failed a week ago is not shown as failed in the broadcast of today."""
    stand_in(lambda _: error_answer(413))
    _a_week_ago(app, clients=3)
    assert "failed#0#000000" in app.rows_of_ledger.of("weekly")
    stand_in(QUICK)
    app.connect(10)

    app.send(id="weekly", message=json.dumps("hello"))
    app.run()

    assert app.account("weekly").counts.failed == 0
    assert app.failed("weekly") == []
