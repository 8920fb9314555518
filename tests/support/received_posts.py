"""Posts as servers that are not ours have decoded them, and what must be true of them."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from delivery.signing import Credentials
from testbed.stand_in.behaviour import Behaviour
from testbed.stand_in.request import Request, RequestReader
from testbed.stand_in.signature import SignatureVerifier
from tests.support.posting import REGION

PREFIX = "/prod/@connections/"
HTTP_1, HTTP_2 = "http/1.1", "h2"

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

    def text(self) -> bytes:
        """Return it as HTTP/1.1 writes it, which the stand-in reads."""
        lines = "".join(f"{name}: {value}\r\n" for name, value in self.headers.items())
        return f"POST {self.path} HTTP/1.1\r\n{lines}\r\n".encode("latin-1") + self.body


def check_posts(
    posts: Iterable[ReceivedPost],
    times: Mapping[str, int],
    *,
    protocol: str,
    authority: str,
    frame: str,
    credentials: Iterable[Credentials],
) -> None:
    """Assert that each connection id was posted to as often as `times` says, each time the same.

    The stand-in must be able to read what the server has decoded, and the signature must be right
    for one of the credentials, by botocore's own signer.
    """
    body = frame.encode()
    verifiers = {one.session_token or "": _verifier(one) for one in credentials}
    reader, received = RequestReader(), Counter[str]()
    for post in posts:
        received[post.connection_id] += 1
        assert post.protocol == protocol
        assert post.path.startswith(PREFIX)
        assert _FIELDS.issuperset(post.headers)
        assert post.headers["host"] == authority
        assert post.headers["content-length"] == str(len(body))
        assert post.body == body
        request = reader.read(post.text())
        assert isinstance(request, Request)
        assert verifiers[post.token].objection(request) == ""
    assert received == Counter(times)


def _verifier(credentials: Credentials) -> SignatureVerifier:
    behaviour = Behaviour(
        access_key=credentials.access_key,
        secret_key=credentials.secret_key,
        session_token=credentials.session_token or "",
        region=REGION,
    )
    return SignatureVerifier(behaviour)
