"""The handlers, called with the events that AWS sends."""

import io
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import pytest

import broadcast
import connect
import disconnect
import unknown_frame
from broadcasting.audience import Connection
from broadcasting.outcome import Outcome
from broadcasting.slice import Slice, encode_slice, open_slice, parse_slice
from settings import BroadcastSettings, SettingsError
from storage.queues import DeadLetters, SliceQueue
from tests.unit.lambdas.fakes import (
    NOW_MS,
    OLD_MS,
    FakeDynamo,
    FakeFanOut,
    FakeSqs,
    FakeTime,
    aws_error,
    plan,
)
from wiring import BroadcastWiring
from worker import Worker

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

BROADCASTS, SLICES = "arn:aws:sqs:eu-west-1:1:broadcasts", "arn:aws:sqs:eu-west-1:1:slices"
SETTINGS = BroadcastSettings(
    "t", "https://a/prod", "dead", "slices", SLICES, "slice-dead", 4, 8_000, 4_000, None
)


def _web_socket_event(route: str, **context: object) -> dict[str, Any]:
    return {
        "requestContext": {
            "routeKey": route,
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
        "attributes": {"ApproximateReceiveCount": "1"},
        "messageAttributes": {},
        "md5OfBody": "0",
        "eventSource": "aws:sqs",
        "eventSourceARN": arn,
        "awsRegion": "eu-west-1",
    }


class _Context:
    def get_remaining_time_in_millis(self) -> int:
        return 60_000


@dataclass
class _Floor:
    sqs: FakeSqs
    dynamo: FakeDynamo
    fan_out: FakeFanOut

    def handle(self, *records: dict[str, Any]) -> list[str]:
        answer = broadcast.handler({"Records": records}, cast("LambdaContext", _Context()))
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]

    def reasons(self, queue: str) -> list[str]:
        sent = self.sqs.to(queue)
        return [one["MessageAttributes"]["reason"]["StringValue"] for one in sent]


@pytest.fixture
def floor(monkeypatch: pytest.MonkeyPatch) -> _Floor:
    """The broadcast function, wired to fakes, with one connection."""
    floor = _Floor(FakeSqs(), FakeDynamo({"a": OLD_MS}), FakeFanOut())
    clock = FakeTime().clock
    worker = Worker(
        table=floor.dynamo.table,
        fan_out=floor.fan_out,
        slice_queue=SliceQueue(floor.sqs.client, "slices"),
        clock=clock,
    )
    dead, slice_dead = (DeadLetters(floor.sqs.client, url) for url in ("dead", "slice-dead"))
    wired = BroadcastWiring(SETTINGS, clock, worker, dead, slice_dead)
    monkeypatch.setattr(broadcast, "broadcast_wiring", lambda: wired)
    return floor


@pytest.fixture
def dynamo(monkeypatch: pytest.MonkeyPatch) -> FakeDynamo:
    """The table that connect and disconnect write to."""
    dynamo = FakeDynamo()
    for module in (connect, disconnect):
        monkeypatch.setattr(module, "connections_table", lambda: dynamo.table)
    return dynamo


def test_connect_writes_the_row(dynamo: FakeDynamo) -> None:
    """The client is let in once the row is there."""
    answer = connect.handler(_web_socket_event("$connect"), None)

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
    answer = connect.handler(event, None)

    assert (answer, dynamo.rows) == ({"statusCode": 400}, {})
    assert "expected requestContext" in log.getvalue()


def test_connect_refuses_when_the_row_cannot_be_written(dynamo: FakeDynamo) -> None:
    """Without a row the client would never hear anything."""
    dynamo.write_errors = [aws_error(500)]

    assert connect.handler(_web_socket_event("$connect"), None) == {"statusCode": 500}


def test_connect_raises_when_the_environment_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing setting is ours to mend, not the client's."""
    monkeypatch.delenv("CONNECTIONS_TABLE", raising=False)

    with pytest.raises(SettingsError, match="CONNECTIONS_TABLE"):
        connect.handler(_web_socket_event("$connect"), None)


@pytest.mark.parametrize("rows", [{"abc=": 1}, {}])
def test_disconnect_removes_the_row(rows: dict[str, int], dynamo: FakeDynamo) -> None:
    """Also when it is gone already."""
    dynamo.rows = dict(rows)

    answer = disconnect.handler(_web_socket_event("$disconnect"), None)

    assert (answer, dynamo.rows) == ({"statusCode": 200}, {})


def test_disconnect_answers_400_when_the_event_lacks_the_connection(dynamo: FakeDynamo) -> None:
    """Nothing is deleted."""
    dynamo.rows = {"abc=": 1}

    assert disconnect.handler({}, None) == {"statusCode": 400}
    assert dynamo.rows == {"abc=": 1}


