"""The life of broadcasts and connections on a local AWS that enforces permissions, in steps.

Each step is one thing that users see, from outside. It ends as soon as it is done, or a function
has logged that it was refused something.
"""

import json
import secrets
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar

import pytest
from typer.testing import CliRunner
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from broadcasting.channel_rows import channel_key
from broadcasting.connection import Connection
from broadcasting.connection_row import connection_item, connection_key
from broadcasting.dead_letter import Note, letter_of
from broadcasting.door_rows import denied_item, ticket_item
from broadcasting.items import Item, Key, key_attributes
from broadcasting.user_rows import self_key, user_key
from crier import cli, options
from crier.commands import kick
from crier.deployed.account import Account
from crier.deployed.account_reader import AccountReader
from crier.deployed.deployment import Deployment
from crier.local.local_aws import LocalEndpoint
from storage.budget import KEY as BUDGET_KEY
from storage.queues import DeadLetters
from tests.support.function_logs import Logs

T = TypeVar("T")
SECONDS = 40.0
OLD_MS = 3_600_000


class RefusedStepError(Exception):
    """A function was refused something, or a client was not let in."""


def resource_names(deployment: Deployment) -> Mapping[str, str]:
    """Return our names for the resources that functions use, by a part of their ARNs."""
    urls = {
        deployment.broadcast_queue_url: "broadcasts",
        deployment.dead_letter_queue_url: "dead letters",
        deployment.slice_queue_url: "slices",
        deployment.slice_dead_letter_queue_url: "slice dead letters",
    }
    return {
        f":table/{deployment.connections_table_name}": "connections",
        f":table/{deployment.ledger_table_name}": "ledger",
        ":execute-api:": "posts",
        ":log-group:": "logs",
        ":secret:": "secret",
        **{f":{url.rpartition('/')[2]}": name for url, name in urls.items()},
    }


