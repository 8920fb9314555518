"""Any interleaving of subscribing, leaving, coming back and broadcasting misses no frame.

A client that stays subscribed has everything after its first position, in order, once, and nothing
before it. A client that comes back with a position has all that it missed, or is told what is lost,
which happens only where it must. An excluded connection receives nothing. The accounts are exact,
no number is without a row, and the rows that are left belong to connections whose end went wrong.
"""

from concurrent.futures import ThreadPoolExecutor
from random import Random
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

from broadcasting.ledger_items import summary_of
from broadcasting.numbering import MARK_LIFE_MS
from broadcasting.user_rows import connection_id_of
from handlers import broadcast, broadcast_log, client_frame, connect, disconnect
from storage import audience_reader, sweeper
from storage.stream_counters import StreamCounters
from tests.support.audience_world import (
    REPLAY_FRAMES,
    REPLAY_SECONDS,
    Client,
    Fate,
    Function,
    World,
    is_meant,
    seeded,
    stream_of,
)
from tests.support.simulation import InlineExecutor, OrderedFuture
from tests.support.subscriber import Stream

HISTORIES = 2_000
MOST_STEPS = 14
ANY = st.integers(0, 2**16)
CHANNELS = ("news", "x")
FAULTS = st.sampled_from([fate for fate in Fate if fate is not Fate.WELL])
THREADS = ThreadPoolExecutor(64)
MOST_REQUESTS = 400


