"""A client of crier.v1 without I/O: it comes back, renews its connection, and misses nothing.

The code around it tells what happened, and at which time, and does what `effects` says. All times
are in milliseconds, of one clock that never goes back; what is due at `wakes_at` is done by `due`.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from broadcasting.audience import EVERYONE
from broadcasting.followed_channel import Frame
from crier.listening.channels import Channels
from crier.listening.connection import Connection
from crier.listening.connections import Connections
from crier.listening.effects import Effect, Outbox, State, Trouble
from crier.listening.incoming import (
    Answer,
    Broadcast,
    Bye,
    Incoming,
    MalformedError,
    Refusal,
    Throttled,
    read,
)
from crier.listening.opening import TokenFailure
from crier.listening.replies import Replies
from crier.listening.waits import SILENCE_MS, Waits

_COMPLAINTS_MS: Final = 10_000


class Client:
    """One client, on one connection; on two for a moment, when it renews it.

    `first` has the channels to begin with, and where: see `FollowedChannel`. `most_denials` is how
    many refusals by 401 or 403, one after another, end the client; None for any number.
    """

    def __init__(
        self,
        waits: Waits,
        *,
        first: Mapping[str, Frame | None] | None = None,
        is_ordered: bool = True,
        most_denials: int | None = None,
    ) -> None:
        self.wakes_at: float | None = None
        self._outbox: Outbox = []
        self.channels = Channels(waits, self._outbox, is_ordered=is_ordered)
        self._replies = Replies(self.channels, self._outbox, self._look_if_joined)
        self._connections = Connections(
            waits, self.channels, self._outbox, most_denials=most_denials
        )
        self._quiet_until = float("-inf")
        for name, one in (first or {}).items():
            self.channels.follow(name, one)

    @property
    def state(self) -> State:
        """Where the client is."""
        return self._connections.state

    @property
    def connection_id(self) -> str | None:
        """The id of the connection that is joined."""
        return self._connections.live.id if self._connections.live else None

    @property
    def ids(self) -> Sequence[str]:
        """The ids of this connection and of those before it, the newest last."""
        return self._connections.ids

    def effects(self) -> list[Effect]:
        """Return what is to be done and told since the last call, in order."""
        effects = list(self._outbox)
        self._outbox.clear()
        self.wakes_at = self._next_time()
        return effects

    def start(self, now_ms: float) -> None:
        """Connect, or connect again after the end."""
        if self.state in (State.IDLE, State.CLOSED):
            self._connections.start(now_ms)

    def close(self) -> None:
        """End: all sockets are closed."""
        self._connections.end("close")

    def subscribe(self, name: str, now_ms: float, *, first: Frame | None = None) -> None:
        """Follow a channel, from `first` on; nothing changes if it is followed already."""
        if name not in self.channels:
            self.channels.follow(name, first)
            self._change_membership(now_ms)

    def unsubscribe(self, name: str, now_ms: float) -> None:
        """Follow a channel no more; everyone's is always followed."""
        if name != EVERYONE and self.channels.leave(name):
            self._change_membership(now_ms)

    def token(self, ask: int, token: str | TokenFailure | None, now_ms: float) -> None:
        """Take the token that was asked for; None when this client needs none."""
        for opening in self._connections.openings:
            if opening.ask == ask and opening.connection is None:
                self._connections.has_token(opening, token, now_ms)

    def opened(self, socket: int, now_ms: float) -> None:
        """Take note of a handshake that has succeeded."""
        opening = self._connections.opening_of(socket)
        if opening and opening.connection and not opening.is_open:
            opening.is_open = True
            opening.connection.join(now_ms)

    def ended(
        self, socket: int, now_ms: float, *, status: int | None = None, why: str = ""
    ) -> None:
        """Take note of a connection that has ended.

        `status` is the HTTP status by which the handshake was refused, `why` says another reason.
        """
        live = self._connections.live
        if live and live.socket == socket:
            self._connections.cut(live, "cut", now_ms)
        elif opening := self._connections.opening_of(socket):
            reason = "cut" if opening.is_open else "refused"
            self._connections.failed(opening, reason, now_ms, status=status, why=why)

    def text(self, socket: int, text: str | bytes, now_ms: float) -> None:
        """Take a text that came on a connection."""
        opening = self._connections.opening_of(socket)
        connection = opening.connection if opening else self._connections.live
        if connection is None or connection.socket != socket:
            return
        connection.silent_at = None
        try:
            self._take(connection, read(text), now_ms)
        except MalformedError as error:
            self._complain(str(error), now_ms)

    def check(self, now_ms: float) -> None:
        """Look whether the connection lives: the machine has slept, or its network is another."""
        live = self._connections.live
        if self._connections.retry_at is not None:
            self._connections.begin("online", now_ms)
        elif live:
            live.check(now_ms)

    def due(self, now_ms: float) -> None:
        """Do what is due by now."""
        connections = self._connections
        if connections.retry_at is not None and connections.retry_at <= now_ms:
            connections.begin("retry", now_ms)
        for opening in connections.openings:
            if opening.over_at <= now_ms:
                connections.timed_out(opening, now_ms)
            elif opening.connection:
                opening.connection.ask_again(now_ms)
        if connections.live:
            self._due_on(connections.live, now_ms)

    def _due_on(self, live: Connection, now_ms: float) -> None:
        if live.silent_at is not None and live.silent_at <= now_ms:
            if now_ms - live.silent_at <= SILENCE_MS:
                self._connections.cut(live, "silent", now_ms)
                return
            live.silent_at = None  # this machine has slept meanwhile: give the server its time
            live.ping(now_ms)
        live.ask_again(now_ms)
        live.replay(now_ms)
        if live.ping_at is not None and live.ping_at <= now_ms:
            live.ping(now_ms)
        if live.renew_at is not None and live.renew_at <= now_ms:
            self._connections.renew(live, now_ms)

    def _take(self, connection: Connection, found: Incoming, now_ms: float) -> None:
        match found:
            case Broadcast(frame):
                self.channels.frame(frame, now_ms)
            case Answer():
                self._replies.answered(connection, found, now_ms)
            case Refusal():
                self._refused(connection, found, now_ms)
            case Throttled():
                connection.requests.throttled(now_ms)
            case Bye():
                self._connections.said_bye(connection, found, now_ms)

    def _refused(self, connection: Connection, found: Refusal, now_ms: float) -> None:
        if not self._replies.refused(connection, found, now_ms):
            self._look_if_joined(now_ms)
            return
        reason = "gone" if found.code == "gone" else "refused"
        if opening := self._connections.opening_of(connection.socket):
            self._connections.failed(opening, reason, now_ms)
        else:
            self._connections.cut(connection, reason, now_ms)

    def _change_membership(self, now_ms: float) -> None:
        """Have the server know of the channels that are wanted now, on each connection."""
        openings = self._connections.openings
        for one in (self._connections.live, *(opening.connection for opening in openings)):
            if one:
                one.change_membership(now_ms)
        self._look_if_joined(now_ms)

    def _look_if_joined(self, now_ms: float) -> None:
        """See which connection serves: what came or was left may have been all that was missing."""
        for opening in self._connections.openings:
            self._connections.look_if_joined(opening, now_ms)

    def _complain(self, text: str, now_ms: float) -> None:
        if now_ms >= self._quiet_until:
            self._quiet_until = now_ms + _COMPLAINTS_MS
            self._outbox.append(Trouble("bad-text", text, retry=False))

    def _next_time(self) -> float | None:
        live = self._connections.live
        times = [self._connections.retry_at, live.wakes_at if live else None]
        times += [one.wakes_at for one in self._connections.openings]
        return min((at for at in times if at is not None), default=None)
