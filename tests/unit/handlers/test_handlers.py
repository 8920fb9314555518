"""The handlers, called with the events that AWS sends."""

import io
import json
from dataclasses import asdict, dataclass
from functools import cached_property
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
from handlers import broadcast, connect, disconnect
from handlers import broadcast_log as report
from handlers.events import records_of
from log import logger
from settings import BroadcastSettings, SettingsError
from slices.worker import Worker
from storage.ledger import Ledger
from storage.queues import DeadLetters, SliceQueue
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
    aws_error,
    half,
    plan,
)
from testbed.model.ledger_dynamo import counters_of
from wiring import BroadcastWiring

BROADCASTS, SLICES = "arn:aws:sqs:eu-west-1:1:broadcasts", "arn:aws:sqs:eu-west-1:1:slices"
SETTINGS = BroadcastSettings(
    connections_table="t",
    broadcasts_table="b",
    callback_url="https://a/prod",
    dead_letter_queue_url="dead",
    slice_queue_url="slices",
    slice_queue_arn=SLICES,
    slice_dead_letter_queue_url="slice-dead",
    posts_in_flight=4,
    http2=True,
    posts_per_second=8_000,
    post_burst=4_000,
    outage_seconds=3_600,
    maximum_concurrency=5,
    replay_seconds=86_400,
    ca_bundle=None,
)


_EVENT_TYPES = {"$connect": "CONNECT", "$disconnect": "DISCONNECT", "$default": "MESSAGE"}


def _web_socket_event(route: str, **context: object) -> dict[str, Any]:
    return {
        "requestContext": {
            "routeKey": route,
            "eventType": _EVENT_TYPES[route],
            "connectionId": "abc=",
            "connectedAt": NOW_MS,
            "stage": "prod",
            "apiId": "a1",
            **context,
        },
        "isBase64Encoded": False,
    }


def _sqs_record(message_id: str, body: str, arn: str = BROADCASTS) -> dict[str, Any]:
    return {
        "messageId": message_id,
        "receiptHandle": "r",
        "body": body,
        "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": str(NOW_MS - 100)},
        "messageAttributes": {},
        "md5OfBody": "0",
        "eventSource": "aws:sqs",
        "eventSourceARN": arn,
        "awsRegion": "eu-west-1",
    }


def _text(value: str, data_type: str = "String") -> dict[str, Any]:
    """Return an attribute as Lambda's events have it."""
    return {"stringValue": value, "dataType": data_type, "binaryListValues": []}


REDRIVEN = {"crier.redriven": _text("1")}
"""On what `crier redrive` has put back."""


@dataclass
class _Floor:
    sqs: FakeSqs
    dynamo: FakeDynamo
    fan_out: FakeFanOut
    rows: FakeLedgerTable
    time: FakeTime

    @property
    def ledger(self) -> Ledger:
        return Ledger(
            self.rows.table,
            counters_of(self.rows),
            clock=self.time.clock,
            jitter=half,
            replay_seconds=60,
        )

    @cached_property
    def wired(self) -> BroadcastWiring:
        clock, ledger = self.time.clock, self.ledger
        worker = Worker(
            table=self.dynamo.table,
            fan_out=self.fan_out,
            ledger=ledger,
            slice_queue=SliceQueue(self.sqs.client, "slices"),
            clock=clock,
            jitter=half,
            outage_seconds=3_600,
        )
        dead, slice_dead = (DeadLetters(self.sqs.client, url) for url in ("dead", "slice-dead"))
        return BroadcastWiring(SETTINGS, clock, ledger, worker, dead, slice_dead)

    def handle(self, *records: dict[str, Any]) -> list[str]:
        answer = broadcast.serve(records_of({"Records": list(records)}), self.wired, 60_000)
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]

    def release(self, work: Backlog) -> None:
        """Have a slice that no worker owns."""
        opening = NewBroadcast(
            "b", "d", Audience(), lambda _: "the frame", NOW_MS, 0, Backlog(work.shards)
        )
        held = self.ledger.open(opening, until_ms=NOW_MS + 1, deadline=FAR)
        assert not isinstance(held, Refusal)
        self.ledger.release(held, work, Receipt(targeted=len(work.connections)), (), deadline=FAR)

    def reasons(self, queue: str) -> list[str]:
        sent = self.sqs.to(queue)
        return [one["MessageAttributes"]["crier.reason"]["StringValue"] for one in sent]


