"""Wall times of 3,000 posts: after a pause, and with a dead address beside the good one."""

from collections.abc import Iterator
from dataclasses import dataclass
from time import perf_counter
from urllib.parse import urlsplit

from bench.promises.laboratory import Bench, Function, Laboratory
from bench.promises.repeats import ratio
from bench.target import Target
from testbed.function.names import Place
from testbed.stand_in.behaviour import Behaviour
from testbed.stand_in.process import StandInProcess

_CONNECTIONS = 3_000
_PAUSE_SECONDS = 1_200.0
_IN_FLIGHT = "512"
_BEHAVIOUR = Behaviour(latency_median_seconds=0.02)
_NAME = "localhost"
_DEAD: Place = ("2001:db8::1", 443)
"""Of a network for documents: there is no way to it."""


@dataclass(slots=True)
class _Timed:
    """Functions that serve one audience of a bench."""

    bench: Bench
    local_paces: int = 0

    def first(self) -> float:
        """Return how long the first broadcast of a new function takes, once it is wired."""
        return self._wall(self._wired())

    def after_pause(self) -> float:
        """Return how long the first broadcast after a pause takes."""
        function = self._warm()
        self.bench.app.time.freeze(_PAUSE_SECONDS)
        before = len(self.bench.app.log.of("posting at a local pace"))
        seconds = self._wall(function)
        self.local_paces += len(self.bench.app.log.of("posting at a local pace")) - before
        return seconds

    def warm(self) -> float:
        """Return how long a second broadcast takes."""
        return self._wall(self._warm())

    def _warm(self) -> Function:
        function = self._wired()
        self._wall(function)
        return function

    def _wired(self) -> Function:
        function = Function(self.bench.app)
        assert function.wired  # built now, as Lambda does before an event
        return function

    def _wall(self, function: Function) -> float:
        app = self.bench.app
        app.disconnect(())
        app.send()
        event = app.receive()
        assert event is not None
        began = perf_counter()
        failures = function.invoke(event)
        seconds = perf_counter() - began
        app.acknowledge(event, failures or [])
        app.run(function)
        return seconds


def pauses(laboratory: Laboratory) -> Iterator[Target]:
    """Yield the first broadcast after a pause against a new function's, and a warm one's."""
    for is_tls, limit, against in ((True, 1.1, "a new function's"), (False, 1.3, "a warm one's")):
        with StandInProcess(_BEHAVIOUR, tls=is_tls) as stand_in, laboratory.app() as bench:
            bench.kill_connections_when_frozen()
            bench.post_to(stand_in.url, stand_in.ca_path)
            bench.patch.setenv("POSTS_IN_FLIGHT", _IN_FLIGHT)
            bench.app.connect(_CONNECTIONS)
            timed = _Timed(bench)
            found, words = ratio(timed.after_pause, timed.first if is_tls else timed.warm)
        wire = "over TLS" if is_tls else "without TLS"
        yield Target(
            name=f"first broadcast after a pause, 3,000, {wire}, against {against}",
            target=f"≤ {limit} x, 0 local paces",
            source="timed",
            figure=f"{words}, {timed.local_paces} local paces",
            met=found <= limit and not timed.local_paces,
        )


def dead_addresses(laboratory: Laboratory) -> Iterator[Target]:
    """Yield 3,000 posts with one dead address of two against those with the good one alone."""
    with StandInProcess(_BEHAVIOUR) as stand_in, laboratory.app() as bench:
        port = urlsplit(stand_in.url).port or 0
        good: Place = ("127.0.0.1", port)
        bench.post_to(f"https://{_NAME}:{port}/prod", stand_in.ca_path)
        bench.patch.setenv("POSTS_IN_FLIGHT", _IN_FLIGHT)
        bench.app.connect(_CONNECTIONS)
        timed = _Timed(bench)

        def among(*places: Place) -> float:
            bench.names.places[_NAME] = list(places)
            return timed.first()

        found, words = ratio(lambda: among(_DEAD, good), lambda: among(good))
    yield Target(
        name="one dead address of two, 3,000",
        target="≤ 1.5 x",
        source="timed",
        figure=words,
        met=found <= 1.5,  # noqa: PLR2004 - the target
    )
