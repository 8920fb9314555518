"""Histories of whole clients, in Python and in JavaScript, from one machine, in virtual time.

A server numbers frames and answers by the functions' own rules; the network reorders, drops,
repeats and cuts; tokens fail; the application comes and goes. Each event is given once at most, in
order where that is wanted, and all are given, or a `gap` says which are not.
"""

import sys
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from broadcasting.audience import EVERYONE, LISTED, OWN
from tests.support.client_ending import finish
from tests.support.client_fates import FATES
from tests.support.client_world import ClientWorld
from tests.support.javascript_client import javascript_client
from tests.support.model_server import MANY, ServedConnection
from tests.support.python_client import PythonClient
from tests.support.whole_client import Options, WholeClient

HISTORIES = 2_000
MOST_STEPS = 40
SMALL = st.integers(0, 9)
ANY = st.integers(0, 2**16)
STREAMS = st.sampled_from((EVERYONE, OWN, "news", "chat", "news"))
NAMED = st.sampled_from(("news", "chat", OWN, EVERYONE))
KINDS = st.sampled_from(
    ("normal", "normal", "normal", "void", "keep-alive", "brief", "excluded", "taken")
)
FIRSTS = st.sampled_from(
    (None, None, {"last": 2}, {"seq": 0}, {"seq": 1, "epoch": "e1"}, {"seq": 3})
)
STRIKES = st.sampled_from([(kind, fate) for kind, fates in FATES.items() for fate in fates])
JUNK = st.sampled_from(
    (
        "",
        "no JSON",
        "[]",
        "null",
        "7",
        '{"message":"Internal server error","connectionId":"c1","requestId":"r"}',
        '{"type":"novelty","seq":1}',
        '{"seq":"1","id":"x","channel":"*"}',
        '{"seq":1e300,"id":"x","channel":"*","message":1,"sentAt":1}',
        '{"seq":0,"id":"x","channel":"*","message":1,"sentAt":1}',
        '{"seq":3,"id":7,"channel":"*","message":1,"sentAt":1}',
        '{"seq":3,"id":"x/1/1","channel":"__proto__","message":1,"sentAt":1}',
        '{"type":"joined","ref":"1","channels":7}',
        '{"type":"replay","ref":"no such","channel":"news","epoch":"e1","from":0,"to":1}',
        '{"type":"error","ref":"no such","code":"not-allowed","message":"no","retry":false}',
        '{"type":"pong","ref":"no such","at":{"*":99}}',
    )
)


