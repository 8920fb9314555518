"""What lets the page's user into a local run: a new token or ticket for each connect."""

import time
from collections.abc import Callable
from threading import Event
from typing import Final

from crier.deployed.connection_rows import ConnectionRows
from crier.deployed.deployment import Deployment
from crier.local import own_issuer

MakeToken = Callable[[str], str]
"""Returns what lets a user in, by the user's name. Raises CrierError."""

_TICKET_SECONDS: Final = 60


def token_maker(deployment: Deployment, secret: str | None) -> MakeToken | None:
    """Return what makes tokens for a local run, None where it makes none.

    `secret` is what the run signs tokens with, None when it signs none.
    """
    if deployment.auth == "ticket":
        return _ticket_maker(deployment)
    if deployment.auth == "jwt" and secret is not None:
        return lambda user: own_issuer.token_for(user, secret, now_seconds=int(time.time()))
    return None


def _ticket_maker(deployment: Deployment) -> MakeToken:
    rows = ConnectionRows.of(deployment, wait=Event().wait)
    return lambda user: rows.new_ticket(
        user=user, channels=None, expires_seconds=int(time.time()) + _TICKET_SECONDS
    )
