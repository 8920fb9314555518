"""What is between a whole client and the model server: a network, tokens, and time.

In calm weather all goes through at once and in order, but the end of a connection that the client
has closed, which takes a while. In a storm all waits until the history lets it through, in any
order. In both, fates may strike what is next.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from hypothesis import note

from broadcasting.audience import EVERYONE
from broadcasting.client_refusal import Code
from broadcasting.client_request import Replay
from tests.support.client_fates import Action, actions_on
from tests.support.event_judge import EventJudge
from tests.support.model_server import ModelServer, Sent, ServedConnection, wanted_of
from tests.support.request_judge import RequestJudge, require_swaps
from tests.support.whole_client import (
    AskToken,
    Close,
    Effect,
    Open,
    Options,
    Send,
    Told,
    WholeClient,
)

_MOST_TURNS: Final = 400
_MOST_AT_ONCE: Final = 200
_REST_MS: Final = 150_000
"""After this time without trouble, a client has to have tried again, and with success."""
_MOST_UP: Final = 12
"""In a long storm, more texts than these are lost: they are mostly the same again."""


class ClientWorld:
    """One client and one server; tells the judges of all that the client does and tells."""

    def __init__(
        self, client: WholeClient, options: Options, *, room_bytes: int, renew_in_ms: int
    ) -> None:
        self.client = client
        self.server = ModelServer(room_bytes=room_bytes, renew_in_ms=renew_in_ms)
        permanent = {EVERYONE, *options.channels}
        self.judge = EventJudge(
            self.server.streams, is_ordered=options.is_ordered, permanent=permanent
        )
        self.is_calm = True
        self.omens: list[tuple[str, str]] = []
        """In calm weather: what strikes the next one of a kind."""
        self.troubles = 0
        """How often anything was not as it is in calm weather."""
        self.is_given_up = False
        """Whether a request was called bad: the client may wait for a new connection then."""
        self._requests = RequestJudge()
        self._known_troubles, self._trouble_ms = 0, 0.0
        self._is_denied = False
        """Whether a token was denied: the client may wait for the end of its connection then."""
        self._asks: list[int] = []
        self._hung: list[int] = []
        self._tokens = 0
        self.do("begin", options=options.as_json())

    @property
    def connections(self) -> list[ServedConnection]:
        """All connections so far."""
        return list(self.server.connections.values())

    @property
    def live_connections(self) -> list[ServedConnection]:
        """The connections that both sides may use."""
        return [one for one in self.connections if one.is_live]

    # The client

    def do(self, command: str, **fields: Any) -> Sequence[Effect]:
        """Have something happen to the client, and take what it does."""
        shown = {name: one for name, one in fields.items() if name != "text"}
        note(f"{self._time} {command} {shown or ''} {fields.get('text', ''):.300}")
        if command == "close":
            self._requests.closed()
        effects = self.client.do(command, **fields)
        for one in effects:
            note(f"{self._time}     {one}")
        assert len(effects) <= _MOST_AT_ONCE, f"{len(effects)} effects at once"
        for one in effects:
            self._meet(one)
        changes = any(isinstance(one, Told) and one.kind == "state" for one in effects)
        if not changes and self.judge.state == "connected":
            closed = [one.socket for one in effects if isinstance(one, Close)]
            require_swaps(
                [self.server.connections[socket] for socket in closed],
                self.live_connections,
                self.judge.followed.values(),
            )
        return effects

    def ask_of_client(self, command: str, **fields: Any) -> None:
        """Have the application, or the page, want something."""
        self.do(command, **fields)
        self.settle()

    def subscribe(self, handle: int, channel: str, first: Mapping[str, Any] | None) -> None:
        """Have the application subscribe."""
        begins_anew = self.client.has_handlers and channel == EVERYONE and bool(first)
        self.judge.subscribe(
            handle, channel, first, self._requests.requests + 1, begins_anew=begins_anew
        )
        self.ask_of_client("subscribe", handle=handle, channel=channel, first=first)

    def unsubscribe(self, handle: int) -> None:
        """Have the application leave a channel."""
        self.judge.leave(handle)
        self.ask_of_client("unsubscribe", handle=handle)

    def _meet(self, effect: Effect) -> None:
        match effect:
            case AskToken(ask, reason):
                self._requests.asks_token(ask, reason)
                self._asks.append(ask)
            case Open(socket, token):
                self.server.accept(socket)
                open_ = [one for one in self.connections if not one.is_over | one.is_closed]
                self._requests.opens(socket, token, len(open_))
            case Send(socket, text):
                one = self.server.connections[socket]
                self._requests.sends(one, text)
                if not one.is_silent and len(one.up) < _MOST_UP:
                    one.up.append(text)
            case Close(socket):
                self.server.connections[socket].is_closed = True
            case Told(kind, detail):
                self.judge.told(kind, detail)

    # Time

    def live(self, ms: float) -> None:
        """Have time pass; a connection is cut when its time is over, as API Gateway does."""
        start, turns = self.client.now_ms, 0
        while (now := self.client.now_ms) < start + ms:
            ends = [self._end_of(one) for one in self.live_connections]
            self.do("advance", ms=max(0.0, min([start + ms, *ends]) - now))
            self.settle()
            turns += 1
            if self.troubles != self._known_troubles or not self.is_calm:
                self._known_troubles, self._trouble_ms = self.troubles, self.client.now_ms
            most = 60 + (self.client.now_ms - start) / 2_000
            assert turns <= most, f"the client did something {turns} times: a busy loop"
            for one in self.connections if self.is_calm else ():
                if one.is_closed:
                    self.cut(one)
            for one in self.live_connections:
                if self.client.now_ms >= self._end_of(one):
                    self._require_trouble(one)
                    self.cut(one)
            self.settle()

    def _require_trouble(self, one: ServedConnection) -> None:
        """A connection that has come to its end was not renewed: there has to be a reason."""
        was_well = one.joined_at_troubles == self.troubles
        has_rested = self.client.now_ms - self._trouble_ms > _REST_MS and not self._is_denied
        is_well = has_rested and one.answered and one.is_known and not one.is_silent
        assert not was_well, f"{one.id} was cut for its age: it was not renewed"
        assert not is_well, f"{one.id} was cut for its age: its renewal was not tried again"

    def live_until_renewal(self) -> bool:
        """Have time pass, in calm weather, until the client renews; tell whether it does."""
        end = self.client.now_ms + self.server.renew_in_ms
        while self.client.now_ms < end and self.judge.state == "connected":
            effects = self.do("advance", ms=end - self.client.now_ms)
            if any(isinstance(one, AskToken) and one.reason == "renewal" for one in effects):
                return True
            self.settle()
        return False

    def _end_of(self, one: ServedConnection) -> float:
        return one.opened_ms + self.server.renew_in_ms

    @property
    def _time(self) -> str:
        return f"{self.client.now_ms / 1000:9.3f}"

    # The network

    def settle(self) -> None:
        """In calm weather, let all through that is on its way."""
        if not self.is_calm:
            return
        for _ in range(_MOST_TURNS + len(self.actions())):
            if not (actions := self.actions()):
                return
            action = actions[0]
            fate = next((fate for kind, fate in self.omens if kind == action.kind), None)
            if fate:
                self.omens.remove((action.kind, fate))
            self.act(action, fate)
        raise AssertionError("client and server do not come to an end: a busy loop")

    def actions(self) -> list[Action]:
        """Return all that is on its way; and would go on now, in calm weather."""
        found = [Action("ask", ask=one) for one in self._asks]
        for one in self.connections:
            found += actions_on(one)
        return [one for one in found if one.kind != "end" or not self.is_calm]

    def let_all_through(
        self, is_chosen: Callable[[Action], bool], *, most: int = _MOST_TURNS
    ) -> None:
        """In a storm, let through what is chosen, and what follows from it, in order."""
        for _ in range(most):
            action = next((one for one in self.actions() if is_chosen(one)), None)
            if action is None:
                return
            self.act(action)

    def act(self, action: Action, fate: str | None = None) -> None:
        """Let something through, or have a fate strike it."""
        if fate:
            self.troubles += 1
            note(f"          {action.kind} has the fate {fate}")
        if action.kind == "ask":
            self._asks.remove(action.ask)
            self._answer_ask(action.ask, fate or "given")
            return
        assert action.connection
        steps = {"open": self._open, "up": self._serve, "down": self._deliver, "end": self._end}
        steps[action.kind](action.connection, action.place, fate)

    def cut(self, one: ServedConnection) -> None:
        """Cut a connection; what is on its way on it is lost."""
        if one.is_over:
            return
        if not one.is_open and not one.is_closed:
            self._requests.was_refused(one)
        one.is_open, one.is_over = False, True
        one.up.clear()
        one.down.clear()
        self.do("ended", socket=one.socket)

    def cut_all(self) -> None:
        """Cut all connections."""
        for one in self.connections:
            self.cut(one)
        self.settle()

    def say(self, one: ServedConnection, text: str) -> None:
        """Have the server, or something before it, say something of its own."""
        if one.is_live and not one.is_silent:
            one.down.append(Sent(text, "word"))

    def answer_late(self, fate: str) -> None:
        """Have a function for tokens that hung answer at last."""
        if self._hung:
            self._answer_ask(self._hung.pop(0), fate)
            self.settle()

    def _answer_ask(self, ask: int, fate: str) -> None:
        if fate == "hangs":
            self._hung.append(ask)
            return
        self._is_denied |= fate in ("null", "unauthorized")
        self._tokens += 1
        token = f"t{self._tokens}"
        self._requests.given(ask, token if fate == "given" else None)
        self.do("token", ask=ask, fate=fate, token=token)
        self._requests.given(ask, None)

    def _open(self, one: ServedConnection, _: int, fate: str | None) -> None:
        if fate == "hangs":
            one.is_hung = True
        elif fate:
            self.cut(one)
        else:
            one.is_open, one.opened_ms = True, self.client.now_ms
            self.do("opened", socket=one.socket)

    def _serve(self, one: ServedConnection, place: int, fate: str | None) -> None:
        text = one.up.pop(place)
        if fate == "twice":
            one.up.append(text)
        if fate == "cut":
            self.cut(one)
        elif fate == "throttled":
            told = {"message": "Too Many Requests", "connectionId": one.id, "requestId": "r"}
            self.say(one, json.dumps(told))
        elif fate != "lost":
            refusal = Code(fate) if fate in ("busy", "gone", "bad-frame") else None
            if refusal is Code.BAD_FRAME and _names_channels(text):
                refusal = None  # a client would do without a channel that is refused for good
            self.is_given_up |= refusal is Code.BAD_FRAME
            self.server.now_ms = self.client.now_ms
            self.server.serve(one, text, refusal=refusal)
            if fate == "answered and cut":
                self.cut(one)

    def _deliver(self, one: ServedConnection, place: int, fate: str | None) -> None:
        sent = one.down.pop(place)
        if fate == "cut":
            self.cut(one)
        elif fate == "late":
            one.down.append(sent)
        elif fate != "lost":
            self._hand_over(one, sent)
            if fate == "twice" and not one.is_over:
                self._hand_over(one, sent)

    def _end(self, one: ServedConnection, _: int, fate: str | None) -> None:
        if fate is None:
            self.cut(one)

    def _hand_over(self, one: ServedConnection, sent: Sent) -> None:
        if one.is_live and not self._requests.is_settled(sent.request):
            self._note_answer(one, sent)
            self.judge.answers = sent.positions
        self.do("text", socket=one.socket, text=sent.text)
        self.judge.answers, self.judge.refused = {}, frozenset()

    def _note_answer(self, one: ServedConnection, sent: Sent) -> None:
        """Note what the client hears about its channels: where they begin, what is refused."""
        assert sent.request
        if sent.kind in ("error busy", "error gone"):
            return
        number = self._requests.settle(sent.request)
        if sent.kind.startswith("error"):
            names = (each.channel for each in wanted_of(sent.request.request))
            self.judge.refused = frozenset(names) - {EVERYONE}
        elif not isinstance(sent.request.request, Replay):
            one.answered += self.judge.answered(sent.positions, number)
        if sent.kind == "joined":
            is_alone = self.live_connections == [one]
            self._requests.joined(one, is_alone=is_alone)
            one.joined_at_troubles = self.troubles if self.is_calm else -1


def _names_channels(text: str) -> bool:
    """Tell whether a request wants to be on a channel that a client can do without."""
    request = json.loads(text)
    return request["action"] in ("join", "subscribe") and set(request["at"]) != {EVERYONE}
