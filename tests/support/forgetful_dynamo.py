"""A DynamoDB on loopback that forgets its connections while the function is frozen."""

import json
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from testbed.model.fakes import FakeTime
from tests.support.loopback import Loopback, read_post, reset

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_dynamodb import DynamoDBClient


class ForgetfulDynamo:
    """Answers requests, but resets those that come on connections from before a freeze.

    It keeps the number of the budget's row, whatever the conditions of its writes say.
    """

    def __init__(self) -> None:
        self.time = FakeTime()
        self.answered: list[str] = []
        self.resets: list[str] = []
        self.refuses_all = False
        self._era = 0
        self._tat_ms = 0.0
        self._loopback = Loopback(self._handle)

    @property
    def opened(self) -> int:
        """How many connections have been opened."""
        return self._loopback.accepted

    def freeze(self, seconds: float) -> None:
        """Freeze the function: the epoch clock goes on, and its connections are forgotten."""
        self._era += 1
        self.time.freeze(seconds)

    @contextmanager
    def client(self, config: Config) -> "Iterator[DynamoDBClient]":
        """Serve, and return a real client."""
        session = boto3.Session("AKIDEXAMPLE", "secret", region_name="eu-central-1")
        with self._loopback:
            url = f"http://127.0.0.1:{self._loopback.port}"
            client = session.client("dynamodb", endpoint_url=url, config=config)
            try:
                yield client
            finally:
                client.close()

    def _handle(self, sock: socket.socket) -> None:
        era = self._era
        while request := read_post(sock):
            head, body = request.decode().split("\r\n\r\n", 1)
            operation = head.split("DynamoDB_20120810.")[1].split("\r\n")[0]
            if self.refuses_all or era != self._era:
                self.resets.append(operation)
                reset(sock)
                return
            answer = json.dumps(self._update(json.loads(body)) if "Update" in operation else {})
            self.answered.append(operation)
            sock.sendall(
                f"HTTP/1.1 200 OK\r\nContent-Length: {len(answer)}\r\n\r\n{answer}".encode()
            )

    def _update(self, request: dict[str, Any]) -> dict[str, Any]:
        value = float(request["ExpressionAttributeValues"][":value"]["N"])
        self._tat_ms = value + (self._tat_ms if "+" in request["UpdateExpression"] else 0.0)
        return {"Attributes": {"tat": {"N": str(self._tat_ms)}}}
