"""The connections of a client: how they come, take each other's place, and go. Pure."""

from itertools import count
from typing import Final

from broadcasting.client_request import MOST_EARLIER
from crier.listening.channels import Channels
from crier.listening.connection import Connection
from crier.listening.effects import (
    AskToken,
    Changed,
    Close,
    Open,
    Outbox,
    State,
    TokenReason,
    Trouble,
)
from crier.listening.incoming import Bye
from crier.listening.opening import Denied, Opening, Refusals, TokenFailure
from crier.listening.waits import OPENING_MS, STEADY_MS, Waits

_NEW_TOKEN: Final = ("refused", "gone")


class Connections:
    """`live` serves; one that is on its way comes first, or renews the live one.

    `ids` are those that the client had, the newest last. `most_denials` is how many refusals by 401
    or 403, one after another, end the client; None for any number.
    """

    def __init__(
        self, waits: Waits, channels: Channels, outbox: Outbox, *, most_denials: int | None
    ) -> None:
        self.state = State.IDLE
        self.ids: list[str] = []
        self.live: Connection | None = None
        self.retry_at: float | None = None
        self._waits, self._channels, self._outbox = waits, channels, outbox
        self._opening: Opening | None = None
        self._renewal: Opening | None = None
        self._refusals = Refusals(most_denials)
        self._sockets, self._asks, self._refs = count(1), count(1), count(1)
        self._failures = self._renewal_failures = self._short_lives = 0
        self._token_reason = TokenReason.FIRST

    @property
    def openings(self) -> tuple[Opening, ...]:
        """Those that are on their way."""
        return tuple(one for one in (self._opening, self._renewal) if one)

    def opening_of(self, socket: int) -> Opening | None:
        """Return the one that is on its way on a socket."""
        return next((one for one in self.openings if one.socket == socket), None)

    def start(self, now_ms: float) -> None:
        """Connect, or connect again after the end."""
        self._channels.come_back({})
        self._failures = 0
        self._refusals.reset()
        self._token_reason = TokenReason.FIRST
        self.begin("connect", now_ms)

    def begin(self, reason: str, now_ms: float) -> None:
        """Try to connect now."""
        self.retry_at = None
        self._change(State.CONNECTING, reason)
        self._opening = self._ask_token(self._token_reason, None, now_ms)

    def renew(self, live: Connection, now_ms: float) -> None:
        """Open a connection that is to take the place of the live one."""
        live.renew_at = None
        self._renewal = self._ask_token(TokenReason.RENEWAL, live, now_ms)

    def has_token(self, opening: Opening, token: str | TokenFailure | None, now_ms: float) -> None:
        """Open a socket with a token, or do without one for now."""
        if isinstance(token, Denied):
            self._denied(opening, token)
        elif isinstance(token, TokenFailure):
            self._outbox.append(Trouble("token", token.message, retry=True))
            self.failed(opening, "token", now_ms)
        else:
            opening.connection = Connection(
                next(self._sockets),
                self._channels,
                self.ids,
                self._waits,
                self._refs,
                self._outbox,
            )
            self._outbox.append(Open(opening.connection.socket, token))

    def failed(
        self,
        opening: Opening,
        reason: str,
        now_ms: float,
        *,
        status: int | None = None,
        why: str = "",
        most_ms: float = 0,
    ) -> None:
        """Give a try up, and try again later: within `most_ms` if the server has said so."""
        if opening.socket is not None:
            self._outbox.append(Close(opening.socket))
        if opening.renews:
            self._renewal = None
            self._renew_later(opening.renews, most_ms, now_ms)
            return
        self._opening = None
        if status is not None:
            why = f"the server answered {status}"
        if reason != "token":
            if self._refusals.count(self._outbox, status=status, why=why or reason):
                self.end("unauthorized")
                return
            is_new = reason in _NEW_TOKEN
            self._token_reason = TokenReason.REFUSED if is_new else TokenReason.RECONNECT
        self._failures += 1
        self._wait(reason, most_ms, now_ms, why)

    def timed_out(self, opening: Opening, now_ms: float) -> None:
        """Give a try up that takes too long."""
        reason = "timeout"
        if opening.connection is None:
            reason = "token"
            text = f"no token came in {OPENING_MS // 1_000} s"
            self._outbox.append(Trouble("token", text, retry=True))
        self.failed(opening, reason, now_ms)

    def cut(self, live: Connection, reason: str, now_ms: float, *, most_ms: float = 0) -> None:
        """Go on after the end of the live connection: by its renewal, if that is on its way."""
        self.live = None
        self._outbox.append(Close(live.socket))
        self._count_end(live, now_ms)
        self._token_reason = TokenReason.REFUSED if reason == "gone" else TokenReason.RECONNECT
        live.give_up(now_ms)
        renewal, self._renewal = self._renewal, None
        connection = renewal.connection if renewal else None
        self._channels.come_back(connection.members if connection else {})
        if renewal and connection and connection.joined_at is not None:
            self._use(connection)
        elif renewal:
            self._opening, renewal.renews = renewal, None
            self._change(State.CONNECTING, reason)
        else:
            self._wait(reason, most_ms, now_ms)

    def look_if_joined(self, opening: Opening, now_ms: float) -> None:
        """Let a connection be the live one when it is joined.

        A renewed one has to be on all channels: the connection before it serves until then.
        """
        connection = opening.connection
        if connection is None or connection.joined_at is None:
            return
        if opening.renews is None:
            self._opening = None
            self._change(State.CONNECTED, "joined")
        elif connection.is_whole:
            self._renewal = None
            self._outbox.append(Close(opening.renews.socket))
            opening.renews.give_up(now_ms)
            self._renew_slower(connection, now_ms)
        else:
            return
        self._use(connection)

    def said_bye(self, connection: Connection, bye: Bye, now_ms: float) -> None:
        """Do as the server says that ends a connection: go on by its renewal, or come back later.

        Without a time to come back in, that is as after any other end.
        """
        if not bye.may_reconnect:
            self.end(bye.code)
        elif opening := self.opening_of(connection.socket):
            self.failed(opening, bye.code, now_ms, most_ms=bye.after_ms)
        else:
            self.cut(connection, bye.code, now_ms, most_ms=bye.after_ms)

    def end(self, reason: str) -> None:
        """Close all, and stay away."""
        self._close_all()
        self.retry_at = None
        if self.state is not State.CLOSED:
            self._change(State.CLOSED, reason)

    def _use(self, connection: Connection) -> None:
        """Let a joined connection be the live one."""
        self.live = connection
        self._renewal_failures = 0
        self._refusals.reset()
        if connection.id:
            self.ids.append(connection.id)
            del self.ids[: -MOST_EARLIER - 1]

    def _ask_token(self, reason: TokenReason, renews: Connection | None, now_ms: float) -> Opening:
        opening = Opening(next(self._asks), now_ms + OPENING_MS, renews)
        self._outbox.append(AskToken(opening.ask, reason))
        return opening

    def _denied(self, opening: Opening, denied: Denied) -> None:
        """End; a renewal waits for the end of the connection, after which it is asked again."""
        if opening.renews:
            self._renewal = None
        else:
            self._outbox.append(Trouble("unauthorized", denied.message, retry=False))
            self.end("unauthorized")

    def _renew_later(self, live: Connection, most_ms: float, now_ms: float) -> None:
        self._renewal_failures += 1
        live.renew_at = now_ms + self._wait_ms(self._renewal_failures, most_ms)

    def _renew_slower(self, connection: Connection, now_ms: float) -> None:
        """Wait longer each time when one connection after another is to be renewed at once."""
        if connection.renew_at is None or connection.renew_at - now_ms >= STEADY_MS:
            self._short_lives = 0
            return
        self._short_lives += 1
        least_ms = self._waits.before_connect(self._short_lives)
        connection.renew_at = max(connection.renew_at, now_ms + least_ms)

    def _count_end(self, connection: Connection, now_ms: float) -> None:
        """Count the failures in a row: a connection that has served for a while is none."""
        self._failures = 0 if connection.is_steady(now_ms) else self._failures + 1

    def _wait_ms(self, failures: int, most_ms: float) -> float:
        """Return how long to wait: as the server says, but longer if it says so again at once."""
        is_told = most_ms > 0 and failures <= 1
        longest_ms = 0 if is_told else self._waits.longest_before_connect(failures)
        return self._waits.within(max(most_ms, longest_ms))

    def _wait(self, reason: str, most_ms: float, now_ms: float, why: str = "") -> None:
        wait_ms = self._wait_ms(self._failures, most_ms)
        self.retry_at = now_ms + wait_ms
        self._change(State.WAITING, reason, wait_ms, why)

    def _close_all(self) -> None:
        connections = (self.live, *(one.connection for one in self.openings))
        self._outbox += [Close(one.socket) for one in connections if one]
        self.live = self._opening = self._renewal = None

    def _change(
        self, state: State, reason: str, retry_in_ms: float | None = None, why: str = ""
    ) -> None:
        self._outbox.append(Changed(self.state, state, reason, retry_in_ms, why))
        self.state = state
