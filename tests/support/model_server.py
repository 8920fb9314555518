"""A server of crier.v1 that is all model: it answers by the functions' own rules, at once.

What is between it and a client, and when, is not its business: it puts what it sends into `down` of
a connection, and is told to `serve` what a client has sent.
"""

from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from broadcasting.audience import EVERYONE, LISTED, OWN
from broadcasting.client_answer import (
    encode_error,
    encode_joined,
    encode_pong,
    encode_replay,
    encode_subscribed,
    encode_unsubscribed,
)
from broadcasting.client_parsing import parse_client_frame
from broadcasting.client_refusal import Code, RefusedFrameError
from broadcasting.client_request import (
    ClientFrame,
    Join,
    Ping,
    Replay,
    Request,
    Subscribe,
    Unsubscribe,
    Wanted,
)
from broadcasting.position import Position
from tests.support.served_stream import ServedStream

REPLAY_FRAMES: Final = 6
STREAMS: Final = (EVERYONE, OWN, "news", "chat")
MANY: Final = tuple(f"n{number}" for number in range(26))
"""Channels of a client that has more than one request may name; nothing is sent in them."""


class Sent(NamedTuple):
    """A text on its way to a client; what an answer to `request` says of channels."""

    text: str
    kind: str
    request: ClientFrame | None = None
    positions: dict[str, Position] = {}  # noqa: RUF012 - never changed
    connection_id: str = ""


@dataclass(slots=True, eq=False)
class ServedConnection:
    """A connection at the server. `up` and `down` are what is on its way."""

    socket: int
    id: str
    barred: frozenset[str]
    opened_ms: float = 0
    is_open: bool = False
    is_over: bool = False
    """Whether the client was told that it has ended."""
    is_closed: bool = False
    """Whether the client has closed it."""
    is_known: bool = True
    """Whether the server has its row."""
    is_silent: bool = False
    """Whether all is lost that is sent on it, without a word."""
    is_hung: bool = False
    """Whether its handshake is never answered."""
    joined_at_troubles: int = -1
    """How many troubles there had been when it was joined in calm weather."""
    changing: str | None = None
    """The `ref` of the last request that changes its channels."""
    answered: list[Any] = field(default_factory=list)
    """What the judge follows, and that was answered on it."""
    members: set[str] = field(default_factory=set)
    up: list[str] = field(default_factory=list)
    down: list[Sent] = field(default_factory=list)

    @property
    def is_live(self) -> bool:
        """Whether both sides may use it."""
        return self.is_open and not self.is_over and not self.is_closed


