"""The life of clients that ask: subscriptions, what they missed, and what goes to them alone."""

import json
import time
import uuid
from typing import Any

from websockets.sync.client import ClientConnection

from broadcasting.channel_rows import channel_item, channel_key
from broadcasting.connection_row import connection_key
from broadcasting.counter_items import NUMBER, TAKEN_AT
from broadcasting.items import Item, Key, attribute_of, key_attributes
from broadcasting.ledger_items import counter_key, frame_key
from broadcasting.numbering import MARK_LIFE_MS
from broadcasting.self_row import channels_of
from broadcasting.user_rows import self_key
from tests.support.life import SECONDS, Life, RefusedStepError

Answer = dict[str, Any]


class ClientLife(Life):
    """The steps of clients. `channel` is a channel that no other test has."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.channel = f"news-{uuid.uuid4().hex}"

    def send_frame(self) -> None:
        """Send a frame that is no request, which is answered."""
        client = self.connect()
        client.send("hello?")
        assert json.loads(client.recv(timeout=SECONDS))["code"] == "bad-frame"

    def join(self) -> None:
        """Join with nothing but everyone's channel: it is told where that is."""
        client = self.connect()
        joined = self.ask(client, action="join", at={"*": None})
        assert joined["connectionId"] == self.connection_ids()[0]
        assert joined["channels"]["*"]["frames"] == []

    def subscribe(self) -> None:
        """Subscribe to a channel that is new: its counter begins, and the rows are there."""
        client = self.connect()
        (connection_id,) = self.connection_ids()
        answer = self._subscribe(client, None)
        assert (answer["seq"], answer["frames"]) == (0, [])
        assert channels_of(self._own_row(connection_id)) == [self.channel]
        assert self._has(channel_key(self.channel, connection_id))
        assert self._counter()["epoch"] == {"S": answer["epoch"]}

    def unsubscribe(self) -> None:
        """Unsubscribe: the rows of the channel are gone, and the client's others are not."""
        client = self.connect()
        (connection_id,) = self.connection_ids()
        self._subscribe(client, None)
        self.ask(client, action="unsubscribe", channels=[self.channel])
        assert channels_of(self._own_row(connection_id)) == []
        assert not self._has(channel_key(self.channel, connection_id))
        assert self.connection_ids() == [connection_id]

    def subscribe_when_gone(self) -> None:
        """Subscribe over a connection without a row: what was written is deleted again."""
        client = self.connect()
        (connection_id,) = self.connection_ids()
        self._delete(connection_key(connection_id))
        answer = self._request(client, action="subscribe", at={self.channel: None})
        assert (answer["type"], answer["code"]) == ("error", "gone")
        keys = (channel_key(self.channel, connection_id), self_key(connection_id))
        if any(map(self._has, keys)):
            raise RefusedStepError("rows of a connection that is gone were not deleted")

    def replay(self) -> None:
        """Ask for what was missed: the frame is in the answer, and nothing is missing."""
        client = self.connect()
        begun = self._subscribe(client, None)
        self.ask(client, action="unsubscribe", channels=[self.channel])
        self.send_broadcast(channel=self.channel)
        position = {"channel": self.channel, "epoch": begun["epoch"], "from": begun["to"]}
        answer = self.ask(client, action="replay", **position)
        assert [one["message"] for one in answer["frames"]] == ["hear"]
        assert (answer["to"], answer["seq"]) == (begun["to"] + 1, begun["seq"] + 1)

    def ping(self) -> None:
        """Ask for the newest numbers."""
        client = self.connect()
        begun = self._subscribe(client, None)
        answer = self.ask(client, action="ping", at={self.channel: begun["seq"]})
        assert answer["at"] == {self.channel: begun["seq"]}

    def close_a_stale_mark(self) -> None:
        """Come back to a channel where a worker has died: its number is closed by a void row."""
        client = self.connect()
        begun = self._subscribe(client, None)
        self._leave_a_mark()
        since = {"seq": begun["seq"], "epoch": begun["epoch"]}
        answer = self._subscribe(client, since)
        void = self._row(self.deployment.ledger_table_name, frame_key(self.channel, 1))
        if void is None or answer["seq"] != 1:
            raise RefusedStepError("the number was not closed")
        assert (answer["to"], answer["frames"]) == (1, [])
        assert f"{NUMBER}dead" not in self._counter()

    def broadcast_to_channel(self) -> None:
        """Broadcast to a channel without one of its connections: the others alone hear it."""
        client = self.connect()
        self._subscribe(client, None)
        excluded = self._connection(age_ms=1_000)
        self._add(excluded)
        self._put(channel_item(self.channel, excluded, int(time.time()) + 600))
        account = self.send_broadcast(channel=self.channel, exclude=[excluded.id])
        assert (account.counts.delivered, account.counts.excluded) == (1, 1)
        assert self._heard(client)["channel"] == self.channel

    def broadcast_to_user(self) -> None:
        """Broadcast to a user: its client hears it, on the channel that names no user."""
        client = self.connect()
        account = self.send_broadcast(user=self.user)
        assert account.counts.delivered == 1
        assert self._heard(client)["channel"] == "@"

    def broadcast_to_connections(self) -> None:
        """Broadcast to connections by their ids: one that is not there counts as gone."""
        client = self.connect()
        (connection_id,) = self.connection_ids()
        absent = f"gone-{uuid.uuid4().hex}"
        account = self.send_broadcast(connections=[connection_id, absent])
        assert (account.counts.delivered, account.counts.gone) == (1, 1)
        assert self._heard(client)["channel"] == "!"

    def disconnect_subscriber(self) -> None:
        """Close a connection that has a channel: the rows of it go, too."""
        client = self.connect()
        (connection_id,) = self.connection_ids()
        self._subscribe(client, None)
        keys = (
            connection_key(connection_id),
            self_key(connection_id),
            channel_key(self.channel, connection_id),
        )
        self._until(lambda: not any(map(self._has, keys)), client.close)

    def forget_the_frame(self) -> None:
        """Broadcast where nothing is replayed: the frame goes when the broadcast has settled."""
        client = self.connect()
        begun = self._subscribe(client, None)
        self.send_broadcast(channel=self.channel)
        assert self._heard(client)["seq"] == begun["seq"] + 1
        key = frame_key(self.channel, begun["seq"] + 1)
        give_up = time.monotonic() + 3.0
        while self._row(self.deployment.ledger_table_name, key) is not None:
            if time.monotonic() > give_up:
                raise RefusedStepError("the frame of a settled broadcast was not deleted")
            time.sleep(0.05)

    def ask(self, client: ClientConnection, **request: object) -> Answer:
        """Return the answer to a request. Raises RefusedStepError when it is not done."""
        answer = self._request(client, **request)
        if answer["type"] == "error":
            raise RefusedStepError(str(answer))
        return answer

    def _request(self, client: ClientConnection, **request: object) -> Answer:
        ref = uuid.uuid4().hex
        client.send(json.dumps({**request, "ref": ref}))
        while True:
            answer: Answer = json.loads(client.recv(timeout=SECONDS))
            if answer.get("ref") == ref:
                return answer

    def _subscribe(self, client: ClientConnection, since: object) -> Answer:
        """Subscribe to the channel; return the client's position there."""
        answer = self.ask(client, action="subscribe", at={self.channel: since})
        position: Answer = answer["channels"][self.channel]
        return position

    def _heard(self, client: ClientConnection) -> Answer:
        """Return the next frame of a broadcast."""
        frame: Answer = json.loads(client.recv(timeout=SECONDS))
        assert "type" not in frame
        return frame

    def _leave_a_mark(self) -> None:
        """Take a number as a worker does that dies, longer ago than any worker lives."""
        taken_ms = time.time_ns() // 1_000_000 - 2 * MARK_LIFE_MS
        self._dynamodb.update_item(
            TableName=self.deployment.ledger_table_name,
            Key=key_attributes(counter_key(self.channel)),
            UpdateExpression="SET #last = :one, #number = :one, #at = :at",
            ExpressionAttributeNames={
                "#last": "last",
                "#number": f"{NUMBER}dead",
                "#at": f"{TAKEN_AT}dead",
            },
            ExpressionAttributeValues={":one": attribute_of(1), ":at": attribute_of(taken_ms)},
        )

    def _counter(self) -> Item:
        return self._row(self.deployment.ledger_table_name, counter_key(self.channel)) or {}

    def _own_row(self, connection_id: str) -> Item:
        table = self.deployment.connections_table_name
        return self._row(table, self_key(connection_id)) or {}

    def _delete(self, key: Key) -> None:
        table = self.deployment.connections_table_name
        self._dynamodb.delete_item(TableName=table, Key=key_attributes(key))
