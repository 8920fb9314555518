"""How a client asks until it is answered: again after a time, and later when it is told so."""

from itertools import pairwise
from typing import Any

import pytest

from crier.listening.effects import Trouble
from tests.support.listening_scene import Scene, frame, frames, position

THROTTLED = {"message": "Too Many Requests", "connectionId": "a=", "requestId": "r"}


def _times(scene: Scene, ms: float) -> list[float]:
    """Return when requests are sent in some time, counted from now on."""
    begin, times = scene.now, []
    while scene.client.wakes_at is not None and scene.client.wakes_at <= begin + ms:
        before = len(scene.sent)
        scene.advance(scene.client.wakes_at - scene.now)
        times += [scene.now - begin] * (len(scene.sent) - before)
    return times


def test_request_that_is_not_answered_is_sent_again() -> None:
    """The same text, every ten seconds, while the server says something."""
    scene = Scene()
    scene.connect()
    scene.client.subscribe("news", scene.now)
    scene.look()

    times = []
    for _ in range(4):
        times += _times(scene, 10_000)
        scene.text({"type": "later"})

    assert times == [10_000] * 4
    assert all(one == other for one, other in pairwise(scene.sent[1:]))


def test_connection_is_dropped_on_which_nothing_is_answered() -> None:
    """Thirty seconds after anything was asked, without a word."""
    scene = Scene()
    socket = scene.connect()
    scene.client.subscribe("news", scene.now)
    scene.look()

    scene.advance(29_999)
    before = list(scene.closed)
    scene.advance(1)

    assert (before, scene.closed) == ([], [socket])
    assert scene.states[-1] == ("waiting", "silent")


def test_time_for_an_answer_begins_anew_with_each_word() -> None:
    """A text that is no answer tells as much: the request is asked again, and has its time."""
    scene = Scene()
    scene.connect()
    scene.client.subscribe("news", scene.now)
    scene.look()
    scene.advance(15_000)
    scene.text(frame(1))

    scene.advance(34_999)
    before = scene.states[-1]
    scene.advance(1)

    assert before == ("connected", "joined")
    assert scene.states[-1] == ("waiting", "silent")


def test_idle_connection_whose_ping_is_not_answered_is_dropped() -> None:
    """Five seconds after it; one that is answered lives on."""
    scene = Scene()
    socket = scene.connect()
    scene.live(480_000 + 4_000)
    scene.advance(480_000 - 4_000)
    scene.advance(4_999)
    before = list(scene.closed)

    scene.advance(1)

    assert scene.actions == ["join", "ping", "ping"]
    assert (before, scene.closed) == ([], [socket])
    assert scene.states[-1] == ("waiting", "silent")


def test_only_what_is_due_is_sent_again() -> None:
    """Each request has its own time, and one that is not due waits for it."""
    scene = Scene()
    scene.connect()
    scene.client.subscribe("news", scene.now)
    scene.look()
    scene.advance(4_000)
    scene.client.check(scene.now)
    scene.look()
    scene.text({"type": "later"})

    scene.jump(1_000)
    early = list(scene.actions)
    scene.advance(5_000)

    assert early == ["join", "subscribe", "ping"]
    assert scene.actions == [*early, "subscribe"]


def test_join_that_is_not_answered_is_sent_again() -> None:
    """Until the try is over."""
    scene = Scene()
    scene.start()
    scene.open()

    times = _times(scene, 29_999)

    assert times == [10_000, 20_000]
    assert {one["ref"] for _, one in scene.sent} == {"1"}


def test_answer_is_taken_once() -> None:
    """A second one for the same request is passed over, and so is one for none."""
    scene = Scene("news")
    scene.connect(news=position(1))
    joined = {"type": "joined", "ref": "1", "connectionId": "b=", "channels": {}}

    scene.text({**joined, "channels": {"*": position(9), "news": position(9)}})
    scene.text({**joined, "ref": "99"})
    scene.text({"type": "error", "ref": "1", "code": "bad-frame", "message": "late"})
    scene.text({"type": "error", "ref": "1", "code": "busy", "message": "late", "afterMs": 1})
    scene.text(frame(2, "news"))

    assert scene.client.connection_id != "b="
    assert (scene.codes, scene.taken()) == ([], [("news", 2)])


