"""The head of an HTTP/1.1 answer: its status, and where its body ends. No I/O. RFC 9112."""

import re
from typing import Final, NamedTuple

from delivery.http.connection import MalformedAnswerError

_HEAD: Final = re.compile(
    rb"HTTP/1\.([01]) ([1-9][0-9][0-9])(?: [^\r\n\0]*)?"
    rb"(?:\r\n[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\r\n\0]*)*"
)
_FRAMING: Final = re.compile(
    rb"\r\n(content-length|transfer-encoding|connection):[ \t]*([^\r]*)", re.IGNORECASE
)
_LENGTH: Final = re.compile(rb"[0-9]{1,15}")
_BODILESS: Final = frozenset({204, 304})
_SWITCHING_PROTOCOLS: Final = 101
_FIRST_FINAL: Final = 200


class Head(NamedTuple):
    """What a head says. `body_bytes` is None for a body in chunks.

    `keeps_alive` is whether the next post may use the connection: also false where only the end
    of the connection would end the body, which is then not waited for.
    """

    status: int
    body_bytes: int | None
    keeps_alive: bool

    @property
    def is_final(self) -> bool:
        """Whether this is the answer, not only news of it (1xx)."""
        return self.status >= _FIRST_FINAL


def parse_head(head: bytes) -> Head:
    """Parse a head without the empty line that ends it. Raises MalformedAnswerError."""
    match = _HEAD.fullmatch(head)
    if match is None:
        raise MalformedAnswerError(head, "the head of an HTTP/1.1 answer")
    status = int(match[2])
    if status == _SWITCHING_PROTOCOLS:
        raise MalformedAnswerError(head, "an answer in HTTP/1.1")
    framing = _framing_of(head)
    is_chunked = _is_chunked(framing)
    length = _length_of(framing)
    keeps_alive = match[1] == b"1" and b"close" not in framing.get(b"connection", b"")
    if status in _BODILESS or status < _FIRST_FINAL:
        return Head(status, 0, keeps_alive)
    if is_chunked:  # with a length as well it is request smuggling: RFC 9112, 6.1
        return Head(status, None, keeps_alive and length is None)
    return Head(status, length or 0, keeps_alive and length is not None)


def _framing_of(head: bytes) -> dict[bytes, bytes]:
    """Return the fields that say where an answer ends; repeated ones joined by commas."""
    framing: dict[bytes, bytes] = {}
    for name, value in _FRAMING.findall(head):
        field, said = name.lower(), value.rstrip(b" \t").lower()
        framing[field] = framing[field] + b"," + said if field in framing else said
    return framing


def _is_chunked(framing: dict[bytes, bytes]) -> bool:
    coding = framing.get(b"transfer-encoding")
    if coding not in (None, b"chunked"):
        raise MalformedAnswerError(coding, "chunked or no transfer-encoding")
    return coding is not None


def _length_of(framing: dict[bytes, bytes]) -> int | None:
    length = framing.get(b"content-length")
    if length is None:
        return None
    if not _LENGTH.fullmatch(length):
        raise MalformedAnswerError(length, "one content-length, in digits")
    return int(length)
