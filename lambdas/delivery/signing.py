"""Signature Version 4 for posts, from a template: only the connection id changes.

Within one payload and one minute everything that is signed stays the same but the id in the
path. So the canonical request is hashed up to the id once, the signing key is derived once, and
one post costs two short SHA-256 for the request and two for the HMAC. How a signed post is written
is the protocol's affair: see http/http1_request.py.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import quote

from broadcasting.clock import Clock
from delivery.fan_out import ForbiddenError
from delivery.http.endpoint import Endpoint
from delivery.http.request import POST, Request, RequestTemplate

SERVICE = "execute-api"
TEMPLATE_SECONDS = 60.0
"""One signing template serves for this long: AWS takes signatures that are up to 5 minutes old."""

_ALGORITHM = "AWS4-HMAC-SHA256"
_HMAC_BLOCK_BYTES = 64
_IPAD = bytes(byte ^ 0x36 for byte in range(256))
_OPAD = bytes(byte ^ 0x5C for byte in range(256))
_is_usual_id = re.compile(r"[A-Za-z0-9_~=-]+").fullmatch


@dataclass(frozen=True, slots=True)
class Credentials:
    """The keys to sign with. Temporary ones, as every Lambda function has, come with a token."""

    access_key: str
    secret_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)


class SigningTemplate:
    """Signs posts of one payload; AWS takes them within five minutes of `at_seconds`.

    Requests of another method are signed in the same way, with an empty payload.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        region: str,
        credentials: Credentials,
        payload: bytes,
        at_seconds: float,
        method: str = POST,
    ) -> None:
        """Sign for `at_seconds` since 1970, cut to the second."""
        at = datetime.fromtimestamp(int(at_seconds), UTC).strftime("%Y%m%dT%H%M%SZ")
        scope = f"{at[:8]}/{region}/{SERVICE}/aws4_request"
        fields = _signed_fields(endpoint, at, credentials)
        names = ";".join(name for name, _ in fields)
        self._path = f"{endpoint.path}/@connections/"
        self._request_hash = hashlib.sha256(f"{method}\n{quote(self._path, safe='/~')}".encode())
        canonical_fields = "".join(f"{name}:{value}\n" for name, value in fields)
        payload_hash = hashlib.sha256(payload).hexdigest()
        self._request_end = f"\n\n{canonical_fields}\n{names}\n{payload_hash}".encode()
        self._to_sign = f"{_ALGORITHM}\n{at}\n{scope}\n"
        self._inner, self._outer = _hmac_halves(_signing_key(credentials.secret_key, scope))
        self._shared = RequestTemplate(fields, payload, method)
        self._authorization = (
            f"{_ALGORITHM} Credential={credentials.access_key}/{scope}, "
            f"SignedHeaders={names}, Signature="
        )

    def sign(self, connection_id: str) -> Request:
        """Return a request: its path, its authorization, and what it shares with the others.

        Raises UnicodeEncodeError for an id that is no text.
        """
        encoded = encode_id(connection_id)
        request_hash = self._request_hash.copy()
        request_hash.update(encoded.replace("%", "%25").encode() + self._request_end)
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update((self._to_sign + request_hash.hexdigest()).encode())
        outer.update(inner.digest())
        return Request(self._shared, self._path + encoded, self._authorization + outer.hexdigest())


def encode_id(connection_id: str) -> str:
    """Return a connection id as a segment of a path; never one that a server takes as `..`."""
    if _is_usual_id(connection_id):
        return connection_id.replace("=", "%3D")
    return quote(connection_id, safe="").replace(".", "%2E")


def _signed_fields(
    endpoint: Endpoint, at: str, credentials: Credentials
) -> tuple[tuple[str, str], ...]:
    """Return the header fields to sign, in the order of their names."""
    fields = (("host", endpoint.authority), ("x-amz-date", at))
    if credentials.session_token:
        return (*fields, ("x-amz-security-token", credentials.session_token))
    return fields


def _signing_key(secret_key: str, scope: str) -> bytes:
    key = b"AWS4" + secret_key.encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def _hmac_halves(key: bytes) -> "tuple[hashlib._Hash, hashlib._Hash]":
    """Return the two hashes of an HMAC, the key taken in: copying them beats deriving anew."""
    block = key.ljust(_HMAC_BLOCK_BYTES, b"\0")
    return hashlib.sha256(block.translate(_IPAD)), hashlib.sha256(block.translate(_OPAD))


class Signer:
    """Signs posts to one endpoint with the credentials of the moment."""

    def __init__(
        self, endpoint: Endpoint, *, region: str, credentials: Callable[[], Credentials | None]
    ) -> None:
        """Take what returns the credentials; it is asked again for each template."""
        self._endpoint = endpoint
        self._region = region
        self._credentials = credentials

    def template(self, payload: bytes, at_seconds: float) -> SigningTemplate:
        """Return a template for one payload. Raises ForbiddenError without credentials."""
        try:
            credentials = self._credentials()
        except Exception as error:
            raise ForbiddenError(f"no credentials to sign with: {error}") from error
        if credentials is None:
            raise ForbiddenError("no credentials to sign with")
        return SigningTemplate(
            self._endpoint,
            region=self._region,
            credentials=credentials,
            payload=payload,
            at_seconds=at_seconds,
        )


class FrameSigner:
    """Signs the posts of one frame, with a new template each minute. Any thread may ask it."""

    def __init__(self, signer: Signer, payload: bytes, clock: Clock) -> None:
        self._signer = signer
        self._payload = payload
        self._clock = clock
        self._template: SigningTemplate | None = None
        self._until = clock.monotonic()

    def template(self, now: float) -> SigningTemplate:
        """Return what signs the posts of this minute, at monotonic seconds `now`.

        Raises ForbiddenError when there is nothing to sign with.
        """
        if self._template is None or now >= self._until:
            self._template = self._signer.template(self._payload, self._clock.epoch_ms() / 1000)
            self._until = now + TEMPLATE_SECONDS
        return self._template