class WholeClientMachine(RuleBasedStateMachine):
    """A client, a server, and all that is between them. `client` is set by the test."""

    client: WholeClient

    @initialize(
        seed=ANY,
        is_ordered=st.booleans(),
        channels=st.sampled_from(((), ("news",), ("news", OWN), ("chat", *MANY))),
        token_in=st.sampled_from(("query", "protocol")),
        room_bytes=st.sampled_from((250, 100_000)),
        renew_in_ms=st.sampled_from((200_000, 7_199_000)),
        waits_for=st.sampled_from(("frame", "ping", "cut")),
        is_calm=st.booleans(),
    )
    def begin(
        self,
        *,
        room_bytes: int,
        renew_in_ms: int,
        waits_for: str,
        is_calm: bool,
        **options: Any,
    ) -> None:
        """Have a client connect."""
        self.waits_for = waits_for
        self.handles = 0
        self.world = ClientWorld(
            self.client, Options(**options), room_bytes=room_bytes, renew_in_ms=renew_in_ms
        )
        self.world.do("connect")
        self.world.settle()
        self._turn(is_calm=is_calm)

    # The server

    @rule(name=STREAMS, kind=KINDS, is_lost=st.sampled_from((False, False, True)))
    def publish(self, name: str, kind: str, *, is_lost: bool) -> None:
        """Number a broadcast and post it; perhaps no post of it arrives."""
        self.world.troubles += is_lost
        self.world.server.publish(name, kind, self.client.now_ms, is_lost=is_lost)
        self.world.settle()

    @rule(name=STREAMS, number=st.integers(2, 9))
    def publish_many(self, name: str, number: int) -> None:
        """Number many broadcasts, and post them."""
        for _ in range(number):
            self.world.server.publish(name, "normal", self.client.now_ms)
        self.world.settle()

    @rule(is_lost=st.booleans())
    def publish_listed(self, *, is_lost: bool) -> None:
        """Post a broadcast to the client's connections by their ids."""
        self.world.server.publish(LISTED, "normal", self.client.now_ms, is_lost=is_lost)
        self.world.settle()

    @rule(is_written=st.booleans())
    def go_on_with_taken(self, *, is_written: bool) -> None:
        """Have broadcasts go on that have taken their numbers: up to their rows, or to posts."""
        for stream in self.world.server.streams.values():
            for number, has_row in sorted(stream.marks.items()):
                if not has_row:
                    self.world.server.write(stream, number, "normal", self.client.now_ms)
                if not is_written:
                    self.world.server.post(stream, number)
        self.world.settle()

    @rule(name=STREAMS)
    def expire(self, name: str) -> None:
        """Have all frames of a channel so far be kept no longer."""
        self.world.server.streams[name].expire()

    @rule(name=STREAMS, used=st.integers(0, 9), is_lost=st.booleans())
    def begin_anew(self, name: str, used: int, *, is_lost: bool) -> None:
        """Lose a channel's counter: some new numbers are used before the client may hear of it."""
        stream = self.world.server.streams[name]
        if stream.epochs > 2 or not stream.last:
            return
        self.world.troubles += 1
        stream.begin_anew()
        for one in self.world.server.connections.values():
            is_other = [f'"channel": "{name}"' not in sent.text for sent in one.down]
            kept = zip(one.down, is_other, strict=True)
            one.down = [sent for sent, other in kept if other or sent.kind != "frame"]
        for _ in range(used):
            self.world.server.publish(name, "normal", self.client.now_ms, is_lost=is_lost)
        self.world.settle()

    @rule(names=st.frozensets(st.sampled_from(("news", "chat", OWN)), max_size=2))
    def bar(self, names: frozenset[str]) -> None:
        """Have tokens from now on not allow these channels."""
        self.world.server.barred = names

    @precondition(lambda self: self.world.live_connections)
    @rule(which=SMALL)
    def forget(self, which: int) -> None:
        """Have the server lose a connection's row: nothing is posted to it any more."""
        self.world.troubles += 1
        self._live(which).is_known = False

    @precondition(lambda self: self.world.live_connections)
    @rule(which=SMALL, reconnect=st.booleans(), after_ms=st.sampled_from((0, 1_000, 60_000)))
    def bye(self, which: int, after_ms: int, *, reconnect: bool) -> None:
        """Have the operator end a connection."""
        self.world.troubles += 1
        one = self._live(which)
        text = f'"code":"kicked","reconnect":{str(reconnect).lower()},"afterMs":{after_ms}'
        self.world.say(one, f'{{"type":"bye",{text}}}')
        self.world.settle()

    @precondition(lambda self: self.world.live_connections)
    @rule(which=SMALL, text=JUNK)
    def babble(self, which: int, text: str) -> None:
        """Have something say what no client expects."""
        self.world.say(self._live(which), text)
        self.world.settle()

    # The network, tokens and time

    @rule(is_calm=st.booleans())
    def turn(self, *, is_calm: bool) -> None:
        """Have the weather turn."""
        self._turn(is_calm=is_calm)

    @precondition(lambda self: not self.world.is_calm)
    @rule(choices=st.lists(SMALL, min_size=1, max_size=8))
    def let_through(self, choices: list[int]) -> None:
        """In a storm, let some through, in any order."""
        for choice in choices:
            if actions := self.world.actions():
                self.world.act(actions[choice % len(actions)])

    @rule(strikes=st.lists(STRIKES, min_size=1, max_size=5), which=SMALL)
    def strike(self, strikes: list[tuple[str, str]], which: int) -> None:
        """Have fates strike something: in calm weather, what comes next."""
        self.world.troubles += 1
        for kind, fate in strikes:
            actions = [one for one in self.world.actions() if one.kind == kind]
            if self.world.is_calm:
                self.world.omens.append((kind, fate))
            elif actions:
                self.world.act(actions[which % len(actions)], fate)

    @rule(which=SMALL, both=st.booleans())
    def cut(self, which: int, *, both: bool) -> None:
        """Cut a connection at any moment of its life, or all connections."""
        self.world.troubles += 1
        here = [one for one in self.world.server.connections.values() if not one.is_over]
        for one in here if both else here[which % len(here) :][:1] if here else []:
            self.world.cut(one)
        self.world.settle()

    @precondition(lambda self: self.world.live_connections)
    @rule(which=SMALL)
    def fall_silent(self, which: int) -> None:
        """Have a connection lose all that is sent on it, without a word."""
        self.world.troubles += 1
        self._live(which).is_silent = True

    @rule(fate=st.sampled_from(("given", "rejects", "null")))
    def answer_late(self, fate: str) -> None:
        """Have a function for tokens that hung answer at last."""
        self.world.troubles += 1
        self.world.answer_late(fate)

    @rule(seconds=st.sampled_from((0.1, 1, 3, 6, 12, 35, 190, 600, 7_000)))
    def live(self, seconds: float) -> None:
        """Have time pass."""
        most_ms = self.world.server.renew_in_ms * 2 if self.world.is_calm else 600_000
        self.world.live(min(seconds * 1_000, most_ms))

    @rule(seconds=st.sampled_from((4, 9, 70)))
    def oversleep(self, seconds: int) -> None:
        """Have the machine sleep."""
        self.world.troubles += 1
        self.world.ask_of_client("oversleep", ms=seconds * 1_000)

    @rule(which=SMALL)
    def nudge(self, which: int) -> None:
        """Have the page, or the machine, tell something."""
        self.world.troubles += 1
        what = self.client.nudges[which % len(self.client.nudges)]
        self.world.ask_of_client("nudge", what=what)

    @precondition(lambda self: self.world.live_connections)
    @rule(
        steps=st.integers(0, 12),
        with_gap=st.booleans(),
        fate=st.sampled_from(("none", "cut old", "cut all", "subscribe", "unsubscribe", "publish")),
    )
    def renew(self, steps: int, fate: str, *, with_gap: bool) -> None:
        """Have the client renew its connection, and something happen in the midst of it.

        With a gap, a replay that is asked for on the old connection is not answered meanwhile.
        """
        world = self.world
        self._turn(is_calm=True)
        if not world.live_until_renewal():
            return
        self._turn(is_calm=False)
        old = world.live_connections
        if with_gap:
            for is_lost in (True, False):
                world.server.publish(EVERYONE, "normal", self.client.now_ms, is_lost=is_lost)
            world.let_all_through(lambda one: one.kind == "down")
            world.live(5_000)
        world.let_all_through(lambda one: one.connection not in old, most=steps)
        self._befall(fate, old)
        world.let_all_through(lambda one: one.connection not in old)
        self._turn(is_calm=True)

    def _befall(self, fate: str, old: list[ServedConnection]) -> None:
        """Have something happen in the midst of a renewal."""
        if fate in ("cut old", "cut all"):
            for one in old if fate == "cut old" else self.world.connections:
                self.world.cut(one)
        elif fate == "publish":
            self.publish_many("news", 3)
        elif fate == "subscribe":
            self.subscribe("news", None)
        elif self.world.judge.handles and fate == "unsubscribe":
            self.unsubscribe(0, again=True)

    # The application

    @rule(channel=st.sampled_from(("news", "chat")), steps=st.lists(st.booleans(), max_size=6))
    def change_mind(self, channel: str, steps: list[bool]) -> None:
        """Subscribe and unsubscribe, again and again, while the server is slow or quick."""
        self._turn(is_calm=False)
        for is_served in (*steps, False):
            self.subscribe(channel, None)
            if is_served:
                self.world.let_all_through(lambda one: one.kind == "up", most=1)
                self.publish(channel, "normal", is_lost=False)
            self.unsubscribe(max(self.world.judge.handles), again=False)
        self.subscribe(channel, None)
        self._turn(is_calm=True)

    @rule(channel=NAMED, first=FIRSTS)
    def subscribe(self, channel: str, first: dict[str, Any] | None) -> None:
        """Subscribe to a channel, perhaps once more."""
        self.handles += 1
        self.world.subscribe(self.handles, channel, first)

    @precondition(lambda self: self.world.judge.handles)
    @rule(which=SMALL, again=st.booleans())
    def unsubscribe(self, which: int, *, again: bool) -> None:
        """Unsubscribe, and perhaps subscribe again at once."""
        handles = sorted(self.world.judge.handles)
        handle = handles[which % len(handles)]
        channel = self.world.judge.handles[handle]
        self.world.unsubscribe(handle)
        if again:
            self.subscribe(channel, None)

    @rule(again=st.booleans())
    def close(self, *, again: bool) -> None:
        """Close, and perhaps connect again at once."""
        self.world.troubles += 1
        self.world.ask_of_client("close")
        if again:
            self.world.ask_of_client("connect")

    @rule()
    def connect(self) -> None:
        """Connect; nothing, if that was done."""
        self.world.ask_of_client("connect")

    def teardown(self) -> None:
        """Be quiet, and hold the promises."""
        has_failed = sys.exc_info()[0] is not None
        if hasattr(self, "world") and not has_failed:
            finish(self.world, waits_for=self.waits_for)

    def _turn(self, *, is_calm: bool) -> None:
        self.world.troubles += not is_calm
        self.world.is_calm = is_calm
        self.world.settle()

    def _live(self, which: int) -> ServedConnection:
        live = self.world.live_connections
        return live[which % len(live)]


def run(client: WholeClient) -> None:
    """Run the histories of a client."""
    machine = type("Machine", (WholeClientMachine,), {"client": client})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=HISTORIES,
            stateful_step_count=MOST_STEPS,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.timeout(300)
def test_python_client_gives_each_event_once_or_tells_what_is_lost() -> None:
    """In order if it wants that; server, network, tokens and application may do anything."""
    run(PythonClient())


@pytest.mark.timeout(300)
def test_javascript_client_gives_each_event_once_or_tells_what_is_lost() -> None:
    """In order if it wants that; server, network, tokens and application may do anything."""
    with javascript_client() as client:
        run(client)
