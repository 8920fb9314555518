"""What a broadcast costs: what is counted, what it is charged as, and the rows that are made."""

import json
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import BenchError
from bench.scale import result
from bench.scale.generated_rows import GeneratedRows, id_at, place_of, usual_ids
from bench.scale.prices import Cost, Use, cost_of
from bench.scale.request_meter import RequestMeter
from bench.scale.result import Added, Broadcast, read_broadcasts, to_json
from bench.scale.table import show
from bench.scale.targets import judge
from bench.target import Limit
from testbed.tables import SHARDS
from testbed.units import ROW_BYTES

USE = Use(
    invocations=2,
    gb_seconds=10.0,
    dynamodb_requests=20,
    read_units=1_000.0,
    write_units=300.0,
    queue_requests=6,
    cleanup_requests=2,
    cleanup_read_units=50.0,
    cleanup_write_units=100.0,
)
COST = Cost(function=0.01, dynamodb=0.005, queues=0.005, messages=1.0)


def _broadcast(connections: int, megabytes: int = 80) -> Broadcast:
    return Broadcast(connections, 1.5, megabytes * 1_000_000, USE, COST)


def _client() -> Any:
    return boto3.client(
        "dynamodb",
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        endpoint_url="http://127.0.0.1:9",
    )


def test_cost_is_the_use_times_the_prices() -> None:
    """By service; the messages are API Gateway's, for each 32 KiB begun."""
    cost = cost_of(USE, messages=1_000_000, frame_bytes=32 * 1024 + 1)

    assert cost.function == pytest.approx(10 * 0.0000133334 + 2 * 0.2e-6)
    assert cost.dynamodb == pytest.approx(1_050 * 0.125e-6 + 400 * 0.625e-6)
    assert cost.queues == pytest.approx(6 * 0.4e-6)
    assert cost.messages == pytest.approx(2.0)
    assert cost.share == pytest.approx((cost.function + cost.dynamodb + cost.queues) / 2.0)


@given(st.integers(0, SHARDS), st.integers(0, 2**32 - 1))
def test_generated_id_holds_its_place(shard: int, place: int) -> None:
    """So that a page can begin after any id."""
    assert place_of(id_at(shard, place)) == place


def test_generated_rows_are_read_page_by_page() -> None:
    """By a real client: every connection once, as many in all as were asked for."""
    client, rows = _client(), GeneratedRows(3_210)
    client.meta.events.register("before-call.dynamodb.Query", rows.answer)
    found: list[str] = []

    for shard in range(SHARDS):
        start: dict[str, Any] = {}
        while True:
            page = client.query(
                TableName="connections",
                KeyConditionExpression="pk = :shard",
                ExpressionAttributeValues={":shard": {"S": f"all#{shard}"}},
                Limit=100,
                **start,
            )
            found += [item["sk"]["S"] for item in page["Items"]]
            if "LastEvaluatedKey" not in page:
                break
            start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}

    assert len(found) == len(set(found)) == 3_210


def test_usual_ids_are_as_many_and_all_different() -> None:
    """They fill a table."""
    assert len(set(usual_ids(500))) == 500


def _answer_all(client: Any, answer: dict[str, Any]) -> None:
    """Have a client answer every call so, without a connection."""
    http = AWSResponse("http://127.0.0.1:9", 200, HTTPHeaders(), None)
    client.meta.events.register("before-call.dynamodb.*", lambda **_: (http, answer))


def test_meter_counts_requests_and_what_they_are_charged_as() -> None:
    """Writes by the KB, twice in a transaction; reads by 4 KB; clean-up by itself."""
    client, meter = _client(), RequestMeter()
    meter.watch(client)
    big = {"pk": {"S": "k"}, "sk": {"N": "12"}, "frame": {"B": b"x" * 1_100}}
    key = {"pk": {"S": "k"}, "sk": {"S": "s"}}
    _answer_all(client, {"Item": {"text": {"S": "x" * 5_000}}, "Items": [{}] * 100})

    client.put_item(TableName="t", Item=big)
    client.transact_write_items(
        TransactItems=[{"Put": {"TableName": "t", "Item": one}} for one in (big, key)]
    )
    client.update_item(TableName="t", Key=key)
    written = meter.write_units
    client.get_item(TableName="t", Key=key)
    client.query(TableName="t")
    client.batch_get_item(RequestItems={"t": {"Keys": [key] * 5}})
    client.batch_write_item(RequestItems={"t": [{"DeleteRequest": {"Key": key}}] * 3})

    assert written == 2 + 2 * (2 + 1) + 1
    assert meter.read_units == 2 + -(-100 * ROW_BYTES // 4_096)
    assert (meter.write_units, meter.cleanup_write_units) == (written, 3)
    assert (meter.cleanup_requests, meter.cleanup_read_units) == (2, 2.5)
    assert meter.requests.total() == 7
    meter.reset()
    assert (meter.requests.total(), meter.read_units, meter.write_units) == (0, 0, 0)


def test_targets_are_judged_where_their_sizes_were_measured() -> None:
    """Requests, memory, cost."""
    small, large = _broadcast(3_000), _broadcast(1_000_000, megabytes=100)

    only_small = judge([small])
    both = judge([small, large], Added(alone_seconds=0.5, added_seconds=0.06))

    assert [(one.figure, one.met) for one in only_small] == [(26, True), *[(None, None)] * 3]
    assert [(one.figure, one.met) for one in both] == [
        (26, True),
        (1.25, False),
        (2.0, True),
        (60.0, False),
    ]


@pytest.mark.parametrize(("alone_seconds", "most_ms"), [(0.1, 30.0), (0.5, 50.0)])
def test_account_may_add_a_tenth_or_30_ms(alone_seconds: float, most_ms: float) -> None:
    """Whichever is more."""
    assert Added(alone_seconds, 0.0).most_ms == pytest.approx(most_ms)


def test_result_is_shown_written_and_read(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As a table for people, as JSON for scripts and for the plot."""
    broadcasts = [_broadcast(3_000)]
    monkeypatch.setattr(result, "RESULT", tmp_path / "scale.json")
    with pytest.raises(BenchError, match="make scale"):
        read_broadcasts()

    show(broadcasts)
    result.RESULT.write_text(to_json(broadcasts, None, []))
    assert read_broadcasts() == broadcasts
    facts = json.loads(to_json(broadcasts, None, [Limit("≤", 1).judge("t", 0.5)]))

    assert "3,000" in capsys.readouterr().out
    assert facts["broadcasts"][0]["use"]["gb_seconds"] == 10.0
    assert facts["targets"] == [{"name": "t", "target": "≤ 1", "figure": 0.5, "met": True}]
