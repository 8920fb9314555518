"""Posts that are read the fast way: they mean what they would mean the long way."""

from collections.abc import Iterator

import pytest
from hpack import Encoder, HeaderTuple, NeverIndexedHeaderTuple
from hypothesis import given
from hypothesis import strategies as st

from testbed.stand_in.http2_frame_reader import FrameReader
from testbed.stand_in.http2_frames import PREFACE, Kind, frame
from testbed.stand_in.http2_inbox import Inbox
from testbed.stand_in.http2_settings import Announced
from testbed.stand_in.request import Request
from tests.support.http2_client import fields

_IN_THE_TABLE = ("x-amz-date", ":authority")


class _Receiver:
    """A reader and an inbox; `posts` are those that were read, `quick` how many the fast way."""

    def __init__(self) -> None:
        announced = Announced()
        self.reader = FrameReader(announced)
        self.inbox = Inbox(announced, self.reader, [])
        self.quick = 0

    def feed(self, data: bytes) -> Iterator[tuple[int, Request]]:
        for item in self.reader.feed(data):
            if len(item) == 2:
                for stream_id, connection_id, signature, body in item[1]:
                    self.quick += 1
                    yield stream_id, item[0].request(connection_id, signature, body)
            else:
                yield from self._take(*item)

    def _take(
        self, kind: int, flags: int, stream_id: int, payload: bytes
    ) -> Iterator[tuple[int, Request]]:
        request = None
        if kind == Kind.HEADERS:
            self.inbox.open(stream_id)
            request = self.inbox.begin(stream_id, flags, payload)
        elif kind == Kind.DATA:
            request = self.inbox.take_data(stream_id, flags, payload)
        if request:
            yield stream_id, request


class _Sender:
    def __init__(self) -> None:
        self._encoder = Encoder()
        self._stream_id = 1

    def post(self, connection_id: str, body: bytes, *, signature: str, token: str = "") -> bytes:
        wanted = fields(connection_id, len(body), **{"x-amz-security-token": token})
        block = self._encoder.encode(
            [
                (HeaderTuple if name in _IN_THE_TABLE else NeverIndexedHeaderTuple)(
                    name, value.replace("0123456789abcdef" * 4, signature)
                )
                for name, value in wanted
            ],
            huffman=False,
        )
        stream_id, self._stream_id = self._stream_id, self._stream_id + 2
        head = frame(Kind.HEADERS, 0x4, stream_id, block)
        return head + frame(Kind.DATA, 0x1, stream_id, body)


_POSTS = st.lists(
    st.tuples(
        st.sampled_from(["AAAA=", "BBBB=", "cc=", "d", "a b", "ä=", "e=f="]),
        st.sampled_from([b"hello", b"world", b"longer"]),
        st.sampled_from(["a" * 64, "0" * 64, "f3" * 32]),
        st.sampled_from(["", "token"]),
    ),
    max_size=30,
)


@given(_POSTS, st.integers(1, 5_000))
def test_reader_reads_all_posts_however_they_differ_and_are_split(
    posts: list[tuple[str, bytes, str, str]], size: int
) -> None:
    """Ids, bodies, signatures and heads of any mix come out as they went in."""
    sender, receiver = _Sender(), _Receiver()
    data = (
        PREFACE
        + frame(Kind.SETTINGS, 0, 0)
        + b"".join(
            sender.post(id_, body, signature=signature, token=token)
            for id_, body, signature, token in posts
        )
    )

    found = [
        post
        for place in range(0, len(data), size)
        for post in receiver.feed(data[place : place + size])
    ]

    assert [stream_id for stream_id, _ in found] == [2 * n + 1 for n in range(len(posts))]
    assert [
        (
            post.connection_id,
            post.body,
            post.signature.decode(),
            post.head.headers.get("x-amz-security-token", ""),
        )
        for _, post in found
    ] == posts


def test_reader_reads_usual_posts_the_fast_way() -> None:
    """All but the first two: the table changes with the first one."""
    sender, receiver = _Sender(), _Receiver()
    data = (
        PREFACE
        + frame(Kind.SETTINGS, 0, 0)
        + b"".join(sender.post(f"{n:04}=", b"hello", signature="a" * 64) for n in range(100))
    )

    found = list(receiver.feed(data))

    assert [post.path for _, post in found] == [
        b"/prod/@connections/%04d%%3D" % n for n in range(100)
    ]
    assert receiver.quick == 98


@pytest.mark.parametrize("signature", ["A" * 64, "g" * 64])
def test_reader_reads_no_wrong_signature_the_fast_way(signature: str) -> None:
    """The long way refuses it."""
    sender, receiver = _Sender(), _Receiver()
    usual = [sender.post("a=", b"hello", signature="a" * 64) for _ in range(3)]
    wrong = sender.post("a=", b"hello", signature=signature)

    found = list(receiver.feed(PREFACE + frame(Kind.SETTINGS, 0, 0) + b"".join(usual)))
    with pytest.raises(Exception, match="64 hex digits"):
        list(receiver.feed(wrong))

    assert len(found) == 3
