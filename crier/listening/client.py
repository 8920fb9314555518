"""A client of crier.v1 without I/O: it comes back, renews its connection, and misses nothing.

The code around it tells what happened, and at which time, and does what `effects` says. All times
are in milliseconds, of one clock that never goes back; what is due at `wakes_at` is done by `due`.
"""

from collections.abc import Mapping
from itertools import count
from typing import Final

from broadcasting.audience import EVERYONE
from broadcasting.followed_channel import Frame
from crier.listening.channels import Channels
from crier.listening.connection import MOST_EARLIER, Connection
from crier.listening.effects import (
    AskToken,
    Changed,
    Close,
    Effect,
    Open,
    Outbox,
    State,
    TokenReason,
    Trouble,
)
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
from crier.listening.opening import Denied, Opening, Refusals, TokenFailure
from crier.listening.replies import Replies
from crier.listening.waits import OPENING_MS, SILENCE_MS, STEADY_MS, Waits

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
        self.state = State.IDLE
        self.ids: list[str] = []
        self.wakes_at: float | None = None
        self._waits = waits
        self._outbox: Outbox = []
        self.channels = Channels(waits, self._outbox, is_ordered=is_ordered)
        self._replies = Replies(self.channels, self._outbox)
        self._refusals = Refusals(most_denials)
        self._sockets, self._asks, self._refs = count(1), count(1), count(1)
        self._live: Connection | None = None
        self._opening: Opening | None = None
        self._renewal: Opening | None = None
        self._failures = self._renewal_failures = 0
        self._retry_at: float | None = None
        self._token_reason = TokenReason.FIRST
        self._quiet_until = float("-inf")
        for name, one in (first or {}).items():
            self.channels.follow(name, one)

    @property
    def connection_id(self) -> str | None:
        """The id of the connection that is joined."""
        return self._live.id if self._live else None

    def effects(self) -> list[Effect]:
        """Return what is to be done and told since the last call, in order."""
        effects = list(self._outbox)
        self._outbox.clear()
        self.wakes_at = self._next_time()
        return effects

    def start(self, now_ms: float) -> None:
        """Connect, or connect again after the end."""
        if self.state in (State.IDLE, State.CLOSED):
            self.channels.come_back()
            self._failures = 0
            self._refusals.reset()
            self._token_reason = TokenReason.FIRST
            self._begin("connect", now_ms)

    def close(self) -> None:
        """End: all sockets are closed."""
        self._end("close")

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
        for opening in self._openings:
            if opening.ask == ask and opening.connection is None:
                self._has_token(opening, token, now_ms)

    def opened(self, socket: int, now_ms: float) -> None:
        """Take note of a handshake that has succeeded."""
        opening = self._opening_of(socket)
        if opening and opening.connection and not opening.is_open:
            opening.is_open = True
            opening.connection.join(now_ms)

    def ended(
        self, socket: int, now_ms: float, *, status: int | None = None, why: str = ""
    ) -> None:
        """Take note of a connection that has ended.

        `status` is the HTTP status by which the handshake was refused, `why` says another reason.
        """
        if self._live and self._live.socket == socket:
            self._cut(self._live, "cut", now_ms)
        elif opening := self._opening_of(socket):
            reason = "cut" if opening.is_open else "refused"
            self._failed(opening, reason, now_ms, status=status, why=why)

    def text(self, socket: int, text: str | bytes, now_ms: float) -> None:
        """Take a text that came on a connection."""
        opening = self._opening_of(socket)
        connection = opening.connection if opening else self._live
        if connection is None or connection.socket != socket:
            return
        connection.silent_at = None
        try:
            self._take(connection, read(text), now_ms)
        except MalformedError as error:
            self._complain(str(error), now_ms)

    def check(self, now_ms: float) -> None:
        """Look whether the connection lives: the machine has slept, or its network is another."""
        if self._retry_at is not None:
            self._begin("online", now_ms)
        elif self._live and self._live.silent_at is None:
            self._live.check(now_ms)

    def due(self, now_ms: float) -> None:
        """Do what is due by now."""
        if self._retry_at is not None and self._retry_at <= now_ms:
            self._begin("retry", now_ms)
        for opening in self._openings:
            if not opening.due(now_ms):
                self._timed_out(opening, now_ms)
        if self._live:
            self._due_on(self._live, now_ms)

    # How connections come and go

    def _begin(self, reason: str, now_ms: float) -> None:
        self._retry_at = None
        self._change(State.CONNECTING, reason)
        self._opening = self._ask_token(self._token_reason, now_ms)

    def _ask_token(self, reason: TokenReason, now_ms: float) -> Opening:
        opening = Opening(next(self._asks), now_ms + OPENING_MS)
        self._outbox.append(AskToken(opening.ask, reason))
        return opening

    def _has_token(self, opening: Opening, token: str | TokenFailure | None, now_ms: float) -> None:
        if isinstance(token, Denied):
            self._denied(opening, token)
        elif isinstance(token, TokenFailure):
            self._outbox.append(Trouble("token", token.message, retry=True))
            self._failed(opening, "token", now_ms)
        else:
            opening.connection = Connection(
                next(self._sockets),
                self.channels,
                self.ids,
                self._waits,
                self._refs,
                self._outbox,
            )
            self._outbox.append(Open(opening.connection.socket, token))

    def _denied(self, opening: Opening, denied: Denied) -> None:
        """End; a renewal waits for the end of the connection, after which it is asked again."""
        if opening is self._renewal:
            self._renewal = None
        else:
            self._outbox.append(Trouble("unauthorized", denied.message, retry=False))
            self._end("unauthorized")

    def _timed_out(self, opening: Opening, now_ms: float) -> None:
        reason = "timeout"
        if opening.connection is None:
            reason = "token"
            text = f"no token came in {OPENING_MS // 1_000} s"
            self._outbox.append(Trouble("token", text, retry=True))
        self._failed(opening, reason, now_ms)

    def _failed(
        self,
        opening: Opening,
        reason: str,
        now_ms: float,
        *,
        status: int | None = None,
        why: str = "",
    ) -> None:
        """Give a try up, and try again later."""
        if opening.socket is not None:
            self._outbox.append(Close(opening.socket))
        if opening is self._renewal:
            self._renewal = None
            self._renew_later(now_ms)
            return
        self._opening = None
        if reason != "token":
            if self._refusals.count(self._outbox, status=status, why=why or reason):
                self._end("unauthorized")
                return
            is_refused = reason in ("refused", "gone")
            self._token_reason = TokenReason.REFUSED if is_refused else TokenReason.RECONNECT
        self._failures += 1
        self._wait(reason, self._waits.before_connect(self._failures), now_ms)

    def _renew_later(self, now_ms: float) -> None:
        if self._live:
            self._live.renew_at = now_ms + self._waits.before_connect(self._renewal_failures)
            self._renewal_failures += 1

    def _cut(self, live: Connection, reason: str, now_ms: float) -> None:
        """Go on after the end of the live connection: by its renewal, if that is on its way."""
        self._live = None
        self._outbox.append(Close(live.socket))
        is_steady = live.joined_at is not None and now_ms - live.joined_at >= STEADY_MS
        self._failures = 0 if is_steady else self._failures + 1
        self.channels.come_back()
        self._token_reason = TokenReason.REFUSED if reason == "gone" else TokenReason.RECONNECT
        if self._renewal:
            self._opening, self._renewal = self._renewal, None
            self._change(State.CONNECTING, reason)
            self._look_if_joined(self._opening, now_ms)
        else:
            self._wait(reason, self._waits.before_connect(self._failures), now_ms)

    def _look_if_joined(self, opening: Opening, now_ms: float) -> None:
        """Let a connection be the live one when it is joined.

        A renewed one has to be on all channels: the connection before it serves until then.
        """
        connection = opening.connection
        if connection is None or connection.joined_at is None:
            return
        if opening is self._opening:
            self._opening = None
            self._change(State.CONNECTED, "joined")
        elif connection.is_whole:
            self._renewal = None
            if self._live:
                self._outbox.append(Close(self._live.socket))
        else:
            return
        self._live = connection
        self._renewal_failures = 0
        self._refusals.reset()
        self.ids.append(connection.id)
        del self.ids[: -MOST_EARLIER - 1]
        connection.change_membership(now_ms)

    def _said_bye(self, bye: Bye, now_ms: float) -> None:
        if not bye.may_reconnect:
            self._end(bye.code)
            return
        self._close_all()
        self.channels.come_back()
        self._token_reason = TokenReason.RECONNECT
        most_ms = bye.after_ms
        wait_ms = self._waits.within(most_ms) if most_ms else self._waits.before_connect(0)
        self._wait(bye.code, wait_ms, now_ms)

    def _wait(self, reason: str, wait_ms: float, now_ms: float) -> None:
        self._retry_at = now_ms + wait_ms
        self._change(State.WAITING, reason, wait_ms)

    def _end(self, reason: str) -> None:
        self._close_all()
        self._retry_at = None
        if self.state is not State.CLOSED:
            self._change(State.CLOSED, reason)

    def _close_all(self) -> None:
        connections = (self._live, *(one.connection for one in self._openings))
        self._outbox += [Close(one.socket) for one in connections if one]
        self._live = self._opening = self._renewal = None

    def _change(self, state: State, reason: str, retry_in_ms: float | None = None) -> None:
        self._outbox.append(Changed(self.state, state, reason, retry_in_ms))
        self.state = state

    # What comes, and what is due

    def _take(self, connection: Connection, found: Incoming, now_ms: float) -> None:
        match found:
            case Broadcast(frame):
                self.channels.frame(frame, now_ms)
            case Answer():
                self._replies.answered(connection, found, now_ms)
                if opening := self._opening_of(connection.socket):
                    self._look_if_joined(opening, now_ms)
            case Refusal():
                self._refused(connection, found, now_ms)
            case Throttled():
                connection.requests.throttled(now_ms)
            case Bye():
                self._said_bye(found, now_ms)

    def _refused(self, connection: Connection, found: Refusal, now_ms: float) -> None:
        is_useless = self._replies.refused(connection, found, now_ms)
        opening = self._opening_of(connection.socket)
        reason = "gone" if found.code == "gone" else "refused-request"
        if is_useless and opening:
            self._failed(opening, reason, now_ms)
        elif is_useless:
            self._cut(connection, reason, now_ms)
        elif opening:  # a channel that was dropped may have been the last that was missing
            self._look_if_joined(opening, now_ms)

    def _due_on(self, live: Connection, now_ms: float) -> None:
        if live.silent_at is not None and live.silent_at <= now_ms:
            if now_ms - live.silent_at <= SILENCE_MS:
                self._cut(live, "silent", now_ms)
                return
            live.check(now_ms)  # this machine has slept meanwhile: give the server its time
        live.ask_again(now_ms)
        live.replay(now_ms)
        if live.ping_at is not None and live.ping_at <= now_ms:
            live.ping(now_ms)
        if live.renew_at is not None and live.renew_at <= now_ms:
            live.renew_at = None
            self._renewal = self._ask_token(TokenReason.RENEWAL, now_ms)

    def _change_membership(self, now_ms: float) -> None:
        """Have the server know of the channels that are wanted now, on each connection."""
        for one in (self._live, *(opening.connection for opening in self._openings)):
            if one:
                one.change_membership(now_ms)
        for opening in self._openings:  # what was left may have been the last that was missing
            self._look_if_joined(opening, now_ms)

    def _complain(self, text: str, now_ms: float) -> None:
        if now_ms >= self._quiet_until:
            self._quiet_until = now_ms + _COMPLAINTS_MS
            self._outbox.append(Trouble("bad-text", text, retry=False))

    @property
    def _openings(self) -> tuple[Opening, ...]:
        return tuple(one for one in (self._opening, self._renewal) if one)

    def _opening_of(self, socket: int) -> Opening | None:
        return next((one for one in self._openings if one.socket == socket), None)

    def _next_time(self) -> float | None:
        times = [self._retry_at, *(one.wakes_at for one in self._openings)]
        times.append(self._live.wakes_at if self._live else None)
        return min((at for at in times if at is not None), default=None)
