"""The client against nginx, which has implemented both protocols by itself."""

from collections.abc import Sequence

import pytest

from broadcasting.frame import MAX_FRAME_BYTES
from delivery import signing
from delivery.signing import Credentials
from testbed.stand_in.certificate import ServerCertificate
from tests.support.interop_posting import USUAL, post_all, with_token
from tests.support.mixed_audience import check_outcomes, mixed_audience, times_posted
from tests.support.nginx import Nginx, running_nginx
from tests.support.posting import FRAME, Delivery
from tests.support.received_posts import HTTP_1, HTTP_2, ReceivedPost, check_posts

MOST_HTTP_2_CONNECTIONS = 32
"""A handful carries thousands of posts: each has room for 128 at once."""

both_protocols = pytest.mark.parametrize("protocol", [HTTP_2, HTTP_1])


def check(
    nginx: Nginx,
    protocol: str,
    delivery: Delivery,
    *,
    credentials: Sequence[Credentials] = USUAL,
    frame: str = FRAME,
) -> list[ReceivedPost]:
    """Assert that all ended as it should, and that nginx has decoded what was sent."""
    check_outcomes(delivery)
    posts = nginx.received()
    check_posts(
        posts,
        times_posted(delivery.taken),
        protocol=protocol,
        authority=nginx.authorities[protocol],
        frame=frame,
        credentials=credentials,
    )
    return posts


@pytest.mark.parametrize(
    ("protocol", "streams"), [(HTTP_2, 1), (HTTP_2, 8), (HTTP_2, 128), (HTTP_1, 128)]
)
def test_nginx_gets_each_post_once(
    certificate: ServerCertificate, protocol: str, streams: int
) -> None:
    """200, 410, 400, 429 and 503, with as many streams at once as it allows."""
    with running_nginx(certificate, streams=streams) as nginx:
        delivery = post_all(nginx.authorities[protocol], certificate, mixed_audience())

        posts = check(nginx, protocol, delivery)

    if (protocol, streams) == (HTTP_2, 128):
        assert len({post.connection for post in posts}) <= MOST_HTTP_2_CONNECTIONS


@pytest.mark.parametrize(("protocol", "requests"), [(HTTP_2, 100), (HTTP_2, 50), (HTTP_1, 100)])
def test_nginx_gets_each_post_once_when_it_says_goaway_in_the_middle(
    certificate: ServerCertificate, protocol: str, requests: int
) -> None:
    """GOAWAY after fewer posts than are under way: the others are posted again, at no try."""
    with running_nginx(certificate, requests=requests) as nginx:
        delivery = post_all(nginx.authorities[protocol], certificate, mixed_audience())

        posts = check(nginx, protocol, delivery)

    assert len({post.connection for post in posts}) >= len(posts) / requests


@both_protocols
@pytest.mark.parametrize("characters", [100, 8_000])
def test_nginx_decodes_session_tokens_of_any_length(
    certificate: ServerCertificate, protocol: str, characters: int
) -> None:
    """The longer one is larger than the table of headers."""
    credentials = [with_token(characters)]
    with running_nginx(certificate) as nginx:
        delivery = post_all(
            nginx.authorities[protocol], certificate, mixed_audience(300), credentials=credentials
        )

        check(nginx, protocol, delivery, credentials=credentials)


@both_protocols
def test_nginx_decodes_headers_that_change_in_the_middle(
    certificate: ServerCertificate, protocol: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each turn of the loop has a template of its own, with a token of another length."""
    monkeypatch.setattr(signing, "TEMPLATE_SECONDS", 0.0)
    credentials = [with_token(characters) for characters in (1_100, 100, 8_000, 3_000)]
    with running_nginx(certificate) as nginx:
        delivery = post_all(
            nginx.authorities[protocol], certificate, mixed_audience(), credentials=credentials
        )

        posts = check(nginx, protocol, delivery, credentials=credentials)

    assert {len(post.token) for post in posts} == {1_100, 100, 8_000, 3_000}


@both_protocols
def test_nginx_reads_the_largest_frames(certificate: ServerCertificate, protocol: str) -> None:
    """They are larger than a stream's window, and all together than the connection's."""
    frame = "é" * (MAX_FRAME_BYTES // 2)
    with running_nginx(certificate) as nginx:
        delivery = post_all(
            nginx.authorities[protocol], certificate, mixed_audience(200), frame=frame
        )

        check(nginx, protocol, delivery, frame=frame)