def test_disconnect_answers_500_when_the_row_stays(dynamo: FakeDynamo) -> None:
    """The next broadcast deletes it."""
    dynamo.write_errors = [aws_error(500)]

    assert disconnect.handler(_web_socket_event("$disconnect"), None) == {"statusCode": 500}


@pytest.mark.parametrize(("body", "found"), [("hello", "hello"), (None, ""), ("x" * 500, "x" * 80)])
def test_unknown_frame_answers_with_what_it_found(body: str | None, found: str) -> None:
    """The client hears that it may only listen."""
    answer = unknown_frame.handler(_web_socket_event("$default") | {"body": body}, None)

    assert answer["statusCode"] == 200
    assert json.loads(answer["body"])["found"] == found


def test_broadcast_posts_the_frame_and_publishes_the_account(
    floor: _Floor, capsys: pytest.CaptureFixture[str]
) -> None:
    """One frame, one receipt, nothing back to the queue."""
    failed = floor.handle(_sqs_record("m1", '{"message": "hi"}'))

    assert failed == []
    assert json.loads(floor.fan_out.frames[0]) == {
        "id": "m1",
        "channel": "*",
        "message": "hi",
        "sentAt": NOW_MS,
    }
    out = capsys.readouterr().out
    assert '"Delivered":[1.0]' in out.replace(" ", "")
    assert "SettleMilliseconds" in out


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
    assert floor.reasons("slice-dead")[0].startswith("not a slice")
    assert floor.sqs.to("dead")[0]["MessageBody"] == "nonsense"
    attributes = floor.sqs.to("dead")[0]["MessageAttributes"]
    assert attributes["messageId"]["StringValue"] == "bad1"


def test_broadcast_returns_the_record_when_its_dead_letter_cannot_be_kept(floor: _Floor) -> None:
    """Only that record comes again."""
    floor.sqs.broken = {"dead"}

    failed = floor.handle(_sqs_record("bad", "[]"), _sqs_record("good", '{"message": 1}'))

    assert failed == ["bad"]
    assert len(floor.fan_out.frames) == 1


def test_broadcast_returns_the_record_when_forbidden(floor: _Floor) -> None:
    """Nobody heard it: SQS delivers it again."""
    floor.fan_out.most, floor.fan_out.forbidden = 0, True

    assert floor.handle(_sqs_record("m1", '{"message": 1}')) == ["m1"]


def test_broadcast_reports_what_stopped_it_and_hands_over_the_rest(
    floor: _Floor, log: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    """The message is forgotten, a slice carries the rest; no settle time is published."""
    floor.fan_out.most, floor.fan_out.forbidden = 1, True
    connections = (Connection("x", OLD_MS), Connection("y", OLD_MS))
    body = encode_slice(Slice("b", "frame", NOW_MS, connections=connections))

    failed = floor.handle(_sqs_record("s1", body, SLICES))

    out = capsys.readouterr().out
    (rest,) = (parse_slice(one["MessageBody"]) for one in floor.sqs.to("slices"))
    assert (failed, rest.connections) == ([], connections[1:])
    assert "stopped early" in log.getvalue()
    assert "SettleMilliseconds" not in out


def test_broadcast_carries_a_slice_with_its_own_frame(floor: _Floor) -> None:
    """A slice's frame is posted as it was encoded once."""
    floor.fan_out.settlements["a"] = plan(Outcome.GONE)
    body = encode_slice(open_slice("b", "the frame", NOW_MS - 5))

    failed = floor.handle(_sqs_record("s1", body, SLICES))

    assert (failed, floor.fan_out.frames, floor.dynamo.rows) == ([], ["the frame"], {})


def test_broadcast_rejects_when_the_frame_is_too_large(floor: _Floor) -> None:
    """Over 128 KiB once framed: kept with its reason, posted to nobody."""
    body = json.dumps({"message": "a" * (128 * 1024)})

    failed = floor.handle(_sqs_record("m1", body))

    assert (failed, floor.fan_out.frames) == ([], [])
    assert "API Gateway delivers at most 131072" in floor.reasons("dead")[0]


def test_dead_letter_reason_is_cleaned_and_cut() -> None:
    """SQS refuses control characters and takes only so much."""
    sqs = FakeSqs()

    DeadLetters(sqs.client, "dead").send("b", message_id="m", reason="\x00" + "r" * 2_000)

    reason = sqs.sent[0]["MessageAttributes"]["reason"]["StringValue"]
    assert reason == "?" + "r" * 999
