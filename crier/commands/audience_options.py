"""The options that say whom a broadcast is for, and the keys of a message that they become."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from crier.commands.names import channel_name, listed_id, user_name

Channel = Annotated[
    str | None,
    typer.Option(parser=channel_name, help="Only to connections that are subscribed to it."),
]
User = Annotated[
    str | None, typer.Option(parser=user_name, help="Only to the connections of this user.")
]
ConnectionIds = Annotated[
    list[str] | None,
    typer.Option(
        "--connection",
        metavar="ID",
        parser=listed_id,
        help="Only to this connection; give it again for others, up to 1,000.",
        show_default=False,
    ),
]
Exclude = Annotated[
    list[str] | None,
    typer.Option(
        "--exclude",
        metavar="ID",
        parser=listed_id,
        help="Not to this connection; give it again for others, up to 1,000.",
        show_default=False,
    ),
]


def audience_keys(
    *,
    channel: str | None,
    user: str | None,
    connections: Sequence[str] | None,
    exclude: Sequence[str] | None,
) -> dict[str, Any]:
    """Return the keys of a message that say whom it is for; none of them means everyone.

    Raises typer.BadParameter for two audiences.
    """
    refuse_two({"--channel": channel, "--user": user, "--connection": connections})
    said = {
        "channel": channel,
        "user": user,
        "connections": list(connections or ()),
        "exclude": list(exclude or ()),
    }
    return {name: value for name, value in said.items() if value}


def refuse_two(given: Mapping[str, object]) -> None:
    """Raise typer.BadParameter when more than one of some options is given, by their names."""
    named = [name for name, value in given.items() if value]
    if len(named) > 1:
        raise typer.BadParameter(
            f"found {' and '.join(named)}, expected at most one of {', '.join(given)}"
        )