@pytest.fixture
def floor() -> _Floor:
    """The broadcast function, wired to fakes, with one connection."""
    return _Floor(FakeSqs(), FakeDynamo({"a": OLD_MS}), FakeFanOut(), FakeLedgerTable(), FakeTime())


@pytest.fixture
def dynamo() -> FakeDynamo:
    """The table that connect and disconnect write to."""
    return FakeDynamo()


def _connect(event: dict[str, Any], dynamo: FakeDynamo) -> dict[str, Any]:
    return connect.admit(event, lambda: dynamo.table, lambda: False)


def _disconnect(event: dict[str, Any], dynamo: FakeDynamo) -> dict[str, Any]:
    return disconnect.forget(event, lambda: dynamo.table)


def test_connect_writes_the_row(dynamo: FakeDynamo) -> None:
    """The client is let in once the row is there."""
    answer = _connect(_web_socket_event("$connect"), dynamo)

    assert (answer, dynamo.rows) == ({"statusCode": 200}, {"abc=": NOW_MS})


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"requestContext": None},
        {"requestContext": "x"},
        {"requestContext": {}},
        _web_socket_event("$connect", connectionId=""),
        _web_socket_event("$connect", connectionId=None),
        _web_socket_event("$connect", connectionId=7),
        _web_socket_event("$connect", connectedAt=None),
        _web_socket_event("$connect", connectedAt="1"),
        _web_socket_event("$connect", connectedAt=True),
        _web_socket_event("$connect", connectedAt=-1),
        _web_socket_event("$connect", connectedAt=10**400),
        _web_socket_event("$connect", connectedAt=1.5),
    ],
)
def test_connect_refuses_when_the_event_lacks_something(
    event: dict[str, Any], dynamo: FakeDynamo, log: io.StringIO
) -> None:
    """No row is written; the log says what was expected."""
    answer = _connect(event, dynamo)

    assert (answer, dynamo.rows) == ({"statusCode": 400}, {})
    assert "expected requestContext" in log.getvalue()


def test_connect_refuses_when_the_row_cannot_be_written(dynamo: FakeDynamo) -> None:
    """Without a row the client would never receive anything."""
    dynamo.write_errors = [aws_error(400)]

    assert _connect(_web_socket_event("$connect"), dynamo) == {"statusCode": 500}


def test_connect_raises_when_the_environment_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing setting is ours to mend, not the client's."""
    monkeypatch.delenv("CONNECTIONS_TABLE", raising=False)

    with pytest.raises(SettingsError, match="CONNECTIONS_TABLE"):
        connect.handler(_web_socket_event("$connect"), None)


@pytest.mark.parametrize("rows", [{"abc=": 1}, {}])
def test_disconnect_removes_the_row(rows: dict[str, int], dynamo: FakeDynamo) -> None:
    """Also when it is gone already."""
    dynamo.rows = dict(rows)

    answer = _disconnect(_web_socket_event("$disconnect"), dynamo)

    assert (answer, dynamo.rows) == ({"statusCode": 200}, {})


def test_disconnect_answers_400_when_the_event_lacks_the_connection(dynamo: FakeDynamo) -> None:
    """Nothing is deleted."""
    dynamo.rows = {"abc=": 1}

    assert _disconnect({}, dynamo) == {"statusCode": 400}
    assert dynamo.rows == {"abc=": 1}


def test_disconnect_answers_500_when_the_row_stays(dynamo: FakeDynamo) -> None:
    """The next broadcast deletes it."""
    dynamo.write_errors = [aws_error(400)]

    assert _disconnect(_web_socket_event("$disconnect"), dynamo) == {"statusCode": 500}