class SubscriberMachine(RuleBasedStateMachine):
    """Clients and producers, and the faults of all that is between them."""

    def __init__(self) -> None:
        super().__init__()
        OrderedFuture.made = 0
        self.world = World()
        self.running: list[Function] = []
        self.connections = 0
        self.untidy: set[str] = set()
        """The connections whose end, or whose frames, met a fault or another function."""

    @initialize(seed=ANY)
    def begin(self, seed: int) -> None:
        """Have two users' clients and an anonymous one, all of which are subscribed."""
        random = seeded(seed)
        for user in ("alice", "bob", None):
            client = Client(user)
            self.world.clients.append(client)
            if random.random() < 0.8:
                self._come_back(client)
                self._ask(client, self._join(client, random), random.randrange(2))

    @rule(seed=ANY)
    def send(self, seed: int) -> None:
        """Enqueue a broadcast to any audience."""
        random = seeded(seed)
        open_ids = [one.id for one in self.world.clients if one.is_open]
        audience: dict[str, Any] = random.choice(
            [
                {},
                {"channel": "news"},
                {"channel": "news"},
                {"channel": "x"},
                {"user": "alice"},
                {"connections": [*open_ids, "unknown"]},
            ]
        )
        body = {"id": f"b{self.world.sent}", "message": "hear", **audience}
        if open_ids and random.random() < 0.3:
            body["exclude"] = [random.choice(open_ids)]
        if random.random() < 0.1:
            body["ttlSeconds"] = 2
        self.world.send(body)

    @precondition(lambda self: self.world.messages)
    @rule(which=ANY, steps=st.integers(0, 25))
    def deliver(self, which: int, steps: int) -> None:
        """Have a worker take a message, under way elsewhere or not, and go some steps."""
        messages = list(self.world.messages.values())
        one = self.world.worker(messages[which % len(messages)])
        self._start(one)
        self._walk(one, steps)

    @precondition(lambda self: self.running)
    @rule(which=ANY, steps=st.integers(1, 12))
    def go_on(self, which: int, steps: int) -> None:
        """Let a function make some requests."""
        self._walk(self.running[which % len(self.running)], steps)

    @precondition(lambda self: self.running)
    @rule(which=ANY, fate=FAULTS, steps=st.integers(0, 6))
    def suffer(self, which: int, fate: Fate, steps: int) -> None:
        """Let a function make some requests, and the next one go wrong."""
        one = self.running[which % len(self.running)]
        self._walk(one, steps)
        if one in self.running:
            self._step(one, fate)

    @rule(which=ANY, seed=ANY, steps=st.integers(0, 8))
    def ask(self, which: int, seed: int, steps: int) -> None:
        """Have a client ask for something, if it is not waiting for an answer."""
        client, random = self._client(which), seeded(seed)
        client.read_answers()
        if not client.is_open:
            self._come_back(client)
            self._ask(client, self._join(client, random), steps)
        elif client.asking is None:
            self._ask(client, self._request(client, random), steps)

    @rule(
        which=ANY,
        seed=ANY,
        steps=st.tuples(st.integers(0, 9), st.integers(0, 7), st.integers(0, MOST_REQUESTS)),
        fate=st.sampled_from(list(Fate)),
    )
    def race(self, which: int, seed: int, steps: tuple[int, int, int], fate: Fate) -> None:
        """Have a client come back while a broadcast is opened, and its audience is read."""
        before, during, then = steps
        client, random = self._client(which), seeded(seed)
        client.read_answers()
        if client.is_open:
            self._close(client)
            self._finish(self.world.disconnecting(client, client.id))
        self._come_back(client)
        client.is_served_alone = not self.world.has_marks
        self.world.send(
            {"id": f"b{self.world.sent}", "message": "race"}
            | random.choice([{}, {"channel": "news"}, {"user": "alice"}])
        )
        worker = self.world.worker(list(self.world.messages.values())[-1])
        self._start(worker)
        self._walk(worker, before)
        if worker in self.running:
            self._step(worker, fate)
        if fate is Fate.REFUSED:  # a mark that could not be removed hides a frame that was posted
            client.is_served_alone = False
        self._ask(client, self._join(client, random), during)
        self._walk(worker, then)
        if client.asking:
            self._walk(client.asking, MOST_REQUESTS)
        client.read_answers()
        client.is_served_alone = False
        self._walk(worker, MOST_REQUESTS)

    @rule(which=ANY, seed=ANY, most=st.integers(1, 4))
    def read(self, which: int, seed: int, most: int) -> None:
        """Have a client read some of what has come, in any order."""
        client, random = self._client(which), seeded(seed)
        for _ in range(min(most, len(client.inbox))):
            client.read(client.inbox.pop(random.randrange(len(client.inbox))))

    @rule(which=ANY, steps=st.integers(0, 4), is_told=st.booleans())
    def leave(self, which: int, steps: int, *, is_told: bool) -> None:
        """Have a client go away; API Gateway says so at best."""
        client = self._client(which)
        if not client.is_open:
            return
        self._close(client)
        if is_told:
            one = self.world.disconnecting(client, client.id)
            self._start(one)
            self._walk(one, steps)
        else:
            self.untidy.add(client.id)

    @rule(seconds=st.sampled_from([1, 70, 400]))
    def live(self, seconds: int) -> None:
        """Have time pass: more than a second is more than a function that is under way has."""
        if self.running and seconds > 1:
            self.untidy.update(client.id for client in self.world.clients if client.ids)
        self.world.time.run(seconds)

    @precondition(lambda self: self.world.lost_counters == 0)
    @rule(stream=st.sampled_from(["*", "news"]))
    def lose_a_counter(self, stream: str) -> None:
        """Have somebody delete a counter under live clients."""
        self.world.lose_counter(stream)

    def teardown(self) -> None:
        """Bring all to an end, and hold the promises."""
        try:
            self._end_all()
            self._require_frames()
            self._require_accounts()
            self._require_tidy_rows()
        finally:
            while self.running:
                self._step(self.running[0], Fate.DEATH_BEFORE)

    def _end_all(self) -> None:
        while self.running:
            self._walk(self.running[0], MOST_REQUESTS)
        for _ in range(40):
            if not self.world.messages:
                break
            self.world.time.run(120)
            for message in list(self.world.messages.values()):
                self._finish(self.world.worker(message))
        assert not self.world.messages
        self.world.time.run(MARK_LIFE_MS / 1000 + 1)
        for client in self.world.clients:
            self._catch_up(client)

    def _catch_up(self, client: Client) -> None:
        """Have a client that is there ask until it has all of each of its channels."""
        if not client.is_open:
            return
        self._read_all(client)
        for name in list(client.streams):
            self._require_unasked(client, name, client.streams[name])
            for _ in range(20):
                before = client.streams.get(name)
                if before is None or not client.is_open:
                    return
                at = before.position, before.epoch
                self._finish_request(client, self._replay(client, name))
                stream = client.streams[name]
                if (stream.position, stream.epoch) == at:
                    break
            counters = self._counters()
            counter = counters.begin(stream_of(client, name))
            assert (stream.position, stream.epoch) == (counter.last, counter.epoch)

    def _require_frames(self) -> None:
        for client in self.world.clients:
            for name, stream in client.streams.items():
                self._require_whole(client, name, stream)

    def _require_unasked(self, client: Client, name: str, stream: Stream) -> None:
        """A client has all that follows the answer to its subscription before it asks for any."""
        if stream.promised_from is None or self.world.lost_counters:
            return
        last = self._counters().begin(stream_of(client, name)).last
        for number in range(stream.promised_from + 1, last + 1):
            row = self.world.frames.get((stream_of(client, name), number))
            if row is not None and is_meant(row, client) and number > stream.position:
                assert number in stream.held, f"{client} has to ask for {number} of {name}"

    def _require_whole(self, client: Client, name: str, stream: Stream) -> None:
        given = stream.received
        assert given == sorted(set(given))
        assert all(number > stream.since for number in given)
        assert self._may_lose or not stream.lost, stream.lost
        lost = {number for start, end, _ in stream.lost for number in range(start + 1, end + 1)}
        for number in range(stream.since + 1, stream.position + 1):
            row = self.world.frames.get((stream_of(client, name), number))
            meant = row is not None and is_meant(row, client)
            if number in given:
                assert row is not None
                assert not row.is_void
            elif meant and number not in lost:
                raise AssertionError(f"{client} lacks {number} of {name}")

    @property
    def _may_lose(self) -> bool:
        """Whether anything has happened for which a client may be told that frames are lost."""
        has_waited = self.world.time.seconds > REPLAY_SECONDS
        most = max((number for _, number in self.world.frames), default=0)
        return self.world.lost_counters > 0 or has_waited or most > REPLAY_FRAMES

    def _require_accounts(self) -> None:
        for (pk, sk), item in self.world.dynamo.broadcasts.items():
            if sk != "summary":
                continue
            summary = summary_of(item)
            assert summary.is_settled
            counts = summary.counts
            assert counts.targeted == counts.ended
            name = pk.removeprefix("broadcast#")
            assert counts.delivered <= sum(id_ == name for id_, _ in self.world.posts)
            assert counts.excluded <= len(self.world.excluded[name])

    def _require_tidy_rows(self) -> None:
        """When all have gone, no row is left but of connections whose end went wrong."""
        for client in self.world.clients:
            if client.is_open:
                self._close(client)
                self._finish(self.world.disconnecting(client, client.id))
        left = {
            connection_id_of((pk, "")) if sk == "self" else sk
            for pk, sk in self.world.dynamo.connections
        }
        assert left <= self.untidy

    # What clients do.

    def _client(self, which: int) -> Client:
        return self.world.clients[which % len(self.world.clients)]

    def _come_back(self, client: Client) -> None:
        """Connect; a client that is refused tries again later."""
        self.connections += 1
        id_ = f"c{self.connections}"
        one = self.world.connecting(client, id_)
        if not self._finish(one):
            return
        client.ids.append(id_)
        client.is_open = True

    def _close(self, client: Client) -> None:
        """Close a connection: what it has not read is lost, and where it was is kept."""
        if client.asking is not None or any(not one.is_over for one in self.running):
            self.untidy.add(client.id)
        client.is_open = False
        client.asking = None
        client.inbox.clear()
        client.early.clear()
        for stream in client.streams.values():
            stream.held.clear()
            stream.promised_from = None

    def _join(self, client: Client, random: Random) -> dict[str, Any]:
        """Ask for all channels that a client has, where it was, and perhaps for more."""
        names = {"*", *client.streams, *client.wanted}
        if client.user:
            names.add("@")
        names |= {name for name in CHANNELS if random.random() < 0.5}
        client.wanted |= names & set(CHANNELS)
        return {
            "action": "join",
            "at": {name: self._since(client, name, random) for name in sorted(names)},
            "was": client.ids[-4:-1],
        }

    def _since(self, client: Client, name: str, random: Random) -> dict[str, Any] | None:
        stream = client.streams.get(name)
        if stream:
            return {"seq": stream.position, "epoch": stream.epoch}
        return {"last": 2} if random.random() < 0.2 else None

    def _request(self, client: Client, random: Random) -> dict[str, Any]:
        kind = random.randrange(5)
        if kind == 0:
            names = [name for name in CHANNELS if name in client.wanted]
            if names:
                return {"action": "unsubscribe", "channels": [random.choice(names)]}
        if kind == 1 and client.streams:
            return self._replay(client, random.choice(sorted(client.streams)))
        if kind == 2:
            return {"action": "ping", "at": dict.fromkeys(client.streams, 0)}
        name = random.choice(CHANNELS)
        client.wanted.add(name)
        at = {name: self._since(client, name, random)}
        return {"action": "subscribe", "at": at, "was": client.ids[-4:-1]}

    def _replay(self, client: Client, name: str) -> dict[str, Any]:
        stream = client.streams[name]
        return {
            "action": "replay",
            "channel": name,
            "epoch": stream.epoch,
            "from": stream.position,
            "was": client.ids[-4:-1],
        }

    def _ask(self, client: Client, request: dict[str, Any], steps: int) -> None:
        if not client.is_open:
            return
        one = self.world.request_of(client, request)
        client.asking = one
        self._start(one)
        self._walk(one, steps)

    def _finish_request(self, client: Client, request: dict[str, Any]) -> None:
        self._ask(client, request, MOST_REQUESTS)
        self._read_all(client)

    @staticmethod
    def _read_all(client: Client) -> None:
        while client.inbox:
            client.read(client.inbox.pop(0))

    # How functions run.

    def _start(self, one: Function) -> None:
        one.start(THREADS)
        self.running.append(one)
        self._note_end(one)

    def _finish(self, one: Function) -> Any:
        self._start(one)
        self._walk(one, MOST_REQUESTS)
        assert one.is_over
        return one.result

    def _walk(self, one: Function, steps: int) -> None:
        for _ in range(steps):
            if one not in self.running:
                return
            self._step(one)

    def _step(self, one: Function, fate: Fate = Fate.WELL) -> None:
        if fate is not Fate.WELL:
            self._note_fault(one)
        one.step(fate)
        self._note_end(one)

    def _note_fault(self, one: Function) -> None:
        """What meets a fault may leave rows behind, of each connection that is there."""
        del one
        self.untidy |= {id_ for client in self.world.clients for id_ in client.ids}
        self.untidy.add(f"c{self.connections}")

    def _note_end(self, one: Function) -> None:
        if not one.is_over:
            return
        self.running.remove(one)
        for client in self.world.clients:
            if client.asking is one:
                client.asking = None
                if client.is_open and one.result is not None:
                    client.inbox.append(one.result)
        if one.error:
            raise one.error

    def _counters(self) -> StreamCounters:
        return self.world.dynamo.tables["broadcasts"].counters


