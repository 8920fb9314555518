"""A worker and its audience: everyone, a channel, a user, a list, and those that are left out."""

import json
from dataclasses import replace
from typing import Any

import pytest

from broadcasting.audience import Audience, row_key
from broadcasting.backlog import Backlog, ShardCursor
from broadcasting.connection import Connection
from broadcasting.outcome import Outcome, Verdict
from broadcasting.receipt import Receipt
from broadcasting.trouble import Trouble
from broadcasting.user_rows import self_key
from storage import audience_reader
from testbed.model.fakes import OLD_MS, FakeDynamo, FakeFanOut, pending, plan
from tests.support.worker_floor import WorkerFloor, held_by, rows_of

NAMES = tuple(f"c{number:04}" for number in range(10))
AUDIENCES = {
    "everyone": Audience(),
    "channel": Audience(channel="news"),
    "user": Audience(user="alice"),
    "connections": Audience(connections=NAMES),
}


def _floor(kind: str, exclude: frozenset[str] = frozenset()) -> WorkerFloor:
    """Return a worker on fakes: ten connections in the audience, and one in everyone's only."""
    audience = replace(AUDIENCES[kind], exclude=exclude)
    dynamo = FakeDynamo(rows_of(10 if kind == "everyone" else 11))
    if kind in ("channel", "user"):
        dynamo.join(audience.stream, *NAMES)
    return WorkerFloor(dynamo=dynamo, audience=audience)


@pytest.mark.parametrize("kind", AUDIENCES)
def test_worker_reaches_the_audience_and_no_other_connection(kind: str) -> None:
    """Each connection once; the broadcast is settled."""
    floor = _floor(kind)

    report = floor.deliver()

    assert report.summary.is_settled
    assert report.summary.channel == floor.audience.stream
    assert report.summary.counts == Receipt(10, delivered=10)


@pytest.mark.parametrize("kind", AUDIENCES)
@pytest.mark.parametrize("most", [1, 3, 1_000_000])
def test_worker_counts_the_excluded_once_however_often_it_is_resumed(kind: str, most: int) -> None:
    """None of them is posted to, and they are not targeted; an id that no row has is no one."""
    left_out = frozenset({*NAMES[::3], "elsewhere"})
    floor = _floor(kind, left_out)
    floor.fan_out = FakeFanOut(dict.fromkeys(left_out, plan(Outcome.FAILED)), most=most)

    report = floor.deliver()
    if not report.is_closed:
        report = floor.deliver_all()

    assert report.summary.counts == Receipt(6, delivered=6, excluded=4)


@pytest.mark.parametrize("kind", AUDIENCES)
def test_worker_settles_when_nobody_remains(kind: str) -> None:
    """All are excluded: nothing is posted, and the account says why."""
    floor = _floor(kind, frozenset(NAMES))

    report = floor.deliver()

    assert (report.is_closed, floor.sqs.sent) == (True, [])
    assert report.summary.counts == Receipt(excluded=10)


def test_worker_gives_parts_of_a_large_channel_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """All shards of a channel are begun at once: others read on where its pages have been taken."""
    monkeypatch.setattr(audience_reader, "MOST_AHEAD", 20)
    floor = WorkerFloor(
        dynamo=FakeDynamo(rows_of(400), page_rows=10), audience=Audience(channel="news")
    )
    floor.dynamo.join("news", *rows_of(400))
    floor.fan_out = FakeFanOut(time=floor.time, seconds_per_post=0.1)

    report = floor.deliver()
    first = report.counts.delivered
    report = floor.deliver_all()

    assert report.summary.slices > 1
    assert 10 < first < 300
    assert report.summary.counts == Receipt(400, delivered=400)


def test_worker_leaves_an_excluded_connection_out_of_every_slice() -> None:
    """Whole shards are given to other workers, which read the list from the frame's row."""
    floor = WorkerFloor(
        dynamo=FakeDynamo(rows_of(300), page_rows=3),
        audience=Audience(exclude=frozenset(rows_of(300))),
    )
    kept = "c0299"
    floor.audience = Audience(exclude=floor.audience.exclude - {kept})
    floor.fan_out = FakeFanOut(most=0)

    report = floor.deliver()
    floor.fan_out = FakeFanOut()
    report = floor.deliver_all()

    assert report.summary.counts == Receipt(1, delivered=1, excluded=299)


def test_listed_connections_without_a_row_are_gone_without_a_post() -> None:
    """Also when none of them has one."""
    absent = tuple(f"gone{number}" for number in range(250))
    floor = _floor("connections")
    floor.audience = Audience(connections=(*absent[:100], *NAMES, *absent[100:]))

    report = floor.deliver()

    assert report.summary.counts == Receipt(260, delivered=10, gone=250)
    assert floor.dynamo.batches == []


def test_listed_connections_may_all_be_absent() -> None:
    """It is settled at once."""
    floor = WorkerFloor(audience=Audience(connections=NAMES))

    report = floor.deliver()

    assert report.summary.is_settled
    assert report.summary.counts == Receipt(10, gone=10)


