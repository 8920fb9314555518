"""The head of a post that came over HTTP/2: its fields, checked. RFC 9113, 8.2 and 8.3."""

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from testbed.stand_in.http2_hpack import Field
from testbed.stand_in.request import connection_id_in
from testbed.stand_in.request_head import MalformedError, RequestHead

_PSEUDO = frozenset((":method", ":scheme", ":path", ":authority"))
_NEEDED = (":method", ":scheme", ":path")
_OF_CONNECTIONS = ("connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade")
_match_name = re.compile(r":?[!#$%&'*+.^_`|~0-9a-z-]+").fullmatch
_match_value = re.compile(r"(?:[^\x00\r\n\s](?:[^\x00\r\n]*[^\x00\r\n\s])?)?").fullmatch
_SIGNATURE = re.compile(r"Signature=([0-9a-f]{64})$")
_NO_SIGNATURE = "Signature=" + "0" * 64


class InvalidFieldsError(Exception):
    """Fields that HTTP/2 forbids: the stream is reset. What is only no post is answered 400."""


class PostHead(NamedTuple):
    """A post without its body; `head` has zeros for the signature."""

    connection_id: str
    path: bytes
    head: RequestHead
    signature: bytes
    content_length: int | None


def read_head(fields: Iterable[Field]) -> PostHead:
    """Return a post's head. Raises InvalidFieldsError, MalformedError."""
    headers = _headers(fields)
    length = _content_length(headers)
    if headers[":method"] != "POST":
        raise MalformedError("expected the method POST")
    path = headers[":path"].encode("latin-1")
    connection_id = connection_id_in(path)
    authorization = headers.get("authorization", "")
    signature = _SIGNATURE.search(authorization)
    if signature is None:
        raise MalformedError("expected an Authorization with Signature= and 64 hex digits")
    regular = {name: value for name, value in headers.items() if name not in _PSEUDO}
    head = RequestHead.of(
        {
            ":authority": headers.get(":authority", ""),  # the SDK for JavaScript signs it as it is
            "host": headers.get(":authority", ""),
            "content-length": "0",  # HTTP/2 needs none
            **regular,
            "authorization": authorization[: signature.start()] + _NO_SIGNATURE,
        }
    )
    return PostHead(connection_id, path, head, signature[1].encode(), length)


def _headers(fields: Iterable[Field]) -> dict[str, str]:
    """Return the fields, which HTTP/2 allows, by name. Raises InvalidFieldsError."""
    headers: dict[str, str] = {}
    is_regular = False
    for field in fields:
        name, value = field.name.decode("latin-1"), field.value.decode("latin-1")
        if not (_match_name(name) and _match_value(value)):
            raise InvalidFieldsError(f"expected lower-case names and clean values, found {name}")
        is_pseudo = name.startswith(":")
        if is_pseudo and (is_regular or name not in _PSEUDO):
            raise InvalidFieldsError(f"expected known pseudo-header fields first, found {name}")
        is_regular = not is_pseudo
        if name in headers:
            raise InvalidFieldsError(f"expected one field {name}, found two")
        headers[name] = value
    _check(headers)
    return headers


def _check(headers: Mapping[str, str]) -> None:
    for name in _NEEDED:
        if not headers.get(name):
            raise InvalidFieldsError(f"expected a field {name}")
    for name in _OF_CONNECTIONS:
        if name in headers:
            raise InvalidFieldsError(f"expected no field {name}")
    if headers.get("te", "trailers") != "trailers":
        raise InvalidFieldsError("expected no te but trailers")
    if headers.get("host", headers.get(":authority")) != headers.get(":authority"):
        raise InvalidFieldsError("expected a host that is the authority")


def _content_length(headers: Mapping[str, str]) -> int | None:
    text = headers.get("content-length")
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal()):
        raise InvalidFieldsError("expected a content-length of decimal digits")
    return int(text)