def test_broadcast_posts_the_frame_and_publishes_the_account(
    floor: _Floor, capsys: pytest.CaptureFixture[str]
) -> None:
    """One frame, one account, nothing back to the queue."""
    failed = floor.handle(_sqs_record("m1", '{"message": "hi"}'))

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


def test_broadcast_is_delivered_though_its_beginning_cannot_be_reported(
    floor: _Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message would come again and again, and nothing would be posted."""

    def fail(**_: object) -> None:
        raise OSError("injected")

    monkeypatch.setattr(broadcast, "publish_lease", fail)

    assert floor.handle(_sqs_record("m1", '{"message": 1}')) == []
    assert len(floor.fan_out.frames) == 1


def _messages(log: io.StringIO) -> list[str]:
    return [json.loads(line)["message"] for line in log.getvalue().splitlines()]


def test_broadcast_tells_how_it_went_on(
    floor: _Floor, log: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is opened once, and resumed by the worker that takes up a slice that was begun."""
    floor.fan_out.most = 0
    floor.handle(_sqs_record("m1", '{"message": 1}'))
    floor.fan_out.most = 2
    floor.fan_out.settlements["a"] = plan(Outcome.DELIVERED, throttles=3)

    floor.handle(_sqs_record("s1", encode_slice_message("m1", "0"), SLICES))

    assert _messages(log) == ["opened", "slice handed over", "resumed", "slice closed", "settled"]
    assert '"throttled_share": 0.75' in log.getvalue().replace('":0', '": 0')
    out = capsys.readouterr().out.replace(" ", "")
    assert ('"SlicesResumed":[1.0]' in out, '"ThrottledPercent":[75.0]' in out) == (True, True)


@pytest.mark.parametrize("calms", [0, 2])
def test_broadcast_tells_the_protocol_and_whether_it_was_asked_for_calm(
    floor: _Floor, log: io.StringIO, calms: int
) -> None:
    """On the line of each slice; calm only where there was a lack of it."""
    floor.fan_out.calms = calms
    floor.fan_out.most = 1

    floor.handle(_sqs_record("m1", '{"message": 1}'))
    floor.fan_out.most = 10
    floor.handle(_sqs_record("s1", encode_slice_message("m1", "0"), SLICES))

    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    told = {one["message"]: one for one in lines if "counts" in one}
    assert set(told) == {"slice handed over", "slice closed"}
    assert {one["protocol"] for one in told.values()} == {"h2"}
    assert [one.get("calmed", 0) for one in told.values()] == [calms, calms]
    assert all(("calmed" in one) == bool(calms) for one in told.values())


def test_broadcast_never_lets_one_bad_record_hold_up_another(floor: _Floor) -> None:
    """Bad ones before and after: the good one is delivered once."""
    records = [
        _sqs_record("bad1", "nonsense"),
        _sqs_record("good", '{"message": 1}'),
        _sqs_record("bad2", "not a slice", SLICES),
    ]

    failed = floor.handle(*records)

    assert failed == []
    assert len(floor.fan_out.frames) == 1
    assert floor.reasons("dead")[0].startswith("body is not JSON")
    assert floor.reasons("slice-dead")[0].startswith("not a slice message")
    assert floor.sqs.to("dead")[0]["MessageBody"] == "nonsense"
    attributes = floor.sqs.to("dead")[0]["MessageAttributes"]
    assert attributes["crier.messageId"]["StringValue"] == "bad1"


def test_broadcast_returns_the_record_when_its_dead_letter_cannot_be_kept(floor: _Floor) -> None:
    """Only that record comes again."""
    floor.sqs.broken = {"dead"}

    failed = floor.handle(_sqs_record("bad", "[]"), _sqs_record("good", '{"message": 1}'))

    assert failed == ["bad"]
    assert len(floor.fan_out.frames) == 1


def test_broadcast_rests_when_it_is_forbidden(floor: _Floor, log: io.StringIO) -> None:
    """The slice is taken up later: the queue's message has done its part."""
    floor.fan_out.most, floor.fan_out.forbidden = 0, True

    assert floor.handle(_sqs_record("m1", '{"message": 1}')) == []

    (message,) = floor.sqs.to("slices")
    assert (message["MessageBody"], message["DelaySeconds"]) == (encode_slice_message("m1", "0"), 5)
    stopped = json.loads(log.getvalue().splitlines()[1])
    assert (stopped["message"], stopped["trouble"]) == ("stopped early", "forbidden")
    assert "403 Forbidden: injected" in stopped["reason"]


def test_broadcast_that_was_waited_for_in_vain_is_a_dead_letter(
    floor: _Floor, capsys: pytest.CaptureFixture[str]
) -> None:
    """A slice message with the reason, which an operator may put back."""
    floor.fan_out.most, floor.fan_out.forbidden = 0, True
    floor.handle(_sqs_record("m1", '{"message": 1}'))
    floor.time.run(3_600)

    failed = floor.handle(_sqs_record("s1", encode_slice_message("m1", "0"), SLICES))

    (letter,) = floor.sqs.to("slice-dead")
    said = {name: one["StringValue"] for name, one in letter["MessageAttributes"].items()}
    assert failed == []
    assert letter["MessageBody"] == encode_slice_message("m1", "0")
    assert said["crier.reason"].startswith("@connections refused us: 403 Forbidden: injected; ")
    assert (said["crier.kind"], said["crier.messageId"]) == ("gave-up", "s1")
    assert not floor.rows.summary("m1").is_settled
    assert capsys.readouterr().out.count('"RoundsLost":[1.0]') == 2


def test_broadcast_whose_dead_letter_cannot_be_kept_comes_again(floor: _Floor) -> None:
    """Nothing is lost: the slice is tried, and given up, anew."""
    floor.fan_out.most, floor.fan_out.forbidden = 0, True
    floor.handle(_sqs_record("m1", '{"message": 1}'))
    floor.time.run(3_600)
    floor.sqs.broken = {"slice-dead"}
    record = _sqs_record("s1", encode_slice_message("m1", "0"), SLICES)

    assert floor.handle(record) == ["s1"]
    floor.sqs.broken = set()
    assert floor.handle(record) == []

    assert len(floor.sqs.to("slice-dead")) == 1


def test_broadcast_that_is_redriven_is_waited_for_anew(floor: _Floor) -> None:
    """Its hour, and its count of hops, begin again."""
    floor.fan_out.most, floor.fan_out.forbidden = 0, True
    floor.handle(_sqs_record("m1", '{"message": 1}'))
    floor.time.run(3_600)
    record = _sqs_record("s1", encode_slice_message("m1", "0"), SLICES)
    floor.handle(record)

    floor.handle(record | {"messageAttributes": REDRIVEN})
    floor.time.run(100)
    floor.fan_out.most, floor.fan_out.forbidden = 9, False
    floor.handle(_sqs_record("s2", encode_slice_message("m1", "0"), SLICES))

    assert [one["DelaySeconds"] for one in floor.sqs.to("slices")] == [5, 5]
    assert floor.rows.summary("m1").counts == Receipt(1, delivered=1)


@pytest.mark.parametrize(("message", "more"), [("1", ', "unknown": 2'), ("[" * 65 + "]" * 65, "")])
def test_broadcast_that_is_open_goes_on_though_it_would_be_rejected_today(
    floor: _Floor, message: str, more: str
) -> None:
    """A later release may take less: what it has accepted it finishes."""
    body = f'{{"id": "m1", "message": {message}{more}}}'
    digest = Broadcast("m1", json.loads(message)).digest
    opening = NewBroadcast(
        "m1", digest, Audience(), lambda _: '{"id": "m1"}', NOW_MS, 0, ALL_SHARDS
    )
    held = floor.ledger.open(opening, until_ms=NOW_MS, deadline=FAR)
    assert not isinstance(held, Refusal)

    assert floor.handle(_sqs_record("m9", body)) == []
    assert floor.handle(_sqs_record("m8", body.replace("m1", "m2"))) == []

    assert floor.rows.summary("m1").counts == Receipt(1, delivered=1)
    assert len(floor.reasons("dead")) == 1


def test_broadcast_whose_message_goes_back_publishes_what_was_saved(
    floor: _Floor, capsys: pytest.CaptureFixture[str]
) -> None:
    """The metrics add up to the ledger's account, whatever fails in the end."""
    floor.sqs.broken = {"slices"}
    floor.fan_out.settlements["a"] = plan(Outcome.PENDING)

    assert floor.handle(_sqs_record("m1", '{"message": 1}')) == ["m1"]

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
    floor: _Floor,
    log: io.StringIO,
    message_id: str,
    body: str,
    arn: str,
    broadcast_id: str,
    slice_id: str,
) -> None:
    """Of a duplicate the message id alone tells an operator nothing."""
    floor.handle(_sqs_record("m1", '{"message": 1}'))

    assert floor.handle(_sqs_record(message_id, body, arn)) == []

    (line,) = [one for one in map(json.loads, log.getvalue().splitlines()) if "slice_is" in one]
    assert (line["message"], line["slice_is"]) == ("skipped", "closed")
    assert (line["message_id"], line["broadcast_id"]) == (message_id, broadcast_id)
    assert line["slice_id"] == slice_id


