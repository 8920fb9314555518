"""Clients that send frames to the wired function, and the broadcasts that they ask for."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from broadcasting.audience import channel_in_frame
from broadcasting.connecting_client import ConnectingClient, rows_of
from broadcasting.connection import Connection
from broadcasting.counter_items import EPOCH, LAST, NUMBER, TAKEN_AT
from broadcasting.items import EXPIRY, Item, attribute_of, key_attributes
from broadcasting.ledger_items import counter_key, key_of, to_item
from broadcasting.ledger_rows import FrameRow
from broadcasting.numbering import COUNTER_LIFE_SECONDS
from client_frame_wiring import ClientFrameWiring, build_client_frames
from handlers.client_frame import respond
from settings import ClientFrameSettings
from storage.connections import ConnectionsTable
from storage.row_batches import key_of_item
from testbed.model.fakes import half
from tests.support.wire_dynamo import BROADCASTS, CONNECTIONS, WireDynamo, WireSession

if TYPE_CHECKING:
    from botocore.session import Session

EPOCH_OF_ALL = "k3f0"
AGE_MS = 60_000
SETTINGS = ClientFrameSettings(CONNECTIONS, BROADCASTS, 86_400, 300, ("*",))


class Scene:
    """The function, the wire behind it, and a broadcaster that writes as workers do."""

    def __init__(self, settings: ClientFrameSettings = SETTINGS) -> None:
        self.wire = WireDynamo()
        self.settings = settings
        self.wired = self.wire_anew()

    def wire_anew(self) -> ClientFrameWiring:
        """Return the wiring of an invocation that remembers nothing."""
        session = cast("Session", WireSession(self.wire))
        self.wired = build_client_frames(self.settings, session, self.wire.time.clock, jitter=half)
        return self.wired

    @property
    def now_ms(self) -> int:
        """The time."""
        return self.wire.time.epoch_ms

    def connect(
        self, id_: str = "c1=", user: str | None = None, *, expires_seconds: int | None = None
    ) -> None:
        """Write the rows that connect writes; the connection is a minute old."""
        connection = Connection(id_, self.now_ms - AGE_MS)
        for row in rows_of(ConnectingClient(connection, user, expires_seconds)):
            self.wire.connections[key_of_item(row)] = row

    def connections_table(self) -> ConnectionsTable:
        """Return the table as the disconnect function has it, on the same wire."""
        session = WireSession(self.wire)
        client = session.create_client("dynamodb")
        return ConnectionsTable(client, CONNECTIONS, clock=self.wire.time.clock, jitter=half)

    def count(
        self, stream: str, last: int, *, epoch: str = EPOCH_OF_ALL, marks: Sequence[int] = ()
    ) -> None:
        """Write a counter; `marks` are numbers that are taken just now."""
        item: Item = key_attributes(counter_key(stream)) | {
            LAST: attribute_of(last),
            "version": attribute_of(1),
            EPOCH: attribute_of(epoch),
            EXPIRY: attribute_of(self.now_ms // 1000 + COUNTER_LIFE_SECONDS),
        }
        for number in marks:
            item[f"{NUMBER}k{number}"] = attribute_of(number)
            item[f"{TAKEN_AT}k{number}"] = attribute_of(self.now_ms)
        self.wire.broadcasts[counter_key(stream)] = item

    def make_mark_older(self, number: int, age_ms: int) -> None:
        """Make the mark of a number of everyone's stream older."""
        item = self.wire.broadcasts[counter_key("*")]
        item[f"{TAKEN_AT}k{number}"] = attribute_of(self.now_ms - age_ms)

    def put_frame(self, stream: str, number: int, *, text: str | None = None, **row: Any) -> str:
        """Write the row of a broadcast; return its frame."""
        frame = json.dumps(
            {"seq": number, "channel": channel_in_frame(stream), "message": text or f"m{number}"},
            ensure_ascii=False,
        )
        kept: dict[str, Any] = {"epoch": EPOCH_OF_ALL, "replay_until_ms": self.now_ms + 86_400_000}
        self.put_row(FrameRow(stream, number, frame, version=1, **(kept | row)))
        return frame

    def put_row(self, row: FrameRow) -> None:
        """Write the row of a number."""
        self.wire.broadcasts[key_of(row)] = to_item(row) | key_attributes(key_of(row))

    def broadcasts(self, stream: str, count: int, **row: Any) -> list[str]:
        """Write the counter and the rows of the first broadcasts of a stream."""
        self.count(stream, count)
        return [self.put_frame(stream, number, **row) for number in range(1, count + 1)]

    def event(
        self,
        body: Any,
        id_: str = "c1=",
        *,
        authorizer: dict[str, Any] | None = None,
        **fields: Any,
    ) -> dict[str, Any]:
        """Return the event of a frame."""
        context: dict[str, Any] = {
            "eventType": "MESSAGE",
            "connectionId": id_,
            "connectedAt": self.now_ms - AGE_MS,
        }
        if authorizer is not None:
            context["authorizer"] = authorizer
        return {"requestContext": context, "body": body, "isBase64Encoded": False} | fields

    def tell(self, body: Any, id_: str = "c1=", **event: Any) -> str:
        """Send a text; return the text that answers it."""
        answer = respond(self.event(body, id_, **event), lambda: self.wired)
        assert answer["statusCode"] == 200
        text: str = answer["body"]
        return text

    def ask(
        self,
        action: str,
        id_: str = "c1=",
        *,
        authorizer: dict[str, Any] | None = None,
        **keys: Any,
    ) -> dict[str, Any]:
        """Send a frame; return its answer. The key `from` is given as `from_`."""
        body = {"action": action} | {name.rstrip("_"): value for name, value in keys.items()}
        answer: dict[str, Any] = json.loads(self.tell(json.dumps(body), id_, authorizer=authorizer))
        return answer

    def replay(self, start: int, *, channel: str = "*", **keys: Any) -> dict[str, Any]:
        """Ask for what was missed of a channel."""
        keys = {"epoch": EPOCH_OF_ALL} | keys
        return self.ask("replay", channel=channel, from_=start, **keys)


def at(seq: int, epoch: str = EPOCH_OF_ALL) -> dict[str, Any]:
    """Return where a client is."""
    return {"seq": seq, "epoch": epoch}


def seqs(position: dict[str, Any]) -> list[int]:
    """Return the numbers of the frames of a position."""
    return [frame["seq"] for frame in position["frames"]]
