"""Broadcasts to a channel, a user and listed connections, by the deployed functions."""

import asyncio
import json
import secrets
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from broadcasting.audience import row_key
from broadcasting.items import key_attributes
from crier.demo.clients import Client, close_clients, connect_clients
from crier.demo.run import connection_ids
from crier.deployed.deployment import Deployment
from crier.deployed.producer import enqueue
from crier.local.local_aws import LocalAws
from testbed.function.app import App, make_app
from testbed.stand_in.behaviour import Behaviour
from testbed.stand_in.behaviour_script import BehaviourScript
from testbed.stand_in.server import StandIn
from tests.support.function_logs import Logs
from tests.support.promises import expect_exact
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(120)


class Connected:
    """Clients that are connected, by their connections' ids, in the order of their coming."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self.clients: dict[str, Client] = {}

    async def connect(self, count: int) -> list[str]:
        """Connect clients one after another; return their ids."""
        ids = []
        for _ in range(count):
            before = set(connection_ids(self._deployment))
            (client,) = await connect_clients(self._deployment.web_socket_url, 1)
            (id_,) = set(connection_ids(self._deployment)) - before
            self.clients[id_] = client
            ids.append(id_)
        return ids

    def join(self, stream: str, *ids: str) -> None:
        """Write the rows by which broadcasts of a stream find connections."""
        client, table = self._deployment.client("dynamodb"), self._deployment.connections_table_name
        for id_ in ids:
            everyones = key_attributes(row_key("*", id_))
            row = client.get_item(TableName=table, Key=everyones)["Item"]
            own: Any = row | key_attributes(row_key(stream, id_))
            client.put_item(TableName=table, Item=own)

    def received(self) -> dict[str, list[tuple[str, int, Any]]]:
        """Return what each connection has received: channel, number, message."""
        return {
            id_: [
                (frame["channel"], frame["seq"], frame["message"])
                for frame in (json.loads(text) for _, text in client.frames)
            ]
            for id_, client in self.clients.items()
        }

    def received_all(self, wanted: Mapping[str, int]) -> dict[str, list[tuple[str, int, Any]]]:
        """Return what they have received, once it is as many as is wanted of each."""
        received = self.received()
        is_all = all(len(received[id_]) >= count for id_, count in wanted.items())
        return received if is_all else {}


async def _broadcast(deployment: Deployment, logs: Logs, **fields: Any) -> dict[str, Any]:
    """Broadcast; return the line that says what became of it."""
    broadcast_id = f"test-{secrets.token_hex(6)}"
    await asyncio.to_thread(enqueue, deployment, {"id": broadcast_id, **fields})
    (line,) = await until(lambda: logs.find(message="settled", broadcast_id=broadcast_id))
    return dict(line)


def _sums(line: dict[str, Any]) -> dict[str, int]:
    return {name: count for name, count in line["receipt"].items() if count}


async def test_each_audience_receives_what_is_meant_for_it(
    deployment: Deployment, logs: Logs
) -> None:
    """Frames name the channel, and each stream counts for itself; those left out receive none."""
    connected = Connected(deployment)
    ids = await connected.connect(4)
    first, second, third, fourth = ids
    news, user = f"news-{secrets.token_hex(4)}", f"alice#{secrets.token_hex(4)}"
    connected.join(news, first, second, third)
    connected.join(f"user#{user}", second, fourth)

    to_news = await _broadcast(deployment, logs, message="n1", channel=news, exclude=[third, "x="])
    to_user = await _broadcast(deployment, logs, message="u1", user=user)
    to_list = await _broadcast(
        deployment,
        logs,
        message="c1",
        connections=[first, "absent=", fourth, second, first],
        exclude=[fourth],
    )
    again = await _broadcast(deployment, logs, message="n2", channel=news, exclude=[])
    nobody = await _broadcast(deployment, logs, message="n3", channel=news, exclude=ids)
    absent = await _broadcast(deployment, logs, message="c2", connections=["a=", "b="])
    wanted = {first: 3, second: 4, third: 1, fourth: 1}
    received = await until(lambda: connected.received_all(wanted))
    await close_clients(list(connected.clients.values()))

    listed = to_list["seq"]
    assert received == {
        first: [(news, 1, "n1"), ("!", listed, "c1"), (news, 2, "n2")],
        second: [(news, 1, "n1"), ("@", 1, "u1"), ("!", listed, "c1"), (news, 2, "n2")],
        third: [(news, 2, "n2")],
        fourth: [("@", 1, "u1")],
    }
    assert _sums(to_news) == {"targeted": 2, "delivered": 2, "excluded": 1}
    assert _sums(to_user) == {"targeted": 2, "delivered": 2}
    assert _sums(to_list) == {"targeted": 3, "delivered": 2, "gone": 1, "excluded": 1}
    assert _sums(again) == {"targeted": 3, "delivered": 3}
    assert _sums(nobody) == {"excluded": 3}
    assert _sums(absent) == {"targeted": 2, "gone": 2}
    assert [line["channel"] for line in (to_news, to_user, to_list)] == [news, f"user#{user}", "!"]
    assert (nobody["seq"], absent["seq"]) == (3, listed + 1)


@pytest.fixture
def app(local_aws: LocalAws, monkeypatch: pytest.MonkeyPatch) -> Iterator[App]:
    """The function's code in this process, whose requests are counted, and a stand-in."""
    made = make_app(local_aws)
    script = BehaviourScript(Behaviour(latency_median_seconds=0.005))
    with StandIn(script, tls=None) as one, made.log, made.resources:
        environment = {**local_aws.endpoint.environment, **made.environment(one.url)}
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        yield made


def _dynamodb_requests(app: App) -> int:
    return app.wire.attempts() - app.wire.attempts("SendMessage")


@pytest.mark.parametrize(
    ("who", "most"),
    [
        ({"channel": "news"}, 12),
        ({"user": "alice"}, 9),
        ({"connections": ["a=", "b=", "c="]}, 9),
    ],
)
def test_broadcast_to_three_takes_few_requests(app: App, who: dict[str, Any], most: int) -> None:
    """The counter of the stream is there; the reservation of posts is counted, too."""
    ids = ["a=", "b=", "c="]
    app.connect_as(ids)
    for stream in ("news", "user#alice"):
        app.join(stream, ids)
    app.send(**who)
    app.run()
    app.wire.forget()

    broadcast_id = app.send(**who, exclude=["c="])
    app.run()

    account = app.account(broadcast_id)
    expect_exact(account)
    assert (account.counts.delivered, account.counts.excluded) == (2, 1)
    assert 6 <= _dynamodb_requests(app) <= most, app.wire.calls


def test_broadcast_to_everyone_of_3000_takes_26_requests(app: App) -> None:
    """As many as before there were other audiences; those left out cost none."""
    app.connect(3_000)
    left_out = sorted(app.rows())[:1_000]
    app.send(ttlSeconds=60)
    app.run()

    for exclude in ([], left_out):
        app.wire.forget()
        broadcast_id = app.send(exclude=exclude)
        app.run()

        account = app.account(broadcast_id)
        expect_exact(account)
        assert (account.counts.delivered, account.counts.excluded) == (
            3_000 - len(exclude),
            len(exclude),
        )
        assert 20 <= _dynamodb_requests(app) <= 26, app.wire.calls