def test_a_thousand_listed_connections_are_looked_up_in_ten_requests() -> None:
    """And resumed in the middle of the list, wherever that was."""
    names = tuple(rows_of(1_000))
    floor = WorkerFloor(
        dynamo=FakeDynamo(rows_of(990)),
        audience=Audience(connections=names, exclude=frozenset(NAMES)),
    )
    floor.fan_out.most = 333

    report = floor.deliver()
    assert floor.backlog().shards == (ShardCursor("!", "c0342"),)
    floor.fan_out.most = 1_000
    report = floor.deliver_all()

    assert report.summary.counts == Receipt(990, delivered=980, gone=10, excluded=10)


def test_absent_connections_are_no_evidence_that_posts_succeed() -> None:
    """All posts are refused: it is our permission, and no connection is failed for it."""
    absent = tuple(f"gone{number}" for number in range(500))
    floor = _floor("connections")
    floor.audience = Audience(connections=(*absent, *NAMES))
    floor.fan_out = FakeFanOut(dict.fromkeys(NAMES, pending(Verdict.FORBIDDEN)))

    for _ in range(8):
        report = floor.deliver(None if not floor.rows.items else floor.lease_after(600))
        assert report.trouble is Trouble.FORBIDDEN

    assert report.summary.counts.failed == 0
    assert floor.slice_row().counts == Receipt(510, gone=500)
    assert floor.recent.elsewhere("another", floor.time.epoch_ms) == 0


def test_listed_connections_that_are_gone_are_evidence_in_their_round() -> None:
    """Posts were answered with 410: a few that are refused fail in the end."""
    floor = _floor("connections")
    gone = dict.fromkeys(NAMES[1:], plan(Outcome.GONE))
    floor.fan_out = FakeFanOut({NAMES[0]: pending(Verdict.FORBIDDEN)} | gone)

    report = floor.deliver()

    assert (report.trouble, report.counts) == (None, Receipt(10, gone=9))
    assert floor.backlog().connections == (Connection(NAMES[0], OLD_MS, 1),)


@pytest.mark.parametrize("kind", ["channel", "user", "connections"])
def test_worker_deletes_all_rows_of_gone_connections_of_an_audience(kind: str) -> None:
    """The row by which it found them, though `self` is gone, and what `self` tells."""
    floor = _floor(kind)
    told: Any = {"user": {"S": "bob"}, "channels": {"SS": ["news", "sport"]}}
    first, second = NAMES[:2]
    partition, sort = self_key(first)
    own = {"pk": {"S": partition}, "sk": {"S": sort}, **told}
    floor.dynamo.others[partition, sort] = own
    floor.dynamo.join("sport", first)
    floor.dynamo.join("user#bob", first)
    floor.fan_out = FakeFanOut(dict.fromkeys((first, second), plan(Outcome.GONE)))

    report = floor.deliver()

    assert report.summary.counts == Receipt(10, delivered=8, gone=2)
    rest = {key[1] for key in floor.dynamo.others} | set(floor.dynamo.rows)
    assert rest == set(rows_of(11)) - {first, second}
    if kind != "connections":
        assert row_key(floor.audience.stream, NAMES[2]) in floor.dynamo.others


@pytest.mark.parametrize("kind", AUDIENCES)
def test_worker_posts_to_no_connection_of_an_audience_when_it_is_too_old(kind: str) -> None:
    """All are expired but those that are left out."""
    floor = _floor(kind, frozenset(NAMES[:3]))
    held = floor.open(ttl_ms=1)
    floor.time.run(1)

    report = floor.deliver(held)

    assert report.summary.counts == Receipt(7, expired=7, excluded=3)
    assert floor.fan_out.frames == []


def test_listed_connections_without_a_row_are_gone_when_it_is_too_old() -> None:
    """That they are gone is known without a post."""
    floor = WorkerFloor(audience=Audience(connections=NAMES), dynamo=FakeDynamo(rows_of(4)))
    held = floor.open(ttl_ms=1)
    floor.time.run(1)

    report = floor.deliver(held)

    assert report.summary.counts == Receipt(10, expired=4, gone=6)


@pytest.mark.parametrize("kind", AUDIENCES)
def test_stragglers_of_an_audience_are_tried_again(kind: str) -> None:
    """Their slice names them; the list that the frame's row has is not looked up again."""
    floor = _floor(kind, frozenset(NAMES[:3]))
    floor.fan_out = FakeFanOut({NAMES[5]: pending(Verdict.LOST)})

    first = floor.deliver()
    floor.fan_out = FakeFanOut()
    last = floor.deliver_all()

    assert first.counts == Receipt(7, delivered=6, excluded=3)
    assert last.counts == Receipt(delivered=1)
    assert last.summary.counts == Receipt(7, delivered=7, excluded=3)


def test_listed_connections_wait_when_they_cannot_be_looked_up() -> None:
    """Nothing is counted: none of them is gone for a table that is busy."""
    floor = _floor("connections")
    floor.dynamo.read_errors = [OSError("injected")]
    with_others = floor.open(Backlog((ShardCursor("!"),), (Connection("x", OLD_MS, 1),)))

    report = floor.deliver(with_others)

    assert str(report.stopped_by) == "partition ! after None: OSError('injected')"
    assert floor.slice_row().counts == Receipt(1, delivered=1)
    assert floor.deliver(held_by(floor.lease_after(60))).summary.counts == Receipt(11, delivered=11)
    assert json.loads(floor.sqs.sent[0]["MessageBody"])["slice"] == "0"
