"""Verifies SigV4 signatures with botocore's signer, so independently of Crier's own."""

from calendar import timegm
from hashlib import sha256
from time import strptime, time
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.compat import HTTPHeaders
from botocore.credentials import Credentials

from testbed.stand_in.behaviour import Behaviour
from testbed.stand_in.request import Request
from testbed.stand_in.request_head import RequestHead

_SERVICE = "execute-api"
_TOLERANCE_SECONDS = 300
_HOST = {"host", ":authority"}
"""One of them must be signed: over HTTP/2 some SDKs sign the second one."""


class _ExactSigner(SigV4Auth):
    """Signs the headers that it is given, and does not add a host."""

    def headers_to_sign(self, request: AWSRequest) -> HTTPHeaders:
        """Return them all."""
        headers = HTTPHeaders()
        for name, value in request.headers.items():
            headers[name] = value
        return headers


class SignatureVerifier:
    """Knows one access key; with it, says what is wrong with a post's signature."""

    def __init__(self, behaviour: Behaviour) -> None:
        self._behaviour = behaviour
        credentials = Credentials(
            behaviour.access_key, behaviour.secret_key, behaviour.session_token or None
        )
        self._signer: Any = _ExactSigner(credentials, _SERVICE, behaviour.region)

    def objection(self, request: Request) -> str:
        """Return why a post is refused, or "" when its signature is right."""
        scope_objection = self._scope_objection(request.head)
        if scope_objection:
            return scope_objection
        stated_hash = request.head.headers.get("x-amz-content-sha256")
        if stated_hash not in (None, sha256(request.body).hexdigest()):
            return "x-amz-content-sha256 is not the body's"
        if self._sign(request).encode() != request.signature:
            return "The request signature we calculated does not match the signature you provided"
        return ""

    def _scope_objection(self, head: RequestHead) -> str:
        expected = (self._behaviour.access_key, self._behaviour.region, _SERVICE)
        if (head.access_key, head.region, head.service) != expected:
            return "The security token included in the request is invalid"
        if head.headers.get("x-amz-security-token", "") != self._behaviour.session_token:
            return "The security token included in the request is invalid"
        if not self._must_be_signed().issubset(head.signed_headers) or _HOST.isdisjoint(
            head.signed_headers
        ):
            return "A header that must be signed is not"
        if not set(head.signed_headers) <= head.headers.keys():
            return "A signed header is not there"
        return _date_objection(head)

    def _must_be_signed(self) -> frozenset[str]:
        token = {"x-amz-security-token"} if self._behaviour.session_token else set()
        return frozenset({"x-amz-date"} | token)

    def _sign(self, request: Request) -> str:
        head = request.head
        signed = AWSRequest(
            method="POST",
            url=f"https://{head.headers['host']}{request.path.decode()}",
            headers={name: head.headers[name] for name in head.signed_headers},
            data=request.body,
        )
        signed.context["timestamp"] = head.headers["x-amz-date"]
        canonical = self._signer.canonical_request(signed)
        text = self._signer.string_to_sign(signed, canonical)
        signature: str = self._signer.signature(text, signed)
        return signature


def _date_objection(head: RequestHead) -> str:
    date = head.headers["x-amz-date"]
    if not date.startswith(head.day):
        return "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date"
    try:
        seconds = timegm(strptime(date, "%Y%m%dT%H%M%SZ"))
    except ValueError:
        return "Date must be in ISO-8601 basic format"
    if abs(time() - seconds) > _TOLERANCE_SECONDS:
        return "Signature expired"
    return ""
