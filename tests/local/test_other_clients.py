"""Clients written by others, on the local AWS: they are given the URL, and know nothing of ours."""

import asyncio
import json
import secrets
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from typer.testing import Result

from crier.demo.run import connection_ids
from crier.deployed.deployment import Deployment
from crier.deployed.producer import enqueue
from tests.support.function_logs import Logs
from tests.support.other_client import ALL, RECONNECTING, OtherClient, running
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(120)

MESSAGE = {"text": "Oyez! ✓ <b>😀</b>", "n": [1, 2.5, None], "type": "no answer"}
AS_JSON = '{"text":"Oyez! ✓ <b>😀</b>","n":[1,2.5,null],"type":"no answer"}'


@pytest.fixture
def news() -> str:
    """A channel that no other test has."""
    return f"news-{secrets.token_hex(4)}"


async def _broadcast(deployment: Deployment, **audience: str) -> str:
    id_ = f"test-{secrets.token_hex(6)}"
    body = {"id": id_, "message": MESSAGE, **audience}
    await asyncio.to_thread(enqueue, deployment, body)
    return id_


async def _broadcast_and_settle(deployment: Deployment, logs: Logs, **audience: str) -> str:
    """Broadcast, and return when it has come to all that it is for."""
    id_ = await _broadcast(deployment, **audience)
    await until(lambda: logs.find(message="settled", broadcast_id=id_))
    return id_


async def _hear_frame(client: OtherClient, id_: str) -> tuple[str, dict[str, Any]]:
    """Return the frame of a broadcast, as text and as what the text says."""
    text = await client.hear(lambda text: id_ in text)
    frame: dict[str, Any] = json.loads(text)
    return text, frame


async def _ask(client: OtherClient, action: str, **keys: Any) -> dict[str, Any]:
    """Send a request, and return its answer."""
    ref = secrets.token_hex(4)
    client.say(json.dumps({"action": action, "ref": ref, **keys}))
    answer: dict[str, Any] = json.loads(await client.hear(lambda text: ref in text))
    return answer


async def _connected(deployment: Deployment, *, but: str = "") -> str:
    """Return the id of the only connection, once it is another one than `but`."""
    (id_,) = await until(lambda: connection_ids(deployment) - {but})
    return id_


def _text_of(frame: dict[str, Any]) -> str:
    return (
        f'{{"id":"{frame["id"]}","seq":{frame["seq"]},"channel":"{frame["channel"]}",'
        f'"message":{AS_JSON},"sentAt":{frame["sentAt"]}}}'
    )


@pytest.mark.parametrize("command", ALL.values(), ids=ALL)
async def test_client_of_others_receives_the_frames_of_everyone_as_they_are(
    deployment: Deployment, command: Sequence[str]
) -> None:
    """The URL is enough: it sends nothing, and is sent nothing else."""
    async with running(command, deployment.web_socket_url) as client:
        await _connected(deployment)
        frames = [await _hear_frame(client, await _broadcast(deployment)) for _ in range(2)]

    assert [frame["channel"] for _, frame in frames] == ["*", "*"]
    assert all(frame["message"] == MESSAGE for _, frame in frames)
    assert [text for text, _ in frames] == [_text_of(frame) for _, frame in frames]
    assert client.texts == [text for text, _ in frames]


@pytest.mark.parametrize("command", ALL.values(), ids=ALL)
async def test_client_of_others_is_answered_and_has_the_channel_that_it_asks_for(
    deployment: Deployment, logs: Logs, command: Sequence[str], news: str
) -> None:
    """Frames of the protocol that are written by hand do; without them there is no channel."""
    async with running(command, deployment.web_socket_url) as client:
        own = await _connected(deployment)
        unheard = await _broadcast_and_settle(deployment, logs, channel=news)
        joined = await _ask(client, "join", at={"*": None})
        subscribed = await _ask(client, "subscribe", at={news: None})
        id_ = await _broadcast(deployment, channel=news)
        text, frame = await _hear_frame(client, id_)

    assert (joined["type"], joined["connectionId"]) == ("joined", own)
    assert (subscribed["type"], list(subscribed["channels"])) == ("subscribed", [news])
    assert frame["channel"] == news
    assert text == _text_of(frame)
    assert not any(unheard in one for one in client.texts)


@pytest.mark.parametrize("command", RECONNECTING.values(), ids=RECONNECTING)
async def test_client_of_others_comes_back_after_a_kick(
    deployment: Deployment, run_crier: Callable[..., Result], command: Sequence[str]
) -> None:
    """By itself, to the same URL; the bye before is a text that it does not know."""
    async with running(command, deployment.web_socket_url) as client:
        before = await _connected(deployment)
        kicked = await asyncio.to_thread(run_crier, "kick", before, "--code", "moved")
        bye = json.loads(await client.hear(lambda text: "bye" in text))
        after = await _connected(deployment, but=before)
        id_ = await _broadcast(deployment)
        text, frame = await _hear_frame(client, id_)

    assert (kicked.exit_code, kicked.stdout) == (0, "1 kicked, 0 gone already, 0 failed\n")
    assert (bye["type"], bye["code"]) == ("bye", "moved")
    assert after != before
    assert text == _text_of(frame)


@pytest.mark.parametrize("command", RECONNECTING.values(), ids=RECONNECTING)
async def test_client_of_others_comes_back_when_the_server_closes_without_a_word(
    deployment: Deployment, logs: Logs, command: Sequence[str], news: str
) -> None:
    """It is not subscribed any more: what it asked for was of the connection that ended."""
    api = deployment.callback_client()
    async with running(command, deployment.web_socket_url) as client:
        before = await _connected(deployment)
        await _ask(client, "subscribe", at={news: None})
        await asyncio.to_thread(api.delete_connection, ConnectionId=before)
        await _connected(deployment, but=before)
        unheard = await _broadcast_and_settle(deployment, logs, channel=news)
        rejoined = await _ask(client, "join", at={"*": None})
        id_ = await _broadcast(deployment)
        text, frame = await _hear_frame(client, id_)

    assert rejoined["connectionId"] != before
    assert text == _text_of(frame)
    assert not any(unheard in one for one in client.texts)
