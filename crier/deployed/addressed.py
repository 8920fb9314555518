"""Whom a broadcast is for, as far as the rows of the ledger tell."""

from dataclasses import dataclass, replace
from typing import Any

from broadcasting.audience import EVERYONE, LISTED, channel_in_frame, user_of_stream, words_of
from crier.deployed.row_values import Item, optional
from crier.wording import counted

IDS = ("exclude", "connections")
"""What is read of a frame's row: never the frame, which may be large."""


@dataclass(frozen=True, slots=True)
class Addressed:
    """An audience by its stream, and how many ids the broadcast lists and leaves out.

    `listed` and `excluded` are None as long as the row of the frame, which has the ids, is not
    read, and when it is not there: with replaySeconds=0 it is deleted when the broadcast settles.
    """

    stream: str
    listed: int | None = None
    excluded: int | None = None

    @property
    def kind(self) -> str:
        """Everyone, channel, user or connections."""
        if self.stream == EVERYONE:
            return "everyone"
        if self.stream == LISTED:
            return "connections"
        return "channel" if user_of_stream(self.stream) is None else "user"

    @property
    def name(self) -> str | None:
        """The name of the channel or the user; None for everyone and for listed connections."""
        if self.kind == "channel":
            return self.stream
        return user_of_stream(self.stream)

    @property
    def channel(self) -> str:
        """The channel that the broadcast's frames name."""
        return channel_in_frame(self.stream)

    @property
    def words(self) -> str:
        """The audience as people say it, such as `channel news, but for 2 ids`."""
        whom = words_of(self.stream)
        if self.stream == LISTED and self.listed:
            whom = counted(self.listed, "listed connection")
        return f"{whom}, but for {counted(self.excluded, 'id')}" if self.excluded else whom

    def with_ids(self, item: Item) -> "Addressed":
        """Return it with the numbers of ids in a frame's row. Raises ValueError."""
        excluded, listed = (len(str(optional(item, name, "S", "")).split()) for name in IDS)
        return replace(self, listed=listed, excluded=excluded)

    def as_json(self) -> dict[str, Any]:
        """Return it for scripts: the name under its kind."""
        named = {} if self.name is None else {self.kind: self.name}
        listed = {"connections": self.listed} if self.kind == "connections" else {}
        return {"kind": self.kind, **named, **listed, "exclude": self.excluded}
