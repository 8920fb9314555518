"""The broadcast function, called with the events that SQS sends."""

import io
import json
from dataclasses import asdict
from typing import Any

import pytest

from broadcasting.audience import Audience
from broadcasting.backlog import ALL_SHARDS, Backlog
from broadcasting.connection import Connection
from broadcasting.ledger import Refusal
from broadcasting.ledger_opening import NewBroadcast
from broadcasting.message import Broadcast
from broadcasting.outcome import Outcome
from broadcasting.receipt import Receipt
from broadcasting.slice_message import encode_slice_message
from handlers import broadcast
from handlers import broadcast_log as report
from testbed.model.fakes import (
    FAR,
    NOW_MS,
    OLD_MS,
    FakeDynamo,
    FakeFanOut,
    FakeLedgerTable,
    FakeSqs,
    FakeTime,
    Fault,
    plan,
)
from tests.support.broadcast_floor import (
    BROADCASTS,
    SLICES,
    BroadcastFloor,
    messages_of,
    sqs_record,
)


@pytest.fixture
def floor() -> BroadcastFloor:
    """The broadcast function, wired to fakes, with one connection."""
    return BroadcastFloor(
        FakeSqs(), FakeDynamo({"a": OLD_MS}), FakeFanOut(), FakeLedgerTable(), FakeTime()
    )


def test_broadcast_posts_the_frame_and_publishes_the_account(
    floor: BroadcastFloor, capsys: pytest.CaptureFixture[str]
) -> None:
    """One frame, one account, nothing back to the queue."""
    failed = floor.handle(sqs_record("m1", '{"message": "hi"}'))

    assert failed == []
    assert json.loads(floor.fan_out.frames[0]) == {
        "id": "m1",
        "seq": 1,
        "channel": "*",
        "message": "hi",
        "sentAt": NOW_MS,
    }
    out = capsys.readouterr().out
    for figure in (
        '"Opened":[1.0]',
        '"SlicesResumed":[0.0]',
        '"Delivered":[1.0]',
        '"LeasesLost":[0.0]',
        '"ThrottledPercent":[0.0]',
        '"AccountMismatch":[0.0]',
        '"SettleMilliseconds":[0.0]',
    ):
        assert figure in out.replace(" ", "")


AUDIENCES: list[tuple[dict[str, Any], str, str]] = [
    ({}, "*", "*"),
    ({"channel": "news"}, "news", "news"),
    ({"user": "alice"}, "user#alice", "@"),
    ({"connections": ["a", "b"]}, "!", "!"),
]


@pytest.mark.parametrize(("who", "stream", "channel"), AUDIENCES)
def test_broadcast_reaches_whom_it_is_for_and_says_so(  # noqa: PLR0917
    floor: BroadcastFloor,
    log: io.StringIO,
    capsys: pytest.CaptureFixture[str],
    who: dict[str, Any],
    stream: str,
    channel: str,
) -> None:
    """The frame, the log lines and the metrics; `b` is left out."""
    floor.dynamo.rows["b"] = OLD_MS
    if stream in ("news", "user#alice"):
        floor.dynamo.join(stream, "a", "b")
    body = json.dumps({"message": "hi", "exclude": ["b"], **who})

    assert floor.handle(sqs_record("m1", body)) == []

    (frame,) = map(json.loads, floor.fan_out.frames)
    assert (frame["channel"], frame["seq"]) == (channel, 1)
    opened, closed, settled = map(json.loads, log.getvalue().splitlines())
    assert (opened["channel"], settled["channel"]) == (stream, stream)
    assert closed["counts"] == settled["receipt"]
    receipt = {name: count for name, count in settled["receipt"].items() if count}
    assert receipt == {"targeted": 1, "delivered": 1, "excluded": 1}
    out = capsys.readouterr().out.replace(" ", "")
    assert ('"Excluded":[1.0]' in out, '"AccountMismatch":[0.0]' in out) == (True, True)


