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
from crier.deployed.deployment import Deployment
from crier.local.local_aws import LocalEndpoint

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
