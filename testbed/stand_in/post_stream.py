"""The posts in one client's bytes, however these are split."""

from testbed.stand_in.request import MAX_HEAD_BYTES, Request, RequestReader
from testbed.stand_in.request_head import MAX_BODY_BYTES

MAX_WAITING_BYTES = MAX_HEAD_BYTES + MAX_BODY_BYTES


class PostStream:
    """Takes bytes as they come, gives posts in order."""

    __slots__ = ("_needed_bytes", "_reader", "_waiting")

    def __init__(self, reader: RequestReader) -> None:
        self._reader = reader
        self._waiting: bytes | bytearray = b""
        self._needed_bytes = 1  # with less than this there cannot be a post

    @property
    def is_too_long(self) -> bool:
        """Whether more waits than any one post may be long."""
        return len(self._waiting) > MAX_WAITING_BYTES

    def feed(self, data: bytes) -> None:
        """Take what has come."""
        if not self._waiting:  # nearly always: a post comes in one piece
            self._waiting = data
        elif isinstance(self._waiting, bytearray):
            self._waiting += data
        else:
            self._waiting = bytearray(self._waiting) + data

    def next(self) -> Request | None:
        """Return the next post, or None when it is not whole; raises MalformedError."""
        if len(self._waiting) < self._needed_bytes:
            return None
        data = bytes(self._waiting)
        found = self._reader.read(data)
        if isinstance(found, int):
            self._needed_bytes = found
            return None
        self._waiting = data[found.size_bytes :]
        self._needed_bytes = 1
        return found
