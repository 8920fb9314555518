"""What the broadcast function rejects and gives up, and what is redriven."""

import io
import json

import pytest

from broadcasting.backlog import ALL_SHARDS
from broadcasting.receipt import Receipt
from broadcasting.slice_message import encode_slice_message
from testbed.model.fakes import (
    OLD_MS,
    FakeDynamo,
    FakeFanOut,
    FakeLedgerTable,
    FakeSqs,
    FakeTime,
)
from tests.support.broadcast_floor import (
    REDRIVEN,
    SLICES,
    BroadcastFloor,
    sqs_record,
    text_attribute,
)


@pytest.fixture
def floor() -> BroadcastFloor:
    """The broadcast function, wired to fakes, with one connection."""
    return BroadcastFloor(
        FakeSqs(), FakeDynamo({"a": OLD_MS}), FakeFanOut(), FakeLedgerTable(), FakeTime()
    )


def test_broadcast_returns_the_record_when_its_dead_letter_cannot_be_kept(
    floor: BroadcastFloor,
) -> None:
    """Only that record comes again."""
    floor.sqs.broken = {"dead"}

    failed = floor.handle(sqs_record("bad", "[]"), sqs_record("good", '{"message": 1}'))

    assert failed == ["bad"]
    assert len(floor.fan_out.frames) == 1


def test_broadcast_that_was_waited_for_in_vain_is_a_dead_letter(
    floor: BroadcastFloor, capsys: pytest.CaptureFixture[str]
) -> None:
    """A slice message with the reason, which an operator may put back."""
    floor.fan_out.most, floor.fan_out.forbidden = 0, True
    floor.handle(sqs_record("m1", '{"message": 1}'))
    floor.time.run(3_600)

    failed = floor.handle(sqs_record("s1", encode_slice_message("m1", "0"), SLICES))

    (letter,) = floor.sqs.to("slice-dead")
    said = {name: one["StringValue"] for name, one in letter["MessageAttributes"].items()}
    assert failed == []
    assert letter["MessageBody"] == encode_slice_message("m1", "0")
    assert said["crier.reason"].startswith("@connections refused us: 403 Forbidden: injected; ")
    assert (said["crier.kind"], said["crier.messageId"]) == ("gave-up", "s1")
    assert not floor.rows.summary("m1").is_settled
    assert capsys.readouterr().out.count('"RoundsLost":[1.0]') == 2


def test_broadcast_whose_dead_letter_cannot_be_kept_comes_again(floor: BroadcastFloor) -> None:
    """Nothing is lost: the slice is tried, and given up, anew."""
    floor.fan_out.most, floor.fan_out.forbidden = 0, True
    floor.handle(sqs_record("m1", '{"message": 1}'))
    floor.time.run(3_600)
    floor.sqs.broken = {"slice-dead"}
    record = sqs_record("s1", encode_slice_message("m1", "0"), SLICES)

    assert floor.handle(record) == ["s1"]
    floor.sqs.broken = set()
    assert floor.handle(record) == []

    assert len(floor.sqs.to("slice-dead")) == 1


def test_broadcast_that_is_redriven_is_waited_for_anew(floor: BroadcastFloor) -> None:
    """Its hour, and its count of hops, begin again."""
    floor.fan_out.most, floor.fan_out.forbidden = 0, True
    floor.handle(sqs_record("m1", '{"message": 1}'))
    floor.time.run(3_600)
    record = sqs_record("s1", encode_slice_message("m1", "0"), SLICES)
    floor.handle(record)

    floor.handle(record | {"messageAttributes": REDRIVEN})
    floor.time.run(100)
    floor.fan_out.most, floor.fan_out.forbidden = 9, False
    floor.handle(sqs_record("s2", encode_slice_message("m1", "0"), SLICES))

    assert [one["DelaySeconds"] for one in floor.sqs.to("slices")] == [5, 5]
    assert floor.rows.summary("m1").counts == Receipt(1, delivered=1)


def test_broadcast_rejects_an_id_of_another_broadcast(floor: BroadcastFloor) -> None:
    """Its account is unharmed, and the second message is kept with the reason."""
    floor.handle(sqs_record("m1", '{"id": "x", "message": 1}'))
    before = dict(floor.rows.items)

    failed = floor.handle(sqs_record("m2", '{"id": "x", "message": 2}'))

    assert (failed, floor.rows.items) == ([], before)
    assert floor.reasons("dead")[0].startswith("id x belongs to another broadcast")


