"""What clients ask for on the local AWS, by the deployed functions: the protocol `crier.v1`."""

import asyncio
import json
import secrets
import time
from collections.abc import Callable
from functools import partial
from typing import Any, cast

import pytest
from botocore.session import Session

from broadcasting.counter_items import LAST
from broadcasting.items import Key, attribute_of, key_attributes
from broadcasting.ledger_items import counter_key, key_of, to_item
from broadcasting.ledger_rows import FrameRow
from broadcasting.numbering import mark_key
from client_frame_wiring import ClientFrameWiring, build_client_frames
from crier.deployed.deployment import Deployment
from crier.deployed.producer import enqueue
from handlers.client_frame import respond
from settings import ClientFrameSettings
from storage.stream_counters import StreamCounters
from system_clock import SYSTEM_CLOCK
from tests.support.function_logs import Logs
from tests.support.speaking_client import speaking
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(180)
MORE_THAN_A_PING_MS = 150


@pytest.fixture
def news() -> str:
    """A channel that no other test has."""
    return f"news-{secrets.token_hex(4)}"


@pytest.fixture
def broadcast(deployment: Deployment, logs: Logs) -> Callable[..., Any]:
    """Broadcasts, and waits until it has settled."""

    async def send(message: Any, id_: str | None = None, **audience: Any) -> None:
        id_ = id_ or secrets.token_hex(8)
        body = {"id": id_, "message": message, **audience}
        await asyncio.to_thread(enqueue, deployment, body)
        await until(lambda: logs.find(message="settled", broadcast_id=id_))

    return send


def _rows(deployment: Deployment, connection_id: str) -> set[Key]:
    pages = (
        deployment.client("dynamodb")
        .get_paginator("scan")
        .paginate(TableName=deployment.connections_table_name, ConsistentRead=True)
    )
    keys = [(item["pk"]["S"], item["sk"]["S"]) for page in pages for item in page["Items"]]
    return {key for key in keys if connection_id in "".join(key)}


async def test_client_asks_for_all_that_there_is(
    deployment: Deployment, broadcast: Callable[..., Any], news: str
) -> None:
    """Join, subscribe, a broadcast to the channel, unsubscribe, replay, ping; no row stays."""
    async with speaking(deployment.web_socket_url) as client:
        joined = await client.ask("join", at={"*": None, news: None})
        own = joined["connectionId"]
        here = joined["channels"][news]
        await broadcast("one", channel=news)
        frame = await client.frame(1, news)
        pong = await client.ask("ping", at={news: 0})
        missed = await client.ask("replay", channel=news, epoch=here["epoch"], from_=0)
        left = await client.ask("unsubscribe", channels=[news])
        await broadcast("two", channel=news)
        again = await client.ask("subscribe", at={news: {"seq": 1, "epoch": here["epoch"]}})
        rows = await asyncio.to_thread(_rows, deployment, own)

    assert (joined["type"], here["seq"], here["frames"]) == ("joined", 0, [])
    assert 7_000_000 < joined["renewInMs"] <= 7_200_000
    assert (frame["message"], frame["channel"]) == ("one", news)
    assert pong["at"] == {news: 1}
    assert (missed["type"], missed["frames"], missed["to"]) == ("replay", [frame], 1)
    assert (left["type"], left["channels"]) == ("unsubscribed", [news])
    assert client.seqs(news) == [1]
    assert [one["message"] for one in again["channels"][news]["frames"]] == ["two"]
    assert len(rows) == 3
    await until(lambda: not _rows(deployment, own))


async def test_client_that_comes_back_has_all_that_it_missed(
    deployment: Deployment, broadcast: Callable[..., Any], news: str
) -> None:
    """In order, once; but for what its earlier connection has sent."""
    async with speaking(deployment.web_socket_url) as client:
        joined = await client.ask("join", at={news: None})
        epoch = joined["channels"][news]["epoch"]
        await broadcast("a", channel=news)
        await client.frame(1, news)
    await until(lambda: not _rows(deployment, joined["connectionId"]))
    await broadcast("b", channel=news)
    await broadcast("c", channel=news, exclude=[joined["connectionId"]])
    await broadcast("d", channel=news)

    async with speaking(deployment.web_socket_url) as client:
        back = await client.ask(
            "join", at={news: {"seq": 1, "epoch": epoch}}, was=[joined["connectionId"]]
        )

    position = back["channels"][news]
    assert [one["message"] for one in position["frames"]] == ["b", "d"]
    assert (position["from"], position["to"], position["seq"]) == (1, 4, 4)


