"""The event of a client's frame: the frame, whose it is, and which channels the client may use."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from broadcasting.asking_client import AskingClient
from broadcasting.channel_patterns import NO_CHANNELS, read_patterns
from broadcasting.connection import Connection
from handlers.arrivals import authorizer_in, seconds_of, user_named_in
from handlers.events import (
    MESSAGE,
    EventError,
    connection_id_of,
    frame_of,
    request_context,
    shape_of,
)


class Heard(NamedTuple):
    """A frame, and its client."""

    client: AskingClient
    text: str
    is_binary: bool


OpenChannels = Callable[[], tuple[str, ...]]


def parse_message(event: Mapping[str, Any], open_channels: OpenChannels) -> Heard:
    """Return what an event of `$default` brings. Raises EventError.

    A client of which the authorizer says nothing about channels may use the open ones, which are
    asked for only then.
    """
    connection_id, text = connection_id_of(event, MESSAGE), frame_of(event)
    context = request_context(event)
    authorizer = authorizer_in(context)
    try:
        client = AskingClient(
            connection=Connection(connection_id, context.get("connectedAt")),  # type: ignore[arg-type]
            user=user_named_in(event),
            patterns=_patterns(authorizer, open_channels),
            expires_seconds=seconds_of(authorizer.get("exp")),
        )
    except ValueError as error:
        expected = "the time of its connection, and what an authorizer says of a client"
        raise EventError({"requestContext": shape_of(context)}, expected) from error
    return Heard(client, text, is_binary=event.get("isBase64Encoded") is True)


def _patterns(authorizer: Mapping[str, Any], open_channels: OpenChannels) -> tuple[str, ...]:
    """Return the patterns that the authorizer allows. Raises ValueError."""
    said = authorizer.get("channels")
    if said is None:
        return open_channels()
    return () if said == NO_CHANNELS else read_patterns(said)
