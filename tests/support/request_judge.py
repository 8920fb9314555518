"""Judges what a client asks for: tokens, connections, and requests on them."""

from collections.abc import Iterable

from broadcasting.client_parsing import parse_client_frame
from broadcasting.client_request import ClientFrame, Join, Replay, Subscribe, Unsubscribe
from tests.support.event_judge import Following
from tests.support.model_server import REPLAY_FRAMES, ServedConnection

_MOST_CONNECTIONS = 2


class RequestJudge:
    """Knows which questions, tokens, connections and requests there were.

    A request is settled when the client has heard its answer, or its refusal.
    """

    def __init__(self) -> None:
        self.requests = 0
        """How many there were; one that is asked again is the same."""
        self.newest_ask = 0
        self._reasons: dict[int, str] = {}
        self._renewals: set[int] = set()
        self._must_say_refused = False
        self._token: str | None = None
        self._refs: dict[str, tuple[int, str]] = {}
        self._settled: set[str] = set()
        self._ids: list[str] = []
        self._used: set[str] = set()

    def asks_token(self, ask: int, reason: str) -> None:
        """Judge a question for a token."""
        assert reason in ("first", "reconnect", "refused", "renewal"), reason
        if reason != "renewal":
            assert reason == "refused" or not self._must_say_refused, f"a token for {reason}"
            self._must_say_refused = False
        self.newest_ask = ask
        self._reasons[ask] = reason

    def given(self, ask: int, token: str | None) -> None:
        """Note the token that the client may use just now: the answer to its newest question."""
        self._token = token if ask == self.newest_ask else None

    def opens(self, socket: int, token: str | None, open_: int) -> None:
        """Judge a connect, after which `open_` connections are not closed."""
        assert token is not None, "the client uses no token"
        assert token == self._token, f"the client uses {token}, expected {self._token}"
        assert open_ <= _MOST_CONNECTIONS, f"the client has {open_} connections"
        self._token = None
        if self._reasons[self.newest_ask] == "renewal":
            self._renewals.add(socket)

    def was_refused(self, one: ServedConnection) -> None:
        """Note a handshake that failed: the next token is asked for because of it."""
        self._must_say_refused |= one.socket not in self._renewals

    def closed(self) -> None:
        """Note that the application begins anew."""
        self._must_say_refused = False

    def sends(self, one: ServedConnection, text: str) -> None:
        """Judge a text."""
        assert one.is_live, f"the client sends on {one.id}, which is not open"
        asked = parse_client_frame(text, most_last=REPLAY_FRAMES)
        assert asked.ref, "a request has no ref"
        if asked.ref in self._refs:
            assert self._refs[asked.ref][1] == text, f"two requests have the ref {asked.ref}"
            assert asked.ref not in self._settled, f"{asked.ref} is asked again, after its answer"
            return
        self._require_one_change(one, asked)
        self._require_earlier(one, asked)
        self.requests += 1
        self._refs[asked.ref] = (self.requests, text)

    def is_settled(self, asked: ClientFrame | None) -> bool:
        """Tell whether the client waits for no answer of a request, or if it is none."""
        return asked is None or asked.ref is None or asked.ref in self._settled

    def settle(self, asked: ClientFrame) -> int:
        """Note that a request is answered; return its number."""
        assert asked.ref
        self._settled.add(asked.ref)
        return self._refs[asked.ref][0]

    def joined(self, one: ServedConnection, *, is_alone: bool) -> None:
        """Note that the client hears the id of a connection, which may be no more than a try."""
        self._ids.append(one.id)
        if is_alone:
            self._used.add(one.id)

    def _require_one_change(self, one: ServedConnection, asked: ClientFrame) -> None:
        """A connection's membership is changed by one request at a time."""
        if isinstance(asked.request, Join | Subscribe | Unsubscribe):
            is_free = one.changing is None or one.changing in self._settled
            assert is_free, f"{asked} while {one.changing} is under way"
            one.changing = asked.ref

    def _require_earlier(self, one: ServedConnection, asked: ClientFrame) -> None:
        """A request that may be given frames names the connections that the client had."""
        if isinstance(asked.request, Join | Subscribe | Replay):
            was, ids = set(asked.request.was), set(self._ids)
            assert was <= ids, f"{asked} names a connection that the client never had"
            assert was or not self._used - {one.id}, f"{asked} names no earlier connection"


def require_swaps(
    closed: Iterable[ServedConnection],
    others: Iterable[ServedConnection],
    wanted: Iterable[Following],
) -> None:
    """A connection that is closed, while the state stays, gives way to one with all channels."""
    for one in closed:
        is_swap = bool(one.answered) and not one.is_over and any(True for _ in others)
        has_all = any(all(each in other.answered for each in wanted) for other in others)
        assert has_all or not is_swap, f"{one.id} is closed before another one has all channels"
