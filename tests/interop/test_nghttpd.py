"""The client against nghttp2's own server, which tells each header that it has decoded."""

from collections.abc import Sequence

import pytest

from broadcasting.frame import MAX_FRAME_BYTES
from broadcasting.outcome import Outcome
from delivery import signing
from delivery.signing import Credentials
from testbed.stand_in.certificate import ServerCertificate
from tests.support.interop_posting import USUAL, post_all, with_token
from tests.support.mixed_audience import THOUSANDS, named
from tests.support.nghttpd import ECHO, Nghttpd, running_nghttpd
from tests.support.posting import FRAME, Delivery, once
from tests.support.received_posts import HTTP_2, ReceivedPost, check_posts

A_FEW = 200


def check(
    nghttpd: Nghttpd,
    delivery: Delivery,
    *,
    outcome: Outcome = Outcome.DELIVERED,
    credentials: Sequence[Credentials] = USUAL,
    frame: str = FRAME,
) -> list[ReceivedPost]:
    """Assert that all ended so at the first try, and that nghttpd has decoded what was sent."""
    assert delivery.error is None
    assert delivery.facts() == {(outcome, 1, 0)}
    posts = nghttpd.received(frame)
    check_posts(
        posts,
        once(one.id for one in delivery.taken),
        protocol=HTTP_2,
        authority=nghttpd.authority,
        frame=frame,
        credentials=credentials,
    )
    return posts


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--max-concurrent-streams", "1"),
        ("--max-concurrent-streams", "8"),
        ("--max-concurrent-streams", "1000"),
        ("--window-bits", "4", "--connection-window-bits", "16"),
        ("--window-bits", "30", "--connection-window-bits", "30"),
        ("--header-table-size", "0"),
        ("--header-table-size", "1000"),
        ("--header-table-size", "64K"),
        ("--padding", "250", "--trailer", "x-checked: yes", "--no-content-length"),
    ],
    ids=" ".join,
)
def test_nghttpd_gets_each_post_once_by_its_settings(
    certificate: ServerCertificate, options: Sequence[str]
) -> None:
    """It echoes each post, so that each answer has a body."""
    with running_nghttpd(certificate, ECHO, *options) as nghttpd:
        delivery = post_all(
            nghttpd.authority, certificate, named("c", 500 if options else THOUSANDS)
        )

        check(nghttpd, delivery)

    assert nghttpd.sensitive == {"authorization"}


def test_nghttpd_answers_404(certificate: ServerCertificate) -> None:
    """It has no such file: each post is refused, with a status of the static table and a body."""
    with running_nghttpd(certificate) as nghttpd:
        delivery = post_all(nghttpd.authority, certificate, named("c", A_FEW))

        check(nghttpd, delivery, outcome=Outcome.FAILED)

    (reason,) = delivery.reasons()
    assert reason.startswith("404 <html>")


@pytest.mark.parametrize("characters", [100, 8_000, 20_000])
def test_nghttpd_decodes_session_tokens_of_any_length(
    certificate: ServerCertificate, characters: int
) -> None:
    """The longest one takes more than one frame: CONTINUATION follows HEADERS."""
    credentials = [with_token(characters)]
    with running_nghttpd(certificate, ECHO) as nghttpd:
        delivery = post_all(
            nghttpd.authority, certificate, named("c", A_FEW), credentials=credentials
        )

        check(nghttpd, delivery, credentials=credentials)


def test_nghttpd_decodes_headers_that_change_in_the_middle(
    certificate: ServerCertificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each turn of the loop has a template of its own, with a token of another length."""
    monkeypatch.setattr(signing, "TEMPLATE_SECONDS", 0.0)
    credentials = [with_token(characters) for characters in (1_100, 100, 8_000, 3_000)]
    with running_nghttpd(certificate, ECHO) as nghttpd:
        delivery = post_all(
            nghttpd.authority, certificate, named("c", THOUSANDS), credentials=credentials
        )

        posts = check(nghttpd, delivery, credentials=credentials)

    assert {len(post.token) for post in posts} == {1_100, 100, 8_000, 3_000}


@pytest.mark.parametrize("window_bits", ["16", "20"])
def test_nghttpd_reads_the_largest_frames(certificate: ServerCertificate, window_bits: str) -> None:
    """They are larger than the usual window of a stream, and all together than any of these.

    No window is smaller than the usual one here: where it is, nghttpd resets what it had allowed
    before its settings came, as RFC 9113, 6.9.3, lets it.
    """
    frame = "é" * (MAX_FRAME_BYTES // 2)
    windows = ("--window-bits", window_bits, "--connection-window-bits", window_bits)
    with running_nghttpd(certificate, *windows) as nghttpd:
        delivery = post_all(nghttpd.authority, certificate, named("c", A_FEW), frame=frame)

        check(nghttpd, delivery, outcome=Outcome.FAILED, frame=frame)