async def test_clients_learn_the_epoch_of_a_counter_that_was_deleted(
    deployment: Deployment, broadcast: Callable[..., Any], news: str
) -> None:
    """Numbers go on, and what was missed before is lost."""
    async with speaking(deployment.web_socket_url) as client:
        joined = await client.ask("join", at={news: None})
        epoch = joined["channels"][news]["epoch"]
        await broadcast("a", channel=news)
        deployment.client("dynamodb").delete_item(
            TableName=deployment.ledger_table_name, Key=key_attributes(counter_key(news))
        )
        await broadcast("b", channel=news)
        await client.frame(2, news)
        lost = await client.ask("replay", channel=news, epoch=epoch, from_=1)
        found = await client.ask("replay", channel=news, epoch=lost["epoch"], from_=lost["to"])

    assert lost["lost"] == {"from": 1, "to": 2, "reason": "epoch"}
    assert lost["epoch"] != epoch
    assert (found["to"], found["frames"], found.get("lost")) == (2, [], None)


async def test_frames_that_are_wrong_are_answered_with_what_was_expected(
    deployment: Deployment, news: str
) -> None:
    """And nothing is written; the connection stays."""
    names = [f"{news}-{number}" for number in range(51)]
    asked: list[tuple[str, dict[str, Any], str]] = [
        ("fly", {}, "unknown-action"),
        ("join", {}, "bad-frame"),
        ("join", {"at": {"*": {"seq": -1, "epoch": ""}}}, "bad-frame"),
        ("join", {"at": {"x" * 65: None}}, "bad-channel"),
        ("join", {"at": {"@bob": None}}, "bad-channel"),
        ("join", {"at": {"@": None}}, "not-allowed"),
        ("subscribe", {"at": dict.fromkeys(names)}, "too-many-channels"),
        ("replay", {"channel": "*", "epoch": "", "from_": -1}, "bad-frame"),
    ]
    async with speaking(deployment.web_socket_url) as client:
        for action, keys, code in asked:
            answer = await client.ask(action, **keys)
            assert (answer["type"], answer["code"], answer["retry"]) == ("error", code, False)
            assert "expected" in answer["message"] or "not" in answer["message"]
        for body in ("hello?", "", "[]", '{"action": "ping"', json.dumps(["x"] * 4_000)):
            assert (await client.tell(body))["code"] == "bad-frame"
        future = await client.ask("replay", channel="*", epoch="none", from_=10**6)
        pong = await client.ask("ping")

    assert future["lost"]["reason"] == "epoch"
    assert pong["at"] == {}
    assert _rows(deployment, news) == set()


async def test_connection_has_50_channels_at_most(deployment: Deployment, news: str) -> None:
    """The real DynamoDB compares the number of names; a full one may ask for the same again."""
    names = [f"{news}-{number:02}" for number in range(51)]
    async with speaking(deployment.web_socket_url) as client:
        for first in (0, 25):
            answer = await client.ask("subscribe", at=dict.fromkeys(names[first : first + 25]))
            assert answer["type"] == "subscribed"
        refused = await client.ask("subscribe", at={names[50]: None})
        again = await client.ask("subscribe", at=dict.fromkeys(names[10:35]))
        await client.ask("unsubscribe", channels=names[:25])
        fits = await client.ask("subscribe", at={names[50]: None})

    assert (refused["code"], again["type"]) == ("too-many-channels", "subscribed")
    assert fits["type"] == "subscribed"
    await until(lambda: not _rows(deployment, news))


