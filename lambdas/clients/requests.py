"""Answers the requests of clients, each in the order that makes it safe.

A connection is subscribed in three steps: its rows are written; then its own row and the counters
are read, strongly consistently; then the frames. A broadcast that takes its number before the
second step has its rows by then, or is seen as a mark; one that takes it later reads the audience
later still, and finds the connection. docs/contributor/ledger-and-faults.md has the proof.
"""

from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from broadcasting.asking_client import AskingClient
from broadcasting.audience import EVERYONE, OWN
from broadcasting.client_answer import (
    encode_joined,
    encode_pong,
    encode_replay,
    encode_subscribed,
    encode_unsubscribed,
    room_for_frames,
)
from broadcasting.client_refusal import Code, RefusedFrameError
from broadcasting.client_request import (
    ClientFrame,
    Join,
    Ping,
    Replay,
    Subscribe,
    Unsubscribe,
    Wanted,
)
from broadcasting.connection import CONNECTION_LIFE_SECONDS
from broadcasting.connection_row import CONNECTED_AT, has_expired
from broadcasting.counter_items import counter_of
from broadcasting.items import EXPIRY, Item
from broadcasting.position import Position
from clients.positions import Channel, PositionReader
from storage.client_rows import ClientRowsReader
from storage.errors import StorageError
from storage.patience import Patience
from storage.subscriptions import MOST_CHANNELS, SubscriptionsTable

ANSWER_SECONDS: Final = 3.5
TAKE_BACK_SECONDS: Final = 1.0
"""How long an answer is worked at, and what was written for a connection that is gone is deleted.
No request begins later: the function answers before its own ten seconds are over."""


class ClientRequests:
    """Answers requests. Raises RefusedFrameError, and StorageError when DynamoDB does not answer.

    What was done before a StorageError stays: the client asks again, and the remainder is done.
    """

    def __init__(
        self,
        subscriptions: SubscriptionsTable,
        rows: ClientRowsReader,
        positions: PositionReader,
        *,
        patience: Patience,
    ) -> None:
        self._subscriptions = subscriptions
        self._rows = rows
        self._positions = positions
        self._patience = patience

    def answer(self, client: AskingClient, frame: ClientFrame) -> str:
        """Return the text that answers a frame."""
        if client.is_over(self._now_ms):
            raise _gone()
        match frame.request:
            case Join() as request:
                return self._join(client, request, frame.ref)
            case Subscribe() as request:
                positions, _ = self._subscribe(client, request)
                return encode_subscribed(frame.ref, positions)
            case Unsubscribe(channels=names):
                self._subscriptions.remove(client.connection.id, names, ends_at=self._ends_at)
                return encode_unsubscribed(frame.ref, names)
            case Replay() as request:
                return self._replay(client, request, frame.ref)
            case Ping() as request:
                return self._ping(client, request, frame.ref)

    def _join(self, client: AskingClient, request: Join, ref: str | None) -> str:
        positions, row = self._subscribe(client, request)
        return encode_joined(
            ref,
            positions,
            connection_id=client.connection.id,
            renew_in_ms=_renew_in_ms(row, self._now_ms),
        )

    def _subscribe(
        self, client: AskingClient, request: Join | Subscribe
    ) -> tuple[dict[str, Position], Item]:
        """Subscribe a connection; return its positions, and its own row."""
        channels, ends_at = _channels(client, request.wanted), self._ends_at
        names = [one.name for one in channels if one.name not in (EVERYONE, OWN)]
        if names:
            self._add(client, names, ends_at)
        connection_id = client.connection.id
        found = self._rows.read(
            [one.stream for one in channels],
            connection_id=connection_id,
            is_consistent=True,
            ends_at=ends_at,
        )
        row = found.connection
        if row is None or has_expired(row, self._now_ms):
            self._take_back(connection_id, names)
            raise _gone()
        positions = self._positions.read(
            channels,
            found.counters,
            frozenset((connection_id, *request.was)),
            room_bytes=room_for_frames(one.name for one in channels),
            ends_at=ends_at,
        )
        return positions, row

    def _add(self, client: AskingClient, names: Sequence[str], ends_at: float) -> None:
        is_added = self._subscriptions.add(
            client.connection, names, expires_seconds=client.rows_expire_at, ends_at=ends_at
        )
        if not is_added:
            raise RefusedFrameError(
                Code.TOO_MANY_CHANNELS,
                f"this connection would have more than {MOST_CHANNELS} channels: unsubscribe from "
                "some first",
            )

    def _take_back(self, connection_id: str, names: Sequence[str]) -> None:
        """Delete what was written; what cannot be deleted expires, or the next 410 deletes it."""
        if names:
            ends_at = self._patience.clock.monotonic() + TAKE_BACK_SECONDS
            with suppress(StorageError):
                self._subscriptions.take_back(connection_id, names, ends_at=ends_at)

    def _replay(self, client: AskingClient, request: Replay, ref: str | None) -> str:
        (channel,) = _channels(client, [request.wanted])
        ends_at = self._ends_at
        found = self._rows.read([channel.stream], is_consistent=True, ends_at=ends_at)
        positions = self._positions.read(
            [channel],
            found.counters,
            frozenset((client.connection.id, *request.was)),
            room_bytes=room_for_frames([channel.name]),
            ends_at=ends_at,
        )
        return encode_replay(ref, channel.name, positions[channel.name])

    def _ping(self, client: AskingClient, request: Ping, ref: str | None) -> str:
        """Answer with the newest numbers; 0 where there is no counter, which is not begun here."""
        streams = {name: client.stream_of(name) for name in request.channels}
        found = self._rows.read(streams.values(), is_consistent=False, ends_at=self._ends_at)
        newest = {stream: counter_of(item) for stream, item in found.counters.items()}
        at = {
            name: newest[stream].newest(self._now_ms) if stream in newest else 0
            for name, stream in streams.items()
        }
        return encode_pong(ref, at)

    @property
    def _ends_at(self) -> float:
        return self._patience.clock.monotonic() + ANSWER_SECONDS

    @property
    def _now_ms(self) -> int:
        return self._patience.clock.epoch_ms()


def _channels(client: AskingClient, wanted: Sequence[Wanted]) -> list[Channel]:
    """Return the channels with their streams. Raises RefusedFrameError for one not allowed."""
    return [Channel(one.channel, client.stream_of(one.channel), one.since) for one in wanted]


def _renew_in_ms(row: Item, now_ms: int) -> int:
    """Return in how many milliseconds the connection ends, or what it was let in by expires."""
    cut_ms = int(row.get(CONNECTED_AT, {}).get("N", "0")) + CONNECTION_LIFE_SECONDS * 1000
    return max(0, min(cut_ms, int(row[EXPIRY]["N"]) * 1000) - now_ms)


def _gone() -> RefusedFrameError:
    return RefusedFrameError(
        Code.GONE, "this connection receives nothing any more: connect again, and join"
    )
