"""Posts as servers that are not ours have decoded them, and what must be true of them."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from delivery.signing import Credentials
from testbed.stand_in.behaviour import Behaviour
from testbed.stand_in.request import Request
from testbed.stand_in.request_head import RequestHead
from testbed.stand_in.signature import SignatureVerifier
from tests.support.posting import REGION

PREFIX = "/prod/@connections/"
HTTP_1, HTTP_2 = "http/1.1", "h2"

_SIGNATURE = "Signature="
_FIELDS = {
    *("host", "x-amz-date", "x-amz-security-token"),
    *("authorization", "content-length"),
}


@dataclass(frozen=True, slots=True)
class ReceivedPost:
    """One post. `headers` has lower-case names, with `host` for `:authority`.

    `connection` names the HTTP connection that carried it.
    """

    protocol: str
    connection: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def connection_id(self) -> str:
        """Whom it was for."""
        return unquote(self.path.removeprefix(PREFIX))

    @property
    def token(self) -> str:
        """The session token, "" if there is none."""
        return self.headers.get("x-amz-security-token", "")

    def request(self) -> Request:
        """Return it as the stand-in reads it, which refuses what is malformed."""
        lines = "\r\n".join(f"{name}: {value}" for name, value in self.headers.items())
        head = RequestHead.parse(lines.encode("latin-1"))
        signature = self.headers["authorization"].partition(_SIGNATURE)[2]
        path = self.path.encode()
        return Request(self.connection_id, path, head, signature.encode(), self.body, 0)


def check_posts(
    posts: Iterable[ReceivedPost],
    times: Mapping[str, int],
    *,
    protocol: str,
    authority: str,
    frame: str,
    credentials: Iterable[Credentials],
) -> None:
    """Assert that each connection id was posted to that often, each time as it was sent.

    The signature must be right for one of the credentials, by botocore's own signer.
    """
    body = frame.encode()
    verifiers = {one.session_token or "": _verifier(one) for one in credentials}
    received: Counter[str] = Counter()
    for post in posts:
        received[post.connection_id] += 1
        assert post.protocol == protocol
        assert post.path.startswith(PREFIX)
        assert _FIELDS.issuperset(post.headers)
        assert post.headers["host"] == authority
        assert post.headers["content-length"] == str(len(body))
        assert post.body == body
        assert verifiers[post.token].objection(post.request()) == ""
    assert received == Counter(times)


def _verifier(credentials: Credentials) -> SignatureVerifier:
    behaviour = Behaviour(
        access_key=credentials.access_key,
        secret_key=credentials.secret_key,
        session_token=credentials.session_token or "",
        region=REGION,
    )
    return SignatureVerifier(behaviour)