async def test_client_whose_row_is_gone_is_told_so_and_leaves_no_row(
    deployment: Deployment, news: str
) -> None:
    """As after a disconnect that came first."""
    async with speaking(deployment.web_socket_url) as client:
        joined = await client.ask("join", at={"*": None})
        (key,) = _rows(deployment, joined["connectionId"])
        deployment.client("dynamodb").delete_item(
            TableName=deployment.connections_table_name, Key=key_attributes(key)
        )
        answer = await client.ask("subscribe", at={news: None})

    assert answer["code"] == "gone"
    assert _rows(deployment, joined["connectionId"]) == set()


def _settings(deployment: Deployment) -> ClientFrameSettings:
    return ClientFrameSettings(
        deployment.connections_table_name, deployment.ledger_table_name, 86_400, 300, ("*",)
    )


class _Endpoint(Session):
    """A session of the local AWS, which does something before a client's request is sent."""

    def __init__(self, deployment: Deployment, moment: str, act: Callable[[], object]) -> None:
        super().__init__()
        self._url = deployment.endpoint_url
        found = cast("Any", deployment.session.get_credentials())
        self.set_credentials(found.access_key, found.secret_key)
        self.set_config_variable("region", deployment.session.region_name)
        self._moment, self._act = moment, act

    def create_client(self, *arguments: Any, **options: Any) -> Any:
        """Create a client of the local AWS."""
        client = super().create_client(*arguments, **(options | {"endpoint_url": self._url}))
        client.meta.events.register("before-send", cast("Any", self._hold))
        return client

    def _hold(self, request: Any, **_: object) -> None:
        if request.headers["X-Amz-Target"].decode().endswith(self._moment):
            act, self._act = self._act, lambda: None
            act()


def _subscribe(wired: ClientFrameWiring, connection_id: str, at: dict[str, Any]) -> Any:
    """Have the function, in this process, answer a subscribe."""
    event = {
        "requestContext": {
            "eventType": "MESSAGE",
            "connectionId": connection_id,
            "connectedAt": int(time.time() * 1000),
        },
        "body": json.dumps({"action": "subscribe", "at": at}),
    }
    return json.loads(respond(event, lambda: wired)["body"])["channels"]


@pytest.mark.parametrize(
    ("held", "comes_as_post"),
    [("UpdateItem", False), ("BatchWriteItem", False), ("BatchGetItem", True), ("Query", True)],
    ids=["names", "rows", "counter", "frames"],
)
async def test_broadcast_while_a_subscribe_is_held_up_is_missed_by_none(
    deployment: Deployment,
    broadcast: Callable[..., Any],
    news: str,
    held: str,
    *,
    comes_as_post: bool,
) -> None:
    """Before the rows are written it is in the answer; after that it comes as a post."""
    loop = asyncio.get_running_loop()
    async with speaking(deployment.web_socket_url) as client:
        joined = await client.ask("join", at={"*": None})
        own = joined["connectionId"]
        await broadcast("before", channel=news)
        first = _settings(deployment)
        wired = build_client_frames(
            first, _Endpoint(deployment, "none", lambda: None), SYSTEM_CLOCK
        )
        epoch = (await asyncio.to_thread(_subscribe, wired, own, {news: None}))[news]["epoch"]
        await client.ask("unsubscribe", channels=[news])

        def broadcast_now() -> None:
            sent = broadcast("meanwhile", channel=news)
            asyncio.run_coroutine_threadsafe(sent, loop).result(60)

        session = _Endpoint(deployment, held, broadcast_now)
        wired = build_client_frames(first, session, SYSTEM_CLOCK)
        since = {"seq": 0, "epoch": epoch}
        position = (await asyncio.to_thread(_subscribe, wired, own, {news: since}))[news]
        answered = [frame["seq"] for frame in position["frames"]]
        if comes_as_post:
            await client.frame(2, news)
        await client.ask("ping")

    assert position["seq"] == (1 if held == "Query" else 2)
    assert answered == ([1] if held == "Query" else [1, 2])
    assert client.seqs(news) == ([2] if comes_as_post else [])


