"""The Python client without I/O, as generated histories drive it."""

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any, Final

from broadcasting.followed_channel import Gap, Message
from crier.listening import effects as its
from crier.listening.client import Client
from crier.listening.opening import Denied, TokenFailure
from crier.listening.waits import Waits
from tests.support.whole_client import AskToken, Close, Effect, Open, Send, Told


class PythonClient:
    """Drives `crier.listening.client`. Its channels have no handlers: one subscription each."""

    nudges: Sequence[str] = ("online",)
    has_handlers = False

    def __init__(self) -> None:
        self.now_ms = 0.0
        self.positions: dict[str, Mapping[str, Any]] = {}
        self._client: Client
        self._names: dict[int, str] = {}
        self._ready: list[its.Effect] = []

    def do(self, command: str, **fields: Any) -> Sequence[Effect]:
        """Have something happen."""
        _COMMANDS[command](self, **fields)
        return self._effects()

    def begin(self, options: Mapping[str, Any]) -> None:
        """Make a client."""
        self.now_ms = 0.0
        names = enumerate(options["channels"], start=1)
        self._names = {-number: name for number, name in names}
        self._client = Client(
            Waits(jitter=Random(options["seed"]).random),  # noqa: S311 - repeatable, not secret
            first=dict.fromkeys(options["channels"]),
            is_ordered=options["is_ordered"],
        )

    def connect(self) -> None:
        """Connect."""
        self._client.start(self.now_ms)

    def close(self) -> None:
        """Close."""
        self._client.close()

    def subscribe(self, handle: int, channel: str, first: Mapping[str, Any] | None) -> None:
        """Follow a channel."""
        self._names[handle] = channel
        self._client.subscribe(channel, self.now_ms, first=first)

    def unsubscribe(self, handle: int) -> None:
        """Follow it no more, unless it is followed for another reason."""
        name = self._names.pop(handle, "")
        if name not in self._names.values():
            self._client.unsubscribe(name, self.now_ms)

    def advance(self, ms: float) -> None:
        """Do what is due, up to the first effect."""
        end = self.now_ms + ms
        while (at := self._client.wakes_at) is not None and at <= end:
            self.now_ms = max(self.now_ms, at)
            self._client.due(self.now_ms)
            self._ready = self._client.effects()
            if self._ready:
                return
            assert self._client.wakes_at != at, f"the client wakes at {at} and does nothing"
        self.now_ms = end

    def oversleep(self, ms: float) -> None:
        """Do late what is due."""
        self.now_ms += ms
        at = self._client.wakes_at
        if at is not None and at <= self.now_ms:
            self._client.due(self.now_ms)

    def token(self, ask: int, fate: str, token: str | None) -> None:
        """Answer a question for a token; what is no token is a failure to the code around."""
        failures = {
            "null": Denied("there is none"),
            "unauthorized": Denied("the user has gone"),
            "rejects": TokenFailure("no answer"),
            "nonsense": TokenFailure("found nonsense"),
        }
        self._client.token(ask, failures.get(fate, token), self.now_ms)

    def opened(self, socket: int) -> None:
        """Tell of a handshake."""
        self._client.opened(socket, self.now_ms)

    def ended(self, socket: int) -> None:
        """Tell of an end."""
        self._client.ended(socket, self.now_ms)

    def text(self, socket: int, text: str) -> None:
        """Hand a text over."""
        self._client.text(socket, text, self.now_ms)

    def nudge(self, what: str) -> None:
        """Have the client look whether it is connected."""
        assert what == "online"
        self._client.check(self.now_ms)

    def read_positions(self) -> None:
        """Read where the client is."""
        self.positions = {
            name: {"seq": one.position, "epoch": one.epoch}
            for name, one in self._client.channels
            if one.epoch is not None
        }

    def _effects(self) -> list[Effect]:
        ready, self._ready = self._ready, []
        effects = [*ready, *self._client.effects()]
        for one in effects:
            if isinstance(one, its.Trouble) and one.code == "not-allowed":
                self._forget(one.message.partition(":")[0])
        return [_shown(one) for one in effects]

    def _forget(self, channel: str) -> None:
        """Forget the subscriptions of a channel that was refused."""
        self._names = {handle: name for handle, name in self._names.items() if name != channel}


_COMMANDS: Final[Mapping[str, Callable[..., None]]] = {
    "begin": PythonClient.begin,
    "connect": PythonClient.connect,
    "close": PythonClient.close,
    "subscribe": PythonClient.subscribe,
    "unsubscribe": PythonClient.unsubscribe,
    "advance": PythonClient.advance,
    "oversleep": PythonClient.oversleep,
    "token": PythonClient.token,
    "opened": PythonClient.opened,
    "ended": PythonClient.ended,
    "text": PythonClient.text,
    "nudge": PythonClient.nudge,
    "positions": PythonClient.read_positions,
}


def _shown(effect: its.Effect) -> Effect:  # noqa: PLR0911 - one of each kind
    match effect:
        case its.AskToken(ask, reason):
            return AskToken(ask, str(reason))
        case its.Open(socket, token):
            return Open(socket, token)
        case its.Send(socket, text):
            return Send(socket, text)
        case its.Close(socket):
            return Close(socket)
        case its.Followed(channel, event):
            return _shown_event(channel, event)
        case its.Changed(before, state, reason, retry_in_ms):
            detail = {"from": str(before), "to": str(state), "reason": reason}
            return Told("state", {**detail, "retryInMs": retry_in_ms})
        case its.Trouble(code, message, retry):
            return Told("error", {"code": code, "message": message, "retry": retry})


def _shown_event(channel: str, event: Any) -> Told:
    if isinstance(event, Message):
        frame = event.frame
        told = {"channel": channel, "seq": frame["seq"], "id": frame["id"]}
        return Told("message", {**told, "replayed": event.is_replayed})
    if isinstance(event, Gap):
        told = {"from": event.start, "to": event.end, "reason": event.reason}
        return Told("gap", {"channel": channel, **told})
    return Told("recovered", {"channel": channel, "count": event.frames})
