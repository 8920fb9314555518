"""Old connections of boto3's clients, with real clients and sockets."""

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, cast

import pytest

import wiring
from authorizer_wiring import build_authorizer
from settings import AuthorizerSettings, ConnectionSettings
from storage.door_table import DOOR_CONFIG
from storage.idle_connections import close_when_idle
from tests.support.authorizing import DENY_LIST, PUBLIC_KEYS
from tests.support.forgetful_dynamo import ForgetfulDynamo

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


def _read(client: "DynamoDBClient", times: int, *, at_once: int = 4) -> int:
    """Read an item a number of times; return how many retries that took."""

    def read(_: int) -> int:
        answer = client.get_item(TableName="t", Key={"pk": {"S": "a"}, "sk": {"S": "b"}})
        return answer["ResponseMetadata"]["RetryAttempts"]

    with ThreadPoolExecutor(at_once) as threads:
        return sum(threads.map(read, range(times)))


def test_client_takes_no_retry_after_a_freeze() -> None:
    """16 reads, four at a time, none of them on a connection from before."""
    dynamo = ForgetfulDynamo()
    with dynamo.client(wiring._STORAGE_CONFIG) as client:
        close_when_idle(client, dynamo.time.clock)
        _read(client, 16)
        dynamo.freeze(60.0)

        retries = _read(client, 16)

    assert (retries, dynamo.resets) == (0, [])
    assert dynamo.answered == ["GetItem"] * 32


@pytest.mark.parametrize(("idle_seconds", "opened"), [(50.0, 1), (50.1, 2), (-0.1, 2)])
def test_client_opens_a_new_connection_when_the_old_one_is_old(
    idle_seconds: float, opened: int
) -> None:
    """The epoch clock tells; when that is set back, the age is not known."""
    dynamo = ForgetfulDynamo()
    with dynamo.client(wiring._STORAGE_CONFIG) as client:
        close_when_idle(client, dynamo.time.clock)
        _read(client, 3, at_once=1)
        dynamo.time.freeze(idle_seconds)
        _read(client, 3, at_once=1)

        assert dynamo.opened == opened


def test_client_that_is_used_now_and_then_keeps_its_connection() -> None:
    """The last use counts."""
    dynamo = ForgetfulDynamo()
    with dynamo.client(wiring._STORAGE_CONFIG) as client:
        close_when_idle(client, dynamo.time.clock)
        for _ in range(5):
            _read(client, 1)
            dynamo.time.freeze(40.0)

        assert dynamo.opened == 1


class _Session:
    """A session of botocore whose clients are all at one place."""

    def __init__(self, client: "DynamoDBClient") -> None:
        self._client = client

    def create_client(self, *_: object, **__: object) -> "DynamoDBClient":
        return self._client

    def user_agent(self) -> str:
        return "agent"


def test_wired_table_opens_new_connections_after_a_freeze() -> None:
    """The connect function's first write after a pause meets no old connection."""
    dynamo = ForgetfulDynamo()
    with dynamo.client(wiring._STORAGE_CONFIG) as client:
        table = wiring.build_connections_table(
            ConnectionSettings("t"), cast("Any", _Session(client)), dynamo.time.clock
        )
        table.remove("a")
        dynamo.freeze(60.0)
        table.remove("b")

    assert (dynamo.answered, dynamo.resets) == (["DeleteItem"] * 4, [])


def test_wired_authorizer_opens_new_connections_after_a_freeze() -> None:
    """The first client after a pause waits for no old connection."""
    dynamo = ForgetfulDynamo()
    settings = AuthorizerSettings.read(PUBLIC_KEYS | DENY_LIST)
    with dynamo.client(DOOR_CONFIG) as client:
        wired = build_authorizer(settings, lambda: cast("Any", _Session(client)), dynamo.time.clock)
        find_denial = wired.admission.find_denial
        assert find_denial
        denials = [find_denial("a")]
        dynamo.freeze(60.0)
        denials.append(find_denial("b"))

    assert denials == [None, None]
    assert (dynamo.answered, dynamo.resets) == (["GetItem"] * 2, [])
