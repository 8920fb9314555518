"""The page of the local run: its options, and what is served for it."""

from contextlib import AbstractContextManager
from typing import Annotated

import typer

from crier.commands.invitation import signed_url
from crier.demo.town import CHANNELS
from crier.deployed.deployment import Deployment
from crier.local.page import serving
from crier.numbers import number_within

_MOST_SECONDS = 7_200
"""The age at which API Gateway cuts every connection."""

PagePort = Annotated[
    int,
    typer.Option(
        parser=number_within(0, 65_535),
        help="The port of the page, up to 65535; 0 takes a free one.",
    ),
]
CutAfter = Annotated[
    int | None,
    typer.Option(
        parser=number_within(1, _MOST_SECONDS),
        help="Cut each connection through the proxy this number of seconds after it opened, 1 to "
        f"{_MOST_SECONDS}, as API Gateway does after two hours. Without it: never.",
        show_default=False,
    ),
]
Every = Annotated[
    int | None,
    typer.Option(
        "--broadcast-every",
        parser=number_within(1, 3_600),
        help="Broadcast a small message each time this number of seconds is over, to the channels "
        f"{', '.join(CHANNELS)} and to everyone in turn. Without it: nothing.",
        show_default=False,
    ),
]


def served_page(
    deployment: Deployment,
    *,
    port: int,
    secret: str | None,
    cut_after_seconds: int | None,
    has_broadcasts: bool,
) -> AbstractContextManager[serving.LocalPage]:
    """Serve the page until the block ends; see `crier.local.page.serving`."""
    return serving.served_page(
        deployment,
        port=port,
        secret=secret,
        cut_after_seconds=cut_after_seconds,
        channels=CHANNELS if has_broadcasts else (),
        sign=signed_url if deployment.auth == "iam" else None,
    )
