"""The deployed app, used as its users do: real clients, a real queue, the real functions."""

import asyncio
import json
import os
import secrets
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import pytest

from crier.demo.clients import Client, close_clients, connect_clients
from crier.demo.run import add_ghosts, connection_ids
from crier.deployed.deployment import Deployment
from crier.deployed.producer import enqueue
from crier.paths import ROOT
from tests.support.function_logs import Logs
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(120)


async def _broadcast(deployment: Deployment, message: Any) -> str:
    broadcast_id = f"test-{secrets.token_hex(6)}"
    await asyncio.to_thread(enqueue, deployment, {"id": broadcast_id, "message": message})
    return broadcast_id


async def _settled(logs: Logs, broadcast_id: str) -> dict[str, Any]:
    lines = await until(lambda: logs.find(message="settled", broadcast_id=broadcast_id))
    receipt: dict[str, Any] = lines[0]["receipt"]
    return receipt


async def _all_received(clients: list[Client]) -> list[Any]:
    async with asyncio.timeout(30):
        for client in clients:
            await client.has_frame.wait()
    return [json.loads(client.frames[0][1]) for client in clients]


async def test_broadcast_reaches_every_client_once(deployment: Deployment, logs: Logs) -> None:
    """Each connected client receives the frame of the contract exactly once."""
    clients = await connect_clients(deployment.web_socket_url, 20)
    message = {"text": "Oyez! ✓", "n": [1, 2.5, None]}

    broadcast_id = await _broadcast(deployment, message)
    frames = await _all_received(clients)
    receipt = await _settled(logs, broadcast_id)
    await close_clients(clients)

    assert [len(client.frames) for client in clients] == [1] * 20
    assert {frame["id"] for frame in frames} == {broadcast_id}
    assert all(frame["message"] == message and frame["channel"] == "*" for frame in frames)
    assert abs(frames[0]["sentAt"] / 1000 - time.time()) < 60
    assert (receipt["targeted"], receipt["delivered"]) == (20, 20)


async def test_disconnect_removes_the_row(deployment: Deployment) -> None:
    """A client that closes leaves no row behind."""
    clients = await connect_clients(deployment.web_socket_url, 2)
    assert len(connection_ids(deployment)) == 2

    await clients[0].close()

    await until(lambda: len(connection_ids(deployment)) == 1)
    await close_clients(clients[1:])


async def test_broadcast_survives_a_client_that_vanishes(deployment: Deployment) -> None:
    """A client that is cut off without a close frame costs no other client the message."""
    clients = await connect_clients(deployment.web_socket_url, 3)

    await clients[0].vanish()
    broadcast_id = await _broadcast(deployment, "still here?")
    frames = await _all_received(clients[1:])

    assert {frame["id"] for frame in frames} == {broadcast_id}
    await until(lambda: len(connection_ids(deployment)) == 2)
    await close_clients(clients[1:])


async def test_broadcast_cleans_up_stale_rows_and_no_other(
    deployment: Deployment, logs: Logs
) -> None:
    """Rows whose `$disconnect` never came are deleted, more than one batch of them."""
    clients = await connect_clients(deployment.web_socket_url, 3)
    live = connection_ids(deployment)
    await add_ghosts(deployment, 60, lambda: None)

    receipt = await _settled(logs, await _broadcast(deployment, "boo"))

    assert (receipt["targeted"], receipt["delivered"], receipt["gone"]) == (63, 3, 60)
    assert connection_ids(deployment) == live
    await close_clients(clients)


async def test_broadcast_spares_young_rows(deployment: Deployment, logs: Logs) -> None:
    """A 410 from a connection younger than a minute hands it over instead of deleting its row."""
    await add_ghosts(deployment, 2, lambda: None, age_seconds=0)

    broadcast_id = await _broadcast(deployment, "too early")
    lines = await until(lambda: logs.find(message="slice handed over", broadcast_id=broadcast_id))

    assert (lines[0]["pending"], lines[0]["counts"]["gone"]) == (2, 0)
    assert len(connection_ids(deployment)) == 2