async def test_broadcast_that_is_held_up_comes_as_a_post(
    deployment: Deployment, broadcast: Callable[..., Any], news: str
) -> None:
    """Its worker had a number, and no rows yet, when the client subscribed."""
    counters = StreamCounters(
        deployment.client("dynamodb"), deployment.ledger_table_name, clock=SYSTEM_CLOCK
    )
    await broadcast("before", channel=news)
    id_ = secrets.token_hex(8)
    taken = await asyncio.to_thread(counters.take, news, mark_key(id_))
    async with speaking(deployment.web_socket_url) as client:
        joined = await client.ask("join", at={news: {"last": 5}})
        await broadcast("held up", id_, channel=news)
        frame = await client.frame(2, news)
        later = await client.ask(
            "replay", channel=news, epoch=joined["channels"][news]["epoch"], from_=1
        )

    position = joined["channels"][news]
    assert taken.number.seq == 2
    assert (position["seq"], position["to"], len(position["frames"])) == (1, 1, 1)
    assert frame["message"] == "held up"
    assert later["frames"] == [frame]


async def test_join_with_many_missed_frames_is_quick(deployment: Deployment, news: str) -> None:
    """Everyone's and ten channels, 100 frames missed that no function has read before.

    It takes at most 150 ms more than a ping. The quickest of each are compared, as other tests may
    use the machine meanwhile.
    """
    pings, joins = [], []
    async with speaking(deployment.web_socket_url) as client:
        for round_ in range(5):
            names = [f"{news}-{round_}-{number}" for number in range(10)]
            fresh = await client.ask("join", at={"*": None, **dict.fromkeys(names)})
            epochs = {name: fresh["channels"][name]["epoch"] for name in names}
            await asyncio.to_thread(_write_frames, deployment, epochs)
            at = {name: {"seq": 0, "epoch": epoch} for name, epoch in epochs.items()}
            at["*"] = {key: fresh["channels"]["*"][key] for key in ("seq", "epoch")}
            pings.append(await _milliseconds(partial(client.ask, "ping", at={"*": 0})))
            joins.append(await _milliseconds(partial(client.ask, "join", at=at)))
            missed = await client.ask("join", at=at)
            assert [len(missed["channels"][name]["frames"]) for name in names] == [10] * 10
            await client.ask("unsubscribe", channels=names)

    assert min(joins) - min(pings) <= MORE_THAN_A_PING_MS


def _write_frames(deployment: Deployment, epochs: dict[str, str]) -> None:
    """Write ten frames of each channel, as broadcasts do that settle before a client looks."""
    client, table = deployment.client("dynamodb"), deployment.ledger_table_name
    until_ms = int(time.time() * 1000) + 600_000
    for name, epoch in epochs.items():
        rows = [
            FrameRow(name, number, f'{{"seq":{number}}}', 1, epoch, replay_until_ms=until_ms)
            for number in range(1, 11)
        ]
        puts = [
            {"PutRequest": {"Item": to_item(row) | key_attributes(key_of(row))}} for row in rows
        ]
        client.batch_write_item(RequestItems={table: puts})
        client.update_item(
            TableName=table,
            Key=key_attributes(counter_key(name)),
            UpdateExpression="SET #last = :last",
            ExpressionAttributeNames={"#last": LAST},
            ExpressionAttributeValues={":last": attribute_of(10)},
        )


async def _milliseconds(ask: Callable[[], Any]) -> float:
    began = time.perf_counter()
    await ask()
    return (time.perf_counter() - began) * 1000


async def test_nothing_stays_after_clients_have_come_and_gone(
    deployment: Deployment, news: str
) -> None:
    """Subscribed, unsubscribed, closed in the middle: rows are those of who is connected."""

    async def come_and_go(number: int) -> str:
        names = [f"{news}-{number}-{one}" for one in range(5)]
        async with speaking(deployment.web_socket_url) as client:
            joined = await client.ask("join", at=dict.fromkeys(names))
            await client.ask("unsubscribe", channels=names[: number % 4 + 1])
            if number % 3 == 0:  # its last request is not waited for
                await client.socket.send(json.dumps({"action": "subscribe", "at": {news: None}}))
            return str(joined["connectionId"])

    ids = await asyncio.gather(*map(come_and_go, range(12)))

    def left() -> dict[str, set[Key]]:
        found = {one: _rows(deployment, one) for one in ids}
        return {one: rows for one, rows in found.items() if rows}

    await until(lambda: not left())
