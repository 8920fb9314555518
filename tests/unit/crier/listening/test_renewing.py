"""How a client takes a new connection before the old one ends, and misses nothing in between."""

from itertools import pairwise

import pytest

from crier.listening.opening import Denied, TokenFailure
from tests.support.listening_scene import Scene, frame, frames, position

RENEW_MS = 100_000
"""With the chance of the scenes it is renewed at nine tenths of that."""


def _renewing(*channels: str) -> tuple[Scene, int]:
    """Return a client whose connection is to be renewed now, and its socket."""
    scene = Scene(*channels)
    socket = scene.connect(renew_in_ms=RENEW_MS, connection="a=")
    if scene.last["action"] == "subscribe":
        scene.answer()
    scene.advance(0.9 * RENEW_MS)
    return scene, socket


def _many() -> list[str]:
    """Return more channels than a join takes."""
    return [f"c{number}" for number in range(30)]


def test_connection_is_renewed_before_its_end() -> None:
    """A new one joins with the positions; then the old one is closed, and no state is told."""
    scene, old = _renewing("news")
    scene.text(frame(1, "news"))
    states = list(scene.states)
    new = scene.open("fresh")
    join, closed = scene.last, list(scene.closed)

    scene.answer(news=position(1), connection="b=")

    assert scene.asked == ["first", "renewal"]
    assert (scene.opened[-1], closed, scene.closed) == ((new, "fresh"), [], [old])
    assert join["at"]["news"] == {"seq": 1, "epoch": "e"}
    assert join["was"] == ["a="]
    assert scene.states == states
    assert (scene.client.connection_id, scene.client.ids) == ("b=", ["a=", "b="])


@pytest.mark.parametrize("renew_in_ms", [-5, None, "soon", True])
def test_connection_without_an_end_is_not_renewed(renew_in_ms: object) -> None:
    """It says nothing of use."""
    scene = Scene()
    scene.connect(renew_in_ms=renew_in_ms)  # type: ignore[arg-type]

    scene.live(3_600_000)

    assert scene.asked == ["first"]


def test_connection_that_ends_now_is_renewed() -> None:
    """Half a second later: what let it in may be over, and nothing would come any more."""
    scene = Scene()
    scene.connect(renew_in_ms=0)

    scene.advance(499)
    before = list(scene.asked)
    scene.advance(1)

    assert (before, scene.asked) == (["first"], ["first", "renewal"])


def test_connection_with_an_end_far_away_is_not_renewed_now() -> None:
    """Such times are beyond what a timer takes."""
    scene = Scene()
    scene.connect(renew_in_ms=2**53 - 1)

    scene.live(3_600_000)

    assert scene.asked == ["first"]


def test_both_connections_deliver_while_one_is_renewed() -> None:
    """Each frame once, and nothing is told as missed."""
    scene, old = _renewing()
    new = scene.open()

    scene.text(frame(1), old)
    scene.text(frame(1), new)
    scene.text(frame(2), new)
    scene.text(frame(2), old)
    scene.answer(everyone=position(2, start=0, frames=frames([1, 2])))
    scene.text(frame(3), new)

    assert scene.taken() == [("*", 1), ("*", 2), ("*", 3)]


def test_old_connection_stays_until_the_new_one_has_all_channels() -> None:
    """A join takes 24 of them beside that of everyone, a subscribe the others."""
    scene, old = _renewing(*_many())
    scene.open()
    scene.answer()
    closed = list(scene.closed)

    scene.answer()

    assert scene.actions == ["join", "subscribe", "join", "subscribe"]
    assert [len(request["at"]) for _, request in scene.sent] == [25, 6, 25, 6]
    assert (closed, scene.closed) == ([], [old])


def test_channel_that_is_left_may_be_the_last_that_was_missing() -> None:
    """Then the new connection takes the place of the old one."""
    scene = Scene("news")
    old = scene.connect(renew_in_ms=RENEW_MS)
    scene.advance(0.9 * RENEW_MS)
    scene.open()
    scene.client.subscribe("chat", scene.now)
    scene.look()
    scene.answer(at=-2)  # the join
    before = list(scene.closed)

    scene.client.unsubscribe("chat", scene.now)
    scene.look()

    assert (before, scene.closed) == ([], [old])


