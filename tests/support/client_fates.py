"""What may become of what is on its way between a whole client and its server."""

from typing import Final, NamedTuple

from tests.support.model_server import ServedConnection

FATES: Final = {
    "ask": ("null", "unauthorized", "rejects", "nonsense", "hangs"),
    "open": ("refused", "hangs"),
    "up": ("lost", "twice", "busy", "gone", "bad-frame", "throttled", "cut", "answered and cut"),
    "down": ("lost", "twice", "late", "cut"),
    "end": ("late",),
}
"""Of a question for a token, a handshake, a text in either direction, and an end."""


class Action(NamedTuple):
    """Something that is on its way. `place` is its place in what is on its way there."""

    kind: str
    connection: ServedConnection | None = None
    place: int = 0
    ask: int = 0


def actions_on(one: ServedConnection) -> list[Action]:
    """Return all that is on its way on a connection; one that is closed may still hear of it."""
    if one.is_over:
        return []
    down = [Action("down", one, place) for place in range(len(one.down))]
    if one.is_closed:
        return [*down, Action("end", one)]
    if not one.is_open:
        return [] if one.is_hung else [Action("open", one)]
    return [*(Action("up", one, place) for place in range(len(one.up))), *down]
