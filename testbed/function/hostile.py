"""A stand-in for `@connections` that is out of reach, or refuses, for a while of the app's time."""

import socket
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from selectors import EVENT_READ
from typing import TYPE_CHECKING, Any, Literal

from testbed.function.clocks import Time
from testbed.function.names import Place
from testbed.stand_in.certificate import ServerCertificate
from testbed.stand_in.errors import error_answer
from testbed.stand_in.reaction import Answer, Post, Reaction, Reset, Silence
from testbed.stand_in.server import StandIn
from testbed.stand_in.wire import Wire

if TYPE_CHECKING:
    import ssl

How = Literal["refused", "reset", "silent", "broken", "forbidden", "throttled", "untrusted"]
"""Nothing listens; or a post is reset, not answered, answered 503, 403, 429; or the certificate is
another authority's."""

_WATCH_SECONDS = 0.005
_OK = Answer(200, delay_seconds=0.005)
_REACTIONS: dict[How, Reaction] = {
    "reset": Reset(),
    "silent": Silence(),
    "broken": error_answer(503, delay_seconds=0.005),
    "forbidden": error_answer(403, delay_seconds=0.005),
    "throttled": error_answer(429, delay_seconds=0.005),
    "untrusted": Reset(),
    "refused": Reset(),
}


@dataclass(frozen=True, kw_only=True)
class Outage:
    """What is wrong, from when on, and for how long by the app's clock.

    It begins with the first post after `after_posts`; of ten posts, `tenths` suffer it. An endpoint
    that shuts answers the posts that it has taken: what is taken and not answered is posted again.
    """

    how: How
    seconds: float
    after_posts: int = 0
    tenths: int = 10


class Hostile(StandIn):
    """An `@connections` that suffers one outage, and counts what was tried meanwhile."""

    def __init__(
        self,
        outage: Outage,
        time: Time,
        *,
        usual: Callable[[Post], Reaction] = lambda _: _OK,
        tls: ServerCertificate | None = None,
        foreign: ServerCertificate | None = None,
    ) -> None:
        """Take the outage and what happens otherwise; `foreign` is the certificate meanwhile."""
        super().__init__(self._react, tls=tls)
        self.began_at = 0.0
        self.posts_while_down = 0
        """Posts that came meanwhile, or connections that were begun in vain."""
        self._outage = outage
        self._time = time
        self._usual = usual
        self._port: int = self._listener.getsockname()[1]
        self._right = self._context
        self._foreign: ssl.SSLContext | None = foreign.server_context() if foreign else None
        self._is_shut = False
        self._posts = 0
        self._server_context.timers.push(_WATCH_SECONDS, self._watch)
        if not outage.after_posts:
            self._begin()

    @property
    def is_down(self) -> bool:
        """Whether the outage is on."""
        return bool(self.began_at) and self._time.now() < self.ends_at

    @property
    def ends_at(self) -> float:
        """When it is over, in the app's time."""
        return self.began_at + self._outage.seconds

    def dialled(self, place: Place) -> None:
        """Take note that a connection is being opened, to whatever name."""
        if place[1] == self._port and self.is_down and self._shuts:
            self.posts_while_down += 1

    def forget(self) -> None:
        """Have the connections of now be dead: what comes on them next is answered with a reset."""
        self._server_context.timers.push(0.0, self._forget)
        self._waker.send(b"!")

    @property
    def _shuts(self) -> bool:
        return self._outage.how in ("refused", "untrusted")

    def _react(self, post: Post) -> Reaction:
        self._posts += 1
        if not self.began_at and self._posts > self._outage.after_posts:
            self._begin()
        is_hit = self.is_down and self._posts % 10 < self._outage.tenths
        self.posts_while_down += self.is_down and not self._shuts
        return _REACTIONS[self._outage.how] if is_hit else self._usual(post)

    def _begin(self) -> None:
        self.began_at = self._time.now()
        if self._shuts:
            self._server_context.timers.push(0.0, self._shut)

    def _watch(self) -> None:
        if self._is_shut and not self.is_down:
            self._open()
        self._server_context.timers.push(_WATCH_SECONDS, self._watch)

    def _shut(self) -> None:
        self._is_shut = True
        self._context = self._foreign if self._outage.how == "untrusted" else self._right
        if self._outage.how == "refused":
            self._server_context.selector.unregister(self._listener)
            self._listener.close()
        self._server_context.post_handler.close_after_answers = 1
        for _, http in self._connections():
            if not http._is_busy:
                http._reset()

    def _open(self) -> None:
        self._is_shut = False
        self._context = self._right
        self._server_context.post_handler.close_after_answers = 0
        if self._outage.how == "refused":
            self._listener = socket.create_server(("127.0.0.1", self._port), backlog=1024)
            self._listener.settimeout(0)
            self._server_context.selector.register(self._listener, EVENT_READ, self._accept)

    def _forget(self) -> None:
        for wire, http in self._connections():
            self._server_context.selector.modify(wire, EVENT_READ, partial(_reset, http))

    def _connections(self) -> list[tuple[Wire, Any]]:
        keys = list(self._server_context.selector.get_map().values())
        pairs = [(key.fileobj, getattr(key.data, "__self__", None)) for key in keys]
        return [(wire, http) for wire, http in pairs if isinstance(wire, Wire)]


def _reset(http: Any, _events: int) -> None:
    http._reset()
