"""Holds frames that were posted against the broadcasts: no connection gets another's. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from broadcasting.audience import channel_in_frame
from testbed.soak.sent import Sent
from testbed.soak.session import Session


def wrong_frames(session: Session, sent: Mapping[str, Sent]) -> Iterator[str]:
    """Yield a complaint for each frame that a connection should not have been posted."""
    for frame in session.live:
        one = sent.get(frame["id"])
        name = session.id or f"one of {session.user}"
        if one is None:
            yield f"connection {name} received {frame['id']}, which was not sent"
        elif not session.may_receive(one):
            whom = f"{one.stream} without {sorted(one.audience.exclude)}"
            yield f"{one.id}: connection {name} received it, and it is for {whom}"
        elif wrong := wrong_in(frame, one):
            yield f"{one.id}: connection {name} received {wrong}"


def wrong_in(frame: Mapping[str, Any], one: Sent) -> str:
    """Return what is wrong in a broadcast's frame; empty when nothing is."""
    wanted = (channel_in_frame(one.stream), one.seq or frame["seq"])
    found = (frame["channel"], frame["seq"])
    return "" if found == wanted else f"channel and number {found}, expected {wanted}"
