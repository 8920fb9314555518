"""What a hostile HTTP/2 server does with a post: the words of which tests make scripts."""

from collections.abc import Iterable
from contextlib import suppress

from h2.exceptions import ProtocolError
from hyperframe.frame import (
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from tests.support.http2_server import Peer, Post, Script

OK_BLOCK = b"\x88"
"""A header block of nothing but `:status: 200`."""

NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, REFUSED_STREAM, CANCEL, CALM = 0, 1, 2, 7, 8, 11
"""Codes of errors: RFC 9113, 7."""

NO_LIMIT = 2**31 - 1


def answer(peer: Peer, post: Post, status: int = 200, *, body: bytes = b"{}") -> None:
    """Answer a post; 200 delivers it. A post that the client has given up is not answered."""
    if status == 200:
        peer.deliver(post)
    with suppress(ProtocolError):
        peer.h2.send_headers(post.stream_id, [(":status", str(status))], end_stream=not body)
        if body:
            peer.h2.send_data(post.stream_id, body, end_stream=True)


def ok(peer: Peer, post: Post) -> None:
    """Deliver a post."""
    answer(peer, post)


def answers(status: int, *, after_seconds: float = 0.0) -> Script:
    """Return a script that answers each post with a status."""
    if not after_seconds:
        return lambda peer, post: answer(peer, post, status)
    return lambda peer, post: peer.later(after_seconds, lambda: answer(peer, post, status))


def begin_answer(peer: Peer, post: Post, status: int = 200) -> None:
    """Answer a post with a head that announces a body, and send no more."""
    if status == 200:
        peer.deliver(post)
    with suppress(ProtocolError):
        peer.h2.send_headers(post.stream_id, [(":status", str(status))])


def refuse(peer: Peer, post: Post, code: int = REFUSED_STREAM) -> None:
    """Reset the stream of a post."""
    with suppress(ProtocolError):
        peer.h2.reset_stream(post.stream_id, code)


def leave(peer: Peer, last_id: int, code: int = NO_ERROR) -> None:
    """Say goodbye; posts above `last_id` are not processed from now on."""
    peer.last_id = last_id
    peer.raw(goaway(last_id, code))


def goaway(last_id: int, code: int = NO_ERROR) -> bytes:
    """Return a GOAWAY frame."""
    return GoAwayFrame(0, last_stream_id=last_id, error_code=code).serialize()


def settings(*each: tuple[int, int]) -> bytes:
    """Return a SETTINGS frame."""
    return SettingsFrame(0, settings=dict(each)).serialize()


def rst_stream(stream_id: int, code: int = CANCEL) -> bytes:
    """Return a RST_STREAM frame."""
    return RstStreamFrame(stream_id, error_code=code).serialize()


def window_update(stream_id: int, size: int) -> bytes:
    """Return a WINDOW_UPDATE frame."""
    return WindowUpdateFrame(stream_id, window_increment=size).serialize()


def ping(data: bytes = b"12345678") -> bytes:
    """Return a PING frame."""
    return PingFrame(0, opaque_data=data).serialize()


def headers(stream_id: int, block: bytes = OK_BLOCK, *, is_end: bool = True) -> bytes:
    """Return a HEADERS frame that is a whole header block."""
    return _with_flags(HeadersFrame(stream_id, data=block), is_end=is_end, more=["END_HEADERS"])


def data(stream_id: int, content: bytes, *, is_end: bool = False) -> bytes:
    """Return a DATA frame."""
    return _with_flags(DataFrame(stream_id, data=content), is_end=is_end)


def _with_flags(frame: Frame, *, is_end: bool, more: Iterable[str] = ()) -> bytes:
    for flag in (*more, *(["END_STREAM"] if is_end else [])):
        frame.flags.add(flag)
    return frame.serialize()


def send_on(peer: Peer, post: Post, content: bytes) -> None:
    """Send a body as far as its window allows, and the remainder when the window gets wider."""
    with suppress(ProtocolError):
        room = min(
            peer.h2.local_flow_control_window(post.stream_id), peer.h2.max_outbound_frame_size
        )
        part, remainder = content[:room], content[room:]
        if part:
            peer.h2.send_data(post.stream_id, part, end_stream=not remainder)
        if remainder:
            peer.later(0.0 if part else 0.01, lambda: send_on(peer, post, remainder))
