"""What is between a whole client and the model server: a network, tokens, and time.

In calm weather all goes through at once and in order; in a storm it waits until the history lets it
through, in any order. In both, fates may strike what is next.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from hypothesis import note

from broadcasting.audience import EVERYONE, OWN
from broadcasting.client_parsing import parse_client_frame
from broadcasting.client_refusal import Code
from broadcasting.client_request import ClientFrame, Join, Replay, Subscribe, Unsubscribe
from tests.support.event_judge import EventJudge
from tests.support.model_server import (
    REPLAY_FRAMES,
    ModelServer,
    Sent,
    ServedConnection,
    wanted_of,
)
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

FATES: Final = {
    "ask": ("null", "unauthorized", "rejects", "nonsense", "hangs"),
    "open": ("refused", "hangs"),
    "up": ("lost", "twice", "busy", "gone", "bad-frame", "throttled", "cut", "answered and cut"),
    "down": ("lost", "twice", "late", "cut"),
    "end": ("late",),
}
"""What may become of a question for a token, a handshake, a text in either direction, an end."""

_REFUSED: Final = ("not-allowed", "bad-channel", "too-many-channels")
_TROUBLES: Final = (
    *_REFUSED,
    *("unauthorized", "token", "bad-url", "refused", "bad-text", "storage"),
    *("bad-frame", "unknown-action", "gone"),
)
_MOST_TURNS: Final = 400
_MOST_AT_ONCE: Final = 60


class Action(NamedTuple):
    """Something that is on its way. `index` is its place in what is on its way there."""

    kind: str
    connection: ServedConnection | None = None
    index: int = 0
    ask: int = 0


class ClientWorld:
    """One client and one server; tells the judge of all that the client tells."""

    def __init__(
        self, client: WholeClient, options: Options, *, room_bytes: int, renew_in_ms: int
    ) -> None:
        self.client = client
        self.server = ModelServer(room_bytes=room_bytes, renew_in_ms=renew_in_ms)
        self.judge = EventJudge(self.server.streams, is_ordered=options.is_ordered)
        self.is_calm = True
        self.omens: list[tuple[str, str]] = []
        self.handles: dict[int, str] = {}
        self.troubles = 0
        """How often anything was not as it is in calm weather."""
        self.is_given_up = False
        """Whether the server called a request bad, so that the client waits for a new connection."""
        self._made = 0
        self._permanent = {EVERYONE, *options.channels}
        self._asks: list[int] = []
        self._hung: list[int] = []
        self._newest_ask = 0
        self._tokens = 0
        self._given: str | None = None
        self._reasons: dict[int, str] = {}
        self._must_say_refused = False
        self._refs: dict[str, tuple[int, str]] = {}
        self._settled: set[str] = set()
        self._known_ids: list[str] = []
        self._naming: frozenset[str] = frozenset()
        for name in self._permanent:
            self.judge.follow(name, None, 0)
        self.do("begin", options=options.as_json())

    # What happens to the client

    def do(self, command: str, **fields: Any) -> Sequence[Effect]:
        """Have something happen to the client, and take what it does."""
        shown = {name: one for name, one in fields.items() if name != "text"}
        text = fields.get("text", "")
        note(f"{self.client.now_ms / 1000:9.3f} {command} {shown or ''} {text:.300}")
        if command == "close":
            self._must_say_refused = False
        effects = self.client.do(command, **fields)
        for one in effects:
            note(f"{self.client.now_ms / 1000:9.3f}     {one}")
        assert len(effects) <= _MOST_AT_ONCE, f"{len(effects)} effects at once"
        for one in effects:
            self._meet(one)
        if not any(isinstance(one, Told) and one.kind == "state" for one in effects):
            self._require_swaps([one.socket for one in effects if isinstance(one, Close)])
        return effects

    def ask_of_client(self, command: str, **fields: Any) -> None:
        """Have the application, or the page, want something."""
        self.do(command, **fields)
        self.settle()

    def subscribe(self, handle: int, channel: str, first: Mapping[str, Any] | None) -> None:
        """Have the application subscribe."""
        self.handles[handle] = channel
        is_begun_anew = self.client.has_handlers and channel == EVERYONE and first
        is_first = list(self.handles.values()).count(channel) == 1
        if channel not in self.judge.followed or (is_begun_anew and is_first):
            self.judge.follow(channel, first, self._made)
        self.ask_of_client("subscribe", handle=handle, channel=channel, first=first)

    def unsubscribe(self, handle: int) -> None:
        """Have the application leave a channel."""
        self._leave(handle)
        self.ask_of_client("unsubscribe", handle=handle)

    def _leave(self, handle: int) -> None:
        name = self.handles.pop(handle)
        if name not in self._permanent and name not in self.handles.values():
            del self.judge.followed[name]

    # Time

    def live(self, ms: float) -> None:
        """Have time pass; a connection is cut when its time is over, as API Gateway does."""
        end, turns, start = self.client.now_ms + ms, 0, self.client.now_ms
        while (now := self.client.now_ms) < end:
            until = min([end, *self._ends()])
            self.do("advance", ms=max(0.0, until - now))
            self.settle()
            turns += 1
            most = 20 + (self.client.now_ms - start) / 2_000
            assert turns <= most, f"the client did something {turns} times: a busy loop"
            for one in self._connections():
                if one.is_live and self.client.now_ms >= self._end_of(one):
                    self._cut_for_age(one)
            self.settle()

    def _ends(self) -> list[float]:
        return [self._end_of(one) for one in self._connections() if one.is_live]

    def _end_of(self, one: ServedConnection) -> float:
        return one.opened_ms + self.server.renew_in_ms

    def _cut_for_age(self, one: ServedConnection) -> None:
        was_well = one.joined_at_troubles == self.troubles
        assert not was_well, f"connection {one.id} was cut for its age: it was not renewed"
        self.cut(one)

    # The network

    def settle(self) -> None:
        """In calm weather, let all through that is on its way."""
        for _ in range(_MOST_TURNS + len(self.actions())):
            if not self.is_calm or not (actions := self.actions()):
                return
            action = actions[0]
            fate = next((fate for kind, fate in self.omens if kind == action.kind), None)
            if fate:
                self.omens.remove((action.kind, fate))
            self.act(action, fate)
        raise AssertionError("client and server do not come to an end: a busy loop")

    def actions(self) -> list[Action]:
        """Return all that is on its way."""
        found = [Action("ask", ask=one) for one in self._asks]
        for one in self._connections():
            if one.is_over:
                continue
            if one.is_closed:
                found += [Action("down", one, i) for i in range(len(one.down)) if not self.is_calm]
                found.append(Action("end", one))
            elif not one.is_open and not one.is_hung:
                found.append(Action("open", one))
            else:
                found += [Action("up", one, i) for i in range(len(one.up))]
                found += [Action("down", one, i) for i in range(len(one.down))]
        return found

    def act(self, action: Action, fate: str | None = None) -> None:
        """Let something through, or have a fate strike it."""
        if fate:
            self.troubles += 1
            note(f"          {action.kind} has the fate {fate}")
        if action.kind == "ask":
            self._answer_ask(action.ask, fate or "given")
            return
        assert action.connection
        steps = {"open": self._open, "up": self._serve, "down": self._deliver, "end": self._end}
        steps[action.kind](action.connection, action.index, fate)

    def cut(self, one: ServedConnection) -> None:
        """Cut a connection; what is on its way on it is lost."""
        if one.is_over:
            return
        if not one.is_open and not one.is_closed and self._reasons[one.socket] != "renewal":
            self._must_say_refused = True
        one.is_open, one.is_over = False, True
        one.up.clear()
        one.down.clear()
        self.do("ended", socket=one.socket)

    def cut_all(self) -> None:
        """Cut all connections."""
        for one in self._connections():
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

    @property
    def live_connections(self) -> list[ServedConnection]:
        """The connections that both sides may use."""
        return [one for one in self._connections() if one.is_live]

    def _connections(self) -> list[ServedConnection]:
        return list(self.server.connections.values())

    def _answer_ask(self, ask: int, fate: str) -> None:
        if ask in self._asks:
            self._asks.remove(ask)
        if fate == "hangs":
            self._hung.append(ask)
            return
        self._tokens += 1
        self._given = f"t{self._tokens}" if fate == "given" and ask == self._newest_ask else None
        self.do("token", ask=ask, fate=fate, token=f"t{self._tokens}")
        self._given = None

    def _open(self, one: ServedConnection, _: int, fate: str | None) -> None:
        if fate == "hangs":
            one.is_hung = True
        elif fate:
            self.cut(one)
        else:
            one.is_open, one.opened_ms = True, self.client.now_ms
            self.do("opened", socket=one.socket)

    def _serve(self, one: ServedConnection, index: int, fate: str | None) -> None:
        text = one.up.pop(index)
        if fate == "twice":
            one.up.append(text)
        if fate == "cut":
            self.cut(one)
        elif fate == "throttled":
            told = {"message": "Too Many Requests", "connectionId": one.id, "requestId": "r"}
            self.say(one, json.dumps(told))
        elif fate != "lost":
            refusal = Code(fate) if fate in ("busy", "gone", "bad-frame") else None
            self.is_given_up |= fate == "bad-frame"
            self.server.now_ms = self.client.now_ms
            self.server.serve(one, text, refusal=refusal)
            if fate == "answered and cut":
                self.cut(one)

    def _deliver(self, one: ServedConnection, index: int, fate: str | None) -> None:
        sent = one.down.pop(index)
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
        ref = sent.request.ref if sent.request else None
        is_heard = one.is_live and ref is not None and ref not in self._settled
        if is_heard:
            assert sent.request
            assert ref
            self._note_answer(one, sent, sent.request, ref)
        self.judge.answers = sent.positions if is_heard else {}
        self.do("text", socket=one.socket, text=sent.text)
        self.judge.answers, self._naming = {}, frozenset()

    def _note_answer(
        self, one: ServedConnection, sent: Sent, request: ClientFrame, ref: str
    ) -> None:
        if sent.kind in ("error busy", "error gone"):
            return
        self._settled.add(ref)
        names = frozenset(each.channel for each in wanted_of(request.request))
        if sent.kind.startswith("error"):
            self._naming = names
            return
        if isinstance(request.request, Replay):
            return
        asked_at = self._refs[ref][0]
        for name, position in sent.positions.items():
            following = self.judge.followed.get(name)
            if following and asked_at >= following.began_at:
                following.answered(position)
                one.answered.append(following)
        if sent.kind == "joined":
            self._known_ids.append(one.id)
            one.joined_at_troubles = self.troubles if self.is_calm else -1

    # What the client does

    def _meet(self, effect: Effect) -> None:
        match effect:
            case AskToken(ask, reason):
                self._meet_ask(ask, reason)
            case Open(socket, token):
                assert token is not None, "the client uses no token"
                assert token == self._given, f"the client uses {token}, expected {self._given}"
                self._given = None
                self.server.accept(socket)
                open_ = [one for one in self._connections() if not one.is_over | one.is_closed]
                assert len(open_) <= 2, f"the client has {len(open_)} connections"
                self._reasons[socket] = self._reasons[-self._newest_ask]
            case Send(socket, text):
                self._meet_text(self.server.connections[socket], text)
            case Close(socket):
                self.server.connections[socket].is_closed = True
            case Told(kind, detail):
                self._meet_event(kind, detail)

    def _meet_ask(self, ask: int, reason: str) -> None:
        assert reason in ("first", "reconnect", "refused", "renewal"), reason
        if reason != "renewal":
            assert reason == "refused" or not self._must_say_refused, f"a token for {reason}"
            self._must_say_refused = False
        self._asks.append(ask)
        self._newest_ask = ask
        self._reasons[-ask] = reason

    def _meet_text(self, one: ServedConnection, text: str) -> None:
        assert one.is_live, f"the client sends on {one.id}, which is not open"
        asked = parse_client_frame(text, most_last=REPLAY_FRAMES)
        assert asked.ref, "a request has no ref"
        if asked.ref in self._refs:
            assert self._refs[asked.ref][1] == text, f"two requests have the ref {asked.ref}"
            assert asked.ref not in self._settled, f"{asked.ref} is asked again, after its answer"
        else:
            self._require_one_change(one, asked)
            self._require_earlier(one, asked)
            self._made += 1
        self._refs.setdefault(asked.ref, (self._made, text))
        if not one.is_silent:
            one.up.append(text)

    def _require_one_change(self, one: ServedConnection, asked: ClientFrame) -> None:
        """A connection's membership is changed by one request at a time, after its join."""
        if not isinstance(asked.request, Join | Subscribe | Unsubscribe):
            return
        assert one.changing is None or one.changing in self._settled, (
            f"{asked} while {one.changing} is under way"
        )
        one.changing = asked.ref

    def _require_earlier(self, one: ServedConnection, asked: ClientFrame) -> None:
        """A request that may be given frames names the connections that the client had."""
        if not isinstance(asked.request, Join | Subscribe | Replay):
            return
        was = set(asked.request.was)
        assert was <= set(self._known_ids), f"{asked} names a connection that it never had"
        assert was or not set(self._known_ids) - {one.id}, f"{asked} names no earlier connection"

    def _require_swaps(self, closed: Sequence[int]) -> None:
        """A connection that is closed while the state stays gives way to one with all channels."""
        for one in [self.server.connections[socket] for socket in closed]:
            others = self.live_connections
            if one.is_over or not one.answered or self.judge.state != "connected" or not others:
                continue
            wanted = self.judge.followed.values()
            assert any(
                all(following in each.answered for following in wanted) for each in others
            ), f"{one.id} is closed before the other connection has all channels"

    def _meet_event(self, kind: str, detail: Mapping[str, Any]) -> None:
        assert kind != "fault", f"an error that was not handled: {detail['text']}"
        if kind == "left":
            self._leave(detail["handle"])
        elif kind == "handled":
            assert self.handles.get(detail["handle"]) == detail["channel"], f"{detail} was left"
        elif kind == "error":
            assert detail["code"] in _TROUBLES, dict(detail)
        self.judge.told(kind, detail)
        if kind == "error" and detail["code"] in _REFUSED:
            self._drop(detail["message"])

    def _drop(self, message: str) -> None:
        """Take note of a channel that was refused: it is not followed any more."""
        names = self._naming - {EVERYONE}
        assert len(names) == 1, f"refused, when {sorted(self._naming)} were asked for"
        (name,) = names
        assert name in message, f"found {message!r}, expected the name of channel {name}"
        self.judge.followed.pop(name, None)
        self._permanent.discard(name)
        self.handles = {one: its for one, its in self.handles.items() if its != name}

    # The end

    def finish(self, *, waits_for: str) -> None:
        """Let all through, and require that all is whole: by a live frame, a ping, or a cut."""
        self.omens.clear()
        self.is_calm = True
        self.server.post_all_taken(self.client.now_ms)
        for what in ("visible", "pageshow"):
            if what in self.client.nudges:
                self.do("nudge", what=what)
        self.settle()
        if self.judge.state in ("closed", "idle"):
            self.do("connect")
        self.settle()
        for one in self._connections():
            if not one.is_known or one.is_silent or one.is_hung:
                self.cut(one)
        self.live(240_000)
        assert self.judge.state == "connected", f"the client is {self.judge.state}"
        if waits_for != "cut" and not self.is_given_up:
            self._require_after(waits_for)
        self._require_after_cut()
        self._require_quiet_after_close()

    def _require_after(self, waits_for: str) -> None:
        """Require all after a live frame; or have that be lost, and require all after a ping."""
        for name in self.server.streams:
            self.server.publish(
                name, "normal", self.client.now_ms, is_lost=waits_for == "ping"
            )
        self.settle()
        self.live(700_000 if waits_for == "ping" else 60_000)
        for following in self.judge.followed.values():
            if following.has_one_epoch:
                following.require_whole()

    def _require_after_cut(self) -> None:
        before = {name: one.recoveries for name, one in self.judge.followed.items()}
        self.cut_all()
        self.live(60_000)
        assert self.judge.state == "connected", f"the client is {self.judge.state} after a cut"
        self.do("positions")
        for name, following in self.judge.followed.items():
            following.require_whole()
            stream = following.stream
            expected = {"seq": stream.last, "epoch": stream.epoch}
            found = self.client.positions.get(name)
            assert found == expected, f"{name} is at {found}, expected {expected}"
            assert following.recoveries > before[name], f"nothing was told of {name} after a cut"

    def _require_quiet_after_close(self) -> None:
        self.is_calm = False
        self.server.publish(EVERYONE, "normal", self.client.now_ms)
        self.do("close")
        assert self.judge.state == "closed", f"the client is {self.judge.state} after close"
        for one in self._connections():
            assert not one.is_live, f"{one.id} is open after close"
        self.is_calm = False
        for action in reversed([one for one in self.actions() if one.kind == "down"]):
            self.act(action)
        self.is_calm = True
        self.settle()
        effects = self.do("advance", ms=600_000)
        assert not effects, f"{effects} after close"
        assert OWN in self.server.streams
