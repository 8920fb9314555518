"""What a client has asked for on one connection, until it is answered. Pure.

All requests may be asked again: one that is not answered is, with the same text.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from broadcasting.followed_channel import FollowedChannel
from crier.listening.waits import ANSWER_MS, Waits


@dataclass(slots=True, eq=False)
class Request:
    """One request. `channels` are those that it asks about, as they were when it was asked."""

    ref: str
    action: str
    fields: Mapping[str, Any]
    text: str
    channels: Mapping[str, FollowedChannel]
    again_at: float
    refusals: int = 0


@dataclass(slots=True)
class Requests:
    """The requests under way. `refs` gives each one its own name."""

    refs: Iterator[int]
    waits: Waits
    _under_way: dict[str, Request] = field(default_factory=dict)

    def ask(
        self,
        action: str,
        fields: Mapping[str, Any],
        channels: Mapping[str, FollowedChannel],
        now_ms: float,
    ) -> str:
        """Return the text of a new request."""
        ref = str(next(self.refs))
        text = json.dumps({"action": action, "ref": ref, **fields}, separators=(",", ":"))
        self._under_way[ref] = Request(ref, action, fields, text, channels, now_ms + ANSWER_MS)
        return text

    def get(self, ref: str) -> Request | None:
        """Return a request that is under way."""
        return self._under_way.get(ref)

    def end(self, request: Request) -> None:
        """Forget a request: it was answered, or is given up."""
        self._under_way.pop(request.ref, None)

    def are_under_way(self, *actions: str) -> bool:
        """Tell whether any request of these actions waits for its answer."""
        return any(one.action in actions for one in self._under_way.values())

    def asked(self, action: str) -> list[Request]:
        """Return the requests of an action that wait for their answers."""
        return [one for one in self._under_way.values() if one.action == action]

    def throttled(self, now_ms: float) -> None:
        """Ask for all of them again, sooner or later: it is not known which one was refused."""
        for one in self._under_way.values():
            one.again_at = now_ms + self.waits.after_throttling(one.refusals)
            one.refusals += 1

    def busy(self, request: Request, after_ms: float, now_ms: float) -> None:
        """Ask for a request again when the server wants it."""
        request.again_at = now_ms + self.waits.after_busy(after_ms, request.refusals)
        request.refusals += 1

    @property
    def again_at(self) -> float | None:
        """When the next one is to be asked again."""
        return min((one.again_at for one in self._under_way.values()), default=None)

    def due(self, now_ms: float) -> list[str]:
        """Return the texts to send again now."""
        due = [one for one in self._under_way.values() if one.again_at <= now_ms]
        for one in due:
            one.again_at = now_ms + ANSWER_MS
        return [one.text for one in due]
