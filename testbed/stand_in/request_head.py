"""The headers of a post, checked: those that it needs, and none that would mislead."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

MAX_BODY_BYTES = 10 * 1024 * 1024
"""What the service's front door reads before it would hang up."""

_FIELD = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\x20-\x7e\t]*?)[ \t]*")
_NEEDED = ("host", "x-amz-date", "authorization", "content-length")
_REFUSED = ("transfer-encoding", "expect", "upgrade")
_DATE = re.compile(r"\d{8}T\d{6}Z")
_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/,\s]+)/(?P<day>\d{8})/(?P<region>[a-z0-9-]+)"
    r"/(?P<service>[a-z0-9-]+)/aws4_request,\s*SignedHeaders=(?P<headers>[a-z0-9;:-]+),"
    r"\s*Signature=[0-9a-f]{64}"
)


class MalformedError(Exception):
    """A request that is answered 400: the message says what was expected."""


@dataclass(frozen=True, slots=True)
class RequestHead:
    """The headers of a post by lower-case name, and what its Authorization consists of."""

    headers: Mapping[str, str]
    content_length: int
    access_key: str
    day: str
    region: str
    service: str
    signed_headers: tuple[str, ...]

    @classmethod
    def parse(cls, block: bytes) -> Self:
        """Return the head of the header lines between request line and empty line.

        Raises MalformedError.
        """
        return cls.of(_read_fields(block.decode("latin-1")))

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> Self:
        """Return the head that consists of these headers. Raises MalformedError."""
        for name in _NEEDED:
            if not headers.get(name):
                raise MalformedError(f"expected a header {name}")
        for name in _REFUSED:
            if name in headers:
                raise MalformedError(f"expected no header {name}")
        if not _DATE.fullmatch(headers["x-amz-date"]):
            raise MalformedError("expected X-Amz-Date as YYYYMMDDTHHMMSSZ")
        parts = _AUTHORIZATION.fullmatch(headers["authorization"])
        if parts is None:
            raise MalformedError("expected an Authorization with all its parts")
        return cls(
            headers=headers,
            content_length=_read_length(headers["content-length"]),
            access_key=parts["key"],
            day=parts["day"],
            region=parts["region"],
            service=parts["service"],
            signed_headers=tuple(parts["headers"].split(";")),
        )


def _read_fields(block: str) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in block.split("\r\n"):
        found = _FIELD.fullmatch(line)
        if found is None:
            raise MalformedError("expected header lines of the form Name: value")
        name = found[1].lower()
        if name in headers:
            raise MalformedError(f"expected one header {name}, found two")
        headers[name] = found[2]
    return headers


def _read_length(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or len(text) > len(str(MAX_BODY_BYTES)):
        raise MalformedError("expected a Content-Length of decimal digits")
    length = int(text)
    if length > MAX_BODY_BYTES:
        raise MalformedError(f"expected a Content-Length up to {MAX_BODY_BYTES}")
    return length