def test_channel_that_is_refused_may_be_the_last_that_was_missing() -> None:
    """The new connection does without it, too."""
    scene, old = _renewing("news")
    scene.open()
    scene.refuse("not-allowed")
    scene.answer()
    before = list(scene.closed)

    scene.refuse("not-allowed")

    assert (before, scene.closed) == ([], [old])
    assert "news" not in scene.client.channels


@pytest.mark.parametrize("moment", ["token", "handshake", "join", "refused", "gone"])
def test_renewal_that_fails_is_tried_again(moment: str) -> None:
    """Later each time, as long as the old connection lives; no state is told."""
    scene, _ = _renewing()
    states = list(scene.states)
    begun = []
    for _ in range(3):
        begun.append(scene.now)
        if moment == "token":
            scene.give(TokenFailure("no answer"))
        elif moment == "handshake":
            scene.end(scene.give(), status=403)
        else:
            scene.open()
        if moment == "join":
            scene.end()
        elif moment in ("refused", "gone"):
            scene.refuse("bad-frame" if moment == "refused" else "gone")
        scene.advance([2_000, 4_000, 8_000][len(begun) - 1])

    assert scene.asked == ["first", *["renewal"] * 4]
    assert [later - one for one, later in pairwise(begun)] == [2_000, 4_000]
    assert scene.states == states


def test_renewal_that_takes_too_long_is_tried_again() -> None:
    """The socket is closed, a missing token told."""
    scene, old = _renewing()
    new = scene.open()
    scene.advance(32_000)
    closed = list(scene.closed)
    scene.advance(30_000)

    assert closed == [new]
    assert scene.codes == ["token"]
    assert scene.asked == ["first", "renewal", "renewal"]
    assert old not in scene.closed


def test_failures_of_renewals_are_forgotten_by_the_next_one_that_succeeds() -> None:
    """The waits begin anew."""
    scene, _ = _renewing()
    scene.give(TokenFailure("no answer"))
    scene.advance(2_000)
    scene.open()
    scene.answer(renew_in_ms=RENEW_MS)
    scene.advance(0.9 * RENEW_MS)
    scene.give(TokenFailure("no answer"))

    scene.advance(2_000)

    assert scene.asked == ["first", *["renewal"] * 4]


def test_renewal_without_a_token_waits_for_the_end_of_the_connection() -> None:
    """Then it is asked for again, and ends the client."""
    scene, old = _renewing()
    scene.give(Denied("the user has gone"))
    scene.live(3_600_000)
    before = (list(scene.asked), scene.codes, scene.client.state)

    scene.end(old)
    scene.advance(4_000)
    scene.give(Denied("the user has gone"))

    assert before == (["first", "renewal"], [], "connected")
    assert scene.asked == ["first", "renewal", "reconnect"]
    assert scene.states[-1] == ("closed", "unauthorized")


@pytest.mark.parametrize("moment", ["token", "handshake", "join"])
def test_renewal_goes_on_as_the_reconnect_when_the_old_connection_ends(moment: str) -> None:
    """Without a wait, and what was missed meanwhile is told."""
    scene, old = _renewing()
    if moment != "token":
        new = scene.give() if moment == "handshake" else scene.open()

    scene.end(old)
    states = scene.states[2:]
    if moment == "token":
        scene.open()
    elif moment == "handshake":
        scene.client.opened(new, scene.now)
        scene.look()
    scene.answer(everyone=position(1, start=0, frames=frames([1])))

    assert states == [("connecting", "cut")]
    assert scene.states[3:] == [("connected", "joined")]
    assert scene.asked == ["first", "renewal"]
    assert scene.taken() == [("*", 1, "replayed"), ("*", "recovered", 1)]


def test_renewal_that_is_joined_serves_at_once_when_the_old_connection_ends() -> None:
    """What it lacks is subscribed to as before."""
    scene, old = _renewing(*_many())
    scene.open()
    scene.answer()

    scene.end(old)
    state = scene.states[-1]
    scene.answer()

    assert state == ("connected", "joined")
    assert scene.actions == ["join", "subscribe", "join", "subscribe"]
    assert len([one for one in scene.taken() if one[1] == "recovered"]) == 6