async def test_poison_message_reaches_the_dead_letter_queue_with_its_reason(
    deployment: Deployment,
) -> None:
    """A body that breaks the contract is kept as it came, with the reason as an attribute."""
    sqs = deployment.client("sqs")
    body = '{"mesage": "a typo"}'

    sqs.send_message(QueueUrl=deployment.broadcast_queue_url, MessageBody=body)
    messages = await until(
        lambda: sqs.receive_message(
            QueueUrl=deployment.dead_letter_queue_url, MessageAttributeNames=["All"]
        ).get("Messages")
    )

    assert messages[0]["Body"] == body
    reason = messages[0]["MessageAttributes"]["crier.reason"]["StringValue"]
    assert reason.startswith('unknown key "mesage": allowed are message, id')


async def test_two_broadcasts_at_once_both_reach_all_clients(
    deployment: Deployment, logs: Logs
) -> None:
    """Two broadcasts neither mix nor hold each other up."""
    clients = await connect_clients(deployment.web_socket_url, 10)

    ids = await asyncio.gather(*(_broadcast(deployment, text) for text in ("one", "two")))
    receipts = await asyncio.gather(*(_settled(logs, broadcast_id) for broadcast_id in ids))
    await asyncio.sleep(0.5)

    assert [receipt["delivered"] for receipt in receipts] == [10, 10]
    for client in clients:
        assert {json.loads(frame)["id"] for _, frame in client.frames} == set(ids)
        assert len(client.frames) == 2
    await close_clients(clients)


async def test_text_that_is_no_request_is_answered_with_an_error(deployment: Deployment) -> None:
    """A client that talks is told what was expected."""
    clients = await connect_clients(deployment.web_socket_url, 1)

    await clients[0].socket.send("hello?")
    (answer,) = await _all_received(clients)

    assert (answer["type"], answer["code"]) == ("error", "bad-frame")
    assert "expected an object with an action" in answer["message"]
    await close_clients(clients)


async def test_wscat_receives_what_the_aws_cli_enqueues(
    deployment: Deployment,
    printed: Mapping[str, str],
    bare_environment: Mapping[str, str],
    shell: Callable[[str], Any],
) -> None:
    """The commands that the local run prints work as they are: wscat from npm, and the AWS CLI."""
    wscat = await asyncio.create_subprocess_shell(
        printed["Connect"],
        cwd=ROOT,
        env=bare_environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,  # the shell starts Node's wheel, which starts Node: all are to end
    )
    try:
        await until(lambda: connection_ids(deployment))
        broadcast = printed["Broadcast with the AWS CLI (`make aws-cli` installs it)"]
        await asyncio.to_thread(shell, broadcast)
        assert wscat.stdout is not None
        seen = b""
        async with asyncio.timeout(30):
            while b"Hear ye!" not in seen:
                chunk = await wscat.stdout.read(1000)
                assert chunk, f"wscat ended: {seen!r}"
                seen += chunk
    finally:
        with suppress(ProcessLookupError):
            os.killpg(wscat.pid, signal.SIGKILL)
        await wscat.communicate()


async def test_aws_cli_shows_what_was_rejected(
    deployment: Deployment, printed: Mapping[str, str], shell: Callable[[str], Any]
) -> None:
    """The printed command that reads the dead-letter queue works as it is, and shows reasons."""
    await asyncio.to_thread(enqueue, deployment, {"message": 1, "usr": "u"})

    seen = await until(
        lambda: [
            letter["MessageAttributes"]["crier.reason"]["StringValue"]
            for letter in shell(printed["List what was rejected with the AWS CLI"]).get(
                "Messages", []
            )
            if letter["Body"] == '{"message": 1, "usr": "u"}'
        ]
    )

    assert seen[0].startswith('unknown key "usr"')


async def test_python_of_the_documents_enqueues(
    deployment: Deployment, logs: Logs, bare_environment: Mapping[str, str]
) -> None:
    """The Python for the local run works as it is, with its URLs filled in."""
    assert deployment.endpoint_url is not None
    page = (ROOT / "docs" / "user" / "getting-started.md").read_text()
    block = page.split("```python\n")[1].split("```")[0]
    code = block.replace("http://127.0.0.1:PORT", deployment.endpoint_url)
    code = code.replace("…", deployment.broadcast_queue_url)
    before = len(logs.find(message="settled"))

    python = await asyncio.create_subprocess_exec(
        sys.executable, "-c", textwrap.dedent(code), env=bare_environment
    )

    assert await python.wait() == 0
    await until(lambda: len(logs.find(message="settled")) > before)
