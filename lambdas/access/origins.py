"""Which web pages may connect, where that is restricted."""

from collections.abc import Sequence

from access.refusal import Refusal, RefusedError


def require_allowed(origins: Sequence[str], allowed: Sequence[str]) -> None:
    """Refuse a page of another origin: browsers name it in `Origin`, exactly once. RFC 6454, 7.

    Where no origin is named as allowed, all are; programs that are no browsers may name any.
    Raises RefusedError.
    """
    if allowed and not (len(origins) == 1 and origins[0] in allowed):
        raise RefusedError(Refusal.ORIGIN)