def test_what_a_renewal_was_told_is_missing_is_asked_for_after_the_end_of_the_old_one() -> None:
    """An answer that has more to come is followed up, and so is a gap."""
    scene, old = _renewing(*_many())
    scene.open()
    scene.answer(c0=position(0, frames=[], more=True), c1=position(0))
    scene.text(frame(2, "c1"))
    scene.end(old)

    scene.advance(3_000)
    replays = [request for _, request in scene.sent if request["action"] == "replay"]

    assert [one["channel"] for one in replays] == ["c0", "c1"]


def test_gap_that_the_old_connection_asked_for_is_asked_for_again_on_the_new_one() -> None:
    """The answer would have come to a socket that is closed."""
    scene, old = _renewing(*_many())
    scene.open()
    scene.answer()
    scene.text(frame(2, "c0"), old)
    scene.advance(3_000)
    first = scene.last
    scene.answer(at=-2)  # the subscribe of the new connection

    scene.advance(3_000)
    scene.answer(position=position(2, start=0, frames=frames([1, 2], "c0")))

    assert (first["action"], scene.last["action"]) == ("replay", "replay")
    assert scene.last["ref"] != first["ref"]
    assert scene.taken() == [("c0", 1, "replayed"), ("c0", 2)]


def test_gap_that_was_asked_for_is_asked_for_again_when_a_joined_renewal_takes_over() -> None:
    """The same at the end of the old connection."""
    scene, old = _renewing(*_many())
    scene.open()
    scene.answer()
    scene.text(frame(2, "c0"), old)
    scene.advance(3_000)
    scene.end(old)

    scene.advance(3_000)

    assert [request["channel"] for _, request in scene.sent if "channel" in request] == ["c0", "c0"]


def test_client_that_renews_goes_on_with_the_renewal_after_a_bye() -> None:
    """The connection that said it is closed."""
    scene, old = _renewing()
    scene.open()

    scene.text({"type": "bye", "code": "moved", "reconnect": True, "afterMs": 10}, old)

    assert scene.closed == [old]
    assert scene.states[-1] == ("connecting", "moved")


def test_renewal_that_is_told_to_come_later_does_so() -> None:
    """Within the time that the server says, while the connection before it serves."""
    scene, _ = _renewing()
    new = scene.open()

    scene.text({"type": "bye", "code": "moved", "reconnect": True, "afterMs": 60_000}, new)

    assert scene.closed == [new]
    assert scene.states[-1] == ("connected", "joined")
    assert scene.asked == ["first", "renewal"]
    scene.advance(60_000)
    assert scene.asked == ["first", "renewal", "renewal"]


def test_close_ends_a_renewal_too() -> None:
    """Both sockets are closed."""
    scene, old = _renewing()
    new = scene.open()

    scene.client.close()
    scene.look()

    assert scene.closed == [old, new]
    assert scene.client.wakes_at is None


def test_connection_that_is_to_end_in_a_moment_is_not_renewed_without_a_pause() -> None:
    """A token that is nearly over, or a server that errs, makes no busy loop."""
    scene = Scene()
    scene.connect(renew_in_ms=1)
    waits = []
    for number in range(1, 9):
        waits.append(_wait_for_renewal(scene, number))
        # the sixth one lives for long, so that the next ones may be short again
        scene.answer(renew_in_ms=RENEW_MS if number == 6 else 1)

    assert waits == [500, 2_000, 4_000, 8_000, 16_000, 30_000, 90_000, 2_000]


def _wait_for_renewal(scene: Scene, number: int) -> float:
    """Let the time pass until a renewal begins, and open its socket; return that time."""
    begun = scene.now
    while scene.asked.count("renewal") < number:
        assert scene.client.wakes_at is not None
        scene.advance(scene.client.wakes_at - scene.now)
    scene.open()
    return scene.now - begun


def test_silence_of_the_old_connection_is_not_broken_by_the_new_one() -> None:
    """It is dropped, and the new one goes on in its place."""
    scene, old = _renewing()
    new = scene.open()
    scene.client.check(scene.now)
    scene.look()
    scene.text(frame(1), new)

    scene.advance(5_000)

    assert scene.closed == [old]
    assert scene.states[-1] == ("connecting", "silent")
