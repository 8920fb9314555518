"""One connection as its client saw it: what it asked for and was told, and which frames came. Pure.

Times are in seconds on the monotonic clock.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from broadcasting.audience import EVERYONE, LISTED, OWN, stream_of_user, user_of_stream
from testbed.soak.sent import Sent

_SUBSCRIBING = ("join", "subscribe")


@dataclass(slots=True)
class Span:
    """From when to when a connection is on a channel: asked for and answered, at both ends."""

    asked_at: float
    since: float | None = None
    until_asked_at: float | None = None
    until: float | None = None


class Answer(NamedTuple):
    """An answer about one channel; `ids` are the connections that the client had then."""

    channel: str
    ids: frozenset[str]
    position: Mapping[str, Any]


@dataclass(slots=True, eq=False)
class Session:
    """One connection of a user's client. `id` is empty until an answer has told it.

    `live` are the frames that were posted to it, and `answers` are about channels.
    """

    user: str
    begun_at: float
    id: str = ""
    gone_at: float | None = None
    live: list[Mapping[str, Any]] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    spans: dict[str, list[Span]] = field(default_factory=dict)
    times: Counter[str] = field(default_factory=Counter)
    _asked: dict[str, Mapping[str, Any]] = field(default_factory=dict)

    def sends(self, text: str, at: float) -> None:
        """Note a request down that is about to be sent."""
        request = json.loads(text)
        self._asked[request["ref"]] = request
        if request["action"] in _SUBSCRIBING:
            for channel in request["at"]:
                spans = self.spans.setdefault(channel, [])
                if not spans or spans[-1].until_asked_at is not None:
                    spans.append(Span(at))
        elif request["action"] == "unsubscribe":
            for span in self._last_spans(request["channels"]):
                span.until_asked_at = span.until_asked_at or at

    def receives(self, text: str, at: float) -> None:
        """Note down what has come: a frame, an answer, or what is neither."""
        found = json.loads(text)
        if "type" not in found:
            if "seq" in found:
                self.live.append(found)
                self.times[found["id"]] += 1
        elif (request := self._asked.get(found.get("ref", ""))) and found["type"] != "error":
            self._answered(request, found, at)

    def is_addressed(self, one: Sent, now: float) -> bool:
        """Whether a broadcast has to reach it: it was there throughout, and is not left out."""
        is_there = self.begun_at <= one.sent_at and (self.gone_at is None or self.gone_at > now)
        return is_there and self._is_on(one, now) and one.is_meant([self.id])

    def is_left_out(self, one: Sent, now: float) -> bool:
        """Whether a broadcast has to count it as excluded: it was there throughout."""
        is_there = self.begun_at <= one.sent_at and (self.gone_at is None or self.gone_at > now)
        return is_there and self._is_on(one, now) and not one.is_meant([self.id])

    def may_receive(self, one: Sent) -> bool:
        """Whether a broadcast may reach it."""
        if not one.is_meant([self.id]):
            return False
        channel = one.audience.channel
        if channel is not None:
            spans = self.spans.get(channel, ())
            return any(span.until is None or span.until > one.sent_at for span in spans)
        return self._is_of(one)

    def _is_on(self, one: Sent, now: float) -> bool:
        channel = one.audience.channel
        if channel is None:
            return self._is_of(one)
        return any(
            span.since is not None
            and span.since <= one.sent_at
            and (span.until_asked_at is None or span.until_asked_at > now)
            for span in self.spans.get(channel, ())
        )

    def _is_of(self, one: Sent) -> bool:
        """Whether it is in the audience of a broadcast that is not to a channel."""
        if one.stream == LISTED:
            return self.id in one.audience.connections
        return one.stream == EVERYONE or user_of_stream(one.stream) == self.user

    def stream_of(self, channel: str) -> str:
        """Return the stream whose frames have a channel."""
        return stream_of_user(self.user) if channel == OWN else channel

    def _answered(self, request: Mapping[str, Any], found: Mapping[str, Any], at: float) -> None:
        self.id = found.get("connectionId", self.id)
        if request["action"] == "unsubscribe":
            for span in self._last_spans(request["channels"]):
                span.until = span.until or at
            return
        positions = found.get("channels", {})
        if request["action"] == "replay":
            positions = {found["channel"]: found}
        elif request["action"] in _SUBSCRIBING:
            for span in self._last_spans(positions):
                span.since = span.since or at
        ids = frozenset([self.id, *request.get("was", ())])
        self.answers += [Answer(name, ids, position) for name, position in positions.items()]

    def _last_spans(self, channels: Any) -> Iterator[Span]:
        for channel in channels:
            yield from self.spans.get(channel, ())[-1:]
