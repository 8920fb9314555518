"""`crier send` over real connections that break: what SQS receives then."""

import hashlib
import json
import socket

import boto3
import pytest
from typer.testing import CliRunner

from crier import cli, options
from crier.deployed.deployment import Deployment
from tests.support.loopback import Loopback, read_post


class LossyQueue:
    """A broadcast queue that takes every message, and whose first answer is lost."""

    def __init__(self) -> None:
        """Begin without a message."""
        self.bodies: list[str] = []

    def answer(self, sock: socket.socket) -> None:
        """Take one message and answer it, unless it is the first."""
        data = read_post(sock)
        if not data:
            return
        body = json.loads(data.split(b"\r\n\r\n", 1)[1])["MessageBody"]
        self.bodies.append(body)
        if len(self.bodies) == 1:
            return
        digest = hashlib.md5(body.encode(), usedforsecurity=False).hexdigest()
        told = json.dumps({"MessageId": "m", "MD5OfMessageBody": digest}).encode()
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(told), told))


def test_send_is_one_broadcast_when_the_answer_of_sqs_is_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """boto3 sends the request again, so SQS has two messages: both have the id that is printed."""
    queue = LossyQueue()
    with Loopback(queue.answer) as sqs:
        url = f"http://127.0.0.1:{sqs.port}"
        session = boto3.Session("test", "test", region_name="us-east-1")
        deployment = Deployment("s", session, url, "", f"{url}/0/q", "", "", "", "", "", "")
        monkeypatch.setattr(options, "find_deployed", lambda *_: deployment)

        sent = CliRunner().invoke(cli.app, ["send", "--stack", "s", "Hear ye!"])

    ids = [json.loads(body)["id"] for body in queue.bodies]
    assert sent.exit_code == 0
    assert ids == [sent.stdout.strip()] * 2
