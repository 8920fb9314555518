"""`@connections` is out of reach for a while: no connection fails for it, few posts are made."""

from collections.abc import Callable
from pathlib import Path

import pytest

from testbed.function.app import RESERVED_MS, App
from testbed.function.hostile import Hostile, How, Outage
from testbed.function.names import Names, place_of
from testbed.stand_in.certificate import issue_certificate
from testbed.stand_in.reaction import Answer, Reset
from tests.faults.conftest import Suffer
from tests.support.promises import expect_kept

pytestmark = [pytest.mark.timeout(120), pytest.mark.usefixtures("quick_probes", "quick_tries")]

MINUTES = 60
MOST_POSTS_WHILE_DOWN = 5_000
NAME = "abc123.execute-api.example"


def _expect_recovered(app: App, broadcast_id: str, here: Hostile, audience: set[str]) -> None:
    """Check that all received it once, soon after the outage."""
    account = app.account(broadcast_id)
    expect_kept(app, broadcast_id, here.report(), audience)
    assert account.settled_ms / 1000 <= here.ends_at + 5 * MINUTES
    assert not app.letters(app.slices) + app.letters(app.broadcasts)


@pytest.mark.parametrize("how", ["refused", "broken", "reset"])
def test_endpoint_that_is_down_in_the_middle_costs_no_connection_the_message(
    app: App, hostile: Suffer, how: How
) -> None:
    """Three minutes in the middle of 3,000: all receive it once, and few posts are made in vain."""
    here = hostile(Outage(how=how, seconds=3 * MINUTES, after_posts=1_500))
    audience = app.connect(3_000)

    broadcast_id = app.send()
    app.run()

    _expect_recovered(app, broadcast_id, here, audience)
    assert here.posts_while_down <= MOST_POSTS_WHILE_DOWN


@pytest.mark.parametrize("how", ["refused", "broken", "reset"])
@pytest.mark.parametrize("clients", [1, 3, 200])
def test_endpoint_that_is_down_from_the_beginning_costs_no_connection_the_message(
    app: App, hostile: Suffer, how: How, clients: int
) -> None:
    """No post has been answered yet: the whole audience waits for the endpoint."""
    here = hostile(Outage(how=how, seconds=3 * MINUTES))
    audience = app.connect(clients)

    broadcast_id = app.send()
    app.run()

    _expect_recovered(app, broadcast_id, here, audience)


def test_endpoint_that_is_silent_costs_no_connection_the_message(app: App, hostile: Suffer) -> None:
    """It takes posts and never answers, for a minute: then all receive it."""
    app.remaining_ms = RESERVED_MS + 800
    here = hostile(Outage(how="silent", seconds=60, after_posts=150))
    audience = app.connect(300)

    broadcast_id = app.send()
    app.run()

    _expect_recovered(app, broadcast_id, here, audience)


def test_certificate_that_does_not_verify_costs_no_connection_the_message(
    app: App, hostile: Suffer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For two minutes the endpoint shows another authority's certificate, then its own."""
    for name in ("right", "wrong"):
        (tmp_path / name).mkdir()
    right, wrong = (issue_certificate(tmp_path / name) for name in ("right", "wrong"))
    monkeypatch.setenv("AWS_CA_BUNDLE", str(right.ca_path))
    here = hostile(Outage(how="untrusted", seconds=2 * MINUTES), tls=right, foreign=wrong)
    audience = app.connect(60)

    broadcast_id = app.send()
    app.run()

    _expect_recovered(app, broadcast_id, here, audience)


def test_name_that_is_not_resolved_costs_no_connection_the_message(
    app: App, hostile: Suffer, names: Names, post_to: Callable[[str], None]
) -> None:
    """The name is unknown in five invocations: then all receive it."""
    here = hostile(Outage(how="reset", seconds=1, after_posts=1_000_000))
    names.places[NAME] = []
    post_to(f"http://{NAME}/prod")
    audience = app.connect(60)

    broadcast_id = app.send()
    app.run(until=lambda: app.invocations == 5)
    names.places[NAME] = [place_of(here.url)]
    app.run()

    expect_kept(app, broadcast_id, here.report(), audience)


@pytest.mark.parametrize("how", ["broken", "reset"])
def test_partial_outage_fails_no_connection(app: App, hostile: Suffer, how: How) -> None:
    """Nine of ten posts fail for two minutes, then all work: every connection receives it."""
    outage = Outage(how=how, seconds=2 * MINUTES, after_posts=100, tenths=9)
    here = hostile(outage)
    audience = app.connect(600)

    broadcast_id = app.send()
    app.run()

    _expect_recovered(app, broadcast_id, here, audience)


def test_connections_without_an_answer_fail_alone_when_others_are_answered(
    app: App, hostile: Suffer
) -> None:
    """Posts to two connections are always reset: they fail after their rounds, it settles."""
    audience = app.connect(300)
    lost = set(sorted(audience)[:2])
    here = hostile(
        Outage(how="reset", seconds=1, after_posts=1_000_000),
        usual=lambda post: Reset() if post.connection_id in lost else Answer(200),
    )

    broadcast_id = app.send()
    app.run()

    assert app.account(broadcast_id).is_settled
    assert set(app.failed(broadcast_id)) == lost
    assert here.report().received == dict.fromkeys(audience - lost, 1)