def test_error_without_a_ref_is_told() -> None:
    """The server could not read which request it is about; all of them go on."""
    scene = Scene()
    scene.connect()
    scene.client.subscribe("news", scene.now)
    scene.look()

    scene.text({"type": "error", "code": "bad-frame", "message": "of which?"})
    scene.answer(news=position(1))
    scene.text(frame(2, "news"))

    assert scene.troubles == [Trouble("bad-frame", "of which?", retry=False)]
    assert scene.taken() == [("news", 2)]


def test_answers_may_overtake_one_another() -> None:
    """Each is known by its ref."""
    scene = Scene("a", "b")
    scene.connect()
    scene.text(frame(2, "a"))
    scene.text(frame(2, "b"))
    scene.advance(3_000)

    scene.answer(at=-1, position=position(2, start=0, frames=frames([1, 2], "b")))
    scene.answer(at=-2, position=position(2, start=0, frames=frames([1, 2], "a")))

    assert scene.actions == ["join", "replay", "replay"]
    assert scene.taken() == [("b", 1, "replayed"), ("b", 2), ("a", 1, "replayed"), ("a", 2)]


def test_throttled_requests_are_sent_again_after_a_random_time() -> None:
    """All that are under way, as it is not known which one it was; later each time."""
    scene = Scene("a", "b")
    scene.connect()
    scene.text(frame(2, "a"))
    scene.text(frame(2, "b"))
    scene.advance(3_000)

    waits = []
    for _ in range(4):
        begin, before = scene.now, len(scene.sent)
        scene.text(THROTTLED)
        while len(scene.sent) == before:
            scene.advance(scene.client.wakes_at - scene.now if scene.client.wakes_at else 0)
        waits.append(scene.now - begin)
        assert [one["channel"] for _, one in scene.sent[before:]] == ["a", "b"]

    assert waits == [2_000, 4_000, 8_000, 8_000]


def test_throttling_of_another_request_begins_anew() -> None:
    """It is counted for each request."""
    scene = Scene()
    scene.connect()
    scene.client.subscribe("a", scene.now)
    scene.look()
    scene.text(THROTTLED)
    scene.advance(2_000)
    scene.answer()
    scene.client.subscribe("b", scene.now)
    scene.look()
    scene.text(THROTTLED)

    assert _times(scene, 2_000) == [2_000]


def test_throttled_join_is_sent_again() -> None:
    """The socket is kept."""
    scene = Scene()
    scene.start()
    socket = scene.open()
    for wait_ms in (2_000, 4_000, 8_000, 8_000):
        scene.text(THROTTLED)
        scene.advance(wait_ms)

    scene.answer()

    assert scene.actions == ["join"] * 5
    assert scene.states[-1] == ("connected", "joined")
    assert socket not in scene.closed


def test_throttling_without_a_request_does_nothing() -> None:
    """It was of one that was answered since."""
    scene = Scene()
    scene.connect()
    wakes_at = scene.client.wakes_at

    scene.text(THROTTLED)

    assert scene.client.wakes_at == wakes_at


@pytest.mark.parametrize(
    ("after_ms", "waits"),
    [(1_000, [1_500, 3_000, 6_000]), (0, [750, 1_500, 3_000]), ("soon", [750, 1_500, 3_000])],
)
def test_busy_server_is_asked_again_later_each_time(after_ms: Any, waits: list[float]) -> None:
    """After what it says, or half a second; only this request."""
    scene = Scene()
    scene.connect()
    scene.client.subscribe("a", scene.now)
    scene.look()
    found = []
    for _ in range(3):
        scene.refuse("busy", retry=True, afterMs=after_ms)
        found += _times(scene, 9_000)[:1]

    assert found == waits
    assert scene.codes == []
    assert {one["ref"] for _, one in scene.sent[1:]} == {"2"}