class _Log:
    """Takes what functions log."""

    def info(self, *_: object, **__: object) -> None:
        """Ignore it."""

    debug = warning = info

    def error(self, message: str, *_: object, **facts: object) -> None:
        """Refuse what no fault explains."""
        assert message != "could not answer", facts

    exception = info


@pytest.fixture
def small_world(monkeypatch: pytest.MonkeyPatch) -> None:
    """No threads but the functions' own, and no log."""
    for module in (audience_reader, sweeper):
        monkeypatch.setattr(module, "ThreadPoolExecutor", InlineExecutor)
    for module in (broadcast, broadcast_log, client_frame, connect, disconnect):
        monkeypatch.setattr(module, "logger", _Log())
    monkeypatch.setattr(broadcast_log, "publish_report", lambda _: None)
    monkeypatch.setattr(broadcast_log, "log_receipt", lambda *_, **__: None)
    monkeypatch.setattr(broadcast, "publish_lease", lambda **_: None)
    monkeypatch.setattr(broadcast, "publish_rejected", lambda: None)


@pytest.mark.usefixtures("small_world")
def test_subscribers_miss_nothing() -> None:
    """2,000 histories of up to 14 rules, each of up to some hundred requests."""
    run_state_machine_as_test(
        SubscriberMachine,
        settings=settings(
            max_examples=HISTORIES,
            stateful_step_count=MOST_STEPS,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
