"""What a server tells of its streams on one connection, the next connection knows."""

import pytest

from delivery.http import http2_frames as wire
from delivery.http.http2_frames import Setting
from delivery.http.http2_protocol import MAX_STREAMS, Http2Protocol
from delivery.http.http2_settings import StreamLimit
from delivery.http.request import Request, RequestTemplate

TEMPLATE = RequestTemplate((("host", "example.invalid"),), b"{}")
BEFORE_ANY = 100


def connection(limit: StreamLimit | None = None) -> Http2Protocol[int]:
    """Return a connection on which nothing has come yet."""
    return Http2Protocol(is_tls=True, limit=limit)


def told(streams: int) -> bytes:
    """Return a server's settings with its limit."""
    return wire.settings_frame(((Setting.MAX_CONCURRENT_STREAMS, streams),))


@pytest.mark.parametrize(
    ("streams", "room"), [(0, 1), (1, 1), (8, 8), (128, 128), (1_000, MAX_STREAMS)]
)
def test_connection_begins_with_the_limit_that_the_server_told_last(
    streams: int, room: int
) -> None:
    """Its first posts leave before its own settings come; beyond the limit they were in vain."""
    limit = StreamLimit()
    connection(limit).feed(told(streams))

    later = connection(limit)

    assert later.room == room


def test_connection_keeps_its_own_limit_when_another_one_is_told_to_another() -> None:
    """Two servers may stand behind one name."""
    limit = StreamLimit()
    first, second = connection(limit), connection(limit)
    first.feed(told(8))

    second.feed(told(1))

    assert (first.room, second.room, connection(limit).room) == (8, 1, 1)


def test_connection_begins_with_a_hundred_when_nothing_is_known() -> None:
    """RFC 9113 says that a limit is no lower than this, as a rule."""
    protocol = connection()

    for number in range(BEFORE_ANY):
        protocol.begin(number, Request(TEMPLATE, f"/prod/@connections/c{number}", "AWS4"), now=0.0)

    assert (protocol.under_way, protocol.room) == (BEFORE_ANY, 0)