def test_gap_is_asked_for_after_a_while() -> None:
    """On this connection, with the ids of those before."""
    scene = Scene("news")
    scene.connect(news=position(4), connection="a=")
    scene.end()
    scene.retry()
    scene.open()
    scene.answer(news=position(4))
    scene.taken()
    scene.text(frame(6, "news"))
    scene.advance(2_999)
    before = list(scene.actions)

    scene.advance(1)
    scene.answer(position=position(6, start=4, frames=frames([5, 6], "news")))

    assert before == ["join", "join"]
    assert scene.last == {
        "action": "replay",
        "ref": "3",
        "channel": "news",
        "epoch": "e",
        "from": 4,
        "was": ["a="],
    }
    assert scene.taken() == [("news", 5, "replayed"), ("news", 6)]


def test_each_gap_is_asked_for_in_its_own_time() -> None:
    """One that is younger waits."""
    scene = Scene("a", "b")
    scene.connect()
    scene.text(frame(2, "a"))
    scene.advance(1_000)
    scene.text(frame(2, "b"))
    scene.advance(2_000)
    first = [request.get("channel") for _, request in scene.sent]

    scene.advance(1_000)

    assert first == [None, "a"]
    assert [request.get("channel") for _, request in scene.sent] == [None, "a", "b"]


def test_gap_that_closes_by_itself_is_not_asked_for() -> None:
    """The frame was overtaken on its way."""
    scene = Scene()
    scene.connect()
    scene.text(frame(2))
    scene.advance(2_999)

    scene.text(frame(1))
    scene.advance(10_000)

    assert scene.taken() == [("*", 1), ("*", 2)]
    assert scene.actions == ["join"]


def test_pages_are_asked_for_one_after_the_other() -> None:
    """At once, until there is no more."""
    scene = Scene()
    scene.connect(everyone=position(2, start=0, frames=frames([1, 2]), more=True))
    scene.advance(0)
    first = scene.last
    scene.answer(position=position(4, start=2, frames=frames([3, 4]), more=True))
    scene.advance(0)

    scene.answer(position=position(5, start=4, frames=frames([5])))
    scene.advance(10_000)

    assert (first["from"], scene.last["from"]) == (2, 4)
    assert scene.actions == ["join", "replay", "replay"]
    assert [seq for _, seq, _ in scene.taken()] == [1, 2, 3, 4, 5]


def test_lost_range_is_told() -> None:
    """And the client goes on behind it."""
    scene = Scene()
    scene.connect()
    scene.text(frame(2))
    scene.advance(3_000)
    lost = {"from": 0, "to": 5, "reason": "too-many"}

    scene.answer(position=position(5, start=0, lost=lost))
    scene.text(frame(6))

    assert scene.taken() == [("*", "gap", 0, 5, "too-many"), ("*", 6)]


def test_replay_of_a_channel_that_was_left_is_passed_over() -> None:
    """Nothing is told of it, and it is not put back."""
    scene = Scene("news")
    scene.connect()
    scene.text(frame(2, "news"))
    scene.advance(3_000)
    replay = len(scene.sent) - 1
    scene.client.unsubscribe("news", scene.now)
    scene.look()
    scene.answer()
    sent = len(scene.sent)

    scene.answer(at=replay, position=position(2, start=0, frames=frames([1, 2], "news")))

    assert (scene.taken(), len(scene.sent)) == ([], sent)


def test_answer_to_a_replay_puts_no_connection_on_a_channel() -> None:
    """A channel that was left and followed again is subscribed to all the same."""
    scene = Scene("news")
    scene.connect()
    scene.text(frame(2, "news"))
    scene.advance(3_000)
    replay = len(scene.sent) - 1
    scene.client.unsubscribe("news", scene.now)
    scene.client.subscribe("news", scene.now)
    scene.look()
    scene.answer()
    scene.answer(at=replay, position=position(2, start=0, frames=frames([1, 2], "news")))
    scene.answer(news=position(2))
    scene.text(frame(3, "news"))

    assert scene.actions == ["join", "replay", "unsubscribe", "subscribe"]
    assert scene.taken() == [("news", 3)]


