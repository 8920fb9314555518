"""Reading posts from bytes: strict, and fast where posts differ in id and signature only.

What follows the request line is checked once for each different one, its signature set aside:
within a minute a good client's posts share all of it. A client that varies its headers
is read as strictly, but slower.
"""

import re
from typing import NamedTuple
from urllib.parse import unquote

from testbed.stand_in.request_head import MalformedError, RequestHead

MAX_HEAD_BYTES = 16 * 1024
_HEADS_KEPT = 1024
_PATH = rb"(/[\w.~-]+/@connections/(?=[\w.~%-])([\w.~-]*(?:%[0-9A-Fa-f]{2}[\w.~-]*)*))"
_REQUEST_LINE = re.compile(rb"POST " + _PATH + rb" HTTP/1\.1\r\n")
_match_path = re.compile(_PATH).fullmatch
_SIGNATURE = re.compile(rb"[0-9a-f]{64}(?![0-9a-f])")
_SIGNATURE_MARK = b"Signature="
_NO_SIGNATURE = b"0" * 64


class Request(NamedTuple):
    """One well-formed post; `head` holds its headers, with zeros for the signature."""

    connection_id: str
    path: bytes
    head: RequestHead
    signature: bytes
    body: bytes
    size_bytes: int


class RequestReader:
    """Reads posts; remembers the heads that it has checked."""

    def __init__(self) -> None:
        self._heads: dict[bytes, RequestHead] = {}

    def read(self, data: bytes) -> Request | int:
        """Return the first post in `data`, or how many bytes it takes to tell more.

        Raises MalformedError.
        """
        end = data.find(b"\r\n\r\n")
        if end < 0:
            if len(data) > MAX_HEAD_BYTES:
                raise MalformedError(f"expected the head's end within {MAX_HEAD_BYTES} bytes")
            return len(data) + 1
        line = _REQUEST_LINE.match(data)
        if line is None:
            raise MalformedError("expected POST /<stage>/@connections/<encoded id> HTTP/1.1")
        head, signature = self._read_head(data, line.end(), end)
        body_at = end + 4
        size_bytes = body_at + head.content_length
        if len(data) < size_bytes:
            return size_bytes
        path, encoded_id = line.groups()
        body = data[body_at:size_bytes]
        return Request(decode_id(encoded_id), path, head, signature, body, size_bytes)

    def _read_head(self, data: bytes, begin: int, end: int) -> tuple[RequestHead, bytes]:
        """Return what is between request line and empty line, and the signature in it."""
        signature_at = data.find(_SIGNATURE_MARK, begin, end) + len(_SIGNATURE_MARK)
        signature = _SIGNATURE.match(data, signature_at, end)
        if signature is None or signature_at < begin:
            raise MalformedError("expected an Authorization with Signature= and 64 hex digits")
        key = data[begin:signature_at] + _NO_SIGNATURE + data[signature.end() : end]
        head = self._heads.get(key) or self._check_head(key)
        return head, signature.group()

    def _check_head(self, key: bytes) -> RequestHead:
        head = RequestHead.parse(key)
        if len(self._heads) >= _HEADS_KEPT:
            self._heads.clear()
        self._heads[key] = head
        return head


def connection_id_in(path: bytes) -> str:
    """Return the connection that a post's path is for. Raises MalformedError."""
    found = _match_path(path)
    if found is None:
        raise MalformedError("expected the path /<stage>/@connections/<encoded id>")
    return decode_id(found[2])


def decode_id(encoded_id: bytes) -> str:
    """Return a connection id: real ones have one character to decode, the `=` at their end."""
    text = encoded_id.decode("ascii").replace("%3D", "=")
    if "%" not in text:
        return text
    try:
        return unquote(encoded_id.decode("ascii"), errors="strict")
    except UnicodeDecodeError as error:
        raise MalformedError("expected a connection id in UTF-8") from error