def test_broadcasts_of_each_stream_are_numbered_by_themselves(floor: BroadcastFloor) -> None:
    """From one up, whatever comes in between."""
    for turn in (1, 2):
        for number, (who, _, _) in enumerate(AUDIENCES):
            body = json.dumps({"message": "hi", **who})
            assert floor.handle(sqs_record(f"m{turn}-{number}", body)) == []

    found = [json.loads(frame) for frame in floor.fan_out.frames]
    assert [(one["channel"], one["seq"]) for one in found] == [
        (channel, turn) for turn in (1, 2) for _, _, channel in AUDIENCES
    ]


def test_broadcast_with_an_id_of_another_audience_is_rejected(floor: BroadcastFloor) -> None:
    """An id is that of one message to one audience; the same one in another order comes again."""
    first, same = ({"message": 1, "id": "x", "connections": list(ids)} for ids in ("ab", "ba"))
    other = {"message": 1, "id": "x", "connections": ["a"]}

    for number, body in enumerate((first, same, other)):
        assert floor.handle(sqs_record(f"m{number}", json.dumps(body))) == []

    assert len(floor.fan_out.frames) == 1
    (reason,) = floor.reasons("dead")
    assert "id x belongs to another broadcast, number 1 of those to listed connections" in reason


def test_broadcast_is_delivered_though_its_beginning_cannot_be_reported(
    floor: BroadcastFloor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message would come again and again, and nothing would be posted."""

    def fail(**_: object) -> None:
        raise OSError("injected")

    monkeypatch.setattr(broadcast, "publish_lease", fail)

    assert floor.handle(sqs_record("m1", '{"message": 1}')) == []
    assert len(floor.fan_out.frames) == 1


def test_broadcast_tells_how_it_went_on(
    floor: BroadcastFloor, log: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is opened once, and resumed by the worker that takes up a slice that was begun."""
    floor.fan_out.most = 0
    floor.handle(sqs_record("m1", '{"message": 1}'))
    floor.fan_out.most = 2
    floor.fan_out.settlements["a"] = plan(Outcome.DELIVERED, throttles=3)

    floor.handle(sqs_record("s1", encode_slice_message("m1", "0"), SLICES))

    assert messages_of(log) == ["opened", "slice handed over", "resumed", "slice closed", "settled"]
    assert '"throttled_share": 0.75' in log.getvalue().replace('":0', '": 0')
    out = capsys.readouterr().out.replace(" ", "")
    assert ('"SlicesResumed":[1.0]' in out, '"ThrottledPercent":[75.0]' in out) == (True, True)


@pytest.mark.parametrize("calms", [0, 2])
def test_broadcast_tells_the_protocol_and_whether_it_was_asked_for_calm(
    floor: BroadcastFloor, log: io.StringIO, calms: int
) -> None:
    """On the line of each slice; calm only where there was a lack of it."""
    floor.fan_out.calms = calms
    floor.fan_out.most = 1

    floor.handle(sqs_record("m1", '{"message": 1}'))
    floor.fan_out.most = 10
    floor.handle(sqs_record("s1", encode_slice_message("m1", "0"), SLICES))

    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    told = {one["message"]: one for one in lines if "counts" in one}
    assert set(told) == {"slice handed over", "slice closed"}
    assert {one["protocol"] for one in told.values()} == {"h2"}
    assert [one.get("calmed", 0) for one in told.values()] == [calms, calms]
    assert all(("calmed" in one) == bool(calms) for one in told.values())


def test_broadcast_never_lets_one_bad_record_hold_up_another(floor: BroadcastFloor) -> None:
    """Bad ones before and after: the good one is delivered once."""
    records = [
        sqs_record("bad1", "nonsense"),
        sqs_record("good", '{"message": 1}'),
        sqs_record("bad2", "not a slice", SLICES),
    ]

    failed = floor.handle(*records)

    assert failed == []
    assert len(floor.fan_out.frames) == 1
    assert floor.reasons("dead")[0].startswith("body is not JSON")
    assert floor.reasons("slice-dead")[0].startswith("not a slice message")
    assert floor.sqs.to("dead")[0]["MessageBody"] == "nonsense"
    attributes = floor.sqs.to("dead")[0]["MessageAttributes"]
    assert attributes["crier.messageId"]["StringValue"] == "bad1"


def test_broadcast_rests_when_it_is_forbidden(floor: BroadcastFloor, log: io.StringIO) -> None:
    """The slice is taken up later: the queue's message has done its part."""
    floor.fan_out.most, floor.fan_out.forbidden = 0, True

    assert floor.handle(sqs_record("m1", '{"message": 1}')) == []

    (message,) = floor.sqs.to("slices")
    assert (message["MessageBody"], message["DelaySeconds"]) == (encode_slice_message("m1", "0"), 5)
    stopped = json.loads(log.getvalue().splitlines()[1])
    assert (stopped["message"], stopped["trouble"]) == ("stopped early", "forbidden")
    assert "403 Forbidden: injected" in stopped["reason"]


@pytest.mark.parametrize(("message", "more"), [("1", ', "unknown": 2'), ("[" * 65 + "]" * 65, "")])
def test_broadcast_that_is_open_goes_on_though_it_would_be_rejected_today(
    floor: BroadcastFloor, message: str, more: str
) -> None:
    """A later release may take less: what it has accepted it finishes."""
    body = f'{{"id": "m1", "message": {message}{more}}}'
    digest = Broadcast("m1", json.loads(message)).digest
    opening = NewBroadcast(
        "m1", digest, Audience(), lambda _: '{"id": "m1"}', NOW_MS, 0, ALL_SHARDS
    )
    held = floor.ledger.open(opening, until_ms=NOW_MS, deadline=FAR)
    assert not isinstance(held, Refusal)

    assert floor.handle(sqs_record("m9", body)) == []
    assert floor.handle(sqs_record("m8", body.replace("m1", "m2"))) == []

    assert floor.rows.summary("m1").counts == Receipt(1, delivered=1)
    assert len(floor.reasons("dead")) == 1


def test_broadcast_whose_message_goes_back_publishes_what_was_saved(
    floor: BroadcastFloor, capsys: pytest.CaptureFixture[str]
) -> None:
    """The metrics add up to the ledger's account, whatever fails in the end."""
    floor.sqs.broken = {"slices"}
    floor.fan_out.settlements["a"] = plan(Outcome.PENDING)

    assert floor.handle(sqs_record("m1", '{"message": 1}')) == ["m1"]

    assert '"Targeted":[1.0]' in capsys.readouterr().out
    held = floor.ledger.lease("m1", "0", until_ms=NOW_MS)
    assert held is Refusal.LEASED


@pytest.mark.parametrize(
    ("message_id", "body", "arn", "broadcast_id", "slice_id"),
    [
        ("m1", '{"message": 1}', BROADCASTS, "m1", "0"),
        ("m2", '{"id": "m1", "message": 1}', BROADCASTS, "m1", "0"),
        ("s1", encode_slice_message("m1", "0"), SLICES, "m1", "0"),
    ],
)
def test_broadcast_says_which_slice_it_skips(  # noqa: PLR0917
    floor: BroadcastFloor,
    log: io.StringIO,
    message_id: str,
    body: str,
    arn: str,
    broadcast_id: str,
    slice_id: str,
) -> None:
    """Of a duplicate the message id alone tells an operator nothing."""
    floor.handle(sqs_record("m1", '{"message": 1}'))

    assert floor.handle(sqs_record(message_id, body, arn)) == []

    (line,) = [one for one in map(json.loads, log.getvalue().splitlines()) if "slice_is" in one]
    assert (line["message"], line["slice_is"]) == ("skipped", "closed")
    assert (line["message_id"], line["broadcast_id"]) == (message_id, broadcast_id)
    assert line["slice_id"] == slice_id


def test_broadcast_reports_what_stopped_it_and_releases_the_backlog(
    floor: BroadcastFloor, log: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    """The message is forgotten, another goes on with the slice; no settle time is published."""
    floor.fan_out.most, floor.fan_out.forbidden = 1, True
    floor.release(Backlog(connections=(Connection("x", OLD_MS), Connection("y", OLD_MS))))

    failed = floor.handle(sqs_record("s1", encode_slice_message("b", "0"), SLICES))

    out = capsys.readouterr().out
    assert failed == []
    assert [one["MessageBody"] for one in floor.sqs.to("slices")] == [
        encode_slice_message("b", "0")
    ]
    assert "stopped early" in log.getvalue()
    assert "slice handed over" in log.getvalue()
    assert "SettleMilliseconds" not in out


def test_broadcast_goes_on_with_a_slice_with_the_frame_of_its_broadcast(
    floor: BroadcastFloor, log: io.StringIO
) -> None:
    """The frame was encoded once; the last slice settles the broadcast."""
    floor.fan_out.settlements["a"] = plan(Outcome.GONE)
    floor.release(ALL_SHARDS)

    failed = floor.handle(sqs_record("s1", encode_slice_message("b", "0"), SLICES))

    assert (failed, floor.fan_out.frames, floor.dynamo.rows) == ([], ["the frame"], {})
    settled = json.loads(log.getvalue().splitlines()[-1])
    assert (settled["message"], settled["broadcast_id"], settled["seq"]) == ("settled", "b", 1)
    assert settled["receipt"] == asdict(Receipt(1, gone=1))


def test_broadcast_forgets_a_message_that_comes_again_after_the_end(floor: BroadcastFloor) -> None:
    """Settled is settled: nothing is posted again, and no number is used."""
    record = sqs_record("m1", '{"message": 1}')

    assert [floor.handle(record) for _ in range(3)] == [[], [], []]

    assert len(floor.fan_out.frames) == 1
    assert floor.handle(sqs_record("m2", '{"message": 1}')) == []
    assert floor.rows.summary("m2").seq == 2


def test_broadcast_returns_a_message_whose_slice_is_under_way(
    floor: BroadcastFloor, log: io.StringIO
) -> None:
    """Should that worker die, the message is still there."""
    floor.rows.faults = [None, Fault.REFUSED]
    record = sqs_record("m1", '{"message": 1}')

    assert floor.handle(record) == ["m1"]
    assert floor.handle(record) == ["m1"]
    assert '"slice_is":"leased"' in log.getvalue()
    floor.time.run(broadcast.LEASE_GRACE_MS / 1000 + 60)
    assert floor.handle(record) == []
    assert floor.rows.summary("m1").counts == Receipt(1, delivered=1)


def test_broadcast_returns_the_message_when_the_lease_was_lost(
    floor: BroadcastFloor, log: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    """It may be the message of the other worker, which may die. The loss is counted."""

    def take_up() -> None:
        floor.time.run(broadcast.LEASE_GRACE_MS / 1000 + 60)
        floor.ledger.lease("m1", "0", until_ms=floor.time.epoch_ms + 1)

    floor.rows.meanwhile = [lambda: None, take_up]

    assert floor.handle(sqs_record("m1", '{"message": 1}')) == ["m1"]
    assert not floor.rows.summary("m1").is_settled
    assert "lease lost" in messages_of(log)
    assert '"LeasesLost":[1.0]' in capsys.readouterr().out.replace(" ", "")


@pytest.mark.parametrize(("waited_ms", "expired"), [(899, 0), (900, 1)])
def test_broadcast_counts_its_time_to_live_from_when_it_was_sent(
    floor: BroadcastFloor, waited_ms: int, expired: int
) -> None:
    """Waiting in the queue makes a message older."""
    floor.time.epoch_ms += waited_ms

    floor.handle(sqs_record("m1", '{"message": 1, "ttlSeconds": 1}'))

    assert floor.rows.summary("m1").counts == Receipt(1, 1 - expired, expired=expired)
    assert len(floor.fan_out.frames) == 1 - expired


def test_broadcast_is_delivered_though_it_cannot_be_reported(
    floor: BroadcastFloor, monkeypatch: pytest.MonkeyPatch, log: io.StringIO
) -> None:
    """The account is in the ledger: SQS must not deliver it again."""

    def broken(_: object) -> None:
        raise OSError("injected")

    monkeypatch.setattr(report, "publish_report", broken)

    assert floor.handle(sqs_record("m1", '{"message": 1}')) == []
    assert "delivered, but not reported" in log.getvalue()
