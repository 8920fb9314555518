"""What `crier probe` says of an answer, and of a connection that could not be had."""

import ssl
from collections.abc import Mapping
from typing import Final, NamedTuple


class Meaning(NamedTuple):
    """What an answer means, and what to do about it; `is_well` when there is nothing to do."""

    means: str
    to_do: str
    is_well: bool = False


_MEANINGS: Final[Mapping[int, Meaning]] = {
    400: Meaning(
        "the id of no connection was refused as no id",
        "nothing, if broadcasts arrive: connections have ids that are taken; else tell us",
    ),
    403: Meaning(
        "refused: these credentials are not accepted here, or may not use @connections",
        "see whose they are (aws sts get-caller-identity), and the Region and this machine's "
        "clock; they need execute-api:ManageConnections on "
        "arn:aws:execute-api:REGION:ACCOUNT:API_ID/STAGE/GET/@connections/*; an answer that says "
        "no more than Forbidden comes where the URL names no stage, and one that is no JSON from "
        "another server: check the URL",
    ),
    404: Meaning(
        "there is no @connections at this URL",
        "take the stack's output CallbackUrl, with the stage at its end; a custom domain needs a "
        "mapping to the stage",
    ),
    410: Meaning(
        "gone, as it should be: the request was understood, its signature and these credentials "
        "are right, and there is no such connection",
        "nothing",
        is_well=True,
    ),
    429: Meaning(
        "throttled: the quota of the account in this Region is used up",
        "probe again in a minute; if it stays, see postsPerSecond and what else uses the quota",
    ),
}

_IN_TROUBLE: Final = Meaning(
    "the server is in trouble, or what stands before it",
    "probe again in a minute; if it stays, see the AWS Health Dashboard",
)
_OTHER: Final = Meaning(
    "this is no answer of @connections to a connection that does not exist",
    "see that the URL is the stack's output CallbackUrl, and that no proxy answers in its place",
)
_FIRST_OF_SERVER_ERRORS: Final = 500


def meaning_of(status: int) -> Meaning:
    """Return what the answer to a request about no connection means."""
    trouble = _IN_TROUBLE if status >= _FIRST_OF_SERVER_ERRORS else _OTHER
    return _MEANINGS.get(status, trouble)


def not_found(host: str, error: Exception) -> str:
    """Return that a host has no address."""
    reason = getattr(error, "strerror", None) or error
    return f"{host} has no address ({reason}): check the URL, and that this machine resolves names"


def not_connected(place: str, error: OSError, seconds: float) -> str:
    """Return why there is no TCP connection to a host and port."""
    if isinstance(error, ConnectionRefusedError):
        return f"{place} refuses connections: check the host and the port of the URL"
    way = "check the network and its firewalls; no proxy is used, as the function uses none"
    if isinstance(error, TimeoutError):
        return f"{place} does not answer within {seconds:g} s: {way}"
    return f"no connection to {place} ({error.strerror or error}): {way}"


def not_secured(place: str, error: OSError, seconds: float) -> str:
    """Return why there is no TLS with a host and port."""
    if isinstance(error, ssl.SSLCertVerificationError):
        reason = error.verify_message.rstrip(".")
        return (
            f"the certificate of {place} does not verify ({reason}): check the URL; where a proxy "
            "of yours opens TLS, name its authority's file in AWS_CA_BUNDLE"
        )
    if isinstance(error, TimeoutError):
        return f"{place} does not answer in TLS within {seconds:g} s: check the port of the URL"
    reason = getattr(error, "reason", None) or error.strerror or str(error)
    return f"no TLS with {place} ({reason}): expected TLS 1.2 or newer; check the port of the URL"


def not_answered(place: str, protocol: str, error: Exception) -> str:
    """Return why an open connection has brought no answer."""
    return (
        f"{place} takes connections, and has not answered a request over {protocol} ({error}): "
        "probe again; if it stays, check that the URL is the stack's output CallbackUrl"
    )