class Life:
    """The steps. `user` is the user of all its connections."""

    def __init__(self, deployment: Deployment, logs: Path, opened: ExitStack) -> None:
        self.deployment = deployment
        self.user = f"alice-{uuid.uuid4().hex}"
        self._logs = Logs(logs)
        self._opened = opened
        self._dynamodb = deployment.client("dynamodb")
        self._sqs = deployment.client("sqs")
        opened.callback(self._clear)

    def connect(self) -> ClientConnection:
        """Connect with a ticket; the client's rows are there."""
        return self.connect_with(self.write_ticket(self._dynamodb))

    def write_ticket(self, dynamodb: Any) -> str:
        """Write a ticket by a client of DynamoDB, and return it."""
        ticket = secrets.token_urlsafe(32)
        expires = int(time.time()) + 30
        item = ticket_item(ticket, user=self.user, channels=None, expires_seconds=expires)
        dynamodb.put_item(TableName=self.deployment.connections_table_name, Item=item)
        return ticket

    def connect_with(self, token: str) -> ClientConnection:
        """Connect with a ticket or a token; the client's rows are there."""
        try:
            url = f"{self.deployment.web_socket_url}?token={token}"
            client = self._opened.enter_context(connect(url, open_timeout=30))
        except InvalidStatus as error:
            raise RefusedStepError(str(error)) from error
        assert len(self.connection_ids()) == 1
        return client

    def disconnect(self) -> None:
        """Close a connection; its rows go."""
        client = self.connect()
        (connection_id,) = self.connection_ids()

        def rows_are_gone() -> bool:
            keys = (connection_key(connection_id), self_key(connection_id))
            return not self.connection_ids() and not any(map(self._has, keys))

        self._until(rows_are_gone, client.close)

    def broadcast(self) -> None:
        """Broadcast to a client: it receives the frame, and the account is exact."""
        client = self.connect()
        account = self.send_broadcast()
        assert account.counts.delivered >= 1
        assert "hear" in str(client.recv(timeout=SECONDS))

    def hand_over(self) -> None:
        """Broadcast to a young connection that is gone: it is tried again later, then gone."""
        self._add(self._connection(age_ms=57_000))
        account = self.send_broadcast()
        assert account.settled_ms - account.opened_ms > 1_000

    def clean_up(self) -> None:
        """Broadcast to an old connection that is gone: all its rows go."""
        connection = self._connection(age_ms=OLD_MS)
        self._add(connection)
        keys = (
            connection_key(connection.id),
            user_key(self.user, connection.id),
            channel_key("news", connection.id),
            self_key(connection.id),
        )
        lists: Item = {"user": {"S": self.user}, "channels": {"SS": ["news"]}}
        for key in keys[1:]:
            self._put({**key_attributes(key), **(lists if key == keys[-1] else {})})
        account = self.send_broadcast()
        (told,) = self._until(
            lambda: self._logs.find(message="slice closed", broadcast_id=account.id)
        )
        if told["stale_rows_left"]:
            raise RefusedStepError("rows of a connection that is gone were not deleted")
        assert not any(map(self._has, keys))

    def share_the_pace(self) -> None:
        """Broadcast to a client: what it takes of the shared budget is written down."""
        table, key = self.deployment.ledger_table_name, dict(BUDGET_KEY)
        self._dynamodb.delete_item(TableName=table, Key=key)
        self.connect()
        self.send_broadcast()
        self._until(lambda: self._dynamodb.get_item(TableName=table, Key=key).get("Item"))

    def reject(self) -> None:
        """Send a body that breaks the contract: it is a dead letter, with the reason."""
        self._reject(self.deployment.broadcast_queue_url, self.deployment.dead_letter_queue_url)

    def reject_slice(self) -> None:
        """Let a slice message come that is none: it is a dead letter, with the reason."""
        dead_letters = self.deployment.slice_dead_letter_queue_url
        self._reject(self.deployment.slice_queue_url, dead_letters)

    def redrive(self) -> None:
        """Put a dead letter back: its broadcast settles."""
        client, id_ = self.connect(), uuid.uuid4().hex
        note = Note("it could not be opened", "another", is_given_up=True)
        letter = letter_of(json.dumps({"id": id_, "message": "hear"}), note, {})
        DeadLetters(self._sqs, self.deployment.dead_letter_queue_url).send(letter)
        self._until(lambda: self._account(id_), lambda: self._run("redrive"))
        assert "hear" in str(client.recv(timeout=SECONDS))

    def kick(self) -> None:
        """Kick a user: the client hears bye, is closed, and stays out until the time is over.

        The row that keeps it out may stay for longer.
        """
        client = self.connect()
        self._run("kick", "--user", self.user, "--deny", "600")
        heard = json.loads(client.recv(timeout=SECONDS))
        with pytest.raises(ConnectionClosed):
            client.recv(timeout=SECONDS)
        assert heard == {"type": "bye", "code": "kicked", "reconnect": False, "afterMs": 0}
        assert not self.connection_ids()
        with pytest.raises(RefusedStepError):
            self.connect()
        self._put(denied_item(self.user, int(time.time())))
        self.connect()

    def connection_ids(self) -> list[str]:
        """Return the user's connections."""
        found = self._dynamodb.query(
            TableName=self.deployment.connections_table_name,
            KeyConditionExpression="pk = :user",
            ExpressionAttributeValues={":user": {"S": f"user#{self.user}"}},
        )
        return [one["sk"]["S"] for one in found["Items"]]

    def send_broadcast(self, **audience: object) -> Account:
        """Broadcast to an audience, everyone if none is given; return the account when settled."""
        id_ = uuid.uuid4().hex
        body = json.dumps({"id": id_, "message": "hear", **audience})
        queue_url = self.deployment.broadcast_queue_url
        return self._until(lambda: self._account(id_), lambda: self._send(queue_url, body))

    def _account(self, broadcast_id: str) -> Account | None:
        """Return the account of a broadcast that has settled, None before."""
        account = AccountReader.of(self.deployment).find(broadcast_id)
        return account if account and account.is_settled else None

    def _run(self, *arguments: str) -> None:
        """Run a command of `crier` as the operator."""
        with pytest.MonkeyPatch.context() as patch:
            endpoint = LocalEndpoint(self.deployment.endpoint_url or "")
            patch.setattr(options, "running_endpoint", lambda: endpoint)
            patch.setattr(kick, "ARRIVAL_SECONDS", 0.5)  # no client is about to come
            done = CliRunner().invoke(cli.app, arguments)
        assert done.exit_code == 0, done.output

    def _reject(self, queue_url: str, dead_letter_queue_url: str) -> None:
        def letter() -> Any:
            found = self._sqs.receive_message(
                QueueUrl=dead_letter_queue_url, MessageAttributeNames=["All"]
            )
            return found.get("Messages")

        (found,) = self._until(letter, lambda: self._send(queue_url, "no JSON"))
        assert "crier.reason" in found["MessageAttributes"]

    def _until(self, find: Callable[[], T | None], act: Callable[[], object] = lambda: None) -> T:
        """Act, then return what is found. Raises RefusedStepError once a refusal is logged."""
        earlier = len(self._refusals())
        act()
        give_up = time.monotonic() + SECONDS
        while not (found := find()):
            if refused := self._refusals()[earlier:]:
                raise RefusedStepError(refused[0])
            assert time.monotonic() < give_up, f"nothing came within {SECONDS} s"
            time.sleep(0.05)
        if refused := self._refusals()[earlier:]:
            raise RefusedStepError(refused[0])
        return found

    def _refusals(self) -> list[str]:
        lines = map(json.dumps, self._logs.find())
        return [line for line in lines if "AccessDenied" in line or "not authorized" in line]

    def _connection(self, *, age_ms: int) -> Connection:
        return Connection(f"gone-{uuid.uuid4().hex}", time.time_ns() // 1_000_000 - age_ms)

    def _add(self, connection: Connection) -> None:
        self._put(connection_item(connection))

    def _put(self, item: Mapping[str, Any]) -> None:
        self._dynamodb.put_item(TableName=self.deployment.connections_table_name, Item=item)

    def _has(self, key: Key) -> bool:
        return self._row(self.deployment.connections_table_name, key) is not None

    def _row(self, table: str, key: Key) -> Item | None:
        found: Item | None = self._dynamodb.get_item(
            TableName=table, Key=key_attributes(key), ConsistentRead=True
        ).get("Item")
        return found

    def _send(self, queue_url: str, body: str) -> None:
        self._sqs.send_message(QueueUrl=queue_url, MessageBody=body)

    def _clear(self) -> None:
        """Leave no message and no row: a young connection that is gone delays broadcasts."""
        for url in (
            self.deployment.broadcast_queue_url,
            self.deployment.dead_letter_queue_url,
            self.deployment.slice_queue_url,
            self.deployment.slice_dead_letter_queue_url,
        ):
            self._sqs.purge_queue(QueueUrl=url)
        table = self.deployment.connections_table_name
        for item in self._dynamodb.scan(TableName=table)["Items"]:
            key = {name: item[name] for name in ("pk", "sk")}
            self._dynamodb.delete_item(TableName=table, Key=key)
