"""What `crier send` reads reaches real clients as it was written."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from broadcasting.frame import MAX_FRAME_BYTES
from crier import cli, options
from crier.demo.clients import close_clients, connect_clients
from crier.demo.run import connection_ids
from crier.deployed.deployment import Deployment
from crier.local.local_aws import LocalEndpoint
from tests.support.subscribing import subscribe_by_hand
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(120)

Send = Callable[..., Result]


@pytest.fixture
def send(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> Send:
    """Sends a broadcast to the local AWS of the tests, and waits until it is settled."""
    monkeypatch.setattr(
        options, "running_endpoint", lambda: LocalEndpoint(deployment.endpoint_url or "")
    )

    def run(*arguments: str, typed: str = "") -> Result:
        return CliRunner().invoke(cli.app, ["send", "--wait", *arguments], input=typed)

    return run


async def test_send_broadcasts_what_it_reads(
    deployment: Deployment, send: Send, tmp_path: Path
) -> None:
    """Standard input, a text that looks like JSON, and a file that is larger than an argument.

    Its body is three times as large as its frame, as SQS is sent ASCII.
    """
    text = "\u0416" * ((MAX_FRAME_BYTES - 200) // 2)
    file = tmp_path / "text"
    file.write_text(f"\ufeff{text}\n", encoding="utf-8")
    (client,) = await connect_clients(deployment.web_socket_url, 1)

    sent = [
        await asyncio.to_thread(send, "-", typed='{"a": [1]}\n'),
        await asyncio.to_thread(send, "--text", '{"a": [1]}'),
        await asyncio.to_thread(send, "--file", str(file)),
    ]
    refused = await asyncio.to_thread(send, '{"a": [1],}')
    frames = [json.loads(frame)["message"] for _, frame in client.frames]
    await close_clients([client])

    assert [one.exit_code for one in [*sent, refused]] == [0, 0, 0, 2]
    assert frames == [{"a": [1]}, '{"a": [1]}', text]


async def test_send_reaches_whom_it_names(deployment: Deployment, send: Send) -> None:
    """A channel, a user, listed connections, and none that is excluded; each stream has numbers."""
    clients = await connect_clients(deployment.web_socket_url, 3)
    await until(lambda: len(connection_ids(deployment)) == 3)
    ids = sorted(connection_ids(deployment))
    subscribe_by_hand(deployment, ids[0], channels=["news"])
    subscribe_by_hand(deployment, ids[1], user="alice", channels=["news"])
    options = {
        "to a channel": ["--channel=news"],
        "to a channel, but": ["--channel=news", f"--exclude={ids[0]}"],
        "to a user": ["--user=alice"],
        "to listed": [f"--connection={ids[0]}", f"--connection={ids[2]}", "--connection=gone="],
        "to everyone, but": [f"--exclude={ids[1]}", f"--exclude={ids[2]}"],
    }

    sent = [await asyncio.to_thread(send, *options[text], text) for text in options]
    await until(lambda: sum(len(one.frames) for one in clients) == 7)
    frames = [[json.loads(frame) for _, frame in one.frames] for one in clients]
    await close_clients(clients)

    assert [one.exit_code for one in sent] == [0] * 5
    received = [[(one["message"], one["channel"]) for one in some] for some in frames]
    assert sorted(received) == [
        [("to a channel", "news"), ("to a channel, but", "news"), ("to a user", "@")],
        [("to a channel", "news"), ("to listed", "!"), ("to everyone, but", "*")],
        [("to listed", "!")],
    ]
    assert "1 delivered, 0 gone, 0 failed, 0 expired, 1 excluded" in sent[1].stderr
    assert "2 delivered, 1 gone" in sent[3].stderr
    assert "1 delivered, 0 gone, 0 failed, 0 expired, 2 excluded" in sent[4].stderr
