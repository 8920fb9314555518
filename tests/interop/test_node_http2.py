"""The client against Node's own servers, which tell all that they have decoded of a post."""

from collections.abc import Mapping, Sequence

import pytest

from broadcasting.frame import MAX_FRAME_BYTES
from broadcasting.outcome import Outcome
from delivery import signing
from delivery.signing import Credentials
from testbed.stand_in.certificate import ServerCertificate
from tests.support.interop_posting import USUAL, post_all, with_token
from tests.support.mixed_audience import check_outcomes, mixed_audience, named, times_posted
from tests.support.node_http2 import NodeServer, Settings, running_node
from tests.support.posting import FRAME, Delivery
from tests.support.received_posts import HTTP_1, HTTP_2, ReceivedPost, check_posts

NARROW: Settings = {"maxConcurrentStreams": 1, "initialWindowSize": 1, "headerTableSize": 0}
USUAL_SETTINGS: Settings = {
    "maxConcurrentStreams": 128,
    "initialWindowSize": 65_535,
    "headerTableSize": 4_096,
}
A_FEW = 200

both_protocols = pytest.mark.parametrize("protocol", [HTTP_2, HTTP_1])


def check(
    node: NodeServer,
    protocol: str,
    delivery: Delivery,
    *,
    credentials: Sequence[Credentials] = USUAL,
    frame: str = FRAME,
) -> list[ReceivedPost]:
    """Assert that all ended as it should, and that Node has decoded what was sent."""
    check_outcomes(delivery)
    posts = node.received()
    check_posts(
        posts,
        times_posted(delivery.taken),
        protocol=protocol,
        authority=node.authority,
        frame=frame,
        credentials=credentials,
    )
    return posts


@both_protocols
def test_node_gets_each_post_once(certificate: ServerCertificate, protocol: str) -> None:
    """200, 410, 400, 429 and 503."""
    with running_node(certificate, protocol=protocol) as node:
        delivery = post_all(node.authority, certificate, mixed_audience())

        check(node, protocol, delivery)


@pytest.mark.parametrize(
    ("protocol", "characters"),
    [(HTTP_1, 100), (HTTP_1, 8_000), (HTTP_2, 100), (HTTP_2, 8_000), (HTTP_2, 20_000)],
)
def test_node_decodes_session_tokens_of_any_length(
    certificate: ServerCertificate, protocol: str, characters: int
) -> None:
    """The longest one takes more than one frame: CONTINUATION follows HEADERS."""
    credentials = [with_token(characters)]
    with running_node(certificate, protocol=protocol) as node:
        delivery = post_all(
            node.authority, certificate, mixed_audience(300), credentials=credentials
        )

        check(node, protocol, delivery, credentials=credentials)


@both_protocols
def test_node_decodes_headers_that_change_in_the_middle(
    certificate: ServerCertificate, protocol: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each turn of the loop has a template of its own, with a token of another length."""
    monkeypatch.setattr(signing, "TEMPLATE_SECONDS", 0.0)
    credentials = [with_token(characters) for characters in (1_100, 100, 8_000, 3_000)]
    with running_node(certificate, protocol=protocol) as node:
        delivery = post_all(node.authority, certificate, mixed_audience(), credentials=credentials)

        posts = check(node, protocol, delivery, credentials=credentials)

    assert {len(post.token) for post in posts} == {1_100, 100, 8_000, 3_000}


@both_protocols
def test_node_reads_the_largest_frames(certificate: ServerCertificate, protocol: str) -> None:
    """They are larger than a stream's window, and all together than the connection's."""
    frame = "é" * (MAX_FRAME_BYTES // 2)
    with running_node(certificate, protocol=protocol) as node:
        delivery = post_all(node.authority, certificate, mixed_audience(A_FEW), frame=frame)

        check(node, protocol, delivery, frame=frame)


def test_node_gets_each_post_once_when_it_says_goaway_in_the_middle(
    certificate: ServerCertificate,
) -> None:
    """GOAWAY after a hundred posts of a connection: what it has not processed is posted again."""
    with running_node(certificate, leave_after=100) as node:
        delivery = post_all(node.authority, certificate, mixed_audience())

        posts = check(node, HTTP_2, delivery)

    assert len({post.connection for post in posts}) > len(posts) / 228  # 128 may be under way


@pytest.mark.parametrize(
    "settings",
    [
        {"headerTableSize": 0},
        {"headerTableSize": 1_000},
        {"headerTableSize": 65_536},
        {"maxFrameSize": 2**24 - 1, "initialWindowSize": 2**24},
        NARROW,
    ],
)
def test_node_gets_each_post_once_by_its_settings(
    certificate: ServerCertificate, settings: Settings
) -> None:
    """A table of any size, the largest frames, a window of one byte."""
    with running_node(certificate, settings=settings) as node:
        delivery = post_all(node.authority, certificate, mixed_audience(500))

        check(node, HTTP_2, delivery)


@pytest.mark.parametrize(
    "changes",
    [
        {100: NARROW, 140: USUAL_SETTINGS},
        {100: {"headerTableSize": 0}, 101: {"headerTableSize": 4_096}},
    ],
    ids=["narrow-for-a-while", "no-table-for-a-moment"],
)
def test_node_gets_each_post_once_when_its_settings_change_in_the_middle(
    certificate: ServerCertificate, changes: Mapping[int, Settings]
) -> None:
    """A window of one byte; a table that shrinks and grows between two posts, empty after that."""
    with running_node(certificate, changes=changes) as node:
        delivery = post_all(node.authority, certificate, mixed_audience())

        check(node, HTTP_2, delivery)


@pytest.mark.parametrize(("kind", "tries"), [("once", 2), ("reset", 2), ("refused", 1)])
def test_node_gets_a_post_again_when_its_stream_ends_without_success(
    certificate: ServerCertificate, kind: str, tries: int
) -> None:
    """503 and INTERNAL_ERROR were a try, REFUSED_STREAM was none."""
    audience = named(kind, A_FEW)
    with running_node(certificate) as node:
        delivery = post_all(node.authority, certificate, audience)

        check_posts(
            node.received(),
            {one.id: 2 for one in audience},
            protocol=HTTP_2,
            authority=node.authority,
            frame=FRAME,
            credentials=USUAL,
        )

    assert delivery.facts() == {(Outcome.DELIVERED, tries, 0)}


@both_protocols
def test_node_answers_with_hints_body_and_trailer(
    certificate: ServerCertificate, protocol: str
) -> None:
    """103 comes before the answer, and fields after its body: neither is another answer."""
    with running_node(certificate, protocol=protocol) as node:
        delivery = post_all(node.authority, certificate, named("hints", A_FEW))

        check(node, protocol, delivery)
