"""Where a client's token stands: in the query, or among its sub-protocols, and nowhere else.

A browser cannot set headers on a WebSocket. What is sent in both places is refused: one of the two
could be another's.
"""

from collections.abc import Iterable
from typing import Final

from access.refusal import Refusal, RefusedError

BEARER: Final = "bearer."
"""A sub-protocol that begins so carries a token."""


def token_in(queried: Iterable[str], protocols: Iterable[str]) -> str:
    """Return the one token of a request. Raises RefusedError when there is none, or another.

    `queried` are the values of `token` in the query, `protocols` the sub-protocols offered.
    """
    carried = [one.removeprefix(BEARER) for one in protocols if one.startswith(BEARER)]
    tokens = [*queried, *carried]
    if len(tokens) > 1:
        raise RefusedError(Refusal.TWO_TOKENS)
    if not tokens or not tokens[0]:
        raise RefusedError(Refusal.NO_TOKEN)
    return tokens[0]
