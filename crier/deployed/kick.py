"""Throws one connection out: says bye, closes it, removes its rows, if the credentials may."""

from collections.abc import Callable
from enum import Enum
from typing import NamedTuple

from broadcasting.bye import Bye
from broadcasting.connection import Connection
from crier.deployed.connection_rows import ConnectionRows, Known
from crier.deployed.connections_api import NO_CONNECTION, Answer, ConnectionsApi
from crier.errors import CrierError

_MALFORMED = 400
_PERMISSIONS = "docs/operator/deploy.md#permissions has what to allow; nothing was changed"


class End(Enum):
    """How it ended for one connection."""

    KICKED = "kicked"
    GONE = "gone already"
    FAILED = "failed"


class Kicked(NamedTuple):
    """What became of a connection that was to be kicked, and why it failed, if it did.

    `is_told` is whether it was sent the bye.
    """

    id: str
    end: End
    why: str = ""
    is_told: bool = False


class Kicker:
    """Kicks connections with one bye. It may be used by several threads."""

    def __init__(
        self, api: ConnectionsApi, rows: ConnectionRows, *, bye: Bye, epoch_ms: Callable[[], int]
    ) -> None:
        self._api = api
        self._rows = rows
        self._text = bye.encode()
        self._epoch_ms = epoch_ms

    def check_permissions(self) -> None:
        """Raise CrierError, which names the permission, when one is missing.

        Each of the requests asks for a connection or a row that cannot be there.
        """
        _require_permitted("POST", self._api.post(NO_CONNECTION, self._text))
        _require_permitted("DELETE", self._api.delete(NO_CONNECTION))
        try:
            self._rows.check_removal()
        except CrierError as error:
            raise CrierError(f"{error}; {_PERMISSIONS}") from error

    def kick(self, known: Known) -> Kicked:
        """Throw a connection out. One that is gone already loses its rows all the same.

        A client that takes nothing more (429 to the end) is closed without a bye. What cannot be
        closed keeps its rows: it still receives broadcasts, and can be kicked again.
        """
        posted = self._api.post(known.id, self._text, is_young=self._is_young(known))
        closed = posted
        if posted.is_done or posted.is_throttled:
            closed = self._api.delete(known.id)
        if not (closed.is_done or closed.is_gone):
            return Kicked(known.id, End.FAILED, f"not closed: {closed.why}", posted.is_done)
        is_gone = closed.is_gone and not posted.is_done
        try:
            self._rows.remove(known.id, known.user)
        except CrierError as error:
            state = "gone" if is_gone else "closed"
            return Kicked(known.id, End.FAILED, f"{state}, but {error}", posted.is_done)
        return Kicked(known.id, End.GONE if is_gone else End.KICKED, is_told=posted.is_done)

    def _is_young(self, known: Known) -> bool:
        if known.connected_ms is None:
            return False
        return Connection(known.id, known.connected_ms).is_young(self._epoch_ms())


def _require_permitted(method: str, answer: Answer) -> None:
    if answer.is_done or answer.is_gone or answer.status == _MALFORMED:
        return
    if answer.is_forbidden:
        raise CrierError(
            f"these credentials may not {method} to @connections of this stage ({answer.why}), "
            f"expected execute-api:ManageConnections on {method}/@connections/*; {_PERMISSIONS}"
        )
    raise CrierError(
        f"@connections of this stage answers no {method} as expected: {answer.why}; `crier probe` "
        "tells more; nothing was changed"
    )
