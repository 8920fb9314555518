"""Reads HTTP/1.1 answers from bytes as they come, however they are cut. No I/O.

One parser reads one answer. What comes after it makes the connection unusable, so that no answer
is ever taken for another's.
"""

import re
from typing import Final

from delivery.http.connection import MalformedAnswerError, Response
from delivery.http.http1_head import Head, parse_head

MAX_HEAD_BYTES = 16 * 1024
MAX_BODY_BYTES = 64 * 1024
"""The service's own errors are some hundred bytes; more of a larger body is not needed."""

MAX_ANSWER_BYTES = 4 * (MAX_HEAD_BYTES + MAX_BODY_BYTES)
"""The limit of an answer with all that comes before it: informational answers and the sizes of
chunks have no other limit, and a server could send them for ever."""

_CHUNK_SIZE: Final = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]*)?")


class ResponseParser:
    """Takes the bytes of one answer."""

    __slots__ = ("_body", "_buffer", "_fed_bytes", "_head")

    def __init__(self) -> None:
        self._buffer = b""
        self._body = b""
        self._fed_bytes = 0
        self._head: Head | None = None

    def feed(self, data: bytes) -> Response | None:
        """Take more bytes; return the answer once it is whole. Raises MalformedAnswerError."""
        self._buffer = self._buffer + data if self._buffer else data
        self._fed_bytes += len(data)
        if self._fed_bytes > MAX_ANSWER_BYTES:
            raise MalformedAnswerError(data, f"an answer of up to {MAX_ANSWER_BYTES} bytes")
        while self._head is None:
            end = self._end_of(b"\r\n\r\n", MAX_HEAD_BYTES, "a head")
            if end < 0:
                return None
            head = parse_head(self._take(end)[:-4])
            self._head = head if head.is_final else None
        if self._head.body_bytes is None:
            return self._take_chunks(self._head)
        return self._take_body(self._head, self._head.body_bytes)

    def end(self) -> Response | None:
        """Take the end of the connection: the answer if its status is known, None if not."""
        return None if self._head is None else Response(self._head.status, self._body, False)  # noqa: FBT003

    def _take_body(self, head: Head, body_bytes: int) -> Response | None:
        if body_bytes > MAX_BODY_BYTES:
            return self.end()
        if len(self._buffer) < body_bytes:
            return None
        self._body = self._take(body_bytes)
        return self._whole(head)

    def _take_chunks(self, head: Head) -> Response | None:
        while True:
            end = self._end_of(b"\r\n", MAX_HEAD_BYTES, "the size of a chunk")
            if end < 0:
                return None
            size = _CHUNK_SIZE.fullmatch(self._buffer, 0, end - 2)
            if size is None:
                raise MalformedAnswerError(self._buffer, "the size of a chunk")
            chunk_bytes = int(size[1], 16)
            if not chunk_bytes:
                return self._take_trailer(head, end)
            if len(self._body) + chunk_bytes > MAX_BODY_BYTES:
                return self.end()
            if len(self._buffer) < end + chunk_bytes + 2:
                return None
            self._take(end)
            self._body += self._take(chunk_bytes)
            if self._take(2) != b"\r\n":
                raise MalformedAnswerError(self._buffer, "the end of a chunk")

    def _take_trailer(self, head: Head, last_chunk_end: int) -> Response | None:
        """Take the fields after the last chunk, if any, and the empty line that ends them."""
        start = last_chunk_end - 2  # the line end before the empty line may be the size's own
        end = self._end_of(b"\r\n\r\n", MAX_HEAD_BYTES, "a trailer", start)
        if end < 0:
            return None
        self._take(end)
        return self._whole(head)

    def _whole(self, head: Head) -> Response:
        return Response(head.status, self._body, head.keeps_alive and not self._buffer)

    def _end_of(self, mark: bytes, most_bytes: int, what: str, start: int = 0) -> int:
        """Return where what ends with a mark ends, or -1 if it has not come yet."""
        found = self._buffer.find(mark, start)
        if found - start > most_bytes or (found < 0 and len(self._buffer) - start > most_bytes):
            raise MalformedAnswerError(self._buffer, f"{what} of up to {most_bytes} bytes")
        return found + len(mark) if found >= 0 else -1

    def _take(self, size: int) -> bytes:
        taken, self._buffer = self._buffer[:size], self._buffer[size:]
        return taken
