"""Takes a signed token apart: JWS in its compact form, read strictly. RFC 7515, 7.1.

Nothing of it is believed yet. Headers that name or hold a key (`jku`, `jwk`, `x5u`, `x5c`) are not
looked at: the deploy says where the keys are.
"""

from collections.abc import Collection
from typing import Any, Final, NamedTuple

from access import base64url
from access.refusal import Refusal, RefusedError
from broadcasting.errors import RejectedError
from broadcasting.nesting import is_nested_deeper
from broadcasting.strict_json import read_json

MOST_TOKEN: Final = 8 * 1024
"""Characters of a token: more are not even decoded."""

MOST_KEY_ID: Final = 128
_MOST_LEVELS: Final = 16
_SEGMENTS: Final = 3


class SignedToken(NamedTuple):
    """A token taken apart. `signed` are the bytes that the signature is of."""

    algorithm: str
    key_id: str | None
    claims: dict[str, Any]
    signed: bytes
    signature: bytes


def parse_token(token: str, algorithms: Collection[str]) -> SignedToken:
    """Take a token apart. Raises RefusedError.

    Its algorithm must be one of `algorithms`, letter by letter: there are `none`s of all kinds.
    """
    if len(token) > MOST_TOKEN:
        raise RefusedError(Refusal.MALFORMED)
    segments = token.split(".")
    if len(segments) != _SEGMENTS:
        raise RefusedError(Refusal.MALFORMED)
    header, claims = _read_object(segments[0]), _read_object(segments[1])
    algorithm = header.get("alg")
    if not isinstance(algorithm, str) or algorithm not in algorithms:
        raise RefusedError(Refusal.ALGORITHM)
    if "crit" in header:
        raise RefusedError(Refusal.CRITICAL)
    signed = token.rpartition(".")[0].encode("ascii")
    return SignedToken(algorithm, _key_id(header), claims, signed, _bytes(segments[2]))


def read_object(text: str) -> dict[str, Any]:
    """Read a JSON object, with each key once. Raises ValueError."""
    if is_nested_deeper(text, _MOST_LEVELS):
        raise ValueError(f"nested deeper than {_MOST_LEVELS} levels")
    try:
        found = read_json(text, object_pairs_hook=_once)
    except RejectedError as error:
        raise ValueError(str(error)) from error
    if not isinstance(found, dict):
        raise ValueError("no JSON object")  # noqa: TRY004 - as for all that is no object
    return found


def _read_object(segment: str) -> dict[str, Any]:
    try:
        return read_object(_bytes(segment).decode("utf-8"))
    except ValueError as error:
        raise RefusedError(Refusal.MALFORMED) from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key twice")
    return found


def _bytes(segment: str) -> bytes:
    data = base64url.decode(segment)
    if not data:
        raise RefusedError(Refusal.MALFORMED)
    return data


def _key_id(header: dict[str, Any]) -> str | None:
    if "kid" not in header:
        return None
    key_id = header["kid"]
    if not isinstance(key_id, str) or not 1 <= len(key_id) <= MOST_KEY_ID:
        raise RefusedError(Refusal.UNKNOWN_KEY)
    return key_id
