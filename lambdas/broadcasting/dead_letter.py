"""A dead letter: a message as it came, our note, and its attributes as far as SQS takes them."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from broadcasting.attributes import (
    GAVE_UP,
    KIND,
    MESSAGE_ID,
    MOST,
    MOST_BYTES,
    OURS,
    REASON,
    Attribute,
    Attributes,
    LeftOut,
    fit,
    size_bytes,
    text_of,
    told,
)

_REASON_CHARACTERS = 1_000
_NAMES: Final = ((REASON, MESSAGE_ID), ("reason", "messageId"))
"""The attributes that a note is told by: today's names, and those of earlier releases."""

_LONGEST_WHY_BYTES = 64
"""More than `fit` says about one attribute, without its name."""


class Note(NamedTuple):
    """What our function writes on a dead letter.

    `message_id` is the id that the message had in its own queue. A message that was given up breaks
    no contract: its slice goes on once it is redriven.
    """

    reason: str
    message_id: str
    is_given_up: bool = False


class Letter(NamedTuple):
    """A message to be kept in a dead-letter queue, and which of its attributes are left out."""

    body: str
    attributes: Attributes
    left_out: tuple[LeftOut, ...] = ()


def letter_of(body: str, note: Note, theirs: Attributes) -> Letter:
    """Return a message as it is kept; its reason says which of a producer's attributes are not.

    Body and note are never shortened: it is attributes that are left out. When the body leaves no
    room for their names, the reason does not have them.
    """
    ours = _written(note)
    places = MOST - len(ours)
    room_bytes = MOST_BYTES - len(body.encode(errors="surrogatepass")) - size_bytes(ours)
    kept, left_out = fit(theirs, places=places, room_bytes=room_bytes)
    if left_out:  # the reason has to say so, which takes room, too
        room_bytes -= sum(len(name.encode()) + _LONGEST_WHY_BYTES for name in theirs)
        kept, left_out = fit(theirs, places=places, room_bytes=room_bytes)
        if room_bytes >= 0:
            ours = _written(note, left_out)
    return Letter(body, ours | kept, left_out)


def read_letter(attributes: Attributes, *, is_moved: bool) -> tuple[Note | None, Attributes]:
    """Return our note on a dead letter, and its producer's attributes.

    A message that SQS has moved has no note: all of its attributes are the producer's, whatever
    their names are.
    """
    for names in () if is_moved else _NAMES:
        reason, message_id = (text_of(attributes, name) for name in names)
        if reason and message_id:
            note = Note(reason, message_id, is_given_up=text_of(attributes, KIND) == GAVE_UP)
            ours = OURS.union(names)
            return note, {name: one for name, one in attributes.items() if name not in ours}
    return None, dict(attributes)


def _written(note: Note, left_out: Sequence[LeftOut] = ()) -> dict[str, Attribute]:
    """Return our note as attributes; SQS refuses control characters and empty values."""
    shown = "".join(one if one.isprintable() else "?" for one in note.reason)
    reason = (shown[:_REASON_CHARACTERS] or "no reason was given") + told(left_out)
    said = {REASON: reason, MESSAGE_ID: note.message_id}
    if note.is_given_up:
        said[KIND] = GAVE_UP
    return {name: Attribute("String", value) for name, value in said.items()}
