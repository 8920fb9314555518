"""Whether a client is let in: all the rules of access in the order in which they are asked."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from access.client import Client
from access.deny_list import require_not_denied
from access.origins import require_allowed
from access.refusal import Refusal, RefusedError
from access.token_place import token_in

Identify = Callable[[str, int], Client]
"""Takes a token or a ticket, and the time in epoch seconds; raises RefusedError."""

FindDenial = Callable[[str], Mapping[str, Any] | None]
"""Takes a user; returns the row that keeps the user out, None when there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectRequest:
    """What a client sends along when it connects, as far as it says who that client is.

    `queried` are the values of `token` in the query, `protocols` the sub-protocols that are
    offered, `origins` the values of the header `Origin`.
    """

    queried: tuple[str, ...] = ()
    protocols: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """Lets clients in. `find_denial` is None where there is no deny list.

    Where the session does not end with the token, the client that is let in has no expiry.
    """

    identify: Identify
    allowed_origins: tuple[str, ...] = ()
    find_denial: FindDenial | None = None
    session_ends_with_token: bool = True

    def admit(self, request: ConnectRequest, now_seconds: int) -> Client:
        """Return the client that is let in, at a time in epoch seconds. Raises RefusedError.

        What costs least is asked first. A token that the leeway for clocks alone lets pass is
        refused where the session ends with it: that is over.
        """
        require_allowed(request.origins, self.allowed_origins)
        client = self.identify(token_in(request.queried, request.protocols), now_seconds)
        if self.session_ends_with_token and client.is_over(now_seconds):
            raise RefusedError(Refusal.EXPIRED)
        if self.find_denial:
            require_not_denied(self.find_denial(client.user), now_seconds)
        return client if self.session_ends_with_token else replace(client, expires_seconds=None)