def test_ping_asks_for_the_last_frame() -> None:
    """About every eight minutes, of each channel that is followed; a higher number is a gap."""
    scene = Scene("news")
    scene.connect(news=position(4))
    scene.advance(479_999)
    before = list(scene.actions)
    scene.advance(1)
    ping = scene.last
    scene.text({"type": "pong", "ref": ping["ref"], "at": {"*": 0, "news": 5, "other": 9}})
    scene.advance(3_000)
    scene.answer(position=position(5, start=4, frames=frames([5], "news")))

    assert before == ["join"]
    assert ping == {"action": "ping", "ref": "2", "at": {"*": 0, "news": 4}}
    assert scene.last["from"] == 4
    assert scene.taken() == [("news", 5, "replayed")]


def test_ping_is_asked_again_after_each_interval() -> None:
    """From the moment of the one before."""
    scene = Scene()
    scene.connect()
    for _ in range(2):
        scene.advance(480_000)
        scene.text({"type": "pong", "ref": scene.last["ref"], "at": {"*": 0}})

    scene.advance(480_000)

    assert scene.actions == ["join", "ping", "ping", "ping"]


def test_answers_of_ever_new_epochs_are_asked_for_after_a_pause() -> None:
    """Numbers that begin anew are no progress, though they may be higher ones."""
    scene = Scene()
    scene.connect(everyone=position(2, start=0, frames=frames([1, 2]), more=True))
    scene.advance(0)
    times = []

    for number in range(3):
        lost = {"from": 2 + number, "to": 3 + number, "reason": "epoch"}
        scene.answer(position=position(3 + number, epoch=f"e{number}", lost=lost))
        times += _times(scene, 3_000)

    assert times == [3_000] * 3


@pytest.mark.parametrize(
    "brings",
    [
        {"more": True},
        {"start": 3},
    ],
)
def test_answer_that_brings_nothing_is_asked_again_after_a_pause(brings: dict[str, Any]) -> None:
    """The server may give it for ever: each pause is twice as long as the one before."""
    scene = Scene()
    scene.connect(everyone=position(2, start=0, frames=frames([1, 2]), more=True))
    scene.advance(0)
    times = []

    for ms in (3_000, 6_000, 12_000):
        scene.answer(position=position(2, **brings))
        times += _times(scene, ms)

    assert scene.last["action"] == "replay"
    assert times == [3_000, 6_000, 12_000]


def test_ping_that_is_not_answered_is_given_up_for_the_next_one() -> None:
    """Else each of them would be asked again every 10 s, for as long as the connection lives."""
    scene = Scene()
    scene.connect()
    scene.advance(480_000)
    scene.text({"type": "later"})
    scene.client.check(scene.now)
    scene.look()
    scene.text({"type": "later"})
    scene.sent.clear()

    scene.advance(10_000)

    assert scene.actions == ["ping"]


def test_ping_of_many_channels_is_split() -> None:
    """A request names 25 of them; those without an answer are left out."""
    scene = Scene(*(f"c{number}" for number in range(45)))
    scene.connect()
    scene.client.subscribe("late", scene.now)
    scene.client.check(scene.now)
    scene.look()
    first = scene.last
    scene.answer(at=1)
    scene.client.check(scene.now)
    scene.look()

    pings = [request["at"] for _, request in scene.sent if request["action"] == "ping"]
    assert first["at"] == dict.fromkeys(["*", *(f"c{number}" for number in range(24))], 0)
    assert [len(at) for at in pings] == [25, 25, 21]


def test_lower_numbers_twice_in_a_row_are_asked_about() -> None:
    """They may have begun anew."""
    scene = Scene("news")
    scene.connect(news=position(4))
    for _ in range(2):
        scene.advance(480_000)
        scene.text({"type": "pong", "ref": scene.last["ref"], "at": {"news": 1}})

    scene.advance(0)
    lost = {"from": 4, "to": 1, "reason": "epoch"}
    scene.answer(position={**position(1, start=4, lost=lost), "epoch": "f"})

    assert scene.actions == ["join", "ping", "ping", "replay"]
    assert scene.taken() == [("news", "gap", 4, 1, "epoch")]
