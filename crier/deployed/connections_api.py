"""`@connections` of a stage: says a text to one connection, closes it, tells what it is."""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from broadcasting.retry import Backoff
from crier.deployed.deployment import Deployment
from crier.errors import CrierError

NO_CONNECTION: Final = "L0SM9cOFvHcCIhw="
"""An id as API Gateway makes them, of a connection that does not exist."""

_REFUSED, _FORBIDDEN, _GONE, _THROTTLED, _FAULTS = 300, 403, 410, 429, 500
_BACKOFF = Backoff(tries=8)
_YOUNG_TRIES = 3
"""How often a connection is asked for that may only not be open yet: its `$connect` has run."""

_NO_ANSWER = (BotoCoreError, ResponseParserError, ValueError, AttributeError, RuntimeError)
"""What boto3 raises when there is no answer, or one that it cannot read, such as odd times."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request came to: its HTTP status, 0 when there was no answer, and why in words."""

    status: int
    why: str = ""

    @property
    def is_done(self) -> bool:
        """Whether the request did what it asks for."""
        return self.status in range(200, 300)

    @property
    def is_gone(self) -> bool:
        """Whether there is no such connection."""
        return self.status == _GONE

    @property
    def is_forbidden(self) -> bool:
        """Whether these credentials may not ask for it."""
        return self.status == _FORBIDDEN

    @property
    def is_throttled(self) -> bool:
        """Whether the quota, or the client's own buffer, is full."""
        return self.status == _THROTTLED

    @property
    def is_passing(self) -> bool:
        """Whether the same request may be answered otherwise a moment later."""
        return self.is_throttled or self.status == 0 or self.status >= _FAULTS


@dataclass(frozen=True, slots=True)
class Inspected:
    """What API Gateway tells of an open connection; times in epoch milliseconds.

    None and empty texts are what it has not told.
    """

    connected_ms: int | None
    last_active_ms: int | None
    source_ip: str
    user_agent: str


class ConnectionsApi:
    """Asks `@connections`, and asks again, with backoff, what is throttled or not answered.

    `wait` waits for some seconds, and returns True when nothing is to be tried again any more.
    """

    def __init__(
        self,
        client: Any,
        *,
        wait: Callable[[float], bool],
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._client = client
        self._wait = wait
        self._jitter = jitter

    @classmethod
    def of(cls, deployment: Deployment, *, wait: Callable[[float], bool]) -> "ConnectionsApi":
        """Return `@connections` of a stack."""
        client = deployment.callback_client()
        client.meta.events.register(
            "before-parse.apigatewaymanagementapi.GetConnection", _lower_first_letters
        )
        return cls(client, wait=wait)

    def post(self, connection_id: str, text: str, *, is_young: bool = False) -> Answer:
        """Send a text to a connection; one that is young may not be open yet."""
        gone_tries = _YOUNG_TRIES if is_young else 1
        return self._ask(
            lambda: self._client.post_to_connection(ConnectionId=connection_id, Data=text.encode()),
            gone_tries=gone_tries,
        )

    def delete(self, connection_id: str) -> Answer:
        """Close a connection."""
        return self._ask(lambda: self._client.delete_connection(ConnectionId=connection_id))

    def get(self, connection_id: str) -> Inspected | None:
        """Return what an open connection is, None when it is gone. Raises CrierError."""
        found: dict[str, Any] = {}
        answer = self._ask(
            lambda: found.update(self._client.get_connection(ConnectionId=connection_id))
        )
        if answer.is_gone:
            return None
        if not answer.is_done:
            raise CrierError(f"connection {connection_id} was not inspected: {answer.why}")
        identity = found.get("Identity") or {}
        return Inspected(
            connected_ms=_epoch_ms(found.get("ConnectedAt")),
            last_active_ms=_epoch_ms(found.get("LastActiveAt")),
            source_ip=str(identity.get("SourceIp") or ""),
            user_agent=str(identity.get("UserAgent") or ""),
        )

    def _ask(self, ask: Callable[[], object], *, gone_tries: int = 1) -> Answer:
        """Return the answer to a request, or the last one if it is tried again."""
        for tries in range(1, _BACKOFF.tries + 1):
            answer = _once(ask)
            is_again = answer.is_passing or (answer.is_gone and tries < gone_tries)
            if not is_again or tries == _BACKOFF.tries:
                break
            jitter = 1.0 if answer.is_gone else self._jitter()  # `$connect` needs its time
            if self._wait(_BACKOFF.seconds(tries, jitter)):
                break
        return answer


def _once(ask: Callable[[], object]) -> Answer:
    try:
        ask()
    except ClientError as error:
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return Answer(int(status), _told(error, status))
    except _NO_ANSWER as error:
        return Answer(0, str(error))
    return Answer(200)


def _told(error: ClientError, status: int) -> str:
    """Return why a request was refused: code and message are often the same, or the status."""
    said = error.response.get("Error", {})
    code, message = str(said.get("Code", "")), str(said.get("Message", ""))
    words = [str(status)] + [one for one in dict.fromkeys((code, message)) if one]
    return " ".join(dict.fromkeys(words))


def _lower_first_letters(response_dict: dict[str, Any], **_: object) -> None:
    """Let boto3 read the keys of the local AWS, `ConnectedAt`; those of AWS begin with small ones.

    botocore calls it with each answer, before it is parsed. Raises ResponseParserError for one that
    is not of `@connections`: botocore would take it for a connection of which nothing is known.
    """
    if response_dict["status_code"] >= _REFUSED:
        return
    try:
        found = dict(json.loads(response_dict["body"]))
    except (TypeError, ValueError) as error:
        raise ResponseParserError("the answer is no JSON object") from error
    small = {f"{name[:1].lower()}{name[1:]}": value for name, value in found.items()}
    response_dict["body"] = json.dumps(small | found).encode()


def _epoch_ms(time: object) -> int | None:
    return int(time.timestamp() * 1000) if isinstance(time, datetime) else None
