"""Faults at the wire: when they happen, what is answered, and the file that processes share."""

import json
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, EndpointConnectionError
from botocore.session import Session

from testbed.wire_faults import FaultFile, WireFault, WireFaults, start

PUT = {"TableName": "t", "Item": {"pk": {"S": "p"}}}
CANCEL = WireFault(
    operation="TransactWriteItems", kind="cancel", reasons=("ThrottlingError", "None")
)


def _plain_client() -> Any:
    return boto3.client(
        "dynamodb",
        region_name="us-east-1",
        aws_access_key_id="a",
        aws_secret_access_key="b",
        endpoint_url="http://127.0.0.1:1",
        config=Config(retries={"total_max_attempts": 1}),
    )


def _client(*faults: WireFault) -> Any:
    client = _plain_client()
    WireFaults(lambda: list(faults), may_happen=lambda _: True).watch(client)
    return client


def test_cancelled_transaction_names_a_reason_for_each_row() -> None:
    """As DynamoDB answers: codes in order, `None` for rows that were in no one's way."""
    client = _client(CANCEL)

    with pytest.raises(ClientError) as caught:
        client.transact_write_items(TransactItems=[{"Put": PUT}] * 3)

    response = caught.value.response
    assert response["Error"]["Code"] == "TransactionCanceledException"
    assert "[ThrottlingError, None, None]" in response["Error"]["Message"]
    codes = [one["Code"] for one in response["CancellationReasons"]]
    assert codes == ["ThrottlingError", "None", "None"]


@pytest.mark.parametrize("kind", ["throttle", "refuse"])
def test_fault_says_the_code_that_it_is_given(kind: str) -> None:
    """A refusal can be any of the service's."""
    client = _client(WireFault(operation="PutItem", kind=kind, code="ResourceInUseException"))

    with pytest.raises(ClientError, match="ResourceInUseException"):
        client.put_item(**PUT)


@pytest.mark.parametrize(
    ("passed_seconds", "times", "is_on"),
    [(0.0, 0, False), (1.0, 0, True), (2.9, 1, True), (3.0, 0, False), (2.0, 2, False)],
)
def test_fault_is_on_for_a_while_and_some_times(
    passed_seconds: float, times: int, *, is_on: bool
) -> None:
    """From one second on, for two seconds, twice at most."""
    fault = WireFault(
        operation="PutItem", kind="break", after_seconds=1.0, for_seconds=2.0, times=2
    )

    assert fault.is_on(passed_seconds, times) == is_on


def test_fault_without_times_is_always_on() -> None:
    """It happens at once and for ever."""
    assert WireFault(operation="PutItem", kind="break").is_on(1e9, 1_000)


@pytest.mark.parametrize(
    ("function", "suffers"),
    [
        ("crier-BroadcastFunction-1", ["one"]),
        ("crier-ClientFrameFunction-1", ["two"]),
        ("crier-DisconnectFunction-1", []),
        ("crier-ConnectFunction-1", []),
    ],
)
def test_function_suffers_the_faults_that_name_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: str, suffers: list[str]
) -> None:
    """The broadcast function's, where a fault names none; no fault of other functions."""
    monkeypatch.setattr(Session, "create_client", Session.create_client)
    FaultFile(tmp_path).set(
        WireFault(operation="PutItem", kind="refuse", code="one"),
        WireFault(operation="PutItem", kind="refuse", code="two", function="ClientFrame"),
    )

    start(function, tmp_path)

    with pytest.raises((ClientError, EndpointConnectionError)) as caught:
        _plain_client().put_item(**PUT)
    errors = [caught.value] if isinstance(caught.value, ClientError) else []
    assert [one.response["Error"]["Code"] for one in errors] == suffers


def test_fault_file_gives_back_what_was_set(tmp_path: Path) -> None:
    """Reasons and times, too: JSON has lists where a fault has a tuple."""
    file = FaultFile(tmp_path)

    file.set(CANCEL)

    assert file.read() == [CANCEL]


def test_fault_file_reads_what_an_earlier_version_wrote(tmp_path: Path) -> None:
    """What it does not say is as usual."""
    path = tmp_path / "faults.json"
    path.write_text(json.dumps([{"operation": "PutItem", "kind": "break"}]))

    assert FaultFile(tmp_path).read() == [WireFault(operation="PutItem", kind="break")]


def test_fault_file_begins_a_fault_after_its_first_request(tmp_path: Path) -> None:
    """All processes count the time from the request that any of them made first."""
    late = WireFault(operation="PutItem", kind="break", after_seconds=3_600)
    soon = WireFault(operation="PutItem", kind="break", for_seconds=3_600)

    first, second = FaultFile(tmp_path), FaultFile(tmp_path)

    assert not first.may_happen(late)
    assert not second.may_happen(late)
    assert first.may_happen(soon)
    assert second.may_happen(soon)
    assert first.happened() == {"break": 2}