class ModelServer:
    """Streams and connections. `room_bytes` is what the frames of an answer may take."""

    def __init__(self, *, room_bytes: int, renew_in_ms: int) -> None:
        self.streams = {name: ServedStream(name) for name in (*STREAMS, *MANY)}
        self.connections: dict[int, ServedConnection] = {}
        self.barred: frozenset[str] = frozenset()
        self.now_ms = 0.0
        self.renew_in_ms = renew_in_ms
        """How long a connection lives, or its token."""
        self._room_bytes = room_bytes
        self._listed = 0
        self._frames = 0

    def accept(self, socket: int) -> ServedConnection:
        """Take a handshake, which may not be answered yet."""
        one = ServedConnection(socket, f"c{socket}", self.barred)
        self.connections[socket] = one
        return one

    def publish(self, name: str, kind: str, now_ms: float, *, is_lost: bool = False) -> None:
        """Number a broadcast and post it; `taken` only takes its number."""
        if name == LISTED:
            self._publish_listed(is_lost=is_lost)
            return
        stream = self.streams[name]
        number = stream.take()
        if kind != "taken":
            self.write(stream, number, kind, now_ms)
            self.post(stream, number, is_lost=is_lost)

    def write(self, stream: ServedStream, number: int, kind: str, now_ms: float) -> None:
        """Write a broadcast's row; one that is `excluded` is not for the newest connection."""
        newest = max(self.connections, default=0)
        exclude = (f"c{newest}",) if kind == "excluded" else ()
        self._frames += 1
        stream.write(number, kind, int(now_ms) + self._frames + 1_767_225_600_000, exclude)

    def post(self, stream: ServedStream, number: int, *, is_lost: bool = False) -> None:
        """Post a broadcast to all that are on its channel."""
        del stream.marks[number]
        row = stream.rows[number]
        if row.is_void:
            return
        for one in self.connections.values():
            is_on = stream.name in (EVERYONE, OWN) or stream.name in one.members
            if is_on and one.id not in row.exclude:
                self._put(one, Sent(row.frame, "frame"), is_lost=is_lost)

    def post_all_taken(self, now_ms: float) -> None:
        """Bring all broadcasts that have begun to their end."""
        for stream in self.streams.values():
            for number, is_written in sorted(stream.marks.items()):
                if not is_written:
                    self.write(stream, number, "normal", now_ms)
                self.post(stream, number)

    def serve(self, one: ServedConnection, text: str, *, refusal: Code | None = None) -> Sent:
        """Answer a text, with `refusal` if something is the matter."""
        asked = parse_client_frame(text, most_last=REPLAY_FRAMES)  # it is a fault to be refused
        try:
            self._require_served(one, refusal)
            sent = self._answer(one, asked)
        except RefusedFrameError as error:
            sent = Sent(encode_error(error.of(asked.ref)), f"error {error.code.value}", asked)
        self._put(one, sent)
        return sent

    @staticmethod
    def _require_served(one: ServedConnection, refusal: Code | None) -> None:
        if not one.is_known:
            raise RefusedFrameError(Code.GONE, "this connection is not known")
        if refusal:
            after_ms = 1_000 if refusal is Code.BUSY else None
            raise RefusedFrameError(refusal, "the history wants it", after_ms=after_ms)

    def _answer(self, one: ServedConnection, asked: ClientFrame) -> Sent:
        request, ref = asked.request, asked.ref
        if isinstance(request, Ping):
            at = {name: self.streams[name].counter.known_until for name in request.channels}
            return Sent(encode_pong(ref, at), "pong", asked)
        if isinstance(request, Unsubscribe):
            one.members -= set(request.channels)
            return Sent(encode_unsubscribed(ref, request.channels), "unsubscribed", asked)
        wanted, ids = wanted_of(request), frozenset((one.id, *request.was))
        if barred := one.barred & {each.channel for each in wanted}:
            raise RefusedFrameError(Code.NOT_ALLOWED, f"found channel {min(barred)}")
        if isinstance(request, Replay):
            positions = self._positions(wanted, ids)
            (name, position), *_ = positions.items()
            return Sent(encode_replay(ref, name, position), "replay", asked, positions)
        one.members |= {each.channel for each in wanted}
        positions = self._positions(wanted, ids)
        if isinstance(request, Subscribe):
            return Sent(encode_subscribed(ref, positions), "subscribed", asked, positions)
        left_ms = max(0, int(one.opened_ms + self.renew_in_ms - self.now_ms))
        text = encode_joined(ref, positions, connection_id=one.id, renew_in_ms=left_ms)
        return Sent(text, "joined", asked, positions, one.id)

    def _positions(self, wanted: tuple[Wanted, ...], ids: frozenset[str]) -> dict[str, Position]:
        room_bytes, positions = self._room_bytes, {}
        for one in wanted:
            position = self.streams[one.channel].position(
                one.since, ids, REPLAY_FRAMES, max(0, room_bytes)
            )
            room_bytes -= position.frames_bytes
            positions[one.channel] = position
        return positions

    def _publish_listed(self, *, is_lost: bool) -> None:
        self._listed += 1
        text = (
            f'{{"id": "!/{self._listed}", "seq": {self._listed}, "channel": "!", '
            f'"message": 0, "sentAt": {self._listed}}}'
        )
        for one in self.connections.values():
            self._put(one, Sent(text, "frame"), is_lost=is_lost)

    @staticmethod
    def _put(one: ServedConnection, sent: Sent, *, is_lost: bool = False) -> None:
        hears = one.is_open and not one.is_over and not one.is_silent
        if hears and not is_lost and (one.is_known or sent.kind == "error gone"):
            one.down.append(sent)


def wanted_of(request: Request) -> tuple[Wanted, ...]:
    """Return the channels that a request has a position asked of."""
    if isinstance(request, Replay):
        return (request.wanted,)
    return request.wanted if isinstance(request, Join | Subscribe) else ()