@pytest.mark.parametrize(("id_", "slice_id"), [("b", "7"), ("forged", "0")])
def test_broadcast_rejects_a_slice_that_the_ledger_does_not_know(
    floor: BroadcastFloor, id_: str, slice_id: str
) -> None:
    """It is kept in the slices' own dead-letter queue."""
    floor.release(ALL_SHARDS)

    failed = floor.handle(sqs_record("s1", encode_slice_message(id_, slice_id), SLICES))

    assert failed == []
    assert floor.reasons("slice-dead")[0].startswith(f"the ledger knows no slice {slice_id}")


def test_broadcast_rejects_when_the_frame_is_too_large(floor: BroadcastFloor) -> None:
    """Over 127 KiB once framed: kept with its reason, and not posted."""
    body = json.dumps({"message": "a" * (127 * 1024)})

    failed = floor.handle(sqs_record("m1", body))

    assert (failed, floor.fan_out.frames, floor.rows.items) == ([], [], {})
    assert "expected at most 130048 (127 KiB)" in floor.reasons("dead")[0]


def test_broadcast_keeps_a_producers_attributes_on_a_rejected_message(
    floor: BroadcastFloor, log: io.StringIO
) -> None:
    """Texts, numbers and bytes, of custom types, too; one that Lambda garbles is none."""
    record = sqs_record("m1", '{"mesage": 1}')
    record["messageAttributes"] = {
        "traceparent": text_attribute("00-4bf9-00f0-01"),
        "note": text_attribute("{}", "String.json"),
        "price": text_attribute("1.50", "Number.price"),
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
    floor: BroadcastFloor, log: io.StringIO
) -> None:
    """Ours come first; names of ours are not kept from a producer. Reason and log say which."""
    record = sqs_record("m1", "[]")
    names = [*(f"a{number}" for number in range(9)), "crier.reason"]
    record["messageAttributes"] = {name: text_attribute("x") for name in names}

    assert floor.handle(record) == []

    attributes = floor.sqs.to("dead")[0]["MessageAttributes"]
    assert len(attributes) == 10
    assert floor.reasons("dead")[0].endswith(
        "; attributes left out: crier.reason (the name is Crier's), a8 (a message has 10 at most)"
    )
    assert json.loads(log.getvalue())["attributes_left_out"] == ["crier.reason", "a8"]


def test_broadcast_takes_no_producer_for_an_operator(floor: BroadcastFloor) -> None:
    """The mark of a redriven message says nothing in the queue that producers send to."""
    floor.fan_out.most, floor.fan_out.forbidden = 0, True
    record = sqs_record("m1", '{"message": 1}') | {"messageAttributes": REDRIVEN}
    floor.handle(record)
    floor.time.run(3_600)

    floor.handle(record)

    assert len(floor.sqs.to("slice-dead")) == 1
    assert floor.reasons("slice-dead")[0].startswith("@connections refused us")


def test_slice_that_is_rejected_keeps_no_mark_of_a_redrive(
    floor: BroadcastFloor, log: io.StringIO
) -> None:
    """The mark has done its part; what came with it is kept, and nothing is said of it."""
    record = sqs_record("s1", "{}", SLICES)

    floor.handle(record | {"messageAttributes": REDRIVEN | {"tenant": text_attribute("acme")}})

    attributes = floor.sqs.to("slice-dead")[0]["MessageAttributes"]
    assert set(attributes) == {"crier.reason", "crier.messageId", "tenant"}
    assert json.loads(log.getvalue())["attributes_left_out"] == []


@pytest.mark.parametrize("wrong", [{}, {"dataType": "Number", "stringValue": "1"}])
def test_slice_is_not_begun_anew_by_a_mark_of_another_type(
    floor: BroadcastFloor, wrong: dict[str, str]
) -> None:
    """Ours is a text."""
    floor.fan_out.most, floor.fan_out.forbidden = 0, True
    floor.handle(sqs_record("m1", '{"message": 1}'))
    floor.time.run(3_600)
    record = sqs_record("s1", encode_slice_message("m1", "0"), SLICES)

    floor.handle(record | {"messageAttributes": {"crier.redriven": wrong}})

    assert len(floor.sqs.to("slice-dead")) == 1
