"""The fast way to read posts: what all of a client's posts have in common is compared, not parsed.

A client's posts differ in stream, id, signature and body; the rest of their bytes is the same while
a signing template lasts. A template is made from a post that was read the long way, and it fits
nothing that would mean anything else.
"""

from struct import Struct
from typing import Self

from testbed.stand_in.http2_frames import END_HEADERS, END_STREAM, HEAD, Kind
from testbed.stand_in.http2_head import PostHead
from testbed.stand_in.http2_hpack import Field
from testbed.stand_in.request import Request

START_BYTES = 5
"""A frame's length, kind and flags."""

_SIGNATURE_BYTES = 64
_HEX = b"0123456789abcdef"
_UNRESERVED = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"

QuickPost = tuple[int, str, bytes, bytes]
"""Stream, connection id, signature and body."""


class Template:
    """A HEADERS frame and the DATA frame after it, as bytes that are known and bytes that vary."""

    __slots__ = (
        *("_after", "_before", "_between", "_unpack"),
        *("body_bytes", "head", "path", "size_bytes", "start"),
    )

    def __init__(self, post: PostHead, start: bytes, known: tuple[bytes, bytes, bytes]) -> None:
        self._before, self._between, self._after = known
        self.start = start
        self.head = post.head
        self.path = post.path[: post.path.rindex(b"/") + 1]
        self._fit(len(post.path) - len(self.path), 0)

    def _fit(self, id_bytes: int, body_bytes: int) -> None:
        before, between, after = map(len, (self._before, self._between, self._after))
        form = Struct(
            f">{START_BYTES}sI{before}s{id_bytes}s{between}s{_SIGNATURE_BYTES}s{after}sI{body_bytes}s"
        )
        self._unpack = form.unpack_from
        self.size_bytes = form.size
        self.body_bytes = body_bytes

    @classmethod
    def of(cls, block: bytes, fields: list[Field], post: PostHead, body_bytes: int) -> Self | None:
        """Return the template of a post, or None when its block is not written in plain bytes.

        `post` must be what `fields` say, and the block must not have changed the table.
        """
        path, authorization = (
            next(field for field in fields if field.name == name)
            for name in (b":path", b"authorization")
        )
        signature_begin = authorization.end - _SIGNATURE_BYTES
        if not (path.end and authorization.end and path.end <= signature_begin):
            return None
        id_begin = path.begin + path.value.rindex(b"/") + 1
        data_start = HEAD.pack(body_bytes << 8 | Kind.DATA, END_STREAM, 0)[:START_BYTES]
        start = HEAD.pack(len(block) << 8 | Kind.HEADERS, END_HEADERS, 0)[:START_BYTES]
        known = (
            block[:id_begin],
            block[path.end : signature_begin],
            block[authorization.end :] + data_start,
        )
        template = cls(post, start, known)
        template._fit(path.end - id_begin, body_bytes)
        return template

    def request(self, connection_id: str, signature: bytes, body: bytes) -> Request:
        """Return a post that fits, with all that was not read of it again."""
        path = self.path + connection_id.replace("=", "%3D").encode()
        return Request(connection_id, path, self.head, signature, body, 0)

    def read(self, data: bytes, position: int) -> list[QuickPost]:
        """Return the whole posts that begin at a position, as many as fit one after another."""
        known = self.start, self._before, self._between, self._after
        posts = []
        for place in range(position, len(data) - self.size_bytes + 1, self.size_bytes):
            start, stream_id, before, encoded_id, between, signature, after, data_id, body = (
                self._unpack(data, place)
            )
            if (start, before, between, after) != known or stream_id != data_id:
                break
            others = encoded_id.translate(None, _UNRESERVED)
            if others and (others != b"%" or encoded_id[-3:] != b"%3D"):
                break  # more to decode than one `=` at its end
            if signature.translate(None, _HEX):
                break
            posts.append((stream_id, encoded_id.decode().replace("%3D", "="), signature, body))
        return posts
