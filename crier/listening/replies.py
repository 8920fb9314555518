"""What a client does about answers and refusals that come on a connection. Pure."""

from collections.abc import Callable
from typing import Final

from broadcasting.audience import EVERYONE
from crier.listening.channels import Channels
from crier.listening.connection import Connection
from crier.listening.effects import Outbox, Trouble
from crier.listening.incoming import Answer, MalformedError, Refusal
from crier.listening.requests import Request

_NOT_ALLOWED: Final = "not-allowed"
_SUBSCRIBING: Final = ("join", "subscribe")


class Replies:
    """Takes replies to requests of any connection of a client.

    `look_if_joined` is called when a connection is on channels, before what was missed is told.
    """

    def __init__(
        self, channels: Channels, outbox: Outbox, look_if_joined: Callable[[float], None]
    ) -> None:
        self._channels, self._outbox, self._look_if_joined = channels, outbox, look_if_joined

    def answered(self, connection: Connection, answer: Answer, now_ms: float) -> None:
        """Take an answer; a late one, of a request that was answered before, is passed over.

        Raises MalformedError when it does not tell of a channel that was asked about.
        """
        request = connection.requests.get(answer.ref)
        if request is None:
            return
        if request.action == "unsubscribe":
            connection.unsubscribed(request)
        elif missing := request.channels.keys() - answer.positions.keys():
            raise MalformedError(f"found nothing of {sorted(missing)}, expected all channels")
        else:
            if request.action == "join":
                connection.joined(answer, now_ms)
            if request.action in _SUBSCRIBING:
                self._note_members(connection, request)
                self._look_if_joined(now_ms)
            self._take_positions(request, answer, now_ms)
            if request.action == "replay":
                self._pause_without_progress(request, now_ms)
        connection.requests.end(request)
        self._channels.pong(answer.newest, now_ms)
        connection.change_membership(now_ms)

    def refused(self, connection: Connection, refusal: Refusal, now_ms: float) -> bool:
        """Take a refusal; return whether the connection is of no use any more."""
        if refusal.code == "gone":
            return True
        request = connection.requests.get(refusal.ref)
        if request is None:
            if not refusal.ref:
                self._outbox.append(Trouble(refusal.code, refusal.message, retry=False))
            return False
        if refusal.code == "busy":
            connection.requests.busy(request, refusal.after_ms, now_ms)
            return False
        connection.requests.end(request)
        is_useless = self._is_given_up(connection, request, refusal, now_ms)
        if not is_useless:
            connection.change_membership(now_ms)
        return is_useless

    def _note_members(self, connection: Connection, request: Request) -> None:
        for name, channel in request.channels.items():
            if self._channels.is_wanted(name, channel):
                connection.members[name] = channel
            else:
                connection.members.setdefault(name, channel)  # it has to be left

    def _take_positions(self, request: Request, answer: Answer, now_ms: float) -> None:
        for name, channel in request.channels.items():
            if self._channels.is_wanted(name, channel):
                self._channels.answer(name, channel, answer.positions[name], now_ms)

    @staticmethod
    def _pause_without_progress(request: Request, now_ms: float) -> None:
        """Ask no more at once after an answer that brings nothing: it may come for ever."""
        for channel in request.channels.values():
            asked = request.fields
            is_further = channel.position > asked["from"] and channel.epoch == asked["epoch"]
            if not is_further and channel.asks_at is not None:
                channel.unanswered(now_ms)

    def _is_given_up(
        self, connection: Connection, request: Request, refusal: Refusal, now_ms: float
    ) -> bool:
        """Ask in another way, or give the request up; return whether nothing is left to do."""
        if self._is_without(connection, request, refusal, now_ms):
            return False
        self._outbox.append(Trouble(refusal.code, refusal.message, retry=False))
        if request.action == "unsubscribe":
            connection.unsubscribed(request)
        elif request.action == "replay":
            for channel in request.channels.values():
                channel.unanswered(now_ms)
        return request.action in _SUBSCRIBING

    def _is_without(
        self, connection: Connection, request: Request, refusal: Refusal, now_ms: float
    ) -> bool:
        """Do without a channel that is refused, once it is known which; return whether it can.

        A refusal does not name it, and is as lasting as what was asked: a channel that is not
        allowed, or more of its last frames than the server replays.
        """
        if not request.channels.keys() - {EVERYONE}:
            return False
        if request.action == "replay":
            is_for_good = refusal.code == _NOT_ALLOWED
        elif request.action in _SUBSCRIBING:
            is_for_good = not connection.be_careful(request)
        else:
            return False
        if is_for_good:
            self._leave(request, refusal)
        elif request.action == "join":
            connection.join(now_ms)
        return is_for_good or request.action in _SUBSCRIBING

    def _leave(self, request: Request, refusal: Refusal) -> None:
        for name, channel in request.channels.items():
            if name != EVERYONE and self._channels.is_wanted(name, channel):
                self._channels.leave(name)
                text = f"{name}: {refusal.message}"
                self._outbox.append(Trouble(refusal.code, text, retry=False))
