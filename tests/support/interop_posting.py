"""The fast fan-out, pointed at a server that is not ours, with credentials as functions have."""

from collections.abc import Iterable, Sequence
from itertools import cycle
from threading import Lock

from broadcasting.connection import Connection
from delivery.signing import Credentials
from testbed.stand_in.certificate import ServerCertificate
from tests.support.posting import CREDENTIALS, FRAME, Delivery, deliver, selector_fan_out

IN_FLIGHT = 512
"""How many posts are under way at once."""

_TOKEN = "IQoJb3JpZ2luX2Vj+/="  # noqa: S105 - no secret: the characters that real ones have


def with_token(characters: int) -> Credentials:
    """Return credentials with a session token of this length."""
    token = (_TOKEN * (characters // len(_TOKEN) + 1))[:characters]
    return Credentials(CREDENTIALS.access_key, CREDENTIALS.secret_key, token)


USUAL = (with_token(1_100),)
"""A function's token has about this length."""


def post_all(
    authority: str,
    certificate: ServerCertificate,
    connections: Iterable[Connection],
    *,
    credentials: Sequence[Credentials] = USUAL,
    frame: str = FRAME,
) -> Delivery:
    """Post a frame to all connections; each new signing template takes the next credentials."""
    turns, lock = cycle(credentials), Lock()

    def next_credentials() -> Credentials:
        with lock:
            return next(turns)

    with selector_fan_out(
        f"https://{authority}/prod",
        certificate.ca_path,
        in_flight=IN_FLIGHT,
        credentials=next_credentials,
    ) as fan_out:
        return deliver(fan_out, connections, frame=frame)