def test_broadcast_reports_what_stopped_it_and_releases_the_backlog(
    floor: _Floor, log: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    """The message is forgotten, another goes on with the slice; no settle time is published."""
    floor.fan_out.most, floor.fan_out.forbidden = 1, True
    floor.release(Backlog(connections=(Connection("x", OLD_MS), Connection("y", OLD_MS))))

    failed = floor.handle(_sqs_record("s1", encode_slice_message("b", "0"), SLICES))

    out = capsys.readouterr().out
    assert failed == []
    assert [one["MessageBody"] for one in floor.sqs.to("slices")] == [
        encode_slice_message("b", "0")
    ]
    assert "stopped early" in log.getvalue()
    assert "slice handed over" in log.getvalue()
    assert "SettleMilliseconds" not in out


def test_broadcast_goes_on_with_a_slice_with_the_frame_of_its_broadcast(
    floor: _Floor, log: io.StringIO
) -> None:
    """The frame was encoded once; the last slice settles the broadcast."""
    floor.fan_out.settlements["a"] = plan(Outcome.GONE)
    floor.release(ALL_SHARDS)

    failed = floor.handle(_sqs_record("s1", encode_slice_message("b", "0"), SLICES))

    assert (failed, floor.fan_out.frames, floor.dynamo.rows) == ([], ["the frame"], {})
    settled = json.loads(log.getvalue().splitlines()[-1])
    assert (settled["message"], settled["broadcast_id"], settled["seq"]) == ("settled", "b", 1)
    assert settled["receipt"] == asdict(Receipt(1, gone=1))


@pytest.mark.parametrize("level", ["WARNING", "ERROR"])
def test_handlers_log_the_account_and_no_coming_and_going_when_the_level_is_high(
    floor: _Floor, dynamo: FakeDynamo, log: io.StringIO, level: str
) -> None:
    """A million connects cost no line; what became of a broadcast, or of a client, is told."""
    logger.setLevel(level)
    try:
        _connect(_web_socket_event("$connect"), dynamo)
        _disconnect(_web_socket_event("$disconnect"), dynamo)
        dynamo.write_errors = [aws_error(400)]
        _connect(_web_socket_event("$connect"), dynamo)
        floor.handle(_sqs_record("m1", '{"message": 1}'))
        floor.handle(_sqs_record("m2", "nonsense"))
    finally:
        logger.setLevel("INFO")

    assert _messages(log) == ["refused a connection", "slice closed", "settled", "rejected"]


def test_broadcast_forgets_a_message_that_comes_again_after_the_end(floor: _Floor) -> None:
    """Settled is settled: nothing is posted again, and no number is used."""
    record = _sqs_record("m1", '{"message": 1}')

    assert [floor.handle(record) for _ in range(3)] == [[], [], []]

    assert len(floor.fan_out.frames) == 1
    assert floor.handle(_sqs_record("m2", '{"message": 1}')) == []
    assert floor.rows.summary("m2").seq == 2


def test_broadcast_returns_a_message_whose_slice_is_under_way(
    floor: _Floor, log: io.StringIO
) -> None:
    """Should that worker die, the message is still there."""
    floor.rows.faults = [None, Fault.REFUSED]
    record = _sqs_record("m1", '{"message": 1}')

    assert floor.handle(record) == ["m1"]
    assert floor.handle(record) == ["m1"]
    assert '"slice_is":"leased"' in log.getvalue()
    floor.time.run(broadcast.LEASE_GRACE_MS / 1000 + 60)
    assert floor.handle(record) == []
    assert floor.rows.summary("m1").counts == Receipt(1, delivered=1)


def test_broadcast_returns_the_message_when_the_lease_was_lost(
    floor: _Floor, log: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    """It may be the message of the other worker, which may die. The loss is counted."""

    def take_up() -> None:
        floor.time.run(broadcast.LEASE_GRACE_MS / 1000 + 60)
        floor.ledger.lease("m1", "0", until_ms=floor.time.epoch_ms + 1)

    floor.rows.meanwhile = [lambda: None, take_up]

    assert floor.handle(_sqs_record("m1", '{"message": 1}')) == ["m1"]
    assert not floor.rows.summary("m1").is_settled
    assert "lease lost" in _messages(log)
    assert '"LeasesLost":[1.0]' in capsys.readouterr().out.replace(" ", "")


def test_broadcast_rejects_an_id_of_another_broadcast(floor: _Floor) -> None:
    """Its account is unharmed, and the second message is kept with the reason."""
    floor.handle(_sqs_record("m1", '{"id": "x", "message": 1}'))
    before = dict(floor.rows.items)

    failed = floor.handle(_sqs_record("m2", '{"id": "x", "message": 2}'))

    assert (failed, floor.rows.items) == ([], before)
    assert floor.reasons("dead")[0].startswith("id x belongs to another broadcast")


@pytest.mark.parametrize(("id_", "slice_id"), [("b", "7"), ("forged", "0")])
def test_broadcast_rejects_a_slice_that_the_ledger_does_not_know(
    floor: _Floor, id_: str, slice_id: str
) -> None:
    """It is kept in the slices' own dead-letter queue."""
    floor.release(ALL_SHARDS)

    failed = floor.handle(_sqs_record("s1", encode_slice_message(id_, slice_id), SLICES))

    assert failed == []
    assert floor.reasons("slice-dead")[0].startswith(f"the ledger knows no slice {slice_id}")


@pytest.mark.parametrize(("waited_ms", "expired"), [(899, 0), (900, 1)])
def test_broadcast_counts_its_time_to_live_from_when_it_was_sent(
    floor: _Floor, waited_ms: int, expired: int
) -> None:
    """Waiting in the queue makes a message older."""
    floor.time.epoch_ms += waited_ms

    floor.handle(_sqs_record("m1", '{"message": 1, "ttlSeconds": 1}'))

    assert floor.rows.summary("m1").counts == Receipt(1, 1 - expired, expired=expired)
    assert len(floor.fan_out.frames) == 1 - expired


def test_broadcast_is_delivered_though_it_cannot_be_reported(
    floor: _Floor, monkeypatch: pytest.MonkeyPatch, log: io.StringIO
) -> None:
    """The account is in the ledger: SQS must not deliver it again."""

    def broken(_: object) -> None:
        raise OSError("injected")

    monkeypatch.setattr(report, "publish_report", broken)

    assert floor.handle(_sqs_record("m1", '{"message": 1}')) == []
    assert "delivered, but not reported" in log.getvalue()


def test_broadcast_rejects_when_the_frame_is_too_large(floor: _Floor) -> None:
    """Over 127 KiB once framed: kept with its reason, and not posted."""
    body = json.dumps({"message": "a" * (127 * 1024)})

    failed = floor.handle(_sqs_record("m1", body))

    assert (failed, floor.fan_out.frames, floor.rows.items) == ([], [], {})
    assert "expected at most 130048 (127 KiB)" in floor.reasons("dead")[0]


def test_broadcast_keeps_a_producers_attributes_on_a_rejected_message(
    floor: _Floor, log: io.StringIO
) -> None:
    """Texts, numbers and bytes, of custom types, too; one that Lambda garbles is none."""
    record = _sqs_record("m1", '{"mesage": 1}')
    record["messageAttributes"] = {
        "traceparent": _text("00-4bf9-00f0-01"),
        "note": _text("{}", "String.json"),
        "price": _text("1.50", "Number.price"),
        "seal": {"binaryValue": "AP8=", "dataType": "Binary.png", "stringListValues": []},
        "garbled": {"binaryValue": "?", "dataType": "Binary"},
        "foreign": {"binaryValue": "é", "dataType": "Binary"},
    }

    assert floor.handle(record) == []

    (letter,) = floor.sqs.to("dead")
    attributes = letter["MessageAttributes"]
    assert letter["MessageBody"] == '{"mesage": 1}'
    assert attributes.pop("crier.reason")["StringValue"].startswith('unknown key "mesage"')
    assert attributes.pop("crier.messageId")["StringValue"] == "m1"
    assert attributes == {
        "traceparent": {"DataType": "String", "StringValue": "00-4bf9-00f0-01"},
        "note": {"DataType": "String.json", "StringValue": "{}"},
        "price": {"DataType": "Number.price", "StringValue": "1.50"},
        "seal": {"DataType": "Binary.png", "BinaryValue": b"\x00\xff"},
    }
    assert json.loads(log.getvalue())["attributes_left_out"] == []


def test_broadcast_says_which_attributes_a_dead_letter_has_no_place_for(
    floor: _Floor, log: io.StringIO
) -> None:
    """Ours come first; names of ours are not kept from a producer. Reason and log say which."""
    record = _sqs_record("m1", "[]")
    names = [*(f"a{number}" for number in range(9)), "crier.reason"]
    record["messageAttributes"] = {name: _text("x") for name in names}

    assert floor.handle(record) == []

    attributes = floor.sqs.to("dead")[0]["MessageAttributes"]
    assert len(attributes) == 10
    assert floor.reasons("dead")[0].endswith(
        "; attributes left out: crier.reason (the name is Crier's), a8 (a message has 10 at most)"
    )
    assert json.loads(log.getvalue())["attributes_left_out"] == ["crier.reason", "a8"]


def test_broadcast_takes_no_producer_for_an_operator(floor: _Floor) -> None:
    """The mark of a redriven message says nothing in the queue that producers send to."""
    floor.fan_out.most, floor.fan_out.forbidden = 0, True
    record = _sqs_record("m1", '{"message": 1}') | {"messageAttributes": REDRIVEN}
    floor.handle(record)
    floor.time.run(3_600)

    floor.handle(record)

    assert len(floor.sqs.to("slice-dead")) == 1
    assert floor.reasons("slice-dead")[0].startswith("@connections refused us")


def test_slice_that_is_rejected_keeps_no_mark_of_a_redrive(floor: _Floor, log: io.StringIO) -> None:
    """The mark has done its part; what came with it is kept, and nothing is said of it."""
    record = _sqs_record("s1", "{}", SLICES)

    floor.handle(record | {"messageAttributes": REDRIVEN | {"tenant": _text("acme")}})

    attributes = floor.sqs.to("slice-dead")[0]["MessageAttributes"]
    assert set(attributes) == {"crier.reason", "crier.messageId", "tenant"}
    assert json.loads(log.getvalue())["attributes_left_out"] == []


@pytest.mark.parametrize("wrong", [{}, {"dataType": "Number", "stringValue": "1"}])
def test_slice_is_not_begun_anew_by_a_mark_of_another_type(
    floor: _Floor, wrong: dict[str, str]
) -> None:
    """Ours is a text."""
    floor.fan_out.most, floor.fan_out.forbidden = 0, True
    floor.handle(_sqs_record("m1", '{"message": 1}'))
    floor.time.run(3_600)
    record = _sqs_record("s1", encode_slice_message("m1", "0"), SLICES)

    floor.handle(record | {"messageAttributes": {"crier.redriven": wrong}})

    assert len(floor.sqs.to("slice-dead")) == 1
