"""A post that is coming on a stream of HTTP/2, until it is whole."""

from testbed.stand_in.http2_frames import ErrorCode, Http2Error
from testbed.stand_in.http2_head import PostHead
from testbed.stand_in.http2_hpack import Field
from testbed.stand_in.request import Request


class Upload:
    """A post whose body is still coming."""

    __slots__ = ("block", "body", "changes", "credit_bytes", "fields", "head")

    def __init__(self, head: PostHead, fields: list[Field], block: bytes, changes: int) -> None:
        self.head = head
        self.fields = fields
        self.block = block
        self.changes = changes
        self.body = bytearray()
        self.credit_bytes = 0
        """What the stream's window is wider, or narrower, than one of a new stream."""

    def finish(self, stream_id: int) -> Request:
        """Return the whole post. Raises Http2Error."""
        head, body = self.head, bytes(self.body)
        if head.content_length not in (None, len(body)):
            found = f"found {len(body)} bytes, expected {head.content_length}"
            raise malformed(stream_id, found)
        return Request(head.connection_id, head.path, head.head, head.signature, body, 0)


def malformed(stream_id: int, reason: str) -> Http2Error:
    """Return the error of a stream whose request HTTP/2 forbids: RFC 9113, 8.1.1."""
    return Http2Error(ErrorCode.PROTOCOL_ERROR, reason, stream_id=stream_id)
